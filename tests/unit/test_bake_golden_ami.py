"""The pipeline's golden AMI action: its own bake, one version, and always an answer."""

from __future__ import annotations

import json
import logging
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from botocore.exceptions import ClientError

from gbg_lib.blueprint.part3.bake_golden_ami import Bake, Fleet, run
from tests.unit.fleet_fakes import FakeFleet
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


class InvalidJobState(ClientError):
    def __init__(self) -> None:
        super().__init__({"Error": {"Code": "InvalidJobStateException", "Message": "answered"}}, "Put")


class FakePipeline:
    class exceptions:  # noqa: N801
        InvalidJobStateException = InvalidJobState

    def __init__(self) -> None:
        self.answers: dict[str, dict[str, Any]] = {}
        self.refuses_success: ClientError | None = None

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
        self.fleet = FakeFleet()
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

    def prepare(self) -> tuple[Bake, Fleet]:
        if self.broken:
            raise self.broken
        fleet = Fleet(self.fleet, self.fleet, self.fleet, "gbg-app", "gbg-fleet")
        return Bake(self.ssm, "gbg-bake"), fleet

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
    assert world.fleet.updates == 0


def test_a_finished_bake_pins_the_group_that_serves_to_a_new_version(world: World) -> None:
    token = world.start()
    world.end(token)
    answer = world.deliver("job-2", token)

    image = f"ami-{token[-4:]}"
    assert answer["outputVariables"] == {
        "ImageId": image,
        "LaunchTemplateId": "lt-0123456789abcdef0",
        "LaunchTemplateVersion": "2",
        "FormerLaunchTemplateVersion": "1",
        "AutoScalingGroupName": "gbg-blue",
        "AutomationExecutionId": token,
        "PackagesFingerprint": "f1e2",
    }
    assert "continuationToken" not in answer
    assert world.fleet.image("gbg-blue") == image


def test_after_a_release_the_green_group_is_the_one_to_pin(world: World) -> None:
    world.fleet.serving = ["CodeDeploy_gbg-fleet_d-1"]
    world.fleet.pinned = {"CodeDeploy_gbg-fleet_d-1": "1", "gbg-blue": "1"}
    token = world.start()
    world.end(token)
    world.deliver("job-2", token)
    assert world.fleet.pinned == {"CodeDeploy_gbg-fleet_d-1": "2", "gbg-blue": "1"}


def release(world: World, number: int) -> dict[str, str]:
    """One bake from its first delivery to its last."""
    token = world.deliver(f"job-{number}")["continuationToken"]
    world.end(token)
    variables: dict[str, str] = world.deliver(f"job-{number}-2", token)["outputVariables"]
    return variables


def test_what_part_1_has_written_since_arrives_with_the_release(world: World) -> None:
    release(world, 1)
    release(world, 2)
    assert world.fleet.pinned["gbg-blue"] == "3"
    newer = {"VersionNumber": 4, "VersionDescription": "base page on the source AMI", "ImageId": "ami-source"}
    world.fleet.versions.append({**newer, "InstanceType": "t3.large"})
    variables = release(world, 3)
    assert (variables["LaunchTemplateVersion"], variables["FormerLaunchTemplateVersion"]) == ("5", "3")
    assert world.fleet.versions[4]["InstanceType"] == "t3.large"
    assert world.fleet.image("gbg-blue") == variables["ImageId"]


def test_the_image_is_its_own_bakes_when_two_bakes_run(world: World) -> None:
    mine = world.start()
    other = world.deliver("job-9")["continuationToken"]
    for token in (other, mine):
        world.end(token)
    assert world.deliver("job-2", mine)["outputVariables"]["ImageId"] == f"ami-{mine[-4:]}"


def test_a_second_delivery_starts_nothing_and_writes_nothing(world: World) -> None:
    token = world.start()
    world.deliver("job-1")
    assert list(world.ssm.executions) == [token]

    world.end(token)
    world.deliver("job-2", token)
    world.deliver("job-2", token)
    assert len(world.fleet.versions) == 2
    assert world.fleet.updates == 1


def test_a_delivery_after_a_crash_between_writing_and_pinning_takes_the_version_that_is_there(
    world: World,
) -> None:
    token = world.start()
    world.end(token)
    world.deliver("job-2", token)
    world.fleet.pinned["gbg-blue"] = "1"
    variables = world.deliver("job-3", token)["outputVariables"]
    assert (variables["LaunchTemplateVersion"], variables["FormerLaunchTemplateVersion"]) == ("2", "1")
    assert len(world.fleet.versions) == 2
    assert world.fleet.pinned["gbg-blue"] == "2"


def test_a_late_delivery_does_not_move_a_fleet_that_went_on(world: World) -> None:
    token = world.start()
    world.end(token)
    world.deliver("job-2", token)
    world.fleet.versions.append({"VersionNumber": 3, "ImageId": "ami-next"})
    world.fleet.pinned["gbg-blue"] = "3"
    assert "gbg-blue is on 3" in world.deliver("job-3", token)["failureDetails"]["message"]
    assert world.fleet.pinned["gbg-blue"] == "3"


@pytest.mark.parametrize("status", ["Failed", "TimedOut", "Cancelled", "CompletedWithFailure", "Exited"])
def test_a_bake_that_ended_otherwise_fails_the_job_with_its_reason(world: World, status: str) -> None:
    token = world.start()
    step = {"StepName": "updateSystem", "StepStatus": "Failed", "FailureMessage": "no such release"}
    world.end(token, status, StepExecutions=[step])
    details = world.deliver("job-2", token)["failureDetails"]
    assert details["type"] == "JobFailed"
    assert status in details["message"] and "updateSystem: no such release" in details["message"]
    assert details["externalExecutionId"] == token
    assert world.fleet.updates == 0


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


@pytest.mark.parametrize("version", ["$Latest", "$Default"])
def test_a_group_that_floats_is_refused(world: World, version: str) -> None:
    token = world.start()
    world.end(token)
    world.fleet.pinned["gbg-blue"] = version
    assert version in world.deliver("job-2", token)["failureDetails"]["message"]


@pytest.mark.parametrize("serving", [[], ["gbg-blue", "another"], ["gone"]])
def test_a_deployment_group_without_exactly_one_group_is_refused(world: World, serving: list[str]) -> None:
    token = world.start()
    world.end(token)
    world.fleet.serving = serving
    assert world.deliver("job-2", token)["failureDetails"]["type"] == "JobFailed"


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
