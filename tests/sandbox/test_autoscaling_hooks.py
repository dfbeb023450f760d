"""Lifecycle hooks hold an instance until somebody speaks or time is up."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError

from gbg_sandbox.cloud import Cloud
from tests.sandbox.groups import Fleet, make_fleet
from tests.sandbox.places import eventually

LAUNCHING = "autoscaling:EC2_INSTANCE_LAUNCHING"
TERMINATING = "autoscaling:EC2_INSTANCE_TERMINATING"


@pytest.fixture
def fleet(cloud: Cloud) -> Iterator[Fleet]:
    """With heartbeats that are scaled without a floor, so that 30 AWS seconds are soon over."""
    cloud.service("autoscaling").engine.patience.real_floor = 0.0
    yield make_fleet(cloud)


def hook(transition: str, **params: Any) -> dict[str, Any]:
    return {"LifecycleHookName": "say", "LifecycleTransition": transition, "HeartbeatTimeout": 7200, **params}


def told(fleet: Fleet, detail_type: str) -> list[dict[str, Any]]:
    events = fleet.place.cloud.events.since(0)
    return [dict(event.detail) for event in events if event.detail_type == detail_type]


def waiting(fleet: Fleet, state: str) -> str:
    """The instance that waits in this state, once there is one."""

    def found() -> list[str]:
        return [
            one["InstanceId"] for one in fleet.group("web")["Instances"] if one["LifecycleState"] == state
        ]

    eventually(found)
    return found()[0]


def complete(fleet: Fleet, result: str, **whom: str) -> None:
    fleet.autoscaling.complete_lifecycle_action(
        AutoScalingGroupName="web", LifecycleHookName="say", LifecycleActionResult=result, **whom
    )


def test_a_launching_instance_serves_only_after_continue(fleet: Fleet) -> None:
    fleet.create(
        "web", 1, wait=False, LifecycleHookSpecificationList=[hook(LAUNCHING, NotificationMetadata="m")]
    )
    instance_id = waiting(fleet, "Pending:Wait")
    assert fleet.activities("web")[0]["StatusCode"] == "MidLifecycleAction"
    eventually(lambda: told(fleet, "EC2 Instance-launch Lifecycle Action"))
    (event,) = told(fleet, "EC2 Instance-launch Lifecycle Action")
    assert (event["EC2InstanceId"], event["NotificationMetadata"]) == (instance_id, "m")
    complete(fleet, "CONTINUE", LifecycleActionToken=event["LifecycleActionToken"])
    eventually(lambda: fleet.serving("web") == [instance_id])
    with pytest.raises(ClientError, match="No active Lifecycle Action found with instance ID"):
        complete(fleet, "CONTINUE", InstanceId=instance_id)


def test_an_abandoned_launch_is_cancelled_and_replaced(fleet: Fleet) -> None:
    fleet.create("web", 1, wait=False, LifecycleHookSpecificationList=[hook(LAUNCHING)])
    abandoned = waiting(fleet, "Pending:Wait")
    complete(fleet, "ABANDON", InstanceId=abandoned)
    eventually(lambda: fleet.place.state(abandoned) == "terminated")
    launch = next(
        one
        for one in fleet.activities("web")
        if abandoned in one["Description"][:60] and "Launching" in one["Description"]
    )
    assert launch["StatusCode"] == "Cancelled"
    assert "was abandoned: Lifecycle Action Completed with ABANDON Result" in launch["StatusMessage"]
    eventually(lambda: waiting(fleet, "Pending:Wait") != abandoned)


def test_silence_until_the_time_limit_means_the_default_result(fleet: Fleet) -> None:
    silent = hook(LAUNCHING, HeartbeatTimeout=30, DefaultResult="CONTINUE")
    fleet.create("web", 1, LifecycleHookSpecificationList=[silent])
    assert len(fleet.serving("web")) == 1


def test_a_terminating_instance_runs_until_it_is_let_go(fleet: Fleet) -> None:
    fleet.create("web", 1, MinSize=0, LifecycleHookSpecificationList=[hook(TERMINATING)])
    fleet.autoscaling.set_desired_capacity(AutoScalingGroupName="web", DesiredCapacity=0)
    instance_id = waiting(fleet, "Terminating:Wait")
    assert fleet.place.state(instance_id) == "running"
    fleet.autoscaling.record_lifecycle_action_heartbeat(
        AutoScalingGroupName="web", LifecycleHookName="say", InstanceId=instance_id
    )
    complete(fleet, "ABANDON", InstanceId=instance_id)
    eventually(lambda: not fleet.members("web"))
    assert fleet.place.state(instance_id) == "terminated"


def test_every_hook_must_agree(fleet: Fleet) -> None:
    both = [hook(LAUNCHING), hook(LAUNCHING, LifecycleHookName="also")]
    fleet.create("web", 1, wait=False, LifecycleHookSpecificationList=both)
    instance_id = waiting(fleet, "Pending:Wait")
    complete(fleet, "CONTINUE", InstanceId=instance_id)
    assert fleet.lifecycle_state(instance_id) == "Pending:Wait"
    fleet.autoscaling.complete_lifecycle_action(
        AutoScalingGroupName="web",
        LifecycleHookName="also",
        LifecycleActionResult="CONTINUE",
        InstanceId=instance_id,
    )
    eventually(lambda: fleet.serving("web") == [instance_id])


def test_a_deleted_hook_holds_nobody(fleet: Fleet) -> None:
    fleet.create("web", 1, MinSize=0)
    fleet.autoscaling.put_lifecycle_hook(AutoScalingGroupName="web", **hook(TERMINATING))
    described = fleet.autoscaling.describe_lifecycle_hooks(AutoScalingGroupName="web")["LifecycleHooks"][0]
    assert (described["DefaultResult"], described["GlobalTimeout"]) == ("ABANDON", 172800)
    fleet.autoscaling.set_desired_capacity(AutoScalingGroupName="web", DesiredCapacity=0)
    waiting(fleet, "Terminating:Wait")
    fleet.autoscaling.delete_lifecycle_hook(AutoScalingGroupName="web", LifecycleHookName="say")
    eventually(lambda: not fleet.members("web"))


def test_force_delete_waits_for_no_hook(fleet: Fleet) -> None:
    fleet.create("web", 1, LifecycleHookSpecificationList=[hook(TERMINATING)])
    fleet.autoscaling.delete_auto_scaling_group(AutoScalingGroupName="web", ForceDelete=True)
    eventually(lambda: not fleet.groups("web"))


def test_a_hooks_topic_hears_of_it_under_the_hooks_role(fleet: Fleet) -> None:
    cloud = fleet.place.cloud
    iam: Any = cloud.client("iam")
    sns: Any = cloud.client("sns")
    topic = sns.create_topic(Name="hooks")["TopicArn"]
    trust = {
        "Effect": "Allow",
        "Principal": {"Service": "autoscaling.amazonaws.com"},
        "Action": "sts:AssumeRole",
    }
    document = json.dumps({"Version": "2012-10-17", "Statement": [trust]})
    role = iam.create_role(RoleName="teller", AssumeRolePolicyDocument=document)["Role"]["Arn"]
    allow = {"Effect": "Allow", "Action": "sns:Publish", "Resource": topic}
    policy = json.dumps({"Version": "2012-10-17", "Statement": [allow]})
    iam.put_role_policy(RoleName="teller", PolicyName="tell", PolicyDocument=policy)
    speaking = hook(LAUNCHING, NotificationTargetARN=topic, RoleARN=role)
    fleet.create("web", 1, wait=False, LifecycleHookSpecificationList=[speaking])
    eventually(lambda: [event for event in cloud.events.since(0) if topic in json.dumps(dict(event.detail))])


def test_a_wrong_hook_is_refused(fleet: Fleet) -> None:
    fleet.create("web", 0, wait=False)
    for wrong, message in (
        ({"LifecycleTransition": "autoscaling:SOMETIME"}, "LifecycleTransition"),
        ({"HeartbeatTimeout": 5}, "between 30 and 7200"),
        ({"DefaultResult": "MAYBE"}, "DefaultResult"),
        (
            {"NotificationTargetARN": "arn:aws:sqs:us-east-1:123456789012:q", "RoleARN": "r"},
            "SNS topics only",
        ),
    ):
        with pytest.raises(ClientError, match=message):
            fleet.autoscaling.put_lifecycle_hook(AutoScalingGroupName="web", **{**hook(LAUNCHING), **wrong})
