"""How deployments fail, stop and roll back, in AWS's codes."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from gbg_sandbox.cloud import Cloud
from gbg_sandbox.services.codedeploy.fleet import Fleets
from gbg_sandbox.services.codedeploy.hooks import LaunchHooks
from gbg_sandbox.services.codedeploy.hosts import Limits
from gbg_sandbox.services.codedeploy.state import Group
from tests.sandbox.fleets import EVENTS, Fleet, Verdict, make_fleet, statuses
from tests.sandbox.loopback_machines import LoopbackMachines
from tests.sandbox.places import eventually

ROLLBACK = {"enabled": True, "events": EVENTS}
BROKEN = Verdict(
    4, "Script at specified location: scripts/run.sh failed with exit code 1", log="[stdout]no database\n"
)


@pytest.fixture
def cloud(tmp_path: Path) -> Iterator[Cloud]:
    made = Cloud(
        tmp_path / "state", open_machines=lambda *_: LoopbackMachines(tmp_path / "machines"), scale=600.0
    )
    made.start()
    yield made
    made.stop()


@pytest.fixture
def fleet(cloud: Cloud) -> Iterator[Fleet]:
    made = make_fleet(cloud)
    yield made
    made.agents.close()


def hurry(fleet: Fleet, **changes: float) -> None:
    """Only these of CodeDeploy's limits are short: what is not to be missed keeps its time."""
    fleet.cloud.service("codedeploy").engine.limits = replace(Limits(), **changes)


def error(told: dict[str, object]) -> tuple[str, str]:
    found = told["errorInformation"]
    assert isinstance(found, dict)
    return found["code"], found["message"]


class Bewildered(LaunchHooks):
    """Meets what nobody thought of when green is handed over."""

    def move(self, group: Group, fleets: Fleets, names: list[str]) -> list[str]:
        raise KeyError(names[0])


def test_what_the_engine_did_not_expect_fails_the_deployment_and_blocks_no_other(fleet: Fleet) -> None:
    fleet.add_group("blue", 1)
    fleet.add_deployment_group()
    engine = fleet.cloud.service("codedeploy").engine
    usual, engine.hooks = engine.hooks, Bewildered()
    deployment_id = fleet.deploy()
    told = fleet.ended(deployment_id)
    assert told["status"] == "Failed"
    assert error(told) == (
        "INTERNAL_ERROR",
        f"gbg_sandbox failed: KeyError('CodeDeploy_fleet_{deployment_id}')",
    )
    engine.hooks = usual
    assert fleet.ended(fleet.deploy())["status"] == "Succeeded"


def test_a_failing_hook_shows_in_its_target_and_leaves_blue_alone(fleet: Fleet) -> None:
    blue = fleet.add_group("blue", 1)
    fleet.add_deployment_group()
    fleet.agents.verdicts["ValidateService"] = BROKEN
    deployment_id = fleet.deploy()
    told = fleet.ended(deployment_id)
    assert told["status"] == "Failed"
    code, message = error(told)
    assert code == "HEALTH_CONSTRAINTS"
    assert message.startswith("The overall deployment failed because too many individual instances failed")
    (target,) = fleet.targets(deployment_id)
    assert target["status"] == "Failed"
    failed = next(one for one in target["lifecycleEvents"] if one["status"] == "Failed")
    assert failed["lifecycleEventName"] == "ValidateService"
    assert failed["diagnostics"] == {
        "errorCode": "ScriptFailed",
        "scriptName": "scripts/run.sh",
        "message": BROKEN.message,
        "logTail": "[stdout]no database\n",
    }
    assert statuses(target)["AllowTraffic"] == "Skipped"
    assert statuses(fleet.targets(deployment_id, "Blue")[0])["BlockTraffic"] == "Skipped"
    assert fleet.healthy_targets() == set(blue)
    assert "rollbackDeploymentId" not in told["rollbackInfo"]
    assert fleet.group(f"CodeDeploy_fleet_{deployment_id}") is not None


