"""A job inside AWS: its template is valid, and has no right too many."""

from __future__ import annotations

import json
import re
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

import pytest
from cfnlint.api import lint
from cfnlint.schema.manager import PROVIDER_SCHEMA_MANAGER

from gbg_lib.blueprint import BODY_LIMIT, template
from gbg_lib.errors import ParameterError
from gbg_lib.mending.drift import MATTERS
from gbg_lib.scheduling import bundle, rights
from gbg_lib.scheduling.news import with_news

TEXT = template("jobs")
JOBS = sorted((bundle.ROOT / "runbooks" / "jobs").glob("*.ipynb"))
LOOKS = re.compile(r"\w+:(Describe|Get|List|BatchGet|Lookup|Detect)[\w*]*")
SHARED = {"logs:FilterLogEvents", "ssm:SendCommand"}
"""on what is not the deployment's own: logs that are read, and Amazon's document for shells"""
OF_OTHERS = {"kms:Decrypt", "managed-fleets:Get*"}
"""for functions under a key of one's own, and groups that another service manages"""
RESOURCES: dict[str, Any] = json.loads(TEXT)["Resources"]


def test_the_template_is_one_that_cloudformation_takes() -> None:
    assert lint(TEXT) == []
    assert len(TEXT) <= BODY_LIMIT


@pytest.mark.parametrize("path", JOBS, ids=lambda path: path.stem)
def test_each_job_has_rights_of_its_own(path: Path) -> None:
    """What is on everything only looks, and what changes something is on this deployment alone."""
    text = rights.with_rights(TEXT, path.stem)
    assert lint(text) == []
    assert len(text) <= BODY_LIMIT
    document = rights.document(path.stem)
    assert document is not None
    for statement in document["Statement"]:
        if statement["Resource"] == "*":
            assert all(LOOKS.fullmatch(action) for action in statement["Action"]), statement
        else:
            told = json.dumps([statement["Resource"], statement.get("Condition", {})])
            assert "Deployment" in told or actions_of(statement) <= SHARED, statement


PART_1 = json.loads(template(1))["Resources"]
READ = {"drift_report": set(PART_1), "rebake": set(MATTERS), "timed_release": set(MATTERS)}
"""job → the resources whose drift it asks for"""


@pytest.mark.parametrize("job", READ)
def test_who_asks_for_drift_may_read_what_cloudformation_reads_of_each_resource(job: str) -> None:
    """With the rights of who asks: AWS's own schemas name them, as `handlers.read`."""
    document = rights.document(job)
    assert document is not None
    allowed = [action for one in document["Statement"] for action in actions_of(one)]
    for type_ in sorted({PART_1[name]["Type"] for name in READ[job]}):
        if type_.startswith("Custom::"):
            continue
        schema = PROVIDER_SCHEMA_MANAGER.get_resource_schema("us-east-1", type_).schema
        for read in schema.get("handlers", {}).get("read", {}).get("permissions", []):
            assert read in OF_OTHERS or any(fnmatch(read, action) for action in allowed), (type_, read)


def actions_of(statement: dict[str, Any]) -> set[str]:
    found = statement["Action"]
    return {found} if isinstance(found, str) else set(found)


def test_a_runbook_of_ones_own_has_the_rights_that_it_is_given() -> None:
    assert rights.document("04_release") is None
    assert rights.with_rights(TEXT, "04_release") == TEXT


def test_whom_the_file_names_is_told_beside_the_jobs_own_topic_with_that_right_alone() -> None:
    topic = "arn:aws:sns:us-east-1:111122223333:releases"
    text = with_news(TEXT, f"{topic}, ssm:/gbg/chat")
    assert lint(text) == []
    made = json.loads(text)["Resources"]
    [told] = [
        one["Value"]
        for one in made["Project"]["Properties"]["Environment"]["EnvironmentVariables"]
        if one["Name"] == "NOTIFY"
    ]
    assert told == {"Fn::Sub": f"${{Topic}}, {topic}, ssm:/gbg/chat"}
    added = made["ProjectRole"]["Properties"]["Policies"][1:]
    [publish, read] = added[0]["PolicyDocument"]["Statement"]
    assert (publish["Action"], publish["Resource"]) == ("sns:Publish", topic)
    assert read["Action"] == "ssm:GetParameter"
    assert read["Resource"]["Fn::Sub"].endswith(":parameter/gbg/chat")
    assert with_news(TEXT, "") == TEXT


def test_a_webhooks_address_goes_into_no_project_and_no_zip() -> None:
    with pytest.raises(ParameterError, match="ssm:/gbg/chat") as refused:
        with_news(TEXT, "https://hooks.example.com/T0/secret-path")
    assert "secret-path" not in str(refused.value)
    assert "notify" not in bundle.job_parameters({"notify": "https://hooks.example.com/T0/secret-path"})


def test_no_right_is_on_everything() -> None:
    for role in ("ProjectRole", "SchedulerRole"):
        for policy in RESOURCES[role]["Properties"]["Policies"]:
            for statement in policy["PolicyDocument"]["Statement"]:
                assert "*" not in json.dumps(statement["Action"]), statement
                assert statement["Resource"] != "*", statement


def test_no_role_is_open_to_another_account() -> None:
    for role in ("ProjectRole", "SchedulerRole"):
        [statement] = RESOURCES[role]["Properties"]["AssumeRolePolicyDocument"]["Statement"]
        assert statement["Condition"] == {"StringEquals": {"aws:SourceAccount": {"Ref": "AWS::AccountId"}}}


def test_a_job_of_this_project_is_named_by_its_place() -> None:
    assert bundle.word_of(bundle.ROOT / "runbooks" / "jobs" / "rebake.ipynb") == "runbooks/jobs/rebake.ipynb"
