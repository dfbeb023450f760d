"""Alarms change state as CloudWatch's documentation says: M out of N, and missing datapoints."""

from __future__ import annotations

import pytest

from gbg_sandbox.services.cloudwatch.evaluation import Condition, State, evaluate, reason
from gbg_sandbox.services.cloudwatch.metrics import Point, statistic

ALARM, OK, UNKNOWN = State.ALARM, State.OK, State.INSUFFICIENT_DATA


def over_five(datapoints: int, periods: int, missing: str = "missing") -> Condition:
    return Condition("GreaterThanThreshold", 5.0, datapoints, periods, missing)


@pytest.mark.parametrize(
    ("condition", "values", "state"),
    [
        (over_five(1, 1), [6.0], ALARM),
        (over_five(1, 1), [5.0], OK),
        (over_five(2, 3), [6.0, 1.0, 6.0], ALARM),
        (over_five(3, 3), [6.0, 1.0, 6.0], OK),
        (over_five(1, 1), [None], UNKNOWN),
        (over_five(1, 1, "notBreaching"), [None], OK),
        (over_five(1, 1, "breaching"), [None], ALARM),
        (over_five(1, 1, "ignore"), [None], None),
        (over_five(3, 3), [None, None, 6.0], ALARM),
        (over_five(3, 3, "notBreaching"), [None, None, 6.0], OK),
        (over_five(3, 3, "breaching"), [None, None, 6.0], ALARM),
        (over_five(3, 3, "ignore"), [None, None, 6.0], None),
        (over_five(3, 3), [None, None, 1.0], OK),
        (over_five(2, 3, "ignore"), [1.0, 1.0, None], OK),
    ],
)
def test_state_by_datapoints(condition: Condition, values: list[float | None], state: State | None) -> None:
    assert evaluate(condition, values) == state


@pytest.mark.parametrize(
    ("comparison", "value", "breaches"),
    [
        ("GreaterThanOrEqualToThreshold", 5.0, True),
        ("LessThanThreshold", 5.0, False),
        ("LessThanOrEqualToThreshold", 5.0, True),
    ],
)
def test_comparisons(comparison: str, value: float, breaches: bool) -> None:
    assert Condition(comparison, 5.0, 1, 1).breaches(value) is breaches


def test_the_reason_is_in_cloudwatchs_words() -> None:
    told = reason(over_five(1, 1), [7.0], ["24/11/26 10:00:00"], ALARM)
    assert told == (
        "Threshold Crossed: 1 out of the last 1 datapoints [7.0 (24/11/26 10:00:00)] was greater than the "
        "threshold (5.0) (minimum 1 datapoint for OK -> ALARM transition)."
    )
    assert reason(over_five(2, 2), [None, None], ["a", "b"], UNKNOWN) == (
        "Insufficient Data: 2 datapoints were unknown."
    )


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("Sum", 15.0),
        ("Average", 3.0),
        ("SampleCount", 5),
        ("Minimum", 1.0),
        ("Maximum", 9.0),
        ("p50", 1.0),
        ("p90", 9.0),
    ],
)
def test_statistics_count_values_as_often_as_they_happened(name: str, value: float) -> None:
    points = [Point.of(0.0, [(1.0, 3)], "Count"), Point.of(1.0, [(3.0, 1), (9.0, 1)], "Count")]
    assert statistic(name, points) == value
    assert statistic(name, []) is None