def test_an_image_without_an_agent_fails_the_deployment(fleet: Fleet) -> None:
    fleet.add_group("blue", 1)
    fleet.add_deployment_group()
    fleet.agents.installed = False
    hurry(fleet, agent_seconds=600, agent_floor=1)
    deployment_id = fleet.deploy()
    assert error(fleet.ended(deployment_id))[0] == "HEALTH_CONSTRAINTS"
    (target,) = fleet.targets(deployment_id)
    first = target["lifecycleEvents"][0]
    assert (first["lifecycleEventName"], first["status"]) == ("ApplicationStop", "Failed")
    assert "CodeDeploy agent was not able to receive the lifecycle event" in first["diagnostics"]["message"]


def test_an_application_that_never_becomes_healthy_fails_at_allow_traffic(fleet: Fleet) -> None:
    blue = fleet.add_group("blue", 1)
    fleet.add_deployment_group()
    fleet.agents.healthy = False
    hurry(fleet, healthy_seconds=600, healthy_floor=1)
    deployment_id = fleet.deploy()
    assert error(fleet.ended(deployment_id))[0] == "HEALTH_CONSTRAINTS"
    (target,) = fleet.targets(deployment_id)
    allow = next(one for one in target["lifecycleEvents"] if one["lifecycleEventName"] == "AllowTraffic")
    assert allow["status"] == "Failed"
    assert allow["diagnostics"].get("logTail", "") == ""
    assert fleet.healthy_targets() == set(blue)


def test_without_the_launch_rights_there_is_no_green_fleet(fleet: Fleet) -> None:
    fleet.allow("ec2:RunInstances", "ec2:CreateTags")
    fleet.add_group("blue", 1)
    fleet.add_deployment_group()
    deployment_id = fleet.deploy()
    code, message = error(fleet.ended(deployment_id))
    assert code == "AUTO_SCALING_IAM_ROLE_PERMISSIONS"
    assert "AmazonAutoScaling" in message
    assert f"You are not authorized to use launch template: {fleet.template}" in message
    assert fleet.group(f"CodeDeploy_fleet_{deployment_id}") is None
    denied = [event["action"] for event in fleet.events("IAM Denial")]
    assert denied == ["iam:PassRole"]


def test_no_instances(fleet: Fleet) -> None:
    fleet.add_group("blue", 1)
    fleet.add_deployment_group()
    fleet.autoscaling.update_auto_scaling_group(AutoScalingGroupName="blue", MinSize=0, DesiredCapacity=0)
    eventually(lambda: fleet.instances("blue") == [])
    assert error(fleet.ended(fleet.deploy()))[0] == "NO_INSTANCES"


def test_one_at_a_time_ends_with_the_first_failure(fleet: Fleet) -> None:
    fleet.add_group("blue", 2)
    fleet.add_deployment_group(deploymentConfigName="CodeDeployDefault.OneAtATime")
    fleet.agents.verdicts["AfterInstall"] = BROKEN
    told = fleet.ended(fleet.deploy())
    assert told["status"] == "Failed"
    assert (told["deploymentOverview"]["Failed"], told["deploymentOverview"]["Skipped"]) == (1, 1)


def test_a_failing_application_stop_may_be_ignored(fleet: Fleet) -> None:
    fleet.add_group("blue", 1)
    fleet.add_deployment_group()
    fleet.agents.verdicts["ApplicationStop"] = BROKEN
    assert fleet.ended(fleet.deploy())["status"] == "Failed"
    deployment_id = fleet.deploy(ignoreApplicationStopFailures=True)
    assert fleet.ended(deployment_id)["status"] == "Succeeded"
    assert statuses(fleet.targets(deployment_id)[0])["ApplicationStop"] == "Failed"


def test_a_rollback_redeploys_the_last_good_revision_and_removes_green(fleet: Fleet) -> None:
    fleet.add_group("blue", 1)
    fleet.add_deployment_group(autoRollbackConfiguration=ROLLBACK)
    good = fleet.deploy("app-1.zip")
    assert fleet.ended(good)["status"] == "Succeeded"
    serving = fleet.healthy_targets()
    fleet.agents.verdicts["ValidateService"] = BROKEN
    bad = fleet.deploy("app-2.zip")
    told = fleet.ended(bad)
    assert told["status"] == "Failed"
    back = fleet.ended(told["rollbackInfo"]["rollbackDeploymentId"])
    assert (back["status"], back["creator"]) == ("Succeeded", "codeDeployRollback")
    assert back["revision"]["s3Location"]["key"] == "app-1.zip"
    assert fleet.healthy_targets() == serving
    eventually(lambda: fleet.group(f"CodeDeploy_fleet_{bad}") is None)


