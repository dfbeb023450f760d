"""Scaling policies: the alarms that target tracking makes, and what an alarm or a person sets off.

https://docs.aws.amazon.com/autoscaling/ec2/userguide/as-scaling-target-tracking.html
"""

from __future__ import annotations

import json
import logging
import uuid
from collections.abc import Mapping
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from gbg_sandbox.service import AwsError
from gbg_sandbox.services.autoscaling import plan
from gbg_sandbox.services.autoscaling.engine import AutoScalingEngine
from gbg_sandbox.services.autoscaling.state import ACTING, AutoScalingState, Group, Policy

if TYPE_CHECKING:
    from gbg_sandbox.cloud import Cloud

log = logging.getLogger(__name__)

TRACKING = "TargetTrackingScaling"
HIGH_PERIODS, LOW_PERIODS, PERIOD_SECONDS = 3, 15, 60
LOW_SHARE = 0.9
"""AWS doesn't publish how far below the target its lower alarm lies; 90 % is what is seen most"""
EC2_METRICS = {
    "ASGAverageCPUUtilization": "CPUUtilization",
    "ASGAverageNetworkIn": "NetworkIn",
    "ASGAverageNetworkOut": "NetworkOut",
}


class Scaling:
    def __init__(self, cloud: Cloud, state: AutoScalingState, engine: AutoScalingEngine) -> None:
        self._cloud = cloud
        self._state = state
        self._engine = engine

    @property
    def _cloudwatch(self) -> Any:
        return self._cloud.client("cloudwatch", acting=ACTING)

    def make_alarms(self, group: str, policy: Policy) -> None:
        """A high alarm and, unless DisableScaleIn, a low one, both pointing at the policy."""
        tracking = policy.settings["TargetTrackingConfiguration"]
        target = float(tracking["TargetValue"])
        metric = alarm_metric(group, tracking)
        wanted = [("High", "GreaterThanThreshold", target, HIGH_PERIODS)]
        if not tracking.get("DisableScaleIn"):
            wanted.append(("Low", "LessThanThreshold", target * LOW_SHARE, LOW_PERIODS))
        for word, comparison, threshold, periods in wanted:
            name = f"TargetTracking-{group}-Alarm{word}-{uuid.uuid4()}"
            self._cloudwatch.put_metric_alarm(
                AlarmName=name,
                AlarmDescription=f"DO NOT EDIT OR DELETE. For TargetTrackingScaling policy {policy.arn}.",
                ActionsEnabled=True,
                AlarmActions=[policy.arn],
                ComparisonOperator=comparison,
                Threshold=threshold,
                EvaluationPeriods=periods,
                **metric,
            )
            policy.alarms.append((name, self._cloud.arn("cloudwatch", f"alarm:{name}")))

    def remove_alarms(self, policies: list[Policy]) -> None:
        names = [name for policy in policies for name, _ in policy.alarms]
        if names:
            self._cloudwatch.delete_alarms(AlarmNames=names)

    def alarms_of(self, policy: Policy) -> list[dict[str, Any]]:
        """CloudWatch's alarms that set this policy off, as it describes them."""
        pages = self._cloudwatch.get_paginator("describe_alarms").paginate(AlarmTypes=["MetricAlarm"])
        return [
            alarm
            for page in pages
            for alarm in page["MetricAlarms"]
            if policy.arn in [*alarm["AlarmActions"], *alarm.get("OKActions", ())]
        ]

    def alarm_action(self, policy_arn: str, alarm: Mapping[str, Any]) -> None:
        """An alarm sets off this policy, as it was told to; CloudWatch repeats this each minute.

        `alarm` is as CloudWatch described it in that moment: it may be in another state by now.
        """
        with self._state.changed:
            group, policy = self._state.policy(policy_arn)
            if not policy.enabled or not group.runs("AlarmNotification"):
                return
        name, state = alarm["AlarmName"], alarm["StateValue"]
        why = f"a monitor alarm {name} in state {state} triggered policy {policy.name}"
        if policy.kind != TRACKING:
            metric, threshold = latest(alarm), float(alarm["Threshold"])
            self.execute(group, policy, why, metric=metric, threshold=threshold, honor_cooldown=True)
        elif state == "ALARM":
            self._track(group, policy, alarm, why)

    def _track(self, group: Group, policy: Policy, alarm: Mapping[str, Any], why: str) -> None:
        """Out at once, in only when no instance is warming up."""
        metric = latest(alarm)
        if metric is None:
            log.info("%s: no value to scale %s by", alarm["AlarmName"], group.name)
            return
        target = float(policy.settings["TargetTrackingConfiguration"]["TargetValue"])
        with self._state.changed:
            serving = [one for one in group.instances.values() if one.state == "InService"]
            warmup = timedelta(seconds=self._cloud.clock.real_seconds(self._warmup(group, policy)))
            now = self._cloud.clock.now()
            warm = [one for one in serving if one.in_service_since and one.in_service_since + warmup <= now]
            out = alarm["ComparisonOperator"].startswith("Greater")
            if not out and (len(warm) < len(serving) or len(serving) < group.capacity):
                return
            capacity = plan.limited(group, plan.tracked(len(warm), metric, target))
            if (capacity > group.desired) if out else (capacity < group.desired):
                self._engine.resize(group, capacity, why)

    def _warmup(self, group: Group, policy: Policy) -> float:
        own = policy.settings.get("EstimatedInstanceWarmup")
        default = group.kept.get("DefaultInstanceWarmup", -1)
        if own is not None:
            return float(own)
        return float(default if default >= 0 else group.cooldown_seconds)

    def execute(
        self,
        group: Group,
        policy: Policy,
        why: str,
        *,
        metric: float | None,
        threshold: float | None,
        honor_cooldown: bool,
    ) -> None:
        """A step or simple policy. Raises ScalingActivityInProgress while a cooldown is honoured."""
        with self._state.changed:
            if policy.kind == "SimpleScaling":
                if honor_cooldown and self._cooling(group, policy):
                    raise AwsError(
                        "ScalingActivityInProgress",
                        f"Group {group.name} is in cooldown or has an activity in progress.",
                    )
                adjustment: int | None = policy.settings["ScalingAdjustment"]
            else:
                if metric is None or threshold is None:
                    raise AwsError(
                        "ValidationError", "MetricValue and BreachThreshold are required for StepScaling."
                    )
                adjustment = plan.step_for(policy.settings, metric - threshold)
            if adjustment is not None:
                capacity = plan.adjusted(group.desired, policy.settings, adjustment)
                self._engine.resize(group, plan.limited(group, capacity), why)

    def _cooling(self, group: Group, policy: Policy) -> bool:
        seconds = policy.settings.get("Cooldown", group.cooldown_seconds)
        pause = timedelta(seconds=self._cloud.clock.real_seconds(seconds))
        return group.scaled_at is not None and self._cloud.clock.now() < group.scaled_at + pause


