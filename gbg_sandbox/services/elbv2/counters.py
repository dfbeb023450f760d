"""What the proxies counted, read once a real second: CloudWatch's metrics and a series for each target.

The time to answer is HAProxy's average over a target's last 1024 answers. Of healthy and unhealthy targets
every count that a second saw is told, as AWS's nodes tell samples of a minute: the Maximum knows of a target
that was unhealthy for a part of it.
https://docs.aws.amazon.com/elasticloadbalancing/latest/application/load-balancer-cloudwatch-metrics.html
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from gbg_sandbox.services.elbv2.proxy import Counted, Proxy, Row
from gbg_sandbox.services.elbv2.proxy_config import FRONTEND
from gbg_sandbox.services.elbv2.state import Samples, TargetGroup

KEPT_SAMPLES = 200_000
CLASSES = ("2xx", "3xx", "4xx", "5xx")
NAMESPACE = "AWS/ApplicationELB"


class Record(Protocol):
    """CloudWatch's own way in."""

    def __call__(
        self, metric: str, dimensions: Mapping[str, str], value: float, unit: str, count: int = 1
    ) -> None: ...


@dataclass(frozen=True)
class Sample:
    """One target in one real second."""

    time: datetime
    target_group: str
    target: str
    requests: int
    answers: Mapping[str, int]
    """by class of status: 2xx, 3xx, 4xx, 5xx"""
    milliseconds: int
    """average time to answer"""


@dataclass
class Count:
    """What one row counted since it was read last."""

    requests: int
    answers: dict[str, int]
    milliseconds: int


@dataclass
class Totals:
    """What all targets of a load balancer or of a target group did in this second."""

    requests: int = 0
    answers: dict[str, int] = field(default_factory=lambda: dict.fromkeys(CLASSES, 0))
    milliseconds: int = 0
    answered: int = 0

    def add(self, count: Count) -> None:
        for name in CLASSES:
            self.answers[name] += count.answers[name]
        answered = sum(count.answers.values())
        self.answered += answered
        self.milliseconds += answered * count.milliseconds


class Counters:
    """Reads one load balancer's proxies."""

    def __init__(self, dimension: str) -> None:
        self._dimension = dimension
        self._seen: dict[tuple[Proxy, str, str], dict[str, int]] = {}
        self.samples: deque[Sample] = deque(maxlen=KEPT_SAMPLES)

    def read(
        self,
        read: Sequence[tuple[Proxy, Counted]],
        groups: Sequence[tuple[TargetGroup, Samples]],
        now: datetime,
        record: Record,
    ) -> None:
        """Take in what the proxies counted since the last call."""
        proxies = [proxy for proxy, _ in read]
        self._seen = {key: seen for key, seen in self._seen.items() if key[0] in proxies}
        by_backend = {group.backend: (group, Totals()) for group, _ in groups}
        whole, frontend_errors = Totals(), 0
        for proxy, counted in read:
            for row, last in counted.each():
                count = self._since(proxy, row, last=last)
                if row["svname"] == "FRONTEND" and row["pxname"] == FRONTEND:
                    frontend_errors += count.answers["5xx"]
                if row["pxname"] not in by_backend:
                    continue
                group, totals = by_backend[row["pxname"]]
                if row["svname"] == "BACKEND":
                    totals.requests += count.requests
                    whole.requests += count.requests
                else:
                    totals.add(count)
                    whole.add(count)
                    self._keep(now, group, row["svname"], count)
        own = {"LoadBalancer": self._dimension}
        _record_totals(record, own, whole)
        if frontend_errors > whole.answers["5xx"]:
            record("HTTPCode_ELB_5XX_Count", own, frontend_errors - whole.answers["5xx"], "Count")
        for group, samples in groups:
            self._record_group(record, group, samples, by_backend[group.backend][1])

    def _since(self, proxy: Proxy, row: Row, *, last: bool) -> Count:
        """What a row counted since it was read before; after the `last` row its name begins anew."""
        names = [f"hrsp_{name}" for name in CLASSES]
        values = {name: int(row[name] or 0) for name in [*names, "req_tot", "stot"]}
        before = self._seen.get((proxy, row["pxname"], row["svname"]), dict.fromkeys(values, 0))
        self._seen[(proxy, row["pxname"], row["svname"])] = dict.fromkeys(values, 0) if last else values
        requests = "req_tot" if row["req_tot"] else "stot"
        return Count(
            values[requests] - before[requests],
            {name: values[f"hrsp_{name}"] - before[f"hrsp_{name}"] for name in CLASSES},
            int(row["rtime"] or 0),
        )

    def _keep(self, now: datetime, group: TargetGroup, target: str, count: Count) -> None:
        if count.requests or any(count.answers.values()):
            sample = Sample(now, group.arn, target, count.requests, count.answers, count.milliseconds)
            self.samples.append(sample)

    def hosts(self, group: TargetGroup, samples: Samples, record: Record) -> None:
        """Tell every number of healthy and of unhealthy targets that was seen."""
        both = {"TargetGroup": group.dimension, "LoadBalancer": self._dimension}
        for healthy, unhealthy in sorted(set(samples)):
            record("HealthyHostCount", both, healthy, "Count")
            record("UnHealthyHostCount", both, unhealthy, "Count")

    def _record_group(self, record: Record, group: TargetGroup, samples: Samples, totals: Totals) -> None:
        both = {"TargetGroup": group.dimension, "LoadBalancer": self._dimension}
        self.hosts(group, samples, record)
        _record_totals(record, both, totals)
        serving = samples[-1][0]
        if totals.requests and serving:
            share = totals.requests / serving
            record("RequestCountPerTarget", both, share, "Count")
            record("RequestCountPerTarget", {"TargetGroup": group.dimension}, share, "Count")


def _record_totals(record: Record, dimensions: Mapping[str, str], totals: Totals) -> None:
    """Like AWS, say nothing of what didn't happen."""
    if totals.requests:
        record("RequestCount", dimensions, totals.requests, "Count")
    for name, value in totals.answers.items():
        if value:
            record(f"HTTPCode_Target_{name.upper()}_Count", dimensions, value, "Count")
    if totals.answered:
        seconds = totals.milliseconds / totals.answered / 1000
        record("TargetResponseTime", dimensions, seconds, "Seconds", totals.answered)
