"""A blue/green deployment from the copied group to the deleted one, as AWS tells it."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from botocore.exceptions import ClientError

from gbg_sandbox.cloud import Cloud
from tests.sandbox.fleets import EVENTS, Fleet, make_fleet, statuses
from tests.sandbox.loopback_machines import LoopbackMachines
from tests.sandbox.places import eventually

GREEN_ORDER = [
    "ApplicationStop",
    "DownloadBundle",
    "BeforeInstall",
    "Install",
    "AfterInstall",
    "ApplicationStart",
    "ValidateService",
    "BeforeAllowTraffic",
    "AllowTraffic",
    "AfterAllowTraffic",
]
OF_THE_AGENT = [event for event in GREEN_ORDER if event != "AllowTraffic"]


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


def test_green_takes_over_and_blue_is_deleted(fleet: Fleet) -> None:
    blue = fleet.add_group("blue", 2)
    fleet.add_deployment_group()
    deployment_id = fleet.deploy()
    told = fleet.ended(deployment_id)
    assert (told["status"], told.get("errorInformation")) == ("Succeeded", None)
    name = f"CodeDeploy_fleet_{deployment_id}"
    green = fleet.instances(name)
    assert len(green) == 2
    assert fleet.healthy_targets() == set(green)
    assert fleet.group("blue") is None
    eventually(lambda: [fleet.place.state(one) for one in blue] == ["terminated"] * 2)
    for target in fleet.targets(deployment_id):
        assert [one["lifecycleEventName"] for one in target["lifecycleEvents"]] == GREEN_ORDER
        assert set(statuses(target).values()) == {"Succeeded"}
    assert all(fleet.agents.ran[one] == OF_THE_AGENT for one in green)
    assert [statuses(one) for one in fleet.targets(deployment_id, "Blue")] == [
        {"BeforeBlockTraffic": "Skipped", "BlockTraffic": "Succeeded", "AfterBlockTraffic": "Skipped"}
    ] * 2
    assert told["deploymentOverview"]["Succeeded"] == 2
    group = fleet.codedeploy.get_deployment_group(applicationName="app", deploymentGroupName="fleet")
    info = group["deploymentGroupInfo"]
    assert [one["name"] for one in info["autoScalingGroups"]] == [name]
    assert info["autoScalingGroups"][0]["hook"].startswith(
        "CodeDeploy-managed-automatic-launch-deployment-hook-fleet-"
    )
    assert info["lastSuccessfulDeployment"]["deploymentId"] == deployment_id

    def states() -> list[str]:
        return [one["state"] for one in fleet.events("CodeDeploy Deployment State-change Notification")]

    eventually(lambda: states() == ["START", "SUCCESS"])


def test_the_copy_has_the_sources_settings(fleet: Fleet) -> None:
    fleet.add_group("blue", 1, HealthCheckType="ELB", HealthCheckGracePeriod=60)
    fleet.autoscaling.put_scaling_policy(
        AutoScalingGroupName="blue",
        PolicyName="cpu",
        PolicyType="TargetTrackingScaling",
        TargetTrackingConfiguration={
            "PredefinedMetricSpecification": {"PredefinedMetricType": "ASGAverageCPUUtilization"},
            "TargetValue": 60.0,
        },
    )
    fleet.add_deployment_group()
    deployment_id = fleet.deploy()
    assert fleet.ended(deployment_id)["status"] == "Succeeded"
    name = f"CodeDeploy_fleet_{deployment_id}"
    green = fleet.group(name)
    assert green is not None
    assert (green["HealthCheckType"], green["HealthCheckGracePeriod"]) == ("ELB", 60)
    assert (green["MinSize"], green["MaxSize"], green["DesiredCapacity"]) == (1, 4, 1)
    assert green["TargetGroupARNs"] == [fleet.target_group]
    tags = {tag["Key"]: tag["Value"] for tag in green["Tags"]}
    assert tags["gbg:deployment"] == "gbg"
    policies = fleet.autoscaling.describe_policies(AutoScalingGroupName=name)["ScalingPolicies"]
    assert [one["PolicyName"] for one in policies] == ["cpu"]


def test_a_second_deployment_waits_for_none(fleet: Fleet) -> None:
    fleet.add_group("blue", 1)
    fleet.add_deployment_group()
    fleet.agents.blocked["BeforeInstall"] = threading.Event()
    first = fleet.deploy()
    with pytest.raises(ClientError, match=f"already has an active Deployment '{first}'"):
        fleet.deploy()
    fleet.agents.blocked["BeforeInstall"].set()
    assert fleet.ended(first)["status"] == "Succeeded"
    second = fleet.deploy("app-2.zip")
    told = fleet.ended(second)
    assert told["status"] == "Succeeded"
    assert told["previousRevision"]["s3Location"]["key"] == "app-1.zip"
    assert statuses(fleet.targets(second, "Blue")[0]) == {
        "BeforeBlockTraffic": "Succeeded",
        "BlockTraffic": "Succeeded",
        "AfterBlockTraffic": "Succeeded",
    }


def test_a_ready_deployment_waits_to_be_continued(fleet: Fleet) -> None:
    blue = fleet.add_group("blue", 1)
    ready = {"actionOnTimeout": "STOP_DEPLOYMENT", "waitTimeInMinutes": 600}
    fleet.add_deployment_group(blueGreenDeploymentConfiguration=fleet.blue_green(deploymentReadyOption=ready))
    deployment_id = fleet.deploy()
    eventually(lambda: fleet.deployment(deployment_id)["status"] == "Ready")
    assert fleet.healthy_targets() == set(blue)
    fleet.codedeploy.continue_deployment(deploymentId=deployment_id, deploymentWaitType="READY_WAIT")
    assert fleet.ended(deployment_id)["status"] == "Succeeded"


def test_nobody_continues_a_ready_deployment(fleet: Fleet) -> None:
    blue = fleet.add_group("blue", 1)
    ready = {"actionOnTimeout": "STOP_DEPLOYMENT", "waitTimeInMinutes": 5}
    fleet.add_deployment_group(blueGreenDeploymentConfiguration=fleet.blue_green(deploymentReadyOption=ready))
    told = fleet.ended(fleet.deploy())
    assert told["status"] == "Stopped"
    assert fleet.healthy_targets() == set(blue)


def test_blue_may_be_kept_alive(fleet: Fleet) -> None:
    blue = fleet.add_group("blue", 1)
    fleet.add_deployment_group(
        blueGreenDeploymentConfiguration=fleet.blue_green(
            terminateBlueInstancesOnDeploymentSuccess={"action": "KEEP_ALIVE"}
        )
    )
    deployment_id = fleet.deploy()
    assert fleet.ended(deployment_id)["status"] == "Succeeded"
    assert fleet.instances("blue") == blue
    assert fleet.healthy_targets() == set(fleet.instances(f"CodeDeploy_fleet_{deployment_id}"))


def test_the_termination_wait_can_be_skipped(fleet: Fleet) -> None:
    fleet.add_group("blue", 1)
    ending = {"action": "TERMINATE", "terminationWaitTimeInMinutes": 2880}
    fleet.add_deployment_group(
        blueGreenDeploymentConfiguration=fleet.blue_green(terminateBlueInstancesOnDeploymentSuccess=ending)
    )
    deployment_id = fleet.deploy()
    eventually(lambda: fleet.deployment(deployment_id)["instanceTerminationWaitTimeStarted"])
    assert fleet.deployment(deployment_id)["status"] == "InProgress"
    fleet.codedeploy.continue_deployment(deploymentId=deployment_id, deploymentWaitType="TERMINATION_WAIT")
    assert fleet.ended(deployment_id)["status"] == "Succeeded"
    assert fleet.group("blue") is None


def test_a_stop_after_the_rerouting_brings_the_traffic_back_to_blue(fleet: Fleet) -> None:
    fleet.add_group("blue", 1)
    ending = {"action": "TERMINATE", "terminationWaitTimeInMinutes": 2880}
    fleet.add_deployment_group(
        blueGreenDeploymentConfiguration=fleet.blue_green(terminateBlueInstancesOnDeploymentSuccess=ending),
        autoRollbackConfiguration={"enabled": True, "events": EVENTS},
    )
    first = fleet.deploy()
    eventually(lambda: fleet.deployment(first)["instanceTerminationWaitTimeStarted"])
    fleet.codedeploy.continue_deployment(deploymentId=first, deploymentWaitType="TERMINATION_WAIT")
    fleet.ended(first)
    former = set(fleet.instances(f"CodeDeploy_fleet_{first}"))
    second = fleet.deploy("app-2.zip")
    eventually(lambda: fleet.deployment(second)["instanceTerminationWaitTimeStarted"])
    fleet.codedeploy.stop_deployment(deploymentId=second)
    told = fleet.ended(second)
    assert (told["status"], told["errorInformation"]["code"]) == ("Stopped", "MANUAL_STOP")
    rollback = told["rollbackInfo"]["rollbackDeploymentId"]
    back = fleet.ended(rollback)
    assert (back["status"], back["creator"]) == ("Succeeded", "codeDeployRollback")
    assert back["rollbackInfo"]["rollbackTriggeringDeploymentId"] == second
    assert back["revision"]["s3Location"]["key"] == "app-1.zip"
    assert fleet.healthy_targets() == former
    eventually(lambda: fleet.group(f"CodeDeploy_fleet_{second}") is None)
    info = fleet.codedeploy.get_deployment_group(applicationName="app", deploymentGroupName="fleet")
    names = [one["name"] for one in info["deploymentGroupInfo"]["autoScalingGroups"]]
    assert names == [f"CodeDeploy_fleet_{first}"]


def test_an_instance_that_is_scaled_out_gets_the_last_good_revision(fleet: Fleet) -> None:
    fleet.add_group("blue", 1)
    fleet.add_deployment_group()
    first = fleet.deploy()
    assert fleet.ended(first)["status"] == "Succeeded"
    name = f"CodeDeploy_fleet_{first}"
    fleet.autoscaling.set_desired_capacity(AutoScalingGroupName=name, DesiredCapacity=2)
    eventually(lambda: len(fleet.instances(name)) == 2)
    creators = [
        fleet.deployment(one)["creator"] for one in fleet.codedeploy.list_deployments()["deployments"]
    ]
    assert creators == ["autoscaling", "user"]
    eventually(lambda: fleet.healthy_targets() == set(fleet.instances(name)))
