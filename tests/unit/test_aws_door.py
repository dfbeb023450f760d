"""The one door to AWS: errors translated by code, pages followed, requests counted, the cloud chosen."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import EndpointConnectionError, NoCredentialsError

from gbg_lib.aws import open_aws, translated
from gbg_lib.errors import (
    AccessRefused,
    AwsError,
    Explained,
    GateRefused,
    GbgError,
    NotThere,
    ParameterError,
    TimedOut,
)
from gbg_lib.exchange import Exchange
from gbg_lib.parameters import Parameters
from gbg_lib.waiting import wait_until
from tests.unit.aws_fakes import connected, refusal


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (refusal("AccessDeniedException", "no"), AccessRefused),
        (refusal("UnauthorizedOperation", "no"), AccessRefused),
        (refusal("ExpiredToken", "old"), AccessRefused),
        (refusal("ValidationError", "Stack with id x does not exist"), NotThere),
        (refusal("PipelineNotFoundException", "x"), NotThere),
        (refusal("NoSuchBucket", "x"), NotThere),
        (
            refusal("ValidationError", "AutoScalingGroup name not found - AutoScalingGroup x not found"),
            NotThere,
        ),
        (
            refusal("AuthFailure", "AWS was not able to validate the provided access credentials"),
            AccessRefused,
        ),
        (refusal("InvalidAccessKeyId", "x"), AccessRefused),
        (refusal("AuthorizationError", "x"), AccessRefused),
        (refusal("ThrottlingException", "Rate exceeded"), AwsError),
        (NoCredentialsError(), AwsError),
    ],
)
def test_an_error_becomes_one_of_ours_by_its_code(error: Exception, kind: type[GbgError]) -> None:
    ours = translated(error, "s3:get_object")
    assert type(ours) is kind
    assert ours.where == "s3:get_object" and ours.try_this
    assert str(ours) == f"{ours.where}: {ours.what}\n  try: {ours.try_this}"


def test_nobody_at_home_asks_whether_the_sandbox_is_up() -> None:
    ours = translated(EndpointConnectionError(endpoint_url="http://127.0.0.1:1"), "sts")
    assert "gbg status" in ours.try_this


class FakeCodeCommit:
    def list_branches(self, **given: Any) -> dict[str, Any]:
        if "nextToken" in given:
            return {"branches": ["c"]}
        return {"branches": ["a", "b"], "nextToken": "more"}

    def get_branch(self, **given: Any) -> dict[str, Any]:
        raise refusal("BranchDoesNotExistException", "no such branch")


def test_listeners_hear_every_page_and_every_error() -> None:
    aws = connected(codecommit=FakeCodeCommit())
    heard: list[Exchange] = []
    aws.listeners.append(heard.append)
    list(aws.pages("codecommit", "list_branches", "branches", repositoryName="r"))
    with pytest.raises(NotThere):
        aws.call("codecommit", "get_branch", repositoryName="r", branchName="b")
    assert [one.operation for one in heard] == ["list_branches", "list_branches", "get_branch"]
    assert [one.reply.get("branches") for one in heard] == [["a", "b"], ["c"], None]
    assert "no such branch" in heard[2].error and heard[2].reads
    assert heard[2].command == "aws codecommit get-branch --repository-name r --branch-name b"


@pytest.mark.parametrize(
    ("service", "operation", "params", "command"),
    [
        ("codedeploy", "stop_deployment", {"deploymentId": "d-1", "autoRollbackEnabled": True},
         "aws deploy stop-deployment --deployment-id d-1 --auto-rollback-enabled"),
        ("ec2", "terminate_instances", {"InstanceIds": ["i-1", "i-2"], "DryRun": False},
         "aws ec2 terminate-instances --instance-ids i-1 i-2 --no-dry-run"),
        ("ssm", "put_parameter", {"Name": "/a", "Value": "it's", "Tags": [{"Key": "k", "Value": "v"}]},
         """aws ssm put-parameter --name /a --value 'it'"'"'s' --tags '[{"Key":"k","Value":"v"}]'"""),
        ("cloudformation", "create_change_set", {"StackName": "s", "TemplateBody": "x" * 500},
         "aws cloudformation create-change-set --stack-name s --template-body file://template-body"),
    ],
)  # fmt: skip
def test_a_request_reads_as_a_line_for_the_aws_command(
    service: str, operation: str, params: dict[str, Any], command: str
) -> None:
    made = Exchange(service, operation, params, datetime.now(UTC), 0.1)
    assert made.command == command and not made.reads


class FakeDeploy:
    """Counts what is changed."""

    def __init__(self) -> None:
        self.stopped: list[str] = []

    def stop_deployment(self, **given: Any) -> dict[str, Any]:
        self.stopped.append(given["deploymentId"])
        return {"status": "Pending"}

    def get_caller_identity(self, **given: Any) -> dict[str, Any]:
        return {"Account": "210987654321"}


def test_what_is_only_explained_is_told_as_a_command_and_not_done() -> None:
    fake = FakeDeploy()
    aws = connected(codedeploy=fake)
    aws.explains = True
    with pytest.raises(Explained, match="nothing was done; it would be: aws deploy stop-deployment"):
        aws.call("codedeploy", "stop_deployment", deploymentId="d-1")
    with pytest.raises(Explained, match="it would be: git push"):
        aws.acts("git push")
    assert fake.stopped == []
    assert [one.split()[0] for one in aws.changes] == ["aws", "git"]


def test_nothing_is_changed_before_the_plan_is_acknowledged() -> None:
    fake = FakeDeploy()
    aws = connected(codedeploy=fake, sts=fake)
    aws.acknowledged = False
    with pytest.raises(GateRefused, match="account 210987654321, us-east-1: the plan is not acknowledged"):
        aws.call("codedeploy", "stop_deployment", deploymentId="d-1")
    assert fake.stopped == []
    aws.acknowledged = True
    aws.call("codedeploy", "stop_deployment", deploymentId="d-1")
    assert fake.stopped == ["d-1"]


def test_on_aws_a_plan_is_to_be_acknowledged(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_PROFILE", raising=False)
    assert not open_aws(Parameters(cloud="aws")).acknowledged
    assert open_aws(Parameters(cloud="aws", acknowledged=True)).acknowledged


def test_pages_are_followed_and_requests_counted() -> None:
    aws = connected(codecommit=FakeCodeCommit())
    found = aws.pages("codecommit", "list_branches", "branches", repositoryName="r")
    assert [str(name) for name in found] == ["a", "b", "c"]
    with pytest.raises(NotThere) as missing:
        aws.call("codecommit", "get_branch", repositoryName="r", branchName="b")
    assert aws.requests == {"codecommit": 3}
    assert missing.value.where == "codecommit:get_branch"
    assert missing.value.__cause__ is not None
    assert aws.requests["codecommit"] == 3


def test_a_sandbox_that_is_not_up_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GBG_HOME", str(tmp_path))
    with pytest.raises(AccessRefused, match="not up") as refused:
        open_aws(Parameters())
    assert "gbg up" in refused.value.try_this


def test_the_sandboxs_profile_is_used_whatever_the_shell_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "aws").mkdir()
    (tmp_path / "aws" / "config").write_text(
        "[profile gbg-sandbox]\nregion = us-east-1\nendpoint_url = http://127.0.0.1:4566\n"
    )
    (tmp_path / "aws" / "credentials").write_text(
        "[gbg-sandbox]\naws_access_key_id = AKIASANDBOX\naws_secret_access_key = s\n"
    )
    monkeypatch.setenv("GBG_HOME", str(tmp_path))
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAREAL")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "real")
    monkeypatch.setenv("AWS_ENDPOINT_URL", "https://elsewhere.example")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-west-1")
    monkeypatch.setenv("AWS_PROFILE", "company")
    aws = open_aws(Parameters())
    keys = aws.session.get_credentials()
    assert keys is not None and keys.access_key == "AKIASANDBOX"
    assert (aws.region, aws.endpoint_url) == ("us-east-1", "http://127.0.0.1:4566")
    assert aws.environment["AWS_CONFIG_FILE"] == str(tmp_path / "aws" / "config")
    assert aws.environment["AWS_DEFAULT_REGION"] == "us-east-1"


def test_an_unknown_profile_is_misuse(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    with pytest.raises(ParameterError, match="company"):
        open_aws(Parameters(cloud="aws", profile="company"))


def test_waiting_looks_again_until_there_is_an_answer_or_time_is_up() -> None:
    aws = connected()
    looks = iter([None, None, 7])
    assert wait_until(aws, lambda: next(looks), limit_seconds=60, what="x", try_this="y") == 7
    with pytest.raises(TimedOut, match="x: not done after 0 s"):
        wait_until(aws, lambda: None, limit_seconds=0, what="x", try_this="y")


class Drifts:
    """AWS pages these, and botocore has no paginator for them."""

    def describe_stack_resource_drifts(self, **given: str) -> dict[str, Any]:
        last = given.get("NextToken") == "2"
        return {"StackResourceDrifts": [{"page": 2 if last else 1}], **({} if last else {"NextToken": "2"})}


def test_pages_are_followed_also_where_botocore_has_no_paginator() -> None:
    aws = connected(cloudformation=Drifts())
    told = aws.pages(
        "cloudformation", "describe_stack_resource_drifts", "StackResourceDrifts", StackName="gbg"
    )
    assert [one["page"] for one in told] == [1, 2]
