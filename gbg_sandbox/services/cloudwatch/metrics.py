"""Metrics: raw values in ring buffers, and statistics over them.

https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/cloudwatch_concepts.html
"""

from __future__ import annotations

import math
import re
from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

KEPT_POINTS = 20_000
PERCENTILE = re.compile(r"p(\d{1,2}(\.\d{1,10})?|100)")
STATISTICS = ("SampleCount", "Average", "Sum", "Minimum", "Maximum")

Dimensions = tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Metric:
    namespace: str
    name: str
    dimensions: Dimensions = ()

    @classmethod
    def of(cls, namespace: str, name: str, dimensions: Mapping[str, str]) -> Metric:
        return cls(namespace, name, tuple(sorted(dimensions.items())))


@dataclass(frozen=True)
class Point:
    """What was put at one time: values with their counts, or a statistic set (then `values` is its mean)."""

    time: float
    """seconds since the epoch"""
    values: tuple[tuple[float, float], ...]
    """value, count"""
    minimum: float
    maximum: float
    unit: str

    @classmethod
    def of(cls, time: float, values: Sequence[tuple[float, float]], unit: str) -> Point:
        numbers = [value for value, _ in values]
        return cls(time, tuple(values), min(numbers), max(numbers), unit)


def known_statistic(name: str) -> bool:
    return name in STATISTICS or PERCENTILE.fullmatch(name) is not None


def statistic(name: str, points: Iterable[Point]) -> float | None:
    """A statistic over all values of these points; None without any."""
    kept = list(points)
    count = sum(number for point in kept for _, number in point.values)
    if not count:
        return None
    total = sum(value * number for point in kept for value, number in point.values)
    simple = {
        "SampleCount": count,
        "Sum": total,
        "Average": total / count,
        "Minimum": min(point.minimum for point in kept),
        "Maximum": max(point.maximum for point in kept),
    }
    if name in simple:
        return simple[name]
    return _percentile(float(name[1:]), sorted(pair for point in kept for pair in point.values), count)


def _percentile(percent: float, pairs: Sequence[tuple[float, float]], count: float) -> float:
    """The nearest-rank percentile of values with counts."""
    rank = max(math.ceil(percent / 100 * count), 1)
    seen = 0.0
    for value, number in pairs:
        seen += number
        if seen >= rank:
            return value
    return pairs[-1][0]


class Metrics:
    """All metrics by name. Whoever reads or writes holds the service's lock."""

    def __init__(self) -> None:
        self._points: dict[Metric, deque[Point]] = {}

    def add(self, metric: Metric, point: Point) -> None:
        self._points.setdefault(metric, deque(maxlen=KEPT_POINTS)).append(point)

    def known(self) -> list[Metric]:
        return sorted(self._points, key=lambda metric: (metric.namespace, metric.name, metric.dimensions))

    def window(self, metric: Metric, start: float, end: float, unit: str = "") -> list[Point]:
        """Points from `start` on and before `end`, of one unit if one is given."""
        return [
            point
            for point in self._points.get(metric, ())
            if start <= point.time < end and unit in ("", point.unit)
        ]

    def periods(
        self, metric: Metric, start: float, end: float, period: float, unit: str = ""
    ) -> dict[float, list[Point]]:
        """Beginning of each period that has points → those points; periods are aligned to the epoch."""
        first = math.floor(start / period) * period
        grouped: dict[float, list[Point]] = {}
        for point in self.window(metric, first, end, unit):
            grouped.setdefault(math.floor(point.time / period) * period, []).append(point)
        return dict(sorted(grouped.items()))
