"""A job inside AWS: its template is valid, and has no right too many."""

from __future__ import annotations

import json
from typing import Any

from cfnlint.api import lint

from gbg_lib.blueprint import BODY_LIMIT, template
from gbg_lib.scheduling import bundle

TEXT = template("jobs")
RESOURCES: dict[str, Any] = json.loads(TEXT)["Resources"]


def test_the_template_is_one_that_cloudformation_takes() -> None:
    assert lint(TEXT) == []
    assert len(TEXT) <= BODY_LIMIT


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
