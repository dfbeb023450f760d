"""Groups keep their capacity on running instances, and say why they did what."""

from __future__ import annotations

import json
from typing import Any

import pytest
from botocore.exceptions import ClientError

from gbg_sandbox.cloud import Cloud
from tests.sandbox.fakes import FakeMachines
from tests.sandbox.groups import Fleet, make_fleet
from tests.sandbox.places import eventually


@pytest.fixture
def fleet(cloud: Cloud) -> Fleet:
    return make_fleet(cloud)


@pytest.fixture
def machines(cloud: Cloud) -> FakeMachines:
    assert isinstance(cloud.machines, FakeMachines)
    return cloud.machines


def test_a_group_fills_its_zones_evenly_and_tags_what_it_launches(fleet: Fleet) -> None:
    fleet.create("web", 4, Tags=[{"Key": "gbg:deployment", "Value": "d", "PropagateAtLaunch": True}])
    zones = [one["AvailabilityZone"] for one in fleet.group("web")["Instances"]]
    assert sorted(zones) == ["us-east-1a", "us-east-1a", "us-east-1b", "us-east-1b"]
    tags = {tag["Key"]: tag["Value"] for tag in fleet.place.instance(fleet.serving("web")[0])["Tags"]}
    assert tags["aws:autoscaling:groupName"] == "web"
    assert tags["gbg:deployment"] == "d"


def test_a_stopped_instance_is_replaced_and_the_activities_say_so(
    fleet: Fleet, machines: FakeMachines
) -> None:
    fleet.create("web", 2)
    lost = fleet.serving("web")[0]
    machines.machines[lost].die()
    eventually(lambda: lost not in fleet.members("web") and len(fleet.serving("web")) == 2)
    assert fleet.place.state(lost) == "terminated"
    causes = [one["Cause"] for one in fleet.activities("web")]
    assert any("EC2 health check indicating it has been terminated or stopped" in cause for cause in causes)
    assert any("in response to an unhealthy instance needing to be replaced" in cause for cause in causes)


def test_scaling_in_ends_the_surplus_and_names_the_request(fleet: Fleet) -> None:
    fleet.create("web", 3)
    fleet.autoscaling.set_desired_capacity(AutoScalingGroupName="web", DesiredCapacity=1)
    eventually(lambda: len(fleet.members("web")) == 1)
    newest = fleet.activities("web")[0]
    assert newest["StatusCode"] == "Successful"
    assert "a user request explicitly set group desired capacity" in newest["Cause"]
    assert "was selected for termination" in newest["Cause"]
    assert set(json.loads(newest["Details"])) == {"Subnet ID", "Availability Zone"}


def test_latest_means_the_version_at_launch(fleet: Fleet) -> None:
    fleet.create("web", 1, version="$Latest")
    fleet.place.ec2.create_launch_template_version(
        LaunchTemplateName="web", SourceVersion="1", LaunchTemplateData={"InstanceType": "t3.small"}
    )
    fleet.autoscaling.set_desired_capacity(AutoScalingGroupName="web", DesiredCapacity=2)
    eventually(lambda: len(fleet.serving("web")) == 2)
    group = fleet.group("web")
    assert group["LaunchTemplate"]["Version"] == "$Latest"
    assert [one["LaunchTemplate"]["Version"] for one in group["Instances"]] == ["1", "2"]


def test_a_pinned_version_is_changed_by_update(fleet: Fleet) -> None:
    fleet.create("web", 1, version="1")
    fleet.place.ec2.create_launch_template_version(
        LaunchTemplateName="web", SourceVersion="1", LaunchTemplateData={"InstanceType": "t3.small"}
    )
    fleet.autoscaling.update_auto_scaling_group(
        AutoScalingGroupName="web",
        MinSize=2,
        LaunchTemplate={"LaunchTemplateName": "web", "Version": "2"},
    )
    eventually(lambda: len(fleet.serving("web")) == 2)
    assert sorted(one["InstanceType"] for one in fleet.group("web")["Instances"]) == ["t3.micro", "t3.small"]
    assert fleet.group("web")["DesiredCapacity"] == 2


def test_a_launch_that_fails_is_told_and_tried_again(fleet: Fleet, machines: FakeMachines) -> None:
    machines.failure = "no space left"
    fleet.create("web", 1, wait=False)
    eventually(lambda: fleet.activities("web"))
    eventually(lambda: fleet.activities("web")[0]["StatusCode"] == "Failed")
    assert "no space left" in fleet.activities("web")[-1]["StatusMessage"]
    events, unsuccessful = fleet.place.cloud.events, "EC2 Instance Launch Unsuccessful"
    eventually(lambda: unsuccessful in [event.detail_type for event in events.since(0)])
    machines.failure = ""
    eventually(lambda: len(fleet.serving("web")) == 1)


