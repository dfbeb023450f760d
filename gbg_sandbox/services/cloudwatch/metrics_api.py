"""Operations on metrics."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from gbg_sandbox.paging import page
from gbg_sandbox.service import AwsError, Call, Service, runs
from gbg_sandbox.services.cloudwatch.metrics import Metric, Metrics, Point, known_statistic, statistic

if TYPE_CHECKING:
    from gbg_sandbox.cloud import Cloud

MOST_LISTED = 500
MOST_DATAPOINTS = 1440


class MetricsApi(Service):
    name = "cloudwatch"

    def __init__(self, cloud: Cloud) -> None:
        super().__init__(cloud)
        self.lock = threading.RLock()
        self.metrics = Metrics()

    def record(
        self,
        namespace: str,
        metric: str,
        dimensions: Mapping[str, str],
        value: float,
        unit: str,
        count: int = 1,
        time: datetime | None = None,
    ) -> None:
        """Put a value as an AWS service does, into a namespace of its own; `value` happened `count` times.

        What carries no time of its own is dated with the lock held: no alarm has looked at its period then.
        """
        with self.lock:
            point = Point.of((time or self.cloud.clock.now()).timestamp(), [(value, count)], unit)
            self.metrics.add(Metric.of(namespace, metric, dimensions), point)

    @runs
    def put_metric_data(self, call: Call, params: dict[str, Any]) -> None:
        namespace = params["Namespace"]
        if namespace.startswith("AWS/"):
            raise AwsError(
                "InvalidParameterValue",
                "The value AWS/ for parameter Namespace is invalid: it is reserved for AWS services.",
            )
        if params.get("EntityMetricData"):
            raise AwsError("InvalidParameterValue", "gbg_sandbox does not keep entities of metrics")
        with self.lock:
            now = self.cloud.clock.now()
            made = [(_metric(namespace, one), _point(one, now)) for one in params.get("MetricData", [])]
            for metric, point in made:
                self.metrics.add(metric, point)

    @runs
    def get_metric_statistics(self, call: Call, params: dict[str, Any]) -> dict[str, Any]:
        wanted = [*params.get("Statistics", []), *params.get("ExtendedStatistics", [])]
        if not wanted:
            raise AwsError("MissingRequiredParameter", "Must specify either Statistics or ExtendedStatistics")
        _check_query(params["Period"], *wanted)
        metric = _metric(params["Namespace"], params)
        start, end = params["StartTime"].timestamp(), params["EndTime"].timestamp()
        if start >= end:
            raise AwsError("InvalidParameterValue", "The parameter StartTime must be less than EndTime.")
        if (end - start) / params["Period"] > MOST_DATAPOINTS:
            raise AwsError(
                "InvalidParameterCombination",
                f"You have requested more than {MOST_DATAPOINTS} datapoints. Enlarge the period.",
            )
        with self.lock:
            found = self.metrics.periods(metric, start, end, params["Period"], params.get("Unit", ""))
        datapoints: list[dict[str, Any]] = []
        for begin, points in found.items():
            told: dict[str, Any] = {"Timestamp": datetime.fromtimestamp(begin, UTC), "Unit": points[-1].unit}
            told |= {name: statistic(name, points) for name in params.get("Statistics", [])}
            extended = {name: statistic(name, points) for name in params.get("ExtendedStatistics", [])}
            datapoints.append(told | ({"ExtendedStatistics": extended} if extended else {}))
        return {"Label": params["MetricName"], "Datapoints": datapoints}

    @runs
    def get_metric_data(self, call: Call, params: dict[str, Any]) -> dict[str, Any]:
        start, end = params["StartTime"].timestamp(), params["EndTime"].timestamp()
        if start >= end:
            raise AwsError(
                "ValidationError", "The parameter StartTime must be less than the parameter EndTime."
            )
        newest_first = params.get("ScanBy", "TimestampDescending") == "TimestampDescending"
        results: list[dict[str, Any]] = []
        for query in params["MetricDataQueries"]:
            wanted = _metric_stat(query)
            if not query.get("ReturnData", True):
                continue
            metric = _metric(wanted["Metric"]["Namespace"], wanted["Metric"])
            with self.lock:
                found = self.metrics.periods(metric, start, end, wanted["Period"], wanted.get("Unit", ""))
            pairs = sorted(
                ((begin, statistic(wanted["Stat"], points)) for begin, points in found.items()),
                reverse=newest_first,
            )
            results.append(
                {
                    "Id": query["Id"],
                    "Label": query.get("Label", metric.name),
                    "Timestamps": [datetime.fromtimestamp(begin, UTC) for begin, _ in pairs],
                    "Values": [value for _, value in pairs],
                    "StatusCode": "Complete",
                }
            )
        return {"MetricDataResults": results, "Messages": []}

    @runs
    def list_metrics(self, call: Call, params: dict[str, Any]) -> dict[str, Any]:
        wanted = {(one["Name"], one.get("Value")) for one in params.get("Dimensions", [])}
        with self.lock:
            known = self.metrics.known()
        found = [
            {
                "Namespace": metric.namespace,
                "MetricName": metric.name,
                "Dimensions": [{"Name": name, "Value": value} for name, value in metric.dimensions],
            }
            for metric in known
            if params.get("Namespace", metric.namespace) == metric.namespace
            and params.get("MetricName", metric.name) == metric.name
            and wanted <= {*metric.dimensions, *((name, None) for name, _ in metric.dimensions)}
        ]
        shown, following = page(found, params.get("NextToken"), MOST_LISTED, invalid="InvalidParameterValue")
        return {"Metrics": shown, **({"NextToken": following} if following else {})}


def _point(datum: dict[str, Any], now: datetime) -> Point:
    """`now` is its time, where it tells none."""
    when = datum.get("Timestamp") or now
    unit = datum.get("Unit", "None")
    if "StatisticValues" in datum:
        told = datum["StatisticValues"]
        if told["SampleCount"] <= 0:
            raise AwsError("InvalidParameterValue", "SampleCount must be greater than 0")
        mean = told["Sum"] / told["SampleCount"]
        return Point(when.timestamp(), ((mean, told["SampleCount"]),), told["Minimum"], told["Maximum"], unit)
    if "Value" in datum:
        return Point.of(when.timestamp(), [(datum["Value"], 1)], unit)
    values = datum.get("Values") or []
    counts = datum.get("Counts") or [1.0] * len(values)
    if not values or len(values) != len(counts):
        raise AwsError(
            "InvalidParameterCombination",
            f"{datum['MetricName']}: give Value, StatisticValues, or Values with as many Counts",
        )
    return Point.of(when.timestamp(), list(zip(values, counts, strict=True)), unit)


def _metric(namespace: str, told: Mapping[str, Any]) -> Metric:
    dimensions = {one["Name"]: one["Value"] for one in told.get("Dimensions", [])}
    return Metric.of(namespace, told["MetricName"], dimensions)


def _metric_stat(query: dict[str, Any]) -> dict[str, Any]:
    if "MetricStat" not in query:
        raise AwsError("ValidationError", f"gbg_sandbox does not run metric math (query {query['Id']})")
    wanted: dict[str, Any] = query["MetricStat"]
    _check_query(wanted["Period"], wanted["Stat"])
    return wanted


def _check_query(period: int, *statistics: str) -> None:
    if period not in (1, 5, 10, 20, 30) and (period < 60 or period % 60):
        raise AwsError("ValidationError", f"Period {period} must be 1, 5, 10, 20, 30 or a multiple of 60")
    for name in statistics:
        if not known_statistic(name):
            raise AwsError("ValidationError", f"gbg_sandbox does not run the statistic {name}")
