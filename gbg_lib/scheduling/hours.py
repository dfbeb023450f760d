"""`Mon-Thu 20:00 Europe/Berlin`: when something is to begin, in the words that release windows use.

Each scheduler has its own: cron counts Sunday as 0 and knows the machine's time zone only, systemd and
EventBridge Scheduler take a zone.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import time
from zoneinfo import ZoneInfo

from gbg_lib.errors import ParameterError
from gbg_lib.jobs.window import DAYS, days_of, time_of, zone_of

FORM = re.compile(r"(?P<days>\S+) (?P<time>\d\d:\d\d)(?: (?P<zone>\S+))?")
EXAMPLE = "Mon-Thu 20:00 Europe/Berlin"


@dataclass(frozen=True)
class Hours:
    days: frozenset[int]
    """Monday is 0"""
    time: time
    zone: ZoneInfo | None
    """None is the machine's own"""

    @property
    def cron(self) -> str:
        """The five fields of a crontab(5) line."""
        days = ",".join(str((day + 1) % 7) for day in sorted(self.days))
        return f"{self.time.minute} {self.time.hour} * * {'*' if len(self.days) == 7 else days}"

    @property
    def calendar(self) -> str:
        """systemd.time(7)'s calendar event."""
        days = "" if len(self.days) == 7 else ",".join(DAYS[day] for day in sorted(self.days)) + " "
        zone = f" {self.zone.key}" if self.zone else ""
        return f"{days}*-*-* {self.time:%H:%M}:00{zone}"

    @property
    def eventbridge(self) -> str:
        """EventBridge Scheduler's cron expression; the zone is a property of its own."""
        days = "?" if len(self.days) == 7 else ",".join(DAYS[day].upper() for day in sorted(self.days))
        month_days = "*" if days == "?" else "?"
        return f"cron({self.time.minute} {self.time.hour} {month_days} * {days} *)"


def parse(text: str) -> Hours:
    """Raises ParameterError."""
    found = FORM.fullmatch(text.strip())
    if found is None:
        raise ParameterError(
            "hour", f"{text!r} is not `days time zone`", f"write `{EXAMPLE}`, or `daily 03:30`"
        )
    zone = zone_of(text, found["zone"]) if found["zone"] else None
    return Hours(days_of(text, found["days"]), time_of(text, found["time"]), zone)
