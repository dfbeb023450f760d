"""Schedules of rules. `rate(...)` runs on the scaled clock; `cron(...)` names hours of a day and is refused.

https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-scheduled-rule-pattern.html
"""

from __future__ import annotations

import re

SECONDS = {"minute": 60, "hour": 3600, "day": 86400}
REAL_FLOOR_SECONDS = 1.0
"""the least real time between two runs, however fast the clock"""


class InvalidScheduleError(ValueError):
    """The expression is not one that EventBridge would take."""


class UnsupportedScheduleError(ValueError):
    """The expression is right, but the sandbox does not run it."""


def rate_seconds(expression: str) -> int:
    """AWS seconds between two runs of `rate(5 minutes)`."""
    if re.fullmatch(r"cron\(.+\)", expression):
        raise UnsupportedScheduleError(
            "gbg_sandbox does not run cron() schedules, as its clock is scaled: use rate()"
        )
    found = re.fullmatch(r"rate\(([1-9]\d*) (minute|hour|day)(s?)\)", expression)
    if found is None or (found[1] == "1") == bool(found[3]):
        raise InvalidScheduleError("Parameter ScheduleExpression is not valid.")
    return int(found[1]) * SECONDS[found[2]]
