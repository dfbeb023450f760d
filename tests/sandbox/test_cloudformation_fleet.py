"""Auto Scaling groups under CloudFormation: signals, rolling updates, and groups that vanished."""

from __future__ import annotations

from typing import Any

import pytest

from gbg_sandbox.cloud import Cloud
from gbg_sandbox.events import Event
from tests.sandbox.stack_steps import Steps, refused

FLEET = """
Parameters:
  Image:
    Type: AWS::SSM::Parameter::Value<AWS::EC2::Image::Id>
    Default: /aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-x86_64
  Mark: {Type: String, Default: first}
  Size: {Type: Number, Default: 2}
Resources:
  Vpc: {Type: AWS::EC2::VPC, Properties: {CidrBlock: 10.8.0.0/16}}
  Subnet: {Type: AWS::EC2::Subnet, Properties: {VpcId: !Ref Vpc, CidrBlock: 10.8.0.0/24}}
  Template:
    Type: AWS::EC2::LaunchTemplate
    Properties:
      VersionDescription: !Ref Mark
      LaunchTemplateData: {ImageId: !Ref Image, InstanceType: t3.small, UserData: {"Fn::Base64": !Ref Mark}}
  Fleet:
    Type: AWS::AutoScaling::AutoScalingGroup
    POLICIES
    Properties:
      VPCZoneIdentifier: [!Ref Subnet]
      MinSize: 1
      MaxSize: 4
      DesiredCapacity: !Ref Size
      LaunchTemplate: {LaunchTemplateId: !Ref Template, Version: !GetAtt Template.LatestVersionNumber}
  Policy:
    Type: AWS::AutoScaling::ScalingPolicy
    Properties:
      AutoScalingGroupName: !Ref Fleet
      PolicyType: TargetTrackingScaling
      TargetTrackingConfiguration:
        PredefinedMetricSpecification: {PredefinedMetricType: ASGAverageCPUUtilization}
        TargetValue: 60
"""
SIGNALS = """CreationPolicy: {ResourceSignal: {Count: !Ref Size, Timeout: TIMEOUT}}
    UpdatePolicy:
      AutoScalingRollingUpdate:
        {MinInstancesInService: 1, MaxBatchSize: 1, PauseTime: PT30S, WaitOnResourceSignals: true}"""
PLAIN = FLEET.replace("POLICIES", "")


@pytest.fixture
def stacks(cloud: Cloud) -> Steps:
    return Steps(cloud)


def signalling(cloud: Cloud, status: str) -> None:
    """Every instance of the fleet says how its start went, as cfn-signal does."""

    def signal(event: Event) -> None:
        if (
            event.detail_type == "EC2 Instance State-change Notification"
            and event.detail["state"] == "running"
        ):
            cloud.spawn("signal", send, event.detail["instance-id"])

    def send(instance: str) -> None:
        cloud.client("cloudformation").signal_resource(
            StackName="fleet", LogicalResourceId="Fleet", UniqueId=instance, Status=status
        )

    cloud.events.subscribe(signal)


def group(cloud: Cloud, name: str) -> dict[str, Any]:
    answer = cloud.client("autoscaling").describe_auto_scaling_groups(AutoScalingGroupNames=[name])
    found: dict[str, Any] = answer["AutoScalingGroups"][0]
    return found


def test_a_group_is_complete_when_its_instances_are_there(stacks: Steps, cloud: Cloud) -> None:
    assert stacks.create("fleet", PLAIN)["StackStatus"] == "CREATE_COMPLETE", stacks.failures("fleet")
    name = stacks.physical("fleet")["Fleet"]
    assert len(group(cloud, name)["Instances"]) == 2
    stack = stacks.delete("fleet")
    assert stack["StackStatus"] == "DELETE_COMPLETE", stacks.failures(stack["StackId"])
    assert cloud.client("autoscaling").describe_auto_scaling_groups()["AutoScalingGroups"] == []


def test_signals_complete_a_creation(stacks: Steps, cloud: Cloud) -> None:
    signalling(cloud, "SUCCESS")
    stack = stacks.create("fleet", FLEET.replace("POLICIES", SIGNALS.replace("TIMEOUT", "PT1M")))
    assert stack["StackStatus"] == "CREATE_COMPLETE", stacks.failures("fleet")
    received = [why for who, _, why in stacks.events("fleet") if why.startswith("Received SUCCESS signal")]
    assert len(received) == 2
    code, message = refused(
        stacks.client.signal_resource,
        StackName="fleet",
        LogicalResourceId="Fleet",
        UniqueId="late",
        Status="SUCCESS",
    )
    assert (code, message) == (
        "ValidationError",
        "Resource Fleet is in CREATE_COMPLETE state and cannot be signaled",
    )


