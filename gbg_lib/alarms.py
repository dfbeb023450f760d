"""Part 1's alarms: when what they have measured no longer keeps a release from beginning.

https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/alarm-evaluation.html
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from gbg_lib.aws import Aws
from gbg_lib.deployment_group import ALARMS
from gbg_lib.gates.figures import period_seconds
from gbg_lib.replay.clock import now

FIRING = "ALARM"


def quiet(aws: Aws, deployment: str) -> bool:
    """Whether none fires, and none is about to.

    An alarm comes on some time after the last period that it needs for that: a fleet that started slowly is
    healthy by then.
    """
    named = [f"{deployment}-{name}" for name in ALARMS]
    found = aws.call("cloudwatch", "describe_alarms", AlarmNames=named)["MetricAlarms"]
    return not any(one["StateValue"] == FIRING or _measured_enough(aws, one) for one in found)


def _measured_enough(aws: Aws, alarm: Mapping[str, Any]) -> bool:
    """Whether as many of its newest periods breach as bring it on; the one that goes on is among them."""
    period = period_seconds(aws.minute_seconds)
    end = now()
    metric = {name: alarm[name] for name in ("Namespace", "MetricName", "Dimensions")}
    told = aws.call(
        "cloudwatch",
        "get_metric_data",
        MetricDataQueries=[
            {"Id": "m", "MetricStat": {"Metric": metric, "Period": period, "Stat": alarm["Statistic"]}}
        ],
        StartTime=end - timedelta(seconds=period * (alarm["EvaluationPeriods"] + 1)),
        EndTime=end,
    )["MetricDataResults"]
    breaching = [value for one in told for value in one["Values"] if value >= alarm["Threshold"]]
    return len(breaching) >= int(alarm.get("DatapointsToAlarm", alarm["EvaluationPeriods"]))