def test_a_group_with_instances_goes_only_by_force(fleet: Fleet, machines: FakeMachines) -> None:
    fleet.create("web", 2)
    ids = fleet.members("web")
    with pytest.raises(ClientError, match="ResourceInUse"):
        fleet.autoscaling.delete_auto_scaling_group(AutoScalingGroupName="web")
    machines.ending.clear()
    fleet.autoscaling.delete_auto_scaling_group(AutoScalingGroupName="web", ForceDelete=True)
    assert fleet.group("web")["Status"] == "Delete in progress"
    machines.ending.set()
    eventually(lambda: not fleet.groups("web"))
    assert [fleet.place.state(one) for one in ids] == ["terminated", "terminated"]
    with pytest.raises(ClientError, match="not found"):
        fleet.activities("web")
    kept = fleet.autoscaling.describe_scaling_activities(
        AutoScalingGroupName="web", IncludeDeletedGroups=True
    )
    assert {one["AutoScalingGroupState"] for one in kept["Activities"]} == {"Deleted"}
    assert len(kept["Activities"]) == 4


def test_suspended_launches_wait_until_they_are_resumed(fleet: Fleet, machines: FakeMachines) -> None:
    fleet.create("web", 1)
    fleet.autoscaling.suspend_processes(AutoScalingGroupName="web", ScalingProcesses=["Launch"])
    assert fleet.group("web")["SuspendedProcesses"][0]["ProcessName"] == "Launch"
    lost = fleet.serving("web")[0]
    machines.machines[lost].die()
    eventually(lambda: not fleet.members("web"))
    assert [one["Description"].split()[0] for one in fleet.activities("web")] == ["Terminating", "Launching"]
    fleet.autoscaling.resume_processes(AutoScalingGroupName="web", ScalingProcesses=["Launch"])
    eventually(lambda: len(fleet.serving("web")) == 1)


def test_ending_one_instance_with_and_without_a_replacement(fleet: Fleet) -> None:
    fleet.create("web", 2, MinSize=1)
    first, second = fleet.serving("web")
    end = fleet.autoscaling.terminate_instance_in_auto_scaling_group
    assert (
        end(InstanceId=first, ShouldDecrementDesiredCapacity=True)["Activity"]["StatusCode"] == "InProgress"
    )
    eventually(lambda: fleet.members("web") == [second])
    with pytest.raises(ClientError, match="desiredSize equals minSize"):
        end(InstanceId=second, ShouldDecrementDesiredCapacity=True)
    end(InstanceId=second, ShouldDecrementDesiredCapacity=False)
    eventually(lambda: second not in fleet.members("web") and len(fleet.serving("web")) == 1)


def test_instances_go_aside_and_come_back_or_leave_for_good(fleet: Fleet) -> None:
    fleet.create("web", 2)
    aside, free = fleet.serving("web")
    fleet.autoscaling.enter_standby(
        AutoScalingGroupName="web", InstanceIds=[aside], ShouldDecrementDesiredCapacity=True
    )
    eventually(lambda: fleet.lifecycle_state(aside) == "Standby")
    fleet.autoscaling.exit_standby(AutoScalingGroupName="web", InstanceIds=[aside])
    eventually(lambda: fleet.lifecycle_state(aside) == "InService")
    fleet.autoscaling.detach_instances(
        AutoScalingGroupName="web", InstanceIds=[free], ShouldDecrementDesiredCapacity=True
    )
    eventually(lambda: fleet.members("web") == [aside])
    assert fleet.place.state(free) == "running"
    fleet.autoscaling.attach_instances(AutoScalingGroupName="web", InstanceIds=[free])
    eventually(lambda: sorted(fleet.serving("web")) == sorted([aside, free]))
    assert fleet.group("web")["DesiredCapacity"] == 2


def test_a_protected_instance_survives_scaling_in(fleet: Fleet) -> None:
    fleet.create("web", 2, MinSize=0)
    kept = fleet.serving("web")[0]
    fleet.autoscaling.set_instance_protection(
        AutoScalingGroupName="web", InstanceIds=[kept], ProtectedFromScaleIn=True
    )
    fleet.autoscaling.set_desired_capacity(AutoScalingGroupName="web", DesiredCapacity=0)
    eventually(lambda: fleet.members("web") == [kept])


def test_a_user_may_call_an_instance_sick(fleet: Fleet) -> None:
    fleet.create("web", 1)
    (sick,) = fleet.serving("web")
    fleet.autoscaling.set_instance_health(InstanceId=sick, HealthStatus="Unhealthy")
    eventually(lambda: sick not in fleet.members("web") and len(fleet.serving("web")) == 1)


