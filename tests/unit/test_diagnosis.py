"""What a release that did not succeed is told with: where, what was said last, and the next thing to do."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import pytest

from gbg_lib.aws import Aws
from gbg_lib.diagnosis import Diagnosis, diagnose
from gbg_lib.pipeline import Pipeline
from gbg_lib.release import read_release
from tests.unit.aws_fakes import connected, refusal
from tests.unit.release_fakes import (
    BEGIN,
    DEPLOYMENT,
    EXECUTION,
    GOOD,
    FakeCodeDeploy,
    FakeCodePipeline,
    FakeLogs,
    FakeMachines,
    FakeTrail,
    action,
    at,
    lifecycle,
)

MARY = "arn:aws:iam::123456789012:user/mary"
BAKE = "22222222-2222-3333-4444-555555555555"
ROLE_MESSAGE = "The IAM role deploy does not give you permission"


class FakeBake:
    """Systems Manager: one automation and the last command on its builder."""

    def __init__(self, *steps: dict[str, Any], output: str = "", group: str = "") -> None:
        self.steps = list(steps)
        self.output = output
        self.group = group

    def get_automation_execution(self, **given: str) -> dict[str, Any]:
        return {"AutomationExecution": {"StepExecutions": self.steps}}

    def list_command_invocations(self, **given: Any) -> dict[str, Any]:
        found = {
            "CommandId": "c-1",
            "RequestedDateTime": BEGIN,
            "CloudWatchOutputConfig": {"CloudWatchLogGroupName": self.group},
            "CommandPlugins": [{"Output": self.output}],
        }
        return {"CommandInvocations": [found] if given["InstanceId"] == "i-0b" else []}


class FakeLambda:
    def get_function_configuration(self, **given: str) -> dict[str, Any]:
        return {"LoggingConfig": {"LogGroup": f"/logs/{given['FunctionName']}"}}


class FakeBuilds:
    def batch_get_builds(self, **given: Any) -> dict[str, Any]:
        return {"builds": [{"logs": {"groupName": "/logs/build", "streamName": "s"}}]}


@dataclass
class FakeAlarms:
    state: str = "ALARM"
    reason: str = "9 > 5"

    history: tuple[tuple[int, str, str], ...] = ()
    """second, state, reason"""

    def describe_alarm_history(self, **given: Any) -> dict[str, Any]:
        assert (given["HistoryItemType"], given["ScanBy"]) == ("StateUpdate", "TimestampDescending")
        found = [
            {
                "Timestamp": at(second),
                "HistoryData": json.dumps({"newState": {"stateValue": value, "stateReason": reason}}),
            }
            for second, value, reason in reversed(self.history)
        ]
        return {"AlarmHistoryItems": found}

    def describe_alarms(self, **given: Any) -> dict[str, Any]:
        return {
            "MetricAlarms": [
                {
                    "AlarmName": name,
                    "AlarmDescription": "Errors",
                    "StateValue": self.state,
                    "StateReason": self.reason,
                }
                for name in given["AlarmNames"]
            ]
        }


LAUNCHED = {"StepName": "launchBuilder", "StepStatus": "Success", "Outputs": {"InstanceId": ["i-0b"]}}
BROKEN = {
    "StepName": "installTomcat",
    "StepStatus": "Failed",
    "FailureMessage": "exit status 6\nmore of it",
    "ExecutionEndTime": at(30),
}

BY_BAKE = "arn:aws:sts::123456789012:assumed-role/bake/Automation-2"
SWEPT: dict[str, Any] = {
    "ec2": FakeMachines(**{"i-0b": ("terminated", "User initiated")}),
    "cloudtrail": FakeTrail(("TerminateInstances", BY_BAKE, {"InstanceIds": "i-0b"}), minutes=1),
}
"""the bake ended its machine itself"""


def told(failed: dict[str, Any] | None, status: str = "Failed", **services: Any) -> Diagnosis:
    """`failed` is the last action; what is before it succeeded."""
    before = [one for one in GOOD if failed is None or one["startTime"] < failed["startTime"]]
    pipeline = FakeCodePipeline([*before, *([failed] if failed else [])], status)
    aws: Aws = connected(codepipeline=pipeline, **services)
    return diagnose(aws, read_release(Pipeline(aws, "gbg-release"), EXECUTION))


def test_a_failed_bake_names_builder_step_and_the_end_of_its_log() -> None:
    log = FakeLogs(**{"/gbg/bake": [f"line {number}" for number in range(9)]})
    found = told(
        action("BuildGoldenAMI", 2, 40, "Failed", external=BAKE, error="BakeFailed"),
        ssm=FakeBake(LAUNCHED, BROKEN, output="kept", group="/gbg/bake"),
        logs=log,
        **SWEPT,
    )
    assert found.what.splitlines() == [
        "BuildGoldenAMI/BuildGoldenAMI failed: BakeFailed",
        "  i-0b (builder), installTomcat: exit status 6",
        *(f"    line {number}" for number in range(3, 9)),
    ]
    assert "mend step installTomcat" in found.try_this


def test_a_bake_without_a_log_is_told_with_what_run_command_kept() -> None:
    found = told(
        action("BuildGoldenAMI", 2, 40, "Failed", external=BAKE),
        ssm=FakeBake(LAUNCHED, BROKEN, output="no mirror answers"),
        logs=FakeLogs(),
        **SWEPT,
    )
    assert found.what.endswith("\n    no mirror answers")


def test_a_builder_that_somebody_else_ended_is_told_with_who() -> None:
    trail = FakeTrail(
        ("TerminateInstances", BY_BAKE, {"InstanceIds": "i-0b"}),
        ("TerminateInstances", MARY, {"InstanceIds": "i-0b"}),
    )
    found = told(
        action("BuildGoldenAMI", 2, 40, "Failed", external=BAKE),
        ssm=FakeBake(LAUNCHED, BROKEN),
        **SWEPT | {"cloudtrail": trail},
    )
    assert found.what.endswith(f"the machine is terminated (User initiated); ended by {MARY}")
    assert "who ended the machine" in found.try_this


@pytest.mark.parametrize("apart", [0, -1])
def test_what_auto_scaling_did_about_it_is_not_taken_for_its_cause(apart: float) -> None:
    """Its call may be written down first, and told with the same second."""
    scaling = "arn:aws:sts::123456789012:assumed-role/AWSServiceRoleForAutoScaling/AutoScaling"
    trail = FakeTrail(
        ("TerminateInstances", MARY, {"InstanceIds": "i-0b"}),
        ("TerminateInstances", scaling, {"InstanceIds": "i-0b"}),
        apart=apart,
    )
    found = told(
        action("BuildGoldenAMI", 2, 40, "Failed", external=BAKE),
        ssm=FakeBake(LAUNCHED, BROKEN),
        **SWEPT | {"cloudtrail": trail},
    )
    assert found.what.endswith(f"ended by {MARY}")


def test_a_bake_that_never_had_a_machine_says_so() -> None:
    refused = {"StepName": "launchBuilder", "StepStatus": "Failed", "FailureMessage": "UnauthorizedOperation"}
    found = told(action("BuildGoldenAMI", 2, 40, "Failed", external=BAKE), ssm=FakeBake(refused))
    assert "no machine (builder), launchBuilder: UnauthorizedOperation" in found.what


def test_a_function_that_went_wrong_is_told_with_its_own_log() -> None:
    failed = action(
        "BuildGoldenAMI", 2, 40, "Failed", error="KeyError", configuration={"FunctionName": "bake"}
    )
    functions: dict[str, Any] = {"lambda": FakeLambda()}
    found = told(failed, **functions, logs=FakeLogs(**{"/logs/bake": ["Traceback", "KeyError"]}))
    assert found.what.splitlines()[1:] == ["  function bake", "    Traceback", "    KeyError"]


def test_a_failed_build_shows_its_errors_rather_than_its_end() -> None:
    lines = ["[INFO] a", "[ERROR] Health.java:[9,12] cannot find symbol", *(["[INFO] b"] * 9)]
    found = told(
        action("Build", 41, 50, "Failed", external="gbg-build:1"),
        codebuild=FakeBuilds(),
        logs=FakeLogs(**{"/logs/build": lines}),
    )
    assert found.what.splitlines()[1:] == ["    [ERROR] Health.java:[9,12] cannot find symbol"]


def deploy(info: dict[str, Any], *events: dict[str, Any], **services: Any) -> Diagnosis:
    codedeploy = FakeCodeDeploy([("i-0g", "GREEN", list(events))], info)
    codedeploy.others["d-BACK"] = {"status": "Succeeded"}
    codedeploy.alarms = ["gbg-target-5xx", "gbg-elb-5xx"]
    return told(
        action("Deploy", 51, 60, "Failed", external=DEPLOYMENT, error="it failed"),
        codedeploy=codedeploy,
        **services,
    )


def test_a_rollback_is_told_with_its_outcome() -> None:
    found = deploy({"rollbackInfo": {"rollbackDeploymentId": "d-BACK"}})
    assert found.what.splitlines()[-1] == "  rolled back by d-BACK: Succeeded"


def test_an_alarm_is_told_with_what_it_measured() -> None:
    error = {"code": "ALARM_ACTIVE", "message": "Activated alarms: <gbg-target-5xx>"}
    found = deploy({"errorInformation": error}, cloudwatch=FakeAlarms())
    assert found.what.splitlines()[1:] == ["  alarm gbg-target-5xx: Errors; now ALARM", "    9 > 5"]
    assert "what the alarm measured" in found.try_this


@pytest.mark.parametrize(
    "history",
    [
        ((52, "ALARM", "9 > 5"), (53, "OK", "0 > 5"), (54, "ALARM", "6 > 5"), (55, "OK", "1 > 5")),
        ((40, "ALARM", "7 > 5"), (45, "OK", "2 > 5"), (52, "ALARM", "9 > 5"), (55, "OK", "1 > 5")),
        ((30, "ALARM", "7 > 5"), (35, "OK", "2 > 5"), (40, "ALARM", "9 > 5"), (55, "OK", "1 > 5")),
    ],
    ids=["which came on twice", "which had been on and was over", "which was on before"],
)
def test_an_alarm_that_is_ok_again_is_told_with_what_it_measured_first(
    history: tuple[tuple[int, str, str], ...],
) -> None:
    error = {"code": "ALARM_ACTIVE", "message": "Activated alarms: <gbg-target-5xx>"}
    alarms = FakeAlarms("OK", "1 > 5", history)
    found = deploy({"errorInformation": error, "createTime": at(51)}, cloudwatch=alarms)
    assert found.what.splitlines()[1:] == ["  alarm gbg-target-5xx: Errors; now OK", "    9 > 5"]


def test_a_person_who_stopped_the_deployment_is_named() -> None:
    calls = (
        ("StopDeployment", MARY, {"deploymentId": DEPLOYMENT}),
        ("StopDeployment", "else", {"deploymentId": "d-X"}),
    )
    found = deploy({"errorInformation": {"code": "MANUAL_STOP"}}, cloudtrail=FakeTrail(*reversed(calls)))
    assert f"stopped by {MARY}" in found.what
    assert "ask them" in found.try_this


def test_a_right_that_is_missing_is_said_to_be_one() -> None:
    found = deploy({"errorInformation": {"code": "IAM_ROLE_PERMISSIONS", "message": ROLE_MESSAGE}})
    assert "CodeDeploy's role its right back" in found.try_this


@pytest.mark.parametrize(
    ("machines", "words", "advice"),
    [
        (
            FakeMachines(**{"i-0g": ("terminated", "User initiated")}),
            "the machine is terminated (User initiated); ended by arn:aws:iam::123456789012:user/mary",
            "who ended",
        ),
        (FakeMachines(), "the machine is terminated", "who ended"),
        (FakeMachines(**{"i-0g": ("running", "")}), "ValidateService", "mend the hook"),
    ],
)
def test_a_machine_that_is_gone_is_no_fault_of_its_hook(
    machines: FakeMachines, words: str, advice: str
) -> None:
    trail = FakeTrail(("TerminateInstances", MARY, {"InstanceIds": "i-0g"}))
    found = deploy(
        {}, lifecycle("ValidateService", "Failed", errorCode="UnknownError"), ec2=machines, cloudtrail=trail
    )
    assert words in found.what
    assert advice in found.try_this


def test_a_machine_that_was_cleared_away_after_the_failure_is_no_cause() -> None:
    trail = FakeTrail(("TerminateInstances", MARY, {"InstanceIds": "i-0g"}), minutes=60)
    gone = FakeMachines(**{"i-0g": ("terminated", "User initiated")})
    event = lifecycle("DownloadBundle", "Failed", message="no artifact")
    assert "terminated" not in deploy({}, event, ec2=gone, cloudtrail=trail).what


def test_a_health_check_that_never_passes_sends_to_its_path() -> None:
    event = lifecycle("AllowTraffic", "Failed", errorCode="UnknownError")
    found = deploy({}, event, ec2=FakeMachines(**{"i-0g": ("running", "")}))
    assert "health check's path" in found.try_this


def test_a_stopped_release_names_who_and_where() -> None:
    trail = FakeTrail(("StopPipelineExecution", MARY, {"pipelineExecutionId": EXECUTION}))
    found = told(action("Build", 41, 50, "Abandoned"), "Stopped", cloudtrail=trail)
    assert found.what.splitlines() == [
        f"its status is Stopped: stopped by {MARY}",
        "  Build/Build was Abandoned then",
    ]


def test_an_abandoned_deployment_goes_on_and_is_said_to() -> None:
    left = action("Deploy", 51, 60, "Abandoned", external=DEPLOYMENT)
    found = told(left, "Stopped", cloudtrail=FakeTrail())
    assert f"deployment {DEPLOYMENT} goes on by itself" in found.what
    assert "whom CloudTrail does not tell yet" in found.what
    assert "stop-deployment" in found.try_this


class Closed:
    """A service that may not be asked."""

    def __getattr__(self, operation: str) -> Any:
        def refuse(**given: Any) -> Any:
            raise refusal("AccessDenied", "not you")

        return refuse


def test_what_may_not_be_read_does_not_hide_what_is_known() -> None:
    failed = action("Deploy", 51, 60, "Failed", external=DEPLOYMENT, error="it failed")
    found = told(failed, codedeploy=Closed())
    assert found.what.splitlines() == ["Deploy/Deploy failed: it failed", "  more could not be read: not you"]


def test_a_trail_that_may_not_be_read_is_no_reason_to_fail() -> None:
    assert "may not be read" in told(None, "Stopped", cloudtrail=Closed()).what