@pytest.mark.parametrize(
    ("status", "timeout", "said"),
    [
        (
            "FAILURE",
            "PT1M",
            "FAILURE signal(s) out of 2. Unable to satisfy 100% MinSuccessfulInstancesPercent",
        ),
        ("", "PT2S", "Failed to receive 2 resource signal(s) within the specified duration"),
    ],
)
def test_bad_or_missing_signals_fail_a_creation(
    stacks: Steps, cloud: Cloud, status: str, timeout: str, said: str
) -> None:
    if status:
        signalling(cloud, status)
    stack = stacks.create("fleet", FLEET.replace("POLICIES", SIGNALS.replace("TIMEOUT", timeout)))
    assert stack["StackStatus"] == "ROLLBACK_COMPLETE", stacks.failures("fleet")
    assert said in stacks.reason("fleet", "Fleet", "CREATE_FAILED")
    assert cloud.client("autoscaling").describe_auto_scaling_groups()["AutoScalingGroups"] == []


def test_a_creation_can_be_deleted_midway(stacks: Steps, cloud: Cloud) -> None:
    template = FLEET.replace("POLICIES", SIGNALS.replace("TIMEOUT", "PT5M"))
    stack_id = stacks.client.create_stack(StackName="fleet", TemplateBody=template)["StackId"]
    waits_for_signals(stacks, cloud)
    stacks.client.delete_stack(StackName="fleet")
    assert stacks.settle(stack_id)["StackStatus"] == "DELETE_COMPLETE", stacks.failures(stack_id)
    assert stacks.reason(stack_id, "Fleet", "CREATE_FAILED") == "Resource creation cancelled"
    assert cloud.client("autoscaling").describe_auto_scaling_groups()["AutoScalingGroups"] == []


def test_an_update_can_be_cancelled(stacks: Steps, cloud: Cloud) -> None:
    stacks.create("fleet", FLEET[: FLEET.index("  Fleet:")])
    template = FLEET.replace("POLICIES", SIGNALS.replace("TIMEOUT", "PT5M"))
    stacks.client.update_stack(StackName="fleet", TemplateBody=template)
    waits_for_signals(stacks, cloud)
    stacks.client.cancel_update_stack(StackName="fleet")
    assert stacks.settle("fleet")["StackStatus"] == "UPDATE_ROLLBACK_COMPLETE", stacks.failures("fleet")
    assert set(stacks.physical("fleet")) == {"Vpc", "Subnet", "Template"}


def waits_for_signals(stacks: Steps, cloud: Cloud) -> None:
    def begun() -> bool:
        return ("Fleet", "CREATE_IN_PROGRESS", "Resource creation Initiated") in stacks.events("fleet")

    assert cloud.clock.wait_until(begun, aws_seconds=0, real_floor=60)


def test_a_rolling_update_replaces_every_instance(stacks: Steps, cloud: Cloud) -> None:
    signalling(cloud, "SUCCESS")
    template = FLEET.replace("POLICIES", SIGNALS.replace("TIMEOUT", "PT1M"))
    stacks.create("fleet", template)
    name = stacks.physical("fleet")["Fleet"]
    before = {instance["InstanceId"] for instance in group(cloud, name)["Instances"]}
    stack = stacks.update(
        "fleet", template, Parameters=[{"ParameterKey": "Mark", "ParameterValue": "second"}]
    )
    assert stack["StackStatus"] == "UPDATE_COMPLETE", stacks.failures("fleet")
    after = {i["InstanceId"]: i["LaunchTemplate"]["Version"] for i in group(cloud, name)["Instances"]}
    assert not before & set(after)
    assert set(after.values()) == {"2"}


def test_a_group_that_vanished_breaks_updates_but_not_deletion(stacks: Steps, cloud: Cloud) -> None:
    """What CodeDeploy does to the first fleet in a blue/green release."""
    stacks.create("fleet", PLAIN)
    name = stacks.physical("fleet")["Fleet"]
    autoscaling = cloud.client("autoscaling")
    autoscaling.delete_auto_scaling_group(AutoScalingGroupName=name, ForceDelete=True)
    cloud.clock.wait_until(
        lambda: not autoscaling.describe_auto_scaling_groups()["AutoScalingGroups"],
        aws_seconds=0,
        real_floor=120,
    )
    size = [{"ParameterKey": "Size", "ParameterValue": "3"}]
    assert stacks.update("fleet", PLAIN, Parameters=size)["StackStatus"].startswith("UPDATE_ROLLBACK")
    assert "not found" in stacks.reason("fleet", "Fleet", "UPDATE_FAILED")
    stack = stacks.delete("fleet")
    assert stack["StackStatus"] == "DELETE_COMPLETE", stacks.failures(stack["StackId"])
