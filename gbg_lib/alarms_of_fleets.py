"""Alarms that name an Auto Scaling group: a release replaces the group, and leaves them watching nothing.

https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_PutMetricAlarm.html
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from gbg_lib.aws import Aws
from gbg_lib.way_back.situation import GROUP_DIMENSION, Situation

KEPT = (
    *("AlarmName", "AlarmDescription", "ActionsEnabled", "OKActions", "AlarmActions"),
    *("InsufficientDataActions", "MetricName", "Namespace", "Statistic", "ExtendedStatistic", "Period"),
    *("Unit", "EvaluationPeriods", "DatapointsToAlarm", "Threshold", "ComparisonOperator"),
    *("TreatMissingData", "EvaluateLowSampleCountPercentile"),
)
OF_A_POLICY = "TargetTracking-"
"""alarms that Auto Scaling makes and removes itself"""


def dead_alarms(situation: Situation) -> dict[str, str]:
    """Alarm → the group of this deployment that it names, and that is gone."""
    living = {fleet.group for fleet in situation.fleets}
    named = {alarm.name: alarm.dimensions.get(GROUP_DIMENSION, "") for alarm in situation.alarms}
    return {alarm: group for alarm, group in named.items() if group and group not in living}


def put_on(aws: Aws, situation: Situation, group: str) -> Iterator[str]:
    """Let them watch `group`, as they are otherwise; yields each that does now.

    One that acts on a scaling policy of the group that is gone can't be put on another by itself, and stays.
    """
    wanted = dead_alarms(situation)
    if not wanted:
        return
    for alarm in aws.pages("cloudwatch", "describe_alarms", "MetricAlarms", AlarmNames=sorted(wanted)):
        if _can_move(alarm):
            settings = {name: alarm[name] for name in KEPT if alarm.get(name) not in (None, "", [])}
            aws.call(
                "cloudwatch", "put_metric_alarm", **settings, Dimensions=_about(alarm["Dimensions"], group)
            )
            yield f"{alarm['AlarmName']} (was about {wanted[alarm['AlarmName']]})"


def _can_move(alarm: Mapping[str, Any]) -> bool:
    acts_on_policy = any(":scalingPolicy:" in action for action in alarm.get("AlarmActions", []))
    return not alarm["AlarmName"].startswith(OF_A_POLICY) and not acts_on_policy


def _about(dimensions: list[dict[str, str]], group: str) -> list[dict[str, str]]:
    return [one | {"Value": group} if one["Name"] == GROUP_DIMENSION else one for one in dimensions]
