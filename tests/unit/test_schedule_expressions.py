"""EventBridge Scheduler's expressions: hours of the day in a zone, daylight saving, and what is refused."""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from gbg_sandbox.services.scheduler.expressions import (
    InvalidExpressionError,
    Once,
    Rate,
    Recurring,
    UnsupportedExpressionError,
    parse,
)

BERLIN = ZoneInfo("Europe/Berlin")
PLAIN = ZoneInfo("UTC")


def following(text: str, moment: str, zone: ZoneInfo = PLAIN, times: int = 1) -> list[str]:
    """The next times in UTC after a moment in UTC."""
    expression = parse(text, zone)
    assert isinstance(expression, Recurring | Once)
    found = []
    after = datetime.fromisoformat(moment).replace(tzinfo=UTC)
    for _ in range(times):
        due = expression.after(after)
        if due is None:
            break
        found.append(due.strftime("%Y-%m-%d %H:%M:%S"))
        after = due
    return found


@pytest.mark.parametrize(
    ("text", "times"),
    [
        ("cron(0 2 * * ? *)", ["2026-11-28 02:00:00", "2026-11-29 02:00:00"]),
        ("cron(0 20 ? * MON-THU *)", ["2026-11-30 20:00:00", "2026-12-01 20:00:00"]),
        ("cron(0 20 ? * 2-5 *)", ["2026-11-30 20:00:00", "2026-12-01 20:00:00"]),
        ("cron(0/20 9 ? * SAT *)", ["2026-11-28 09:00:00", "2026-11-28 09:20:00"]),
        ("cron(5,10 0 1 1,JUL ? *)", ["2027-01-01 00:05:00", "2027-01-01 00:10:00"]),
        ("cron(0 0 29 2 ? *)", ["2028-02-29 00:00:00", "2032-02-29 00:00:00"]),
        ("cron(0 0 1 1 ? 2027)", ["2027-01-01 00:00:00"]),
        ("cron(0 0 30 2 ? *)", []),
        ("at(2026-12-24T18:00:05)", ["2026-12-24 18:00:05"]),
        ("at(2026-11-28T01:00:00)", []),
    ],
)
def test_the_next_times(text: str, times: list[str]) -> None:
    assert following(text, "2026-11-28T01:00:00", times=2) == times


def test_hours_are_the_zones() -> None:
    assert following("cron(0 2 * * ? *)", "2026-07-01T00:00:00", BERLIN, 2) == [
        "2026-07-02 00:00:00",
        "2026-07-03 00:00:00",
    ]
    assert following("at(2026-12-24T18:00:00)", "2026-07-01T00:00:00", BERLIN) == ["2026-12-24 17:00:00"]


def test_an_hour_that_daylight_saving_leaves_out_is_skipped_and_a_repeated_one_counts_once() -> None:
    assert following("cron(30 2 * * ? *)", "2026-03-28T02:00:00", BERLIN, 2) == [
        "2026-03-30 00:30:00",
        "2026-03-31 00:30:00",
    ]
    assert following("cron(30 2 * * ? *)", "2026-10-24T12:00:00", BERLIN, 2) == [
        "2026-10-25 00:30:00",
        "2026-10-26 01:30:00",
    ]


def test_rates() -> None:
    assert parse("rate(5 minutes)", PLAIN) == Rate(300)
    assert parse("rate(1 day)", PLAIN) == Rate(86400)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "every day",
        "rate(0 minutes)",
        "rate(5 weeks)",
        "at(2026-13-01T00:00:00)",
        "at(2026-12-01 00:00:00)",
        "cron(0 2 * * *)",
        "cron(0 2 * * * *)",
        "cron(0 2 ? * ? *)",
        "cron(60 2 * * ? *)",
        "cron(0 24 * * ? *)",
        "cron(0 2 ? * MON-FUN *)",
        "cron(30-10 2 * * ? *)",
        "cron(0/0 2 * * ? *)",
        "cron(0 2 * * ? 1969)",
    ],
)
def test_what_aws_would_not_take_is_refused(text: str) -> None:
    with pytest.raises(InvalidExpressionError):
        parse(text, PLAIN)


@pytest.mark.parametrize("text", ["cron(0 2 L * ? *)", "cron(0 2 3W * ? *)", "cron(0 2 ? * 6#3 *)"])
def test_what_the_sandbox_does_not_run_is_refused_by_name(text: str) -> None:
    with pytest.raises(UnsupportedExpressionError, match="does not run"):
        parse(text, PLAIN)