def latest(alarm: Mapping[str, Any]) -> float | None:
    """The newest value that the alarm was judged by."""
    told = json.loads(alarm.get("StateReasonData") or "{}")
    points = [float(point) for point in told.get("recentDatapoints", ())]
    return points[-1] if points else None


def alarm_metric(group: str, tracking: Mapping[str, Any]) -> dict[str, Any]:
    """Namespace, metric, dimensions, statistic and period of a target tracking configuration.

    Raises ValidationError for what can't be watched.
    """
    custom = tracking.get("CustomizedMetricSpecification")
    predefined = tracking.get("PredefinedMetricSpecification")
    if bool(custom) == bool(predefined):
        raise AwsError(
            "ValidationError",
            "Specify either a PredefinedMetricSpecification or a CustomizedMetricSpecification.",
        )
    if custom:
        return _custom(custom)
    assert predefined
    kind = predefined["PredefinedMetricType"]
    if kind == "ALBRequestCountPerTarget":
        return _requests_per_target(predefined.get("ResourceLabel", ""))
    if kind not in EC2_METRICS:
        raise AwsError("ValidationError", f"gbg_sandbox does not run target tracking by {kind}.")
    return {
        "Namespace": "AWS/EC2",
        "MetricName": EC2_METRICS[kind],
        "Dimensions": [{"Name": "AutoScalingGroupName", "Value": group}],
        "Statistic": "Average",
        "Period": PERIOD_SECONDS,
    }


def _requests_per_target(label: str) -> dict[str, Any]:
    balancer, found, rest = label.partition("/targetgroup/")
    if not balancer.startswith("app/") or not found or rest.count("/") != 1:
        raise AwsError(
            "ValidationError",
            f"Incorrect resource label: {label}. Its form is "
            "app/<load balancer>/<id>/targetgroup/<target group>/<id>.",
        )
    return {
        "Namespace": "AWS/ApplicationELB",
        "MetricName": "RequestCountPerTarget",
        "Dimensions": [
            {"Name": "TargetGroup", "Value": f"targetgroup/{rest}"},
            {"Name": "LoadBalancer", "Value": balancer},
        ],
        "Statistic": "Sum",
        "Period": PERIOD_SECONDS,
    }


def _custom(metric: Mapping[str, Any]) -> dict[str, Any]:
    if "Metrics" in metric:
        raise AwsError("ValidationError", "gbg_sandbox does not run target tracking by metric math.")
    chosen = {
        name: metric[name] for name in ("Namespace", "MetricName", "Statistic", "Unit") if name in metric
    }
    return {
        **chosen,
        "Dimensions": metric.get("Dimensions", []),
        "Period": metric.get("Period", PERIOD_SECONDS),
    }