WRONG: list[tuple[dict[str, Any], str]] = [
    ({"LaunchTemplate": None}, "Valid requests must contain either LaunchTemplate"),
    ({"LaunchTemplate": None, "LaunchConfigurationName": "old"}, "Launch configuration name not found"),
    ({"DesiredCapacity": 9}, r"Desired capacity:9 must be between the specified min size:1 and max size:4"),
    ({"MinSize": 5}, "Max bound, 4, must be greater than or equal to min bound, 5"),
    ({"VPCZoneIdentifier": "subnet-0123456789abcdef0"}, "subnet-0123456789abcdef0"),
    ({"TargetGroupARNs": [f"arn:aws:elasticloadbalancing:us-east-1:123456789012:targetgroup/a/{'0' * 16}"]},
     "Provided Target Groups may not be valid"),
    ({"HealthCheckType": "MAGIC"}, "HealthCheckType MAGIC is not valid"),
    ({"MaxInstanceLifetime": 86400}, "gbg_sandbox does not run groups with MaxInstanceLifetime"),
    ({"PlacementGroup": "x"}, "gbg_sandbox does not run groups with PlacementGroup"),
    ({"LaunchTemplate": {"LaunchTemplateName": "web", "Version": "9"}}, "valid fully-formed launch template"),
]  # fmt: skip


@pytest.mark.parametrize(("change", "message"), WRONG)
def test_a_wrong_group_is_refused_in_awss_words(fleet: Fleet, change: dict[str, Any], message: str) -> None:
    request = {**fleet.request("web", 1), "MaxSize": 4, **change}
    with pytest.raises(ClientError, match=message):
        fleet.autoscaling.create_auto_scaling_group(
            **{key: one for key, one in request.items() if one is not None}
        )
    assert fleet.groups("web") == []


def test_a_template_whose_image_is_gone_is_refused_at_once(fleet: Fleet) -> None:
    fleet.place.ec2.create_launch_template(
        LaunchTemplateName="gone", LaunchTemplateData={"ImageId": "ami-0123456789abcdef0"}
    )
    with pytest.raises(ClientError, match=r"fully-formed launch template.*does not exist"):
        fleet.autoscaling.create_auto_scaling_group(
            **{**fleet.request("web", 1), "LaunchTemplate": {"LaunchTemplateName": "gone"}}
        )


def test_launch_configurations_are_a_thing_of_the_past(fleet: Fleet) -> None:
    with pytest.raises(ClientError, match="not available in your account"):
        fleet.autoscaling.create_launch_configuration(LaunchConfigurationName="old")


def test_what_a_group_says_of_itself_makes_the_same_group_again(fleet: Fleet) -> None:
    fleet.create("web", 1, HealthCheckGracePeriod=60, DefaultInstanceWarmup=30, Context="")
    described = fleet.group("web")
    inputs = fleet.autoscaling.meta.service_model.operation_model(
        "CreateAutoScalingGroup"
    ).input_shape.members
    copied = {key: value for key, value in described.items() if key in inputs and value != []}
    copied["AutoScalingGroupName"] = "copy"
    copied["LaunchTemplate"].pop("LaunchTemplateName")
    fleet.autoscaling.create_auto_scaling_group(**copied)
    eventually(lambda: len(fleet.serving("copy")) == 1)


def test_making_a_group_takes_the_rights_to_launch_from_its_template(fleet: Fleet) -> None:
    iam: Any = fleet.place.cloud.client("iam")
    services = ["codedeploy.amazonaws.com", "ec2.amazonaws.com"]
    trust = {"Effect": "Allow", "Principal": {"Service": services}, "Action": "sts:AssumeRole"}
    document = json.dumps({"Version": "2012-10-17", "Statement": [trust]})
    role, web = (
        iam.create_role(RoleName=name, AssumeRolePolicyDocument=document)["Role"]["Arn"]
        for name in ("maker", "web")
    )
    iam.create_instance_profile(InstanceProfileName="web")
    iam.add_role_to_instance_profile(InstanceProfileName="web", RoleName="web")
    fleet.place.ec2.create_launch_template_version(
        LaunchTemplateName="web",
        SourceVersion="1",
        LaunchTemplateData={"IamInstanceProfile": {"Name": "web"}},
    )
    maker: Any = fleet.place.cloud.client(
        "autoscaling", role=role, acting="codedeploy.amazonaws.com", session="test"
    )

    def allow(*actions: str, resource: str = "*") -> None:
        statement = {"Effect": "Allow", "Action": actions, "Resource": resource}
        policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
        iam.put_role_policy(RoleName="maker", PolicyName=actions[0].replace(":", "-"), PolicyDocument=policy)

    for missing in (["autoscaling:*"], ["ec2:RunInstances", "ec2:CreateTags"]):
        with pytest.raises(ClientError, match="AccessDenied"):
            maker.create_auto_scaling_group(**fleet.request("web", 0))
        allow(*missing)
    with pytest.raises(ClientError, match="You are not authorized to use launch template"):
        maker.create_auto_scaling_group(**fleet.request("web", 0))
    allow("iam:PassRole", resource=web)
    maker.create_auto_scaling_group(**fleet.request("web", 0))
