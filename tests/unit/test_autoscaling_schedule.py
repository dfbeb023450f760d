"""Cron expressions of scheduled actions."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from gbg_sandbox.service import AwsError
from gbg_sandbox.services.autoscaling.schedule import parse, zone_of

TUESDAY = datetime(2026, 11, 24, 9, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    ("expression", "zone", "expected"),
    [
        ("*/15 * * * *", "", datetime(2026, 11, 24, 9, 45, tzinfo=UTC)),
        ("30 9 * * *", "", datetime(2026, 11, 25, 9, 30, tzinfo=UTC)),
        ("0 8 * * MON-FRI", "", datetime(2026, 11, 25, 8, 0, tzinfo=UTC)),
        ("0 8 * * 7", "", datetime(2026, 11, 29, 8, 0, tzinfo=UTC)),
        ("0 0 1 jan *", "", datetime(2027, 1, 1, tzinfo=UTC)),
        ("0 0 13 * 5", "", datetime(2026, 11, 27, tzinfo=UTC)),
        ("0 18 * * *", "Europe/Berlin", datetime(2026, 11, 24, 17, 0, tzinfo=UTC)),
    ],
)
def test_next_run(expression: str, zone: str, expected: datetime) -> None:
    assert parse(expression).next_after(TUESDAY, zone) == expected


def test_a_day_that_never_comes_is_none() -> None:
    assert parse("0 0 31 2 *").next_after(TUESDAY, "") is None


@pytest.mark.parametrize("expression", ["", "* * * *", "60 * * * *", "0 0 * * XYZ", "0 5-1 * * *"])
def test_wrong_expressions_are_refused(expression: str) -> None:
    with pytest.raises(AwsError, match="is invalid"):
        parse(expression)


def test_wrong_time_zones_are_refused() -> None:
    with pytest.raises(AwsError, match="time zone"):
        zone_of("Mars/Base")
