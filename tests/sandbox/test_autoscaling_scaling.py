"""Policies change capacity, target groups follow it, topics hear of it."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from botocore.exceptions import ClientError

from gbg_sandbox.cloud import Cloud
from gbg_sandbox.service import AwsError
from gbg_sandbox.services.autoscaling.scaling import alarm_metric
from tests.sandbox.groups import Fleet, make_fleet
from tests.sandbox.places import eventually


@pytest.fixture
def fleet(cloud: Cloud) -> Fleet:
    return make_fleet(cloud)


def put(fleet: Fleet, **params: Any) -> str:
    policy = {
        "AutoScalingGroupName": "web",
        "PolicyName": "out",
        "AdjustmentType": "ChangeInCapacity",
        **params,
    }
    return str(fleet.autoscaling.put_scaling_policy(**policy)["PolicyARN"])


def test_a_simple_policy_scales_within_the_limits_and_honours_its_cooldown(fleet: Fleet) -> None:
    fleet.create("web", 1)
    arn = put(fleet, ScalingAdjustment=20, Cooldown=36000)
    fleet.autoscaling.execute_policy(PolicyName=arn)
    assert fleet.group("web")["DesiredCapacity"] == 8
    with pytest.raises(ClientError, match="ScalingActivityInProgress"):
        fleet.autoscaling.execute_policy(PolicyName=arn, HonorCooldown=True)
    eventually(lambda: len(fleet.serving("web")) == 8)
    assert "a user request executed policy out" in fleet.activities("web")[0]["Cause"]


def test_a_step_policy_takes_the_step_of_the_breach(fleet: Fleet) -> None:
    fleet.create("web", 1)
    steps = [
        {"MetricIntervalLowerBound": 0, "MetricIntervalUpperBound": 20, "ScalingAdjustment": 1},
        {"MetricIntervalLowerBound": 20, "ScalingAdjustment": 3},
    ]
    put(fleet, PolicyType="StepScaling", StepAdjustments=steps)
    fleet.autoscaling.execute_policy(
        AutoScalingGroupName="web", PolicyName="out", MetricValue=95, BreachThreshold=60
    )
    assert fleet.group("web")["DesiredCapacity"] == 4


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"PolicyType": "PredictiveScaling"}, "does not run predictive scaling"),
        ({"ScalingAdjustment": 1, "AdjustmentType": "Doubling"}, "AdjustmentType Doubling is not valid"),
        ({"PolicyType": "StepScaling"}, "StepAdjustments is required"),
        ({"ScalingAdjustment": 1, "StepAdjustments": [{"ScalingAdjustment": 1}]},
         "does not run SimpleScaling policies with StepAdjustments"),
    ],
)  # fmt: skip
def test_a_wrong_policy_is_refused(fleet: Fleet, params: dict[str, Any], message: str) -> None:
    fleet.create("web", 0, wait=False)
    with pytest.raises(ClientError, match=message):
        put(fleet, **params)


def test_target_tracking_watches_the_right_metric() -> None:
    label = "app/lb/0123456789abcdef/targetgroup/tg/fedcba9876543210"
    per_target = {"PredefinedMetricType": "ALBRequestCountPerTarget", "ResourceLabel": label}
    watched = alarm_metric("web", {"PredefinedMetricSpecification": per_target, "TargetValue": 10.0})
    assert watched["Namespace"] == "AWS/ApplicationELB"
    assert {"Name": "LoadBalancer", "Value": "app/lb/0123456789abcdef"} in watched["Dimensions"]
    assert {"Name": "TargetGroup", "Value": "targetgroup/tg/fedcba9876543210"} in watched["Dimensions"]
    with pytest.raises(AwsError, match="Incorrect resource label"):
        alarm_metric("web", {"PredefinedMetricSpecification": {**per_target, "ResourceLabel": "app/lb"}})


def test_target_tracking_scales_in_proportion_when_its_own_alarm_fires(fleet: Fleet) -> None:
    cloudwatch: Any = fleet.place.cloud.client("cloudwatch")
    fleet.create("web", 2, DefaultInstanceWarmup=0)
    metric = {"Namespace": "Shop", "MetricName": "Load", "Statistic": "Average", "Dimensions": []}
    tracking = {"CustomizedMetricSpecification": metric, "TargetValue": 50.0}
    made = fleet.autoscaling.put_scaling_policy(
        AutoScalingGroupName="web",
        PolicyName="load",
        PolicyType="TargetTrackingScaling",
        TargetTrackingConfiguration=tracking,
    )
    names = [alarm["AlarmName"] for alarm in made["Alarms"]]
    assert [name.rsplit("-", 5)[0] for name in names] == [
        "TargetTracking-web-AlarmHigh",
        "TargetTracking-web-AlarmLow",
    ]
    high = cloudwatch.describe_alarms(AlarmNames=names[:1])["MetricAlarms"][0]
    assert (high["Threshold"], high["AlarmActions"]) == (50.0, [made["PolicyARN"]])
    reason = json.dumps({"recentDatapoints": [70.0, 90.0]})
    cloudwatch.set_alarm_state(
        AlarmName=names[0], StateValue="ALARM", StateReason="rehearsal", StateReasonData=reason
    )
    cloudwatch.set_alarm_state(AlarmName=names[0], StateValue="OK", StateReason="it is over")
    eventually(lambda: len(fleet.serving("web")) == 4)
    cause = fleet.activities("web")[0]["Cause"]
    assert f"a monitor alarm {names[0]} in state ALARM triggered policy load" in cause
    fleet.autoscaling.delete_policy(AutoScalingGroupName="web", PolicyName="load")
    assert cloudwatch.describe_alarms(AlarmNames=names)["MetricAlarms"] == []


def test_instances_are_registered_while_they_serve(fleet: Fleet) -> None:
    elb: Any = fleet.place.cloud.client("elbv2")
    made = elb.create_target_group(Name="web", Protocol="HTTP", Port=8080, VpcId=fleet.place.vpc_id)
    arn = made["TargetGroups"][0]["TargetGroupArn"]

    def registered() -> list[str]:
        found = elb.describe_target_health(TargetGroupArn=arn)["TargetHealthDescriptions"]
        return sorted(one["Target"]["Id"] for one in found if one["TargetHealth"]["State"] != "draining")

    fleet.create("web", 2, TargetGroupARNs=[arn])
    assert registered() == sorted(fleet.serving("web"))
    states = fleet.autoscaling.describe_load_balancer_target_groups(AutoScalingGroupName="web")
    assert [one["State"] for one in states["LoadBalancerTargetGroups"]] == ["Added"]
    fleet.create("other", 1)
    fleet.autoscaling.attach_load_balancer_target_groups(AutoScalingGroupName="other", TargetGroupARNs=[arn])
    assert registered() == sorted([*fleet.serving("web"), *fleet.serving("other")])
    fleet.autoscaling.detach_load_balancer_target_groups(AutoScalingGroupName="web", TargetGroupARNs=[arn])
    eventually(lambda: registered() == fleet.serving("other"))
    fleet.autoscaling.update_auto_scaling_group(AutoScalingGroupName="other", MinSize=0, DesiredCapacity=0)
    eventually(lambda: registered() == [])


def test_a_topic_hears_of_launches_after_a_test_message(fleet: Fleet) -> None:
    cloud = fleet.place.cloud
    sns: Any = cloud.client("sns")
    topic = sns.create_topic(Name="fleet")["TopicArn"]
    fleet.create("web", 0, wait=False)
    launch = "autoscaling:EC2_INSTANCE_LAUNCH"
    fleet.autoscaling.put_notification_configuration(
        AutoScalingGroupName="web", TopicARN=topic, NotificationTypes=[launch]
    )
    fleet.autoscaling.set_desired_capacity(AutoScalingGroupName="web", DesiredCapacity=1)

    def heard() -> str:
        return "".join(json.dumps(dict(event.detail), default=str) for event in cloud.events.since(0))

    eventually(lambda: "launch for group" in heard())
    assert "autoscaling:TEST_NOTIFICATION" in heard()
    with pytest.raises(ClientError, match="Unable to publish test message"):
        fleet.autoscaling.put_notification_configuration(
            AutoScalingGroupName="web", TopicARN=f"{topic}-gone", NotificationTypes=[launch]
        )


def test_a_scheduled_action_sets_the_sizes_and_is_gone(fleet: Fleet) -> None:
    fleet.create("web", 1)
    soon = datetime.now(UTC) + timedelta(seconds=4)
    fleet.autoscaling.put_scheduled_update_group_action(
        AutoScalingGroupName="web", ScheduledActionName="evening", StartTime=soon, DesiredCapacity=2
    )
    eventually(lambda: len(fleet.serving("web")) == 2)
    assert "a scheduled action update" in fleet.activities("web")[0]["Cause"]
    described = fleet.autoscaling.describe_scheduled_actions(AutoScalingGroupName="web")
    assert described["ScheduledUpdateGroupActions"] == []


def test_tags_are_found_by_their_filters(fleet: Fleet) -> None:
    fleet.create("web", 0, wait=False)
    tag = {"ResourceId": "web", "ResourceType": "auto-scaling-group", "Key": "a", "Value": "b"}
    fleet.autoscaling.create_or_update_tags(Tags=[{**tag, "PropagateAtLaunch": False}])
    found = fleet.autoscaling.describe_tags(Filters=[{"Name": "key", "Values": ["a"]}])["Tags"]
    assert [one["ResourceId"] for one in found] == ["web"]
    groups = fleet.autoscaling.describe_auto_scaling_groups(Filters=[{"Name": "tag:a", "Values": ["b"]}])
    assert len(groups["AutoScalingGroups"]) == 1
    fleet.autoscaling.delete_tags(Tags=[tag])
    assert fleet.group("web")["Tags"] == []
