"""How a fleet answered its visitors, from the load balancer's own figures.

CloudWatch knows a target group's figures, not a fleet's: blue's are those of a time in which only blue
served, green's those since blue has lost the traffic. Periods that touch the change belong to neither.
https://docs.aws.amazon.com/elasticloadbalancing/latest/application/load-balancer-cloudwatch-metrics.html
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import UTC, datetime

from gbg_lib.aws import Aws

NAMESPACE = "AWS/ApplicationELB"
PERIODS = (1, 5, 10, 20, 30)
"""what CloudWatch takes below a minute"""
TARGET_ERRORS, BALANCER_ERRORS = "HTTPCode_Target_5XX_Count", "HTTPCode_ELB_5XX_Count"


@dataclass(frozen=True)
class Figures:
    """Between two moments."""

    begin: datetime
    end: datetime
    requests: int
    errors: int
    """answers of 500 and above, the machines' and the load balancer's own"""
    mean_seconds: float
    """of the time to answer; 0 when nothing was answered"""

    @property
    def error_percent(self) -> float:
        asked = max(self.requests, self.errors)
        return 100 * self.errors / asked if asked else 0.0

    @property
    def told(self) -> str:
        if not self.requests:
            return "no requests"
        milliseconds = 1000 * self.mean_seconds
        return f"{self.requests} requests, {self.error_percent:.1f} % errors, {milliseconds:.0f} ms"


def figures(aws: Aws, load_balancer: str, target_group: str, begin: datetime, end: datetime) -> Figures:
    """Of the whole periods between `begin` and `end`. ARNs in; what hasn't arrived yet is not in it."""
    period = period_seconds(aws.minute_seconds)
    first, last = _aligned(begin, period, math.ceil), _aligned(end, period, math.floor)
    if first >= last:
        return Figures(begin, end, 0, 0, 0.0)
    balancer = {"LoadBalancer": load_balancer.partition("loadbalancer/")[2]}
    both = balancer | {"TargetGroup": target_group.rpartition(":")[2]}
    asked = [
        ("RequestCount", "Sum", both),
        (TARGET_ERRORS, "Sum", both),
        (BALANCER_ERRORS, "Sum", balancer),
        ("TargetResponseTime", "Sum", both),
        ("TargetResponseTime", "SampleCount", both),
    ]
    found = aws.call(
        "cloudwatch",
        "get_metric_data",
        MetricDataQueries=[_query(n, *one, period) for n, one in enumerate(asked)],
        StartTime=first,
        EndTime=last,
    )["MetricDataResults"]
    sums = {one["Id"]: sum(one["Values"]) for one in found}
    requests, target_errors, balancer_errors, seconds, samples = (sums[f"m{n}"] for n in range(len(asked)))
    mean = seconds / samples if samples else 0.0
    return Figures(first, last, int(requests), int(target_errors + balancer_errors), mean)


def period_seconds(minute_seconds: float) -> int:
    """A minute, or where minutes are hurried what CloudWatch takes for one."""
    if minute_seconds >= 60:
        return 60
    return max((period for period in PERIODS if period <= minute_seconds), default=1)


def _aligned(moment: datetime, period: int, rounded: object) -> datetime:
    assert callable(rounded)
    return datetime.fromtimestamp(rounded(moment.timestamp() / period) * period, UTC)


def _query(number: int, metric: str, stat: str, dimensions: dict[str, str], period: int) -> dict[str, object]:
    named = [{"Name": name, "Value": value} for name, value in dimensions.items()]
    told = {"Namespace": NAMESPACE, "MetricName": metric, "Dimensions": named}
    return {"Id": f"m{number}", "MetricStat": {"Metric": told, "Period": period, "Stat": stat}}
