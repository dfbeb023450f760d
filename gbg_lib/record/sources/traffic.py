"""What visitors saw: target health, the load balancer's counts, alarms.

AWS counts a load balancer's requests by the minute. A second is asked for, and what came is told as it came.
https://docs.aws.amazon.com/elasticloadbalancing/latest/application/load-balancer-cloudwatch-metrics.html
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any

from gbg_lib.alarms_of_fleets import OF_A_POLICY
from gbg_lib.aws import Aws
from gbg_lib.deployment_group import ALARMS, first_group, green_group
from gbg_lib.record.gathering import Gathering, Subject
from gbg_lib.replay import clock

WHOLE = (
    *(("RequestCount", "Sum"), ("HTTPCode_Target_2XX_Count", "Sum"), ("HTTPCode_Target_3XX_Count", "Sum")),
    *(("HTTPCode_Target_4XX_Count", "Sum"), ("HTTPCode_Target_5XX_Count", "Sum")),
    *(("HTTPCode_ELB_5XX_Count", "Sum"), ("TargetResponseTime", "p50"), ("TargetResponseTime", "p99")),
)
"""of the load balancer: metric, statistic"""
HOSTS = (("HealthyHostCount", "Minimum"), ("UnHealthyHostCount", "Maximum"))
"""of the target group"""
BY_COLOUR = (
    "CloudWatch counts by target group and zone, and blue and green are in one group; "
    "an access log would name machines, and the load balancer keeps none"
)
"""https://docs.aws.amazon.com/elasticloadbalancing/latest/application/load-balancer-access-logs.html"""
MADE = (*ALARMS, "restore-errors")
"""the templates' alarms, after the deployment's name"""
AROUND = timedelta(minutes=2)
"""before and after the switch that is looked at by the second"""
MOST_FINE = timedelta(minutes=30)
FINE_AGE = timedelta(hours=3)
"""CloudWatch keeps periods under a minute no longer"""


def health(subject: Subject, found: Gathering) -> None:
    health_now(subject.aws, subject.base["TargetGroupArn"], found, "after", clock.now())


def health_now(aws: Aws, target_group: str, found: Gathering, moment: str, at: datetime) -> None:
    told = aws.call("elbv2", "describe_target_health", TargetGroupArn=target_group)
    data = {"moment": moment, "targets": told["TargetHealthDescriptions"]}
    found.add("target.health", moment, "elbv2:describe_target_health", data, at=at)


def counts(subject: Subject, found: Gathering) -> None:
    """By the minute for the whole release, by the second around the switch."""
    _series(subject, found, subject.begin, subject.end, 60)
    begin, end = switch(found)
    if begin is None or end is None:
        return
    found.miss("traffic by colour", BY_COLOUR, "cloudwatch:get_metric_data")
    begin, end = begin - AROUND, min(end + AROUND, begin + MOST_FINE, clock.now())
    if clock.now() - begin < FINE_AGE:
        _series(subject, found, begin, end, 1)
    else:
        why = "CloudWatch keeps it three hours"
        found.miss("traffic by the second", why, "cloudwatch:get_metric_data")


def switch(found: Gathering) -> tuple[datetime | None, datetime | None]:
    """From the first machine that is given traffic to the last that has lost it."""
    events = [
        one for one in found.of("machine.event")
        if one.data["lifecycleEventName"] in ("AllowTraffic", "BlockTraffic")
    ]  # fmt: skip
    times = [time for one in events for time in (one.at, one.until) if time is not None]
    return min(times, default=None), max(times, default=None)


def _series(subject: Subject, found: Gathering, begin: datetime, end: datetime, period: int) -> None:
    balancer = {"LoadBalancer": subject.base["LoadBalancerArn"].partition("loadbalancer/")[2]}
    both = {**balancer, "TargetGroup": subject.base["TargetGroupArn"].rpartition(":")[2]}
    asked = [*((name, stat, balancer) for name, stat in WHOLE), *((name, stat, both) for name, stat in HOSTS)]
    queries = [_query(f"m{number}", *one, period) for number, one in enumerate(asked)]
    results: dict[str, tuple[list[datetime], list[float]]] = {}
    for item in subject.aws.pages(
        "cloudwatch",
        "get_metric_data",
        "MetricDataResults",
        StartTime=begin,
        EndTime=end,
        MetricDataQueries=queries,
        ScanBy="TimestampAscending",
    ):
        times, values = results.setdefault(item["Id"], ([], []))
        times += item["Timestamps"]
        values += item["Values"]
    for number, (name, stat, _) in enumerate(asked):
        times, values = results.get(f"m{number}", ([], []))
        told = {
            "metric": name,
            "statistic": stat,
            "period": period,
            "resolution": _resolution(times),
            "seconds": [round((time - begin).total_seconds()) for time in times],
            "values": values,
        }
        key = f"{name}:{stat}:{period}"
        found.add("traffic", key, "cloudwatch:get_metric_data", told, at=begin, until=end)


def _query(name: str, metric: str, stat: str, dimensions: dict[str, str], period: int) -> dict[str, Any]:
    told = [{"Name": key, "Value": value} for key, value in dimensions.items()]
    which = {"Namespace": "AWS/ApplicationELB", "MetricName": metric, "Dimensions": told}
    return {"Id": name, "MetricStat": {"Metric": which, "Period": period, "Stat": stat}}


def _resolution(times: Iterable[datetime]) -> int | None:
    """The shortest time between two values, in seconds: what AWS really counts by."""
    ordered = sorted(times)
    gaps = [round((b - a).total_seconds()) for a, b in pairwise(ordered)]
    return min((gap for gap in gaps if gap > 0), default=None)


def alarms(subject: Subject, found: Gathering) -> None:
    """Named after the deployment; those of a fleet's policies come and go, and are in the history."""
    for alarm in subject.aws.pages(
        "cloudwatch", "describe_alarms", "MetricAlarms", AlarmNamePrefix=f"{subject.deployment}-"
    ):
        if is_ours(alarm["AlarmName"], subject):
            found.add("alarm", alarm["AlarmName"], "cloudwatch:describe_alarms", alarm)


def is_ours(alarm: str, subject: Subject) -> bool:
    """By its name. What ends as a template's alarm does, and is not this deployment's, is another one's:
    `gbg-test-elb-5xx` is no alarm of `gbg`.
    """
    if alarm.startswith(f"{subject.deployment}-"):
        own, every = ([f"{begin}-{name}" for name in MADE] for begin in (subject.deployment, ""))
        return alarm in own or not alarm.endswith(tuple(every))
    first = f"{OF_A_POLICY}{first_group(subject.deployment)}-Alarm"
    return alarm.startswith((first, OF_A_POLICY + green_group(subject.base["DeploymentGroupName"])))


def alarm_history(subject: Subject, found: Gathering) -> None:
    """Of the deployment's own alarms, and of those that came and went with its fleets."""
    items = subject.aws.pages(
        "cloudwatch",
        "describe_alarm_history",
        "AlarmHistoryItems",
        StartDate=subject.begin,
        EndDate=subject.end,
        ScanBy="TimestampAscending",
    )
    for item in items:
        if is_ours(item["AlarmName"], subject):
            key = f"{item['AlarmName']}:{item['HistoryItemType']}:{item['Timestamp'].timestamp():.3f}"
            source = "cloudwatch:describe_alarm_history"
            found.add("alarm.change", key, source, item, at=item["Timestamp"])
