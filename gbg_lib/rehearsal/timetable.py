"""When visitors came to a recorded release: counts a second, from one of its moments to the next.

A load balancer counts requests and says nothing of what was asked for. A rehearsal goes its own pace, so
the counts hang on moments that it has, too: its stages, and the first machine that is given traffic.
https://docs.aws.amazon.com/elasticloadbalancing/latest/application/load-balancer-cloudwatch-metrics.html
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from gbg_lib.record.archive import Archive
from gbg_lib.record.story import side

START, SWITCH = "start", "switch"
"""the release begins; the first green machine is given traffic. Other moments are called as stages are"""
REQUESTS, ERRORS = "RequestCount", "HTTPCode_Target_5XX_Count"
MINUTE, SECOND = 60, 1
LONGEST_SECONDS = 6 * 3600
"""that a stretch is read; a record from elsewhere may say anything"""


@dataclass(frozen=True)
class Stretch:
    """From a moment to the next one: how many came in each recorded second."""

    moment: str
    visits: tuple[float, ...]

    def until(self, seconds: float) -> float:
        """How many had come after so many seconds; what lasts longer than it was recorded begins again."""
        if not self.visits:
            return 0.0
        times, rest = divmod(max(seconds, 0.0), len(self.visits))
        whole = int(rest)
        part = self.visits[whole] * (rest - whole)
        return times * sum(self.visits) + sum(self.visits[:whole]) + part


Timetable = Mapping[str, Stretch]


def timetable(archive: Archive, *, fine: bool) -> Timetable:
    """By moment; empty where nobody came. `fine`: whether counts by the second can be trusted to be that."""
    moments = list(_moments(archive))
    counts = _by_second(archive, fine=fine)
    if not any(counts.values()):
        return {}
    execution = archive.one("execution")
    ends = [at for _, at in moments[1:]] + [execution.until if execution else None]
    return {
        name: Stretch(name, tuple(_between(counts, at, end)))
        for (name, at), end in zip(moments, ends, strict=True)
        if end is not None and end > at
    }


def visited(archive: Archive) -> tuple[int, int]:
    """Requests of the whole release, and those of them that the application answered with an error."""
    told = dict.fromkeys((REQUESTS, ERRORS), 0.0)
    for one in archive.of("traffic"):
        metric = one.data.get("metric")
        if metric in told and one.data.get("period") == MINUTE:
            told[metric] += sum(one.data.get("values", []))
    return round(told[REQUESTS]), round(told[ERRORS])


def _moments(archive: Archive) -> Iterator[tuple[str, datetime]]:
    execution = archive.one("execution")
    if execution is None or execution.at is None:
        return
    found = {START: execution.at}
    for one in archive.of("action"):
        if one.at is not None:
            found.setdefault(str(one.data.get("stageName", "")), one.at)
    events = [one for one in archive.of("machine.event") if side(one) == "Green"]
    allowed = [one.at for one in events if one.data.get("lifecycleEventName") == "AllowTraffic" and one.at]
    if allowed:
        found[SWITCH] = min(allowed)
    yield from sorted(found.items(), key=lambda one: one[1])


def _by_second(archive: Archive, *, fine: bool) -> dict[int, float]:
    """Second of the epoch → requests; by the minute where the record has nothing finer."""
    counts: dict[int, float] = {}
    for period in (MINUTE, SECOND) if fine else (MINUTE,):
        for one in archive.of("traffic"):
            if one.at is None or one.data.get("metric") != REQUESTS or one.data.get("period") != period:
                continue
            if period == SECOND and one.until is not None:
                begin, end = int(one.at.timestamp()), int(one.until.timestamp())
                counts |= dict.fromkeys(range(begin, min(end, begin + LONGEST_SECONDS)), 0.0)
            for second, value in _values(one.at, one.data):
                counts |= dict.fromkeys(range(second, second + period), value / period)
    return counts


def _values(at: datetime, data: Mapping[str, Any]) -> Iterator[tuple[int, float]]:
    for seconds, value in zip(data.get("seconds", []), data.get("values", []), strict=False):
        yield int((at + timedelta(seconds=int(seconds))).timestamp()), max(float(value), 0.0)


def _between(counts: Mapping[int, float], begin: datetime, end: datetime) -> Iterator[float]:
    first = int(begin.timestamp())
    for second in range(first, min(int(end.timestamp()) + 1, first + LONGEST_SECONDS)):
        yield counts.get(second, 0.0)