def test_there_is_nothing_to_roll_back_to_before_the_first_success(fleet: Fleet) -> None:
    fleet.add_group("blue", 1)
    fleet.add_deployment_group(autoRollbackConfiguration=ROLLBACK)
    fleet.agents.verdicts["Install"] = BROKEN
    told = fleet.ended(fleet.deploy())
    assert told["rollbackInfo"]["rollbackMessage"].startswith("The deployment was not rolled back")
    assert fleet.codedeploy.list_deployments()["deployments"] == [told["deploymentId"]]


def test_a_stop_on_request(fleet: Fleet) -> None:
    fleet.add_group("blue", 1)
    fleet.add_deployment_group()
    fleet.agents.blocked["BeforeInstall"] = threading.Event()
    deployment_id = fleet.deploy()
    eventually(lambda: any("BeforeInstall" in ran for ran in fleet.agents.ran.values()))
    assert fleet.codedeploy.stop_deployment(deploymentId=deployment_id)["status"] == "Pending"
    fleet.agents.blocked["BeforeInstall"].set()
    told = fleet.ended(deployment_id)
    assert (told["status"], told["errorInformation"]["code"]) == ("Stopped", "MANUAL_STOP")
    assert statuses(fleet.targets(deployment_id)[0])["Install"] == "Skipped"
    with pytest.raises(fleet.codedeploy.exceptions.DeploymentAlreadyCompletedException):
        fleet.codedeploy.stop_deployment(deploymentId=deployment_id)


def alarm(fleet: Fleet, state: str) -> None:
    cloudwatch = fleet.cloud.client("cloudwatch")
    cloudwatch.put_metric_alarm(
        AlarmName="errors", Namespace="gbg", MetricName="errors", Statistic="Sum", Period=60,
        EvaluationPeriods=1, Threshold=1, ComparisonOperator="GreaterThanThreshold",
        TreatMissingData="ignore",
    )  # fmt: skip
    cloudwatch.set_alarm_state(AlarmName="errors", StateValue=state, StateReason="test")


ALARMS = {"enabled": True, "ignorePollAlarmFailure": False, "alarms": [{"name": "errors"}]}


def test_an_alarm_that_is_on_stops_a_deployment_at_once_unless_overridden(fleet: Fleet) -> None:
    alarm(fleet, "ALARM")
    fleet.add_group("blue", 1)
    fleet.add_deployment_group(alarmConfiguration=ALARMS)
    told = fleet.ended(fleet.deploy())
    assert (told["status"], told["errorInformation"]["code"]) == ("Stopped", "ALARM_ACTIVE")
    assert "Activated alarms: <errors>" in told["errorInformation"]["message"]
    override = {"enabled": False, "ignorePollAlarmFailure": False, "alarms": []}
    assert fleet.ended(fleet.deploy(overrideAlarmConfiguration=override))["status"] == "Succeeded"


def test_an_alarm_during_the_deployment_stops_and_rolls_it_back(fleet: Fleet) -> None:
    alarm(fleet, "OK")
    fleet.add_group("blue", 1)
    fleet.add_deployment_group(alarmConfiguration=ALARMS, autoRollbackConfiguration=ROLLBACK)
    assert fleet.ended(fleet.deploy())["status"] == "Succeeded"
    fleet.agents.blocked["AfterInstall"] = threading.Event()
    deployment_id = fleet.deploy("app-2.zip")
    eventually(
        lambda: statuses((fleet.targets(deployment_id) or [{"lifecycleEvents": []}])[0]).get("Install")
    )
    fleet.cloud.client("cloudwatch").set_alarm_state(AlarmName="errors", StateValue="ALARM", StateReason="x")
    eventually(lambda: fleet.cloud.service("codedeploy").registry.deployment(deployment_id).halt is not None)
    fleet.agents.blocked["AfterInstall"].set()
    told = fleet.ended(deployment_id)
    assert told["errorInformation"]["code"] == "ALARM_ACTIVE"
    assert fleet.ended(told["rollbackInfo"]["rollbackDeploymentId"])["status"] == "Succeeded"
