"""A release that is over, as the site and every `describe` tells it."""

from __future__ import annotations

import json
import re
from datetime import datetime
from typing import Any

import pytest

from gbg_lib.deployments import Target, targets
from gbg_lib.fleet import read_page, target_health
from gbg_lib.images import golden_images
from tests.sandbox.e2e.world import Deployment

KINDS = ("probed", "chroot")
GREEN = (
    *("ApplicationStop", "DownloadBundle", "BeforeInstall", "Install", "AfterInstall", "ApplicationStart"),
    *("ValidateService", "BeforeAllowTraffic", "AllowTraffic", "AfterAllowTraffic"),
)
BLUE = ("BeforeBlockTraffic", "BlockTraffic", "AfterBlockTraffic")
HOOKS = {"BeforeInstall", "AfterInstall", "ApplicationStart", "ValidateService"}
"""events that the appspec gives a script and that leave a log on a fresh machine"""
LOOKS = 10
"""enough to meet both machines behind a round robin"""


@pytest.fixture(scope="module")
def machines(deployment: Deployment) -> list[Target]:
    return targets(deployment.aws, deployment.serving.deployment_id)


def shown(body: str) -> dict[str, str]:
    """What the page shows, by the ids of its elements."""
    return dict(re.findall(r'<dd id="(\w+)">([^<]*)</dd>', body))


def instance_ids(group: dict[str, Any]) -> set[str]:
    return {instance["InstanceId"] for instance in group["Instances"]}


def test_the_page_shows_commit_image_instance_and_deployment(deployment: Deployment) -> None:
    release = deployment.serving
    pages = [shown(deployment.run.page().body) for _ in range(LOOKS)]
    for page in pages:
        assert (page["commit"], page["image"], page["deployment"], page["version"]) == (
            release.commit,
            release.image,
            release.deployment_id,
            "1.0.0",
        )
    assert {page["instance"] for page in pages} == instance_ids(deployment.group)
    assert {page["zone"] for page in pages} == {"us-east-1a", "us-east-1b"}


def test_health_tells_the_same_as_json(deployment: Deployment) -> None:
    health = read_page(deployment.run.base["SiteUrl"] + "health")
    release = deployment.serving
    assert health.status == 200
    assert {name: health.facts[name] for name in ("status", "commit", "image", "deployment")} == {
        "status": "UP",
        "commit": release.commit,
        "image": release.image,
        "deployment": release.deployment_id,
    }


def test_the_pipeline_tells_every_stage_and_what_stands_behind_it(deployment: Deployment) -> None:
    release = deployment.serving
    told = [(action.stage, action.name) for action in release.actions]
    assert told == [
        *((stage, stage) for stage in ("Source", "BuildGoldenAMI", "Build")),
        ("Deploy", "PinFleet"),
        ("Deploy", "Deploy"),
    ]
    source, bake, build, pin, deploy = release.actions
    assert source.external_id == source.outputs["CommitId"] == release.commit
    assert bake.outputs["AutomationExecutionId"] == bake.external_id
    assert pin.outputs["LaunchTemplateId"] == deployment.run.base["LaunchTemplateId"]
    assert build.external_id.startswith(f"{deployment.name}-build:")
    assert deploy.outputs["DeploymentId"] == deploy.external_id
    ends = [action.updated for action in release.actions]
    assert ends == sorted(ends)


def test_green_ran_all_lifecycle_events_in_order(machines: list[Target]) -> None:
    green = [machine for machine in machines if machine.side == "Green"]
    assert len(green) == 2
    for machine in green:
        assert machine.status == "Succeeded"
        assert tuple(event.name for event in machine.events) == GREEN
        assert {event.status for event in machine.events} == {"Succeeded"}
        times = [time for event in machine.events for time in (event.started, event.ended)]
        assert times == sorted(time for time in times if time is not None)
        assert {event.name for event in machine.events if event.log_tail} == HOOKS


def test_one_machine_at_a_time_and_traffic_moves_only_when_all_validate(machines: list[Target]) -> None:
    green = [machine for machine in machines if machine.side == "Green"]
    first, second = sorted(green, key=lambda machine: begun(machine, "ApplicationStop"))
    assert ended(first, "ValidateService") <= begun(second, "ApplicationStop")
    assert ended(second, "ValidateService") <= begun(first, "BeforeAllowTraffic")
    assert ended(first, "AllowTraffic") <= begun(second, "BeforeAllowTraffic")


def test_blue_loses_the_traffic_after_green_has_it(machines: list[Target]) -> None:
    green = [machine for machine in machines if machine.side == "Green"]
    blue = [machine for machine in machines if machine.side == "Blue"]
    assert len(blue) == 2
    for machine in blue:
        assert tuple(event.name for event in machine.events) == BLUE
        assert machine.status == "Succeeded"
        assert all(ended(one, "AllowTraffic") <= begun(machine, "BlockTraffic") for one in green)


