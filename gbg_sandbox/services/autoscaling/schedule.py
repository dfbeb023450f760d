"""When a scheduled action is due: a start time, or a cron expression of five fields.

https://docs.aws.amazon.com/autoscaling/ec2/userguide/ec2-auto-scaling-scheduled-scaling.html
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from gbg_sandbox.service import AwsError

RANGES = ((0, 59), (0, 23), (1, 31), (1, 12), (0, 7))
MONTHS = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")
DAYS = ("SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT")
NAMES: tuple[dict[str, int], ...] = (
    {},
    {},
    {},
    {name: number for number, name in enumerate(MONTHS, 1)},
    {name: number for number, name in enumerate(DAYS)},
)
YEARS_AHEAD = 5


@dataclass(frozen=True)
class Cron:
    minutes: frozenset[int]
    hours: frozenset[int]
    days: frozenset[int]
    months: frozenset[int]
    weekdays: frozenset[int]
    either_day: bool
    """days of month and of week are both restricted: one of them has to fit"""

    def fits_day(self, moment: datetime) -> bool:
        if moment.month not in self.months:
            return False
        by_date = moment.day in self.days
        by_week = moment.isoweekday() % 7 in self.weekdays
        return by_date or by_week if self.either_day else by_date and by_week

    def next_after(self, moment: datetime, zone: str) -> datetime | None:
        """The next due time in UTC; None when there is none within five years."""
        local = moment.astimezone(zone_of(zone)).replace(second=0, microsecond=0) + timedelta(minutes=1)
        limit = local + timedelta(days=366 * YEARS_AHEAD)
        while local < limit:
            if not self.fits_day(local):
                local = local.replace(hour=0, minute=0) + timedelta(days=1)
            elif local.hour not in self.hours:
                local = local.replace(minute=0) + timedelta(hours=1)
            elif local.minute not in self.minutes:
                local += timedelta(minutes=1)
            else:
                return local.astimezone(UTC)
        return None


def parse(expression: str) -> Cron:
    """Raises ValidationError, as Auto Scaling does."""
    fields = expression.upper().split()
    if len(fields) != len(RANGES):
        raise _wrong(expression)
    try:
        sets = [
            _values(field, low, high, names)
            for field, (low, high), names in zip(fields, RANGES, NAMES, strict=True)
        ]
    except ValueError as error:
        raise _wrong(expression) from error
    weekdays = frozenset(0 if day == 7 else day for day in sets[4])
    both = not fields[2].startswith("*") and not fields[4].startswith("*")
    return Cron(sets[0], sets[1], sets[2], sets[3], weekdays, both)


def _values(field: str, low: int, high: int, names: dict[str, int]) -> frozenset[int]:
    found: set[int] = set()
    for part in field.split(","):
        span, _, step = part.partition("/")
        first, dash, last = span.partition("-")
        if first == "*":
            start, end = low, high
        else:
            start = names[first] if first in names else int(first)
            end = (names[last] if last in names else int(last)) if dash else (high if step else start)
        if not low <= start <= end <= high:
            raise ValueError(part)
        found.update(range(start, end + 1, int(step or 1)))
    return frozenset(found)


def zone_of(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name or "UTC")
    except (ZoneInfoNotFoundError, ValueError) as error:
        raise AwsError("ValidationError", f"The time zone {name} is not valid.") from error


def _wrong(expression: str) -> AwsError:
    return AwsError("ValidationError", f"Given recurrence string:{expression} is invalid")
