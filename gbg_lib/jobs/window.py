"""Release windows: `Mon-Thu 20:00-23:00 Europe/Berlin`, several of them separated by `;`.

A window that ends before it begins goes past midnight and belongs to the day it begins on. Hours are those
of the wall clock in the window's time zone, so that 20:00 stays 20:00 when the clocks change.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from gbg_lib.errors import GateRefused, ParameterError

DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
FORM = re.compile(r"(?P<days>\S+) (?P<begin>\d\d:\d\d)-(?P<end>\d\d:\d\d)(?: (?P<zone>\S+))?")
EXAMPLE = "Mon-Thu 20:00-23:00 Europe/Berlin"


@dataclass(frozen=True)
class Window:
    days: frozenset[int]
    """Monday is 0"""
    begin: time
    end: time
    zone: ZoneInfo

    def holds(self, moment: datetime) -> bool:
        """Whether an aware moment lies inside; the last minute's end is outside."""
        here = moment.astimezone(self.zone)
        clock, yesterday = here.time(), (here.weekday() - 1) % 7
        if self.begin < self.end:
            return here.weekday() in self.days and self.begin <= clock < self.end
        after = here.weekday() in self.days and clock >= self.begin
        return after or (yesterday in self.days and clock < self.end)

    def opens_after(self, moment: datetime) -> datetime:
        """When it opens next."""
        here = moment.astimezone(self.zone)
        for days in range(8):
            day = (here + timedelta(days=days)).date()
            opening = datetime.combine(day, self.begin, self.zone)
            if day.weekday() in self.days and opening.astimezone(UTC) > moment.astimezone(UTC):
                return opening
        raise AssertionError("a window opens at least once a week")


def parse(text: str) -> tuple[Window, ...]:
    """Nothing for empty text, which allows any time. Raises ParameterError."""
    return tuple(_window(part.strip()) for part in text.split(";") if part.strip())


def require_open(text: str, moment: datetime) -> str:
    """Which window `moment` is in, in words. Raises GateRefused outside of all, ParameterError."""
    windows = parse(text)
    if not windows:
        return "no window is set: any time is allowed"
    for window in windows:
        if window.holds(moment):
            return f"{_told(moment, window)} is inside {text}"
    window = min(windows, key=lambda one: one.opens_after(moment))
    raise GateRefused(
        "release window",
        f"{_told(moment, window)} is outside {text}",
        f"it opens {_told(window.opens_after(moment), window)}; or give another window for this run",
    )


def _told(moment: datetime, window: Window) -> str:
    return f"{moment.astimezone(window.zone):%a %d %b %H:%M} {window.zone.key}"


def _window(text: str) -> Window:
    found = FORM.fullmatch(text)
    if found is None:
        raise _refused(text, "it is not `days begin-end zone`")
    begin, end = (time_of(text, found[name]) for name in ("begin", "end"))
    if begin == end:
        raise _refused(text, "it begins when it ends")
    return Window(days_of(text, found["days"]), begin, end, zone_of(text, found["zone"] or "UTC"))


def days_of(text: str, words: str) -> frozenset[int]:
    if words == "daily":
        return frozenset(range(7))
    days: set[int] = set()
    for word in words.split(","):
        first, _, last = word.partition("-")
        if first not in DAYS or (last or first) not in DAYS:
            raise _refused(text, f"{word!r} is no day")
        start, count = DAYS.index(first), (DAYS.index(last or first) - DAYS.index(first)) % 7
        days |= {(start + number) % 7 for number in range(count + 1)}
    return frozenset(days)


def time_of(text: str, word: str) -> time:
    try:
        return time.fromisoformat(word)
    except ValueError as error:
        raise _refused(text, f"{word} is no time of day") from error


def zone_of(text: str, name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError) as error:
        raise _refused(text, f"there is no time zone {name!r}") from error


def _refused(text: str, what: str) -> ParameterError:
    days = ", ".join(DAYS)
    return ParameterError(repr(text), what, f"such as `{EXAMPLE}`; days are {days}, or `daily`")
