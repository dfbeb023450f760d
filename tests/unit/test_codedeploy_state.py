"""Rules of CodeDeploy that need nothing running: health, settings, queues, answers."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from gbg_sandbox.service import AwsError
from gbg_sandbox.services.codedeploy import answers, lifecycle, validation
from gbg_sandbox.services.codedeploy.commands import CommandQueue, HostCommand
from gbg_sandbox.services.codedeploy.configs import predefined
from gbg_sandbox.services.codedeploy.fleet import healthy
from gbg_sandbox.services.codedeploy.rolling import may_begin
from gbg_sandbox.services.codedeploy.state import Config, Deployment, Group, Registry, new_deployment_id

NOW = datetime(2026, 11, 1, tzinfo=UTC)
REVISION = {"revisionType": "S3", "s3Location": {"bucket": "b", "key": "k", "bundleType": "zip"}}


def at_once(config: Config, hosts: int) -> int:
    """How many hosts are worked on together at the start."""
    running = 0
    while running < hosts and may_begin(hosts, 0, running, config):
        running += 1
    return running


@pytest.mark.parametrize(
    ("name", "hosts", "together"),
    [
        ("OneAtATime", 1, 1),
        ("OneAtATime", 4, 1),
        ("HalfAtATime", 1, 1),
        ("HalfAtATime", 4, 2),
        ("HalfAtATime", 9, 4),
        ("AllAtOnce", 4, 4),
    ],
)
def test_predefined_configurations(name: str, hosts: int, together: int) -> None:
    assert at_once(predefined()[f"CodeDeployDefault.{name}"], hosts) == together


@pytest.mark.parametrize(
    ("kind", "value", "hosts", "failed", "goes_on"),
    [
        ("HOST_COUNT", 2, 4, 1, True),
        ("HOST_COUNT", 2, 4, 2, False),
        ("FLEET_PERCENT", 75, 4, 1, False),
        ("FLEET_PERCENT", 50, 3, 1, False),
        ("HOST_COUNT", 0, 4, 3, True),
    ],
)
def test_a_failed_host_counts_as_unhealthy(
    kind: str, value: int, hosts: int, failed: int, goes_on: bool
) -> None:
    config = Config("c", kind, value, NOW)
    assert may_begin(hosts, failed, 0, config) is goes_on


def settings(**changes: Any) -> dict[str, Any]:
    return {
        "serviceRoleArn": "arn:aws:iam::123456789012:role/codedeploy",
        "autoScalingGroups": ["blue"],
        "deploymentStyle": {"deploymentType": "BLUE_GREEN", "deploymentOption": "WITH_TRAFFIC_CONTROL"},
        "loadBalancerInfo": {"targetGroupInfoList": [{"name": "web"}]},
        "blueGreenDeploymentConfiguration": {
            "greenFleetProvisioningOption": {"action": "COPY_AUTO_SCALING_GROUP"},
            "deploymentReadyOption": {"actionOnTimeout": "CONTINUE_DEPLOYMENT"},
            "terminateBlueInstancesOnDeploymentSuccess": {"action": "TERMINATE"},
        },
        **changes,
    }


def blue_green(**changes: Any) -> dict[str, Any]:
    return settings(
        blueGreenDeploymentConfiguration={**settings()["blueGreenDeploymentConfiguration"], **changes}
    )


def test_good_settings_pass() -> None:
    validation.group(settings())


@pytest.mark.parametrize(
    ("made", "code", "said"),
    [
        (
            settings(autoScalingGroups=[]),
            "InvalidBlueGreenDeploymentConfigurationException",
            "Exactly one AutoScaling",
        ),
        (
            settings(autoScalingGroups=["a", "b"]),
            "InvalidBlueGreenDeploymentConfigurationException",
            "Exactly one",
        ),
        (settings(loadBalancerInfo={}), "InvalidLoadBalancerInfoException", "loadBalancerInfo"),
        (
            settings(deploymentStyle={"deploymentType": "BLUE_GREEN"}),
            "InvalidDeploymentStyleException",
            "WITH_TRAFFIC_CONTROL",
        ),
        (
            settings(blueGreenDeploymentConfiguration={}),
            "InvalidBlueGreenDeploymentConfigurationException",
            "must be specified",
        ),
        (
            blue_green(
                deploymentReadyOption={"actionOnTimeout": "STOP_DEPLOYMENT", "waitTimeInMinutes": 2881}
            ),
            "InvalidBlueGreenDeploymentConfigurationException",
            "between 0 and 2880",
        ),
        (
            blue_green(
                terminateBlueInstancesOnDeploymentSuccess={
                    "action": "KEEP_ALIVE",
                    "terminationWaitTimeInMinutes": 5,
                }
            ),
            "InvalidBlueGreenDeploymentConfigurationException",
            "KEEP_ALIVE",
        ),
        (
            settings(alarmConfiguration={"enabled": True, "alarms": []}),
            "InvalidAlarmConfigException",
            "At least one",
        ),
        (
            settings(autoRollbackConfiguration={"enabled": True, "events": ["SUNDAY"]}),
            "InvalidAutoRollbackConfigException",
            "invalid format",
        ),
        (settings(ec2TagFilters=[{"Key": "a"}]), "UnsupportedOperationException", "does not run"),
        (settings(onPremisesTagSet={"a": 1}), "UnsupportedOperationException", "on-premises"),
        (
            settings(loadBalancerInfo={"elbInfoList": [{"name": "a"}]}),
            "UnsupportedOperationException",
            "Classic",
        ),
    ],
)
def test_bad_settings_are_refused(made: dict[str, Any], code: str, said: str) -> None:
    with pytest.raises(AwsError) as caught:
        validation.group(made)
    assert caught.value.code == code
    assert said in caught.value.message


@pytest.mark.parametrize(
    ("revision", "code"),
    [
        (None, "RevisionRequiredException"),
        ({"revisionType": "GitHub"}, "UnsupportedOperationException"),
        ({"revisionType": "S3", "s3Location": {"bucket": "b"}}, "InvalidRevisionException"),
        (
            {"revisionType": "S3", "s3Location": {"bucket": "b", "key": "k", "bundleType": "YAML"}},
            "InvalidRevisionException",
        ),
    ],
)
def test_bad_revisions_are_refused(revision: dict[str, Any] | None, code: str) -> None:
    with pytest.raises(AwsError) as caught:
        validation.revision(revision)
    assert caught.value.code == code


def deployment(group: Group) -> Deployment:
    return Deployment(new_deployment_id(), group, REVISION, Config("c", "HOST_COUNT", 0, NOW), "user", NOW)


def test_a_group_takes_one_deployment_at_a_time() -> None:
    registry, group = Registry(), Group("app", "fleet", settings())
    first = registry.add(deployment(group))
    with pytest.raises(AwsError, match=f"already has an active Deployment '{first.id}'"):
        registry.add(deployment(group))
    first.status = "Stopped"
    assert registry.add(deployment(group)).status == "Created"


def test_deployments_that_auto_scaling_asks_for_run_beside_others() -> None:
    registry, group = Registry(), Group("app", "fleet", settings())
    registry.add(deployment(group))
    launched = deployment(group)
    launched.only_instance = "i-1"
    assert registry.add(launched) is launched


def test_the_overview_counts_green_only() -> None:
    made = deployment(Group("app", "fleet", settings()))
    made.targets = [lifecycle.green("i-1"), lifecycle.green("i-2"), lifecycle.blue("i-3")]
    made.targets[0].status = "Succeeded"
    counted = {"Pending": 1, "InProgress": 0, "Succeeded": 1, "Failed": 0, "Skipped": 0, "Ready": 0}
    assert answers.overview(made) == counted


def command(instance_id: str, name: str = "BeforeInstall") -> HostCommand:
    return HostCommand(instance_id, name, "r/Prod/d/i", {})


def test_a_host_gets_its_own_commands_in_order() -> None:
    queue = CommandQueue()
    first, second = queue.put(command("i-1")), queue.put(command("i-1", "Install"))
    queue.put(command("i-2"))
    assert queue.poll("i-1", 0) is first
    assert queue.acknowledge(first) == "InProgress"
    queue.complete(first, "Succeeded", {"error_code": 0})
    assert queue.poll("i-1", 0) is second
    assert queue.poll("i-3", 0) is None


def test_an_abandoned_command_is_not_handed_out_and_its_late_acknowledgement_hears_so() -> None:
    queue = CommandQueue()
    late = queue.put(command("i-1"))
    assert not queue.wait(late, lambda one: one.status != "Pending", 0)
    queue.abandon(late)
    assert queue.poll("i-1", 0) is None
    assert queue.acknowledge(late) == "Failed"


def test_a_fleet_is_gone_through_zone_by_zone_in_whatever_order_it_was_launched() -> None:
    def instance(name: str, zone: str, health: str = "Healthy") -> dict[str, str]:
        return {
            "InstanceId": name,
            "AvailabilityZone": zone,
            "LifecycleState": "InService",
            "HealthStatus": health,
        }

    launched = [
        instance("i-1", "b"),
        instance("i-2", "a", "Unhealthy"),
        instance("i-3", "a"),
        instance("i-4", "a"),
    ]
    assert healthy({"Instances": launched}) == ["i-3", "i-4", "i-1"]