def test_only_green_is_left_and_it_is_a_copy_of_blue(deployment: Deployment, machines: list[Target]) -> None:
    [fleet] = deployment.run.fleets()
    group, release = deployment.group, deployment.serving
    assert fleet.group == group["AutoScalingGroupName"]
    assert (group["MinSize"], group["DesiredCapacity"], group["MaxSize"]) == (2, 2, 4)
    assert (group["HealthCheckType"], group["HealthCheckGracePeriod"]) == ("ELB", 300)
    assert group["LaunchTemplate"]["Version"] == release.template_version
    assert {tag["Key"]: tag["Value"] for tag in group["Tags"]}["gbg:deployment"] == deployment.name
    assert instance_ids(group) == {machine.instance for machine in machines if machine.side == "Green"}
    health = target_health(deployment.aws, deployment.run.base["TargetGroupArn"])
    assert health == dict.fromkeys(instance_ids(group), "healthy")


def test_the_policy_of_blue_scales_green(deployment: Deployment) -> None:
    name = deployment.group["AutoScalingGroupName"]
    [policy] = deployment.aws.call("autoscaling", "describe_policies", AutoScalingGroupName=name)[
        "ScalingPolicies"
    ]
    assert policy["TargetTrackingConfiguration"]["TargetValue"] == 60
    alarms = {alarm["AlarmName"] for alarm in policy["Alarms"]}
    assert len(alarms) == 2
    assert all(alarm.startswith(f"TargetTracking-{name}-") for alarm in alarms)


def test_blue_machines_are_terminated(deployment: Deployment, machines: list[Target]) -> None:
    """And EC2 forgets them: on the sandbox's clock, that is after a minute."""
    blue = [machine.instance for machine in machines if machine.side == "Blue"]
    filters = [{"Name": "instance-id", "Values": blue}]
    found = deployment.aws.call("ec2", "describe_instances", Filters=filters)["Reservations"]
    states = {instance["State"]["Name"] for one in found for instance in one["Instances"]}
    assert states <= {"terminated"}


def test_activities_of_a_deleted_group_are_told_when_asked_for(deployment: Deployment) -> None:
    blue = f"{deployment.name}-blue"
    aws = deployment.aws
    told = aws.call("autoscaling", "describe_scaling_activities", IncludeDeletedGroups=True)["Activities"]
    ours = [activity for activity in told if activity["AutoScalingGroupName"] == blue]
    assert {activity["AutoScalingGroupState"] for activity in ours} == {"Deleted"}
    assert {activity["StatusCode"] for activity in ours} == {"Successful"}
    kinds = sorted(activity["Description"].partition(":")[0] for activity in ours)
    assert kinds == ["Launching a new EC2 instance"] * 2 + ["Terminating EC2 instance"] * 2
    assert all(
        "force-deleted AutoScalingGroup" in one["Cause"] for one in ours if "Term" in one["Description"]
    )
    shown_by_default = aws.call("autoscaling", "describe_scaling_activities")["Activities"]
    assert blue not in {activity["AutoScalingGroupName"] for activity in shown_by_default}


def test_the_release_wrote_a_template_version_with_its_image_and_nothing_else(deployment: Deployment) -> None:
    release = deployment.serving
    made = json.loads(version(deployment, release.template_version)["VersionDescription"])
    assert made["release"] == release.execution_id
    assert made["bake"] == release.automation_id
    new, old = (version(deployment, number) for number in (release.template_version, made["former"]))
    assert new["LaunchTemplateData"] == old["LaunchTemplateData"] | {"ImageId": release.image}
    assert "PinFunctionRole" in new["CreatedBy"]


def test_alarms_are_ok_and_stayed_so_during_the_release(deployment: Deployment) -> None:
    aws, release = deployment.aws, deployment.serving
    alarms = ("target-5xx", "elb-5xx", "unhealthy-hosts", "restore-errors")
    deployment.until(lambda: states(deployment) == dict.fromkeys(alarms, "OK"), "alarms that are all OK")
    for name in ("target-5xx", "elb-5xx"):
        history = aws.call(
            "cloudwatch",
            "describe_alarm_history",
            AlarmName=f"{deployment.name}-{name}",
            HistoryItemType="StateUpdate",
            StartDate=release.started,
        )["AlarmHistoryItems"]
        assert [item["HistorySummary"] for item in history if "to ALARM" in item["HistorySummary"]] == []


def states(deployment: Deployment) -> dict[str, str]:
    """Of the deployment's own alarms."""
    prefix = f"{deployment.name}-"
    found = deployment.aws.call("cloudwatch", "describe_alarms", AlarmNamePrefix=prefix)["MetricAlarms"]
    return {alarm["AlarmName"].removeprefix(prefix): str(alarm["StateValue"]) for alarm in found}


def test_the_parameter_names_the_newest_golden_ami(deployment: Deployment) -> None:
    found = deployment.aws.call("ssm", "get_parameter", Name=f"/{deployment.name}/golden-ami")["Parameter"]
    assert found["Value"] == deployment.serving.image
    history = deployment.aws.call("ssm", "get_parameter_history", Name=f"/{deployment.name}/golden-ami")
    assert [one["Value"] for one in history["Parameters"]][1:] == [one.image for one in deployment.releases]
    assert "BakeRole" in history["Parameters"][-1]["LastModifiedUser"]


