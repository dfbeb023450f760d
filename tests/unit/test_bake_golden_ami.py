"""The pipeline's golden AMI action: its own bake, after earlier releases, and always an answer."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from botocore.exceptions import ClientError

from gbg_lib.blueprint.part3.bake_golden_ami import Bake, Gates, run
from tests.unit.shapes import checked

NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)
RELEASE = "11111111-2222-4333-8444-555555555555"
SECRET = "wJalr-not-for-any-log"


def error(code: str) -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": "refused"}}, "Operation")


class FakeAutomation:
    def __init__(self) -> None:
        self.executions: dict[str, dict[str, Any]] = {}
        self.refuses: ClientError | None = None

    def start_automation_execution(self, **given: Any) -> dict[str, Any]:
        checked("ssm", "start_automation_execution", given)
        if self.refuses:
            raise self.refuses
        execution = {
            "AutomationExecutionId": given["ClientToken"],
            "AutomationExecutionStatus": "InProgress",
            "ExecutionStartTime": NOON,
            "CurrentStepName": "updateSystem",
            "Parameters": given["Parameters"],
            "StepExecutions": [],
        }
        kept = self.executions.setdefault(execution["AutomationExecutionId"], execution)
        return {"AutomationExecutionId": kept["AutomationExecutionId"]}

    def get_automation_execution(self, **given: Any) -> dict[str, Any]:
        checked("ssm", "get_automation_execution", given)
        return {"AutomationExecution": self.executions[given["AutomationExecutionId"]]}


class FakeImages:
    """The source image and the parameter that names it."""

    def __init__(self) -> None:
        self.image: dict[str, Any] = {"ImageId": "ami-source", "State": "available", "Tags": []}

    def get_parameter(self, **given: Any) -> dict[str, Any]:
        assert checked("ssm", "get_parameter", given)["Name"] == "/gbg/source-ami"
        return {"Parameter": {"Value": "ami-source"}}

    def describe_images(self, **given: Any) -> dict[str, Any]:
        asked = checked("ec2", "describe_images", given)["Filters"][0]["Values"]
        return {"Images": [self.image] if self.image.get("ImageId") in asked else []}


def execution(id_: str, started: datetime, status: str = "InProgress") -> dict[str, Any]:
    return {"pipelineExecutionId": id_, "status": status, "startTime": started}


class InvalidJobState(ClientError):
    def __init__(self) -> None:
        super().__init__({"Error": {"Code": "InvalidJobStateException", "Message": "answered"}}, "Put")


class FakePipeline:
    class exceptions:  # noqa: N801
        InvalidJobStateException = InvalidJobState

    def __init__(self) -> None:
        self.answers: dict[str, dict[str, Any]] = {}
        self.refuses_success: ClientError | None = None
        self.executions = [execution(RELEASE, NOON)]

    def get_paginator(self, operation: str) -> FakePipeline:
        assert operation == "list_pipeline_executions"
        return self

    def paginate(self, **given: Any) -> Iterator[dict[str, Any]]:
        assert checked("codepipeline", "list_pipeline_executions", given)["pipelineName"] == "gbg-release"
        for one in self.executions:
            yield {"pipelineExecutionSummaries": [one]}

    def put_job_success_result(self, **given: Any) -> None:
        if self.refuses_success:
            raise self.refuses_success
        self._put(checked("codepipeline", "put_job_success_result", given))

    def put_job_failure_result(self, **given: Any) -> None:
        self._put(checked("codepipeline", "put_job_failure_result", given))

    def _put(self, given: dict[str, Any]) -> None:
        if given["jobId"] in self.answers:
            raise InvalidJobState
        self.answers[given["jobId"]] = given


class World:
    def __init__(self) -> None:
        self.ssm = FakeAutomation()
        self.images = FakeImages()
        self.pipeline = FakePipeline()
        self.now = NOON
        self.broken: Exception | None = None

    def deliver(self, job: str, token: str | None = None, **data: Any) -> dict[str, Any]:
        """One invocation; the answer that the pipeline has for this job afterwards."""
        parameters = json.dumps({"release": RELEASE, "commit": "abc123"})
        event = {
            "id": job,
            "data": {
                "actionConfiguration": {"configuration": {"UserParameters": parameters}},
                "artifactCredentials": {"secretAccessKey": SECRET},
                **({"continuationToken": token} if token else {}),
                **data,
            },
        }
        run(event, self.pipeline, self.prepare, self.now)
        return self.pipeline.answers[job]

    def prepare(self) -> tuple[Bake, Gates]:
        if self.broken:
            raise self.broken
        gates = Gates(self.pipeline, self.images, self.images, "gbg-release", "/gbg/source-ami")
        return Bake(self.ssm, "gbg-bake"), gates

    def start(self) -> str:
        token = self.deliver("job-1")["continuationToken"]
        assert isinstance(token, str)
        return token

    def end(self, token: str, status: str = "Success", **changes: Any) -> None:
        outputs = {"createImage.ImageId": [f"ami-{token[-4:]}"], "fingerprint.Output": ["f1e2\n"]}
        self.ssm.executions[token] |= {"AutomationExecutionStatus": status, "Outputs": outputs, **changes}


@pytest.fixture
def world() -> World:
    return World()


def test_the_first_look_starts_a_bake_for_this_release_and_asks_to_be_called_again(world: World) -> None:
    token = world.start()
    assert world.ssm.executions[token]["Parameters"] == {
        "PipelineExecutionId": [RELEASE],
        "CommitId": ["abc123"],
    }
    assert world.pipeline.answers["job-1"]["executionDetails"]["externalExecutionId"] == token


def test_a_running_bake_is_waited_for_by_the_same_id_without_outputs(world: World) -> None:
    token = world.start()
    answer = world.deliver("job-2", token)
    assert answer["continuationToken"] == token
    assert "outputVariables" not in answer


def test_a_finished_bake_tells_its_image(world: World) -> None:
    token = world.start()
    world.end(token)
    answer = world.deliver("job-2", token)
    assert answer["outputVariables"] == {
        "ImageId": f"ami-{token[-4:]}",
        "AutomationExecutionId": token,
        "PackagesFingerprint": "f1e2",
    }
    assert "continuationToken" not in answer


@pytest.mark.parametrize("status", ["InProgress", "Stopping"])
def test_a_release_waits_until_an_earlier_one_is_over(world: World, status: str) -> None:
    earlier = execution("99999999-0000", NOON - timedelta(minutes=1), status)
    world.pipeline.executions.append(earlier)
    answer = world.deliver("job-1")
    assert answer["continuationToken"] == "waiting"
    assert "99999999" in answer["executionDetails"]["summary"]
    assert world.ssm.executions == {}
    earlier["status"] = "Failed"
    token = world.deliver("job-2", "waiting")["continuationToken"]
    assert list(world.ssm.executions) == [token]


def test_a_later_release_is_not_waited_for(world: World) -> None:
    world.pipeline.executions.append(execution("99999999-0000", NOON + timedelta(minutes=1)))
    assert world.deliver("job-1")["continuationToken"] != "waiting"


@pytest.mark.parametrize(
    ("image", "told"),
    [
        ({"Tags": [{"Key": "gbg:revoked", "Value": "CVE-2026-1"}]}, "ami-source is revoked: CVE-2026-1"),
        ({"State": "deregistered"}, "ami-source is deregistered"),
        ({"ImageId": "ami-other"}, "ami-source is not there"),
    ],
)
def test_no_bake_begins_from_an_image_that_may_not_be_used(
    world: World, image: dict[str, Any], told: str
) -> None:
    world.images.image |= image
    assert told in world.deliver("job-1")["failureDetails"]["message"]
    assert world.ssm.executions == {}


def test_the_refusal_of_a_revoked_image_says_how_to_lift_it(world: World) -> None:
    world.images.image["Tags"] = [{"Key": "gbg:revoked", "Value": "CVE-2026-1"}]
    assert world.deliver("job-1")["failureDetails"]["message"].endswith("gbg images reinstate ami-source")


def test_the_image_is_its_own_bakes_when_two_bakes_run(world: World) -> None:
    mine = world.start()
    other = world.deliver("job-9")["continuationToken"]
    for token in (other, mine):
        world.end(token)
    assert world.deliver("job-2", mine)["outputVariables"]["ImageId"] == f"ami-{mine[-4:]}"


def test_a_second_delivery_starts_nothing(world: World) -> None:
    token = world.start()
    world.deliver("job-1")
    assert list(world.ssm.executions) == [token]


@pytest.mark.parametrize("status", ["Failed", "TimedOut", "Cancelled", "CompletedWithFailure", "Exited"])
def test_a_bake_that_ended_otherwise_fails_the_job_with_its_reason(world: World, status: str) -> None:
    token = world.start()
    step = {"StepName": "updateSystem", "StepStatus": "Failed", "FailureMessage": "no such release"}
    world.end(token, status, StepExecutions=[step])
    details = world.deliver("job-2", token)["failureDetails"]
    assert details["type"] == "JobFailed"
    assert status in details["message"] and "updateSystem: no such release" in details["message"]
    assert details["externalExecutionId"] == token


BROKEN = {"StepName": "updateSystem", "StepStatus": "Failed", "FailureMessage": "no mirror answers"}
ENDED = {"StepName": "failBake", "StepStatus": "Failed", "FailureMessage": "not the desired value"}
FOUND = {"StepName": "findBuilder", "StepStatus": "Success", "Outputs": {"InstanceIds": ["i-0b"]}}
FOUND_NONE = {"StepName": "findBuilder", "StepStatus": "Success", "Outputs": {"InstanceIds": []}}
SWEPT_NOT = {"StepName": "terminateFailedBuilder", "StepStatus": "Failed", "FailureMessage": "refused"}


@pytest.mark.parametrize(
    ("afterwards", "left"),
    [
        ([FOUND, SWEPT_NOT | {"StepStatus": "Success"}, ENDED], ""),
        ([FOUND_NONE, SWEPT_NOT, ENDED], ""),
        ([FOUND, SWEPT_NOT, ENDED], "; i-0b could not be terminated and may still run"),
        (
            [FOUND, SWEPT_NOT | {"StepStatus": "TimedOut"}, ENDED],
            "; i-0b could not be terminated and may still run",
        ),
    ],
)
def test_a_failed_bake_tells_the_step_that_failed_first_and_of_the_clean_up_only_what_it_left(
    world: World, afterwards: list[dict[str, Any]], left: str
) -> None:
    token = world.start()
    world.end(token, "Failed", StepExecutions=[BROKEN, *afterwards])
    message = world.deliver("job-2", token)["failureDetails"]["message"]
    assert message == f"BakeFailed: the bake ended as Failed: updateSystem: no mirror answers{left}"


def test_an_unknown_status_is_never_success(world: World) -> None:
    token = world.start()
    world.end(token, "SomethingNew")
    assert world.deliver("job-2", token)["continuationToken"] == token
    world.now = NOON + timedelta(hours=5)
    assert "still SomethingNew" in world.deliver("job-3", token)["failureDetails"]["message"]


def test_success_without_an_image_is_a_failure(world: World) -> None:
    token = world.start()
    world.end(token, Outputs={"fingerprint.Output": ["f1e2"]})
    assert "createImage.ImageId" in world.deliver("job-2", token)["failureDetails"]["message"]


def test_a_missing_right_is_reported_as_such(world: World) -> None:
    world.ssm.refuses = error("AccessDeniedException")
    assert world.deliver("job-1")["failureDetails"]["type"] == "PermissionError"


def test_unreadable_parameters_are_reported(world: World) -> None:
    broken = {"configuration": {"UserParameters": "release=1"}}
    assert (
        "JSONDecodeError" in world.deliver("job-1", actionConfiguration=broken)["failureDetails"]["message"]
    )


def test_no_secret_of_the_event_is_logged(world: World, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    token = world.start()
    world.deliver("job-2", token)
    world.deliver("job-3", "0" * 36)
    assert "job-3" in caplog.text
    assert SECRET not in caplog.text


def test_what_goes_wrong_before_the_first_call_is_reported_too(world: World) -> None:
    world.broken = KeyError("BAKE_DOCUMENT")
    assert world.deliver("job-1")["failureDetails"]["message"] == "KeyError: 'BAKE_DOCUMENT'"


def test_a_result_that_the_pipeline_does_not_take_is_a_failure(world: World) -> None:
    world.pipeline.refuses_success = error("ValidationException")
    assert "ValidationException" in world.deliver("job-1")["failureDetails"]["message"]
