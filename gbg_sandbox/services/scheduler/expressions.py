"""When a schedule is due: `at(…)` and `cron(…)` on the hours of the real day, `rate(…)` on the scaled clock.

Hours that daylight saving leaves out are skipped, hours that it repeats count once.
https://docs.aws.amazon.com/scheduler/latest/UserGuide/schedule-types.html
"""

from __future__ import annotations

import calendar
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

UNIT_SECONDS = {"minute": 60, "hour": 3600, "day": 86400}
MONTHS = {name.upper(): number for number, name in enumerate(calendar.month_abbr) if name}
DAYS = {
    name: number for number, name in enumerate(("SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"), start=1)
}
PLAIN_PART = re.compile(r"(?P<from>\*|\w+)(?:-(?P<to>\w+))?(?:/(?P<step>\d+))?")
SPECIAL_PART = re.compile(r"L|LW|\d+(W|L|#[1-5])")


class InvalidExpressionError(ValueError):
    """EventBridge Scheduler would not take it."""


class UnsupportedExpressionError(ValueError):
    """It is right, but the sandbox does not run it."""


@dataclass(frozen=True)
class Rate:
    seconds: int
    """AWS's, between two invocations; the first is at once"""


@dataclass(frozen=True)
class Once:
    at: datetime
    """in UTC"""

    def after(self, moment: datetime) -> datetime | None:
        return self.at if self.at > moment else None


@dataclass(frozen=True)
class Recurring:
    minutes: frozenset[int]
    hours: frozenset[int]
    month_days: frozenset[int]
    months: frozenset[int]
    week_days: frozenset[int]
    """Sunday is 1"""
    years: frozenset[int]
    zone: ZoneInfo

    def after(self, moment: datetime) -> datetime | None:
        """The next time in UTC; None when there is none any more."""
        local = moment.astimezone(self.zone)
        for day in self._days(local.date()):
            for hour in sorted(self.hours):
                for minute in sorted(self.minutes):
                    found = _in_utc(datetime(day.year, day.month, day.day, hour, minute), self.zone)
                    if found is not None and found > moment:
                        return found
        return None

    def _days(self, first: date) -> Iterator[date]:
        for year in sorted(year for year in self.years if year >= first.year):
            for month in sorted(self.months):
                for day in range(1, calendar.monthrange(year, month)[1] + 1):
                    if date(year, month, day) >= first and self._has(date(year, month, day)):
                        yield date(year, month, day)

    def _has(self, day: date) -> bool:
        return day.day in self.month_days and day.isoweekday() % 7 + 1 in self.week_days


Expression = Rate | Once | Recurring


def parse(text: str, zone: ZoneInfo) -> Expression:
    """Raises InvalidExpressionError, UnsupportedExpressionError."""
    found = re.fullmatch(r"(at|rate|cron)\((.+)\)", text)
    if found is None:
        raise InvalidExpressionError(text)
    kind, inside = found.groups()
    if kind == "rate":
        return _rate(text, inside)
    return _once(text, inside, zone) if kind == "at" else _recurring(text, inside, zone)


def _rate(text: str, inside: str) -> Rate:
    found = re.fullmatch(r"([1-9]\d*) (minute|hour|day)s?", inside)
    if found is None:
        raise InvalidExpressionError(text)
    return Rate(int(found[1]) * UNIT_SECONDS[found[2]])


def _once(text: str, inside: str, zone: ZoneInfo) -> Once:
    try:
        local = datetime.strptime(inside, "%Y-%m-%dT%H:%M:%S")
    except ValueError as error:
        raise InvalidExpressionError(text) from error
    return Once(_in_utc(local, zone) or local.replace(tzinfo=zone).astimezone(UTC))


def _recurring(text: str, inside: str, zone: ZoneInfo) -> Recurring:
    fields = inside.split()
    if len(fields) != 6 or (fields[2] == "?") == (fields[4] == "?"):
        raise InvalidExpressionError(text)
    minutes, hours, month_days, months, week_days, years = fields
    return Recurring(
        _values(text, minutes, 0, 59),
        _values(text, hours, 0, 23),
        _values(text, month_days.replace("?", "*"), 1, 31),
        _values(text, months, 1, 12, MONTHS),
        _values(text, week_days.replace("?", "*"), 1, 7, DAYS),
        _values(text, years, 1970, 2199),
        zone,
    )


def _values(
    text: str, field: str, least: int, most: int, names: dict[str, int] | None = None
) -> frozenset[int]:
    return frozenset(
        value for part in field.split(",") for value in _part(text, part, least, most, names or {})
    )


def _part(text: str, part: str, least: int, most: int, names: dict[str, int]) -> range:
    if SPECIAL_PART.fullmatch(part):
        raise UnsupportedExpressionError(f"gbg_sandbox does not run {part} (L, W and #) in {text}")
    found = PLAIN_PART.fullmatch(part)
    if found is None:
        raise InvalidExpressionError(text)
    if found["from"] == "*":
        first, last = least, most
    else:
        first = _number(text, found["from"], names)
        last = _number(text, found["to"], names) if found["to"] else most if found["step"] else first
    step = int(found["step"] or 1)
    if not least <= first <= last <= most or step < 1 or (found["from"] == "*" and found["to"]):
        raise InvalidExpressionError(text)
    return range(first, last + 1, step)


def _number(text: str, word: str, names: dict[str, int]) -> int:
    if word.upper() in names:
        return names[word.upper()]
    if not word.isdigit():
        raise InvalidExpressionError(text)
    return int(word)


def _in_utc(local: datetime, zone: ZoneInfo) -> datetime | None:
    """None for an hour that daylight saving leaves out; of a repeated hour the first."""
    found = local.replace(tzinfo=zone).astimezone(UTC)
    return found if found.astimezone(zone).replace(tzinfo=None) == local else None
