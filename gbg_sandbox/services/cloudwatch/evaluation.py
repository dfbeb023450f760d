"""When an alarm is in which state: M out of N datapoints, and what missing ones count as.

https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/alarms-and-missing-data.html
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum


class State(StrEnum):
    OK = "OK"
    ALARM = "ALARM"
    INSUFFICIENT_DATA = "INSUFFICIENT_DATA"


COMPARISONS: dict[str, tuple[Callable[[float, float], bool], str]] = {
    "GreaterThanOrEqualToThreshold": (operator.ge, "greater than or equal to"),
    "GreaterThanThreshold": (operator.gt, "greater than"),
    "LessThanThreshold": (operator.lt, "less than"),
    "LessThanOrEqualToThreshold": (operator.le, "less than or equal to"),
}
TREATMENTS = ("missing", "ignore", "breaching", "notBreaching")


@dataclass(frozen=True)
class Condition:
    comparison: str
    threshold: float
    datapoints: int
    """M: how many must breach"""
    periods: int
    """N: how many are looked at"""
    missing: str = "missing"

    def breaches(self, value: float) -> bool:
        return COMPARISONS[self.comparison][0](value, self.threshold)


def evaluate(condition: Condition, values: Sequence[float | None]) -> State | None:
    """The state that N datapoints (None where missing) call for; None to stay as it is."""
    present = [value for value in values if value is not None]
    missing = len(values) - len(present)
    breaching = sum(condition.breaches(value) for value in present)
    if condition.missing == "breaching":
        breaching += missing
    if breaching >= condition.datapoints:
        return State.ALARM
    if condition.missing in ("breaching", "notBreaching"):
        return State.OK
    if not present:
        return State.INSUFFICIENT_DATA if condition.missing == "missing" else None
    if condition.missing == "ignore":
        could_breach = breaching + missing >= condition.datapoints
        return None if could_breach else State.OK
    return State.ALARM if breaching == len(present) else State.OK


def reason(condition: Condition, values: Sequence[float | None], times: Sequence[str], state: State) -> str:
    """Why, in CloudWatch's words; `times` are the datapoints' beginnings."""
    known = [(value, time) for value, time in zip(values, times, strict=True) if value is not None]
    if state is State.INSUFFICIENT_DATA:
        return f"Insufficient Data: {_plural(len(values), 'datapoint was', 'datapoints were')} unknown."
    words = COMPARISONS[condition.comparison][1]
    if not known:
        treated = "Breaching" if condition.missing == "breaching" else "NonBreaching"
        missed = _plural(len(values), "missing datapoint was", "missing datapoints were")
        return (
            f"Threshold Crossed: no datapoints were received for {_plural(len(values), 'period', 'periods')} "
            f"and {missed} treated as [{treated}]."
        )
    told = ", ".join(f"{value} ({time})" for value, time in known)
    breaching = sum(condition.breaches(value) for value, _ in known)
    counted = breaching if state is State.ALARM else len(known) - breaching
    verb = "was" if counted == 1 else "were"
    negation = "" if state is State.ALARM else "not "
    change = "OK -> ALARM" if state is State.ALARM else "ALARM -> OK"
    needed = condition.datapoints if state is State.ALARM else condition.periods - condition.datapoints + 1
    return (
        f"Threshold Crossed: {counted} out of the last {condition.periods} datapoints [{told}] "
        f"{verb} {negation}{words} the threshold ({condition.threshold}) "
        f"(minimum {_plural(needed, 'datapoint', 'datapoints')} for {change} transition)."
    )


def _plural(number: int, one: str, many: str) -> str:
    return f"{number} {one if number == 1 else many}"