def test_the_image_says_where_it_comes_from(deployment: Deployment) -> None:
    release = deployment.serving
    image = next(one for one in golden_images(deployment.aws, deployment.name) if one.id == release.image)
    assert image.state == "available"
    assert image.tags == {
        "Name": f"{deployment.name}-golden",
        "gbg:deployment": deployment.name,
        "gbg:source-ami": source_ami(deployment),
        "gbg:os-release": deployment.parameters.os_release,
        "gbg:packages": release.actions[1].outputs["PackagesFingerprint"],
        "gbg:package-list": image.tags["gbg:package-list"],
        "gbg:bake": release.automation_id,
        "gbg:pipeline-execution": release.execution_id,
        "gbg:commit": release.commit,
    }
    found = deployment.aws.call("ec2", "describe_images", ImageIds=[release.image])["Images"][0]
    assert found["ImdsSupport"] == "v2.0"
    assert found["SourceImageId"] == source_ami(deployment)
    snapshot = found["BlockDeviceMappings"][0]["Ebs"]["SnapshotId"]
    tags = deployment.aws.call("ec2", "describe_snapshots", SnapshotIds=[snapshot])["Snapshots"][0]["Tags"]
    assert {tag["Key"]: tag["Value"] for tag in tags} == image.tags


def test_green_machines_run_the_os_release_and_the_packages_of_the_image(deployment: Deployment) -> None:
    """Asked on the machine itself, with Run Command."""
    machine = min(instance_ids(deployment.group))
    release, packages = run_command(
        deployment,
        machine,
        "rpm -q --qf '%{VERSION}' system-release",
        "sha256sum < /etc/golden-ami.packages | cut -c1-16",
    )
    assert release == deployment.parameters.os_release
    assert packages == deployment.serving.actions[1].outputs["PackagesFingerprint"]


@pytest.mark.parametrize(
    ("event", "role", "session"),
    [
        ("StartAutomationExecution", "BakeFunctionRole", "bake-golden-ami"),
        ("RunInstances", "BakeRole", "Automation-"),
        ("CreateImage", "BakeRole", "Automation-"),
        ("CreateLaunchTemplateVersion", "PinFunctionRole", "pin-fleet"),
        ("StartBuild", "PipelineRole", ""),
        ("CreateDeployment", "PipelineRole", ""),
        ("CreateAutoScalingGroup", "DeployRole", ""),
        ("DeleteAutoScalingGroup", "DeployRole", ""),
    ],
)
def test_the_trail_tells_which_role_did_what(
    deployment: Deployment, event: str, role: str, session: str
) -> None:
    found = deployment.aws.call(
        "cloudtrail",
        "lookup_events",
        LookupAttributes=[{"AttributeKey": "EventName", "AttributeValue": event}],
    )["Events"]
    callers = [json.loads(one["CloudTrailEvent"])["userIdentity"]["arn"] for one in found]
    assert any(
        re.search(rf":assumed-role/{deployment.name}-\w+-{role}-\w+/.*{session}", caller)
        for caller in callers
    )
    assert all("errorCode" not in json.loads(one["CloudTrailEvent"]) for one in found)


def begun(machine: Target, name: str) -> datetime:
    [event] = [event for event in machine.events if event.name == name]
    assert event.started is not None
    return event.started


def ended(machine: Target, name: str) -> datetime:
    [event] = [event for event in machine.events if event.name == name]
    assert event.ended is not None
    return event.ended


def source_ami(deployment: Deployment) -> str:
    found = deployment.aws.call("ssm", "get_parameter", Name=f"/{deployment.name}/source-ami")
    return str(found["Parameter"]["Value"])


def version(deployment: Deployment, number: str) -> dict[str, Any]:
    [found] = deployment.aws.call(
        "ec2",
        "describe_launch_template_versions",
        LaunchTemplateId=deployment.run.base["LaunchTemplateId"],
        Versions=[number],
    )["LaunchTemplateVersions"]
    return dict(found)


def run_command(deployment: Deployment, instance: str, *commands: str) -> list[str]:
    """A line of output each."""
    aws = deployment.aws
    script = "; echo; ".join(commands)
    sent = aws.call(
        "ssm",
        "send_command",
        DocumentName="AWS-RunShellScript",
        InstanceIds=[instance],
        Parameters={"commands": [script]},
    )["Command"]["CommandId"]

    def told() -> dict[str, Any]:
        return aws.call("ssm", "get_command_invocation", CommandId=sent, InstanceId=instance)

    deployment.until(lambda: told()["Status"] not in ("Pending", "InProgress", "Delayed"), "a command")
    answer = told()
    assert answer["Status"] == "Success", answer["StandardErrorContent"]
    return str(answer["StandardOutputContent"]).split()
