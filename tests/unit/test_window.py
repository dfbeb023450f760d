"""Release windows: days, midnight, and clocks that change."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from gbg_lib.errors import GateRefused, ParameterError
from gbg_lib.jobs.window import parse, require_open
from gbg_lib.parameters import checked

EVENINGS = "Mon-Thu 20:00-23:00 Europe/Berlin"
OVER_MIDNIGHT = "Fri 22:00-02:00"


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def held(text: str, moment: str) -> bool:
    return any(window.holds(utc(moment)) for window in parse(text))


@pytest.mark.parametrize(
    ("window", "moment", "inside"),
    [
        (EVENINGS, "2026-11-02T19:00", True),  # Monday 20:00 in Berlin
        (EVENINGS, "2026-11-02T18:59", False),
        (EVENINGS, "2026-11-02T22:00", False),
        (EVENINGS, "2026-11-06T19:00", False),  # Friday
        (EVENINGS, "2026-07-06T18:00", True),  # Monday 20:00 in Berlin's summer
        (OVER_MIDNIGHT, "2026-11-06T23:00", True),
        (OVER_MIDNIGHT, "2026-11-07T01:59", True),
        (OVER_MIDNIGHT, "2026-11-06T01:00", False),  # that night belongs to Thursday
        ("Sat-Mon 10:00-11:00", "2026-11-08T10:30", True),
        ("Mon,Wed 10:00-11:00; daily 03:00-03:30", "2026-11-05T03:10", True),
        ("daily 10:00-11:00 Asia/Kolkata", "2026-11-05T04:30", True),
    ],
)
def test_a_moment_is_inside_or_outside(window: str, moment: str, inside: bool) -> None:
    assert held(window, moment) is inside


def test_the_refusal_says_when_it_opens_next() -> None:
    with pytest.raises(GateRefused) as refused:
        require_open(EVENINGS, utc("2026-11-05T22:30"))
    assert refused.value.what == f"Thu 05 Nov 23:30 Europe/Berlin is outside {EVENINGS}"
    assert refused.value.try_this.startswith("it opens Mon 09 Nov 20:00 Europe/Berlin")


def test_without_a_window_any_time_is_allowed() -> None:
    assert require_open("", utc("2026-11-05T22:30")) == "no window is set: any time is allowed"


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("Mon-Thu 20-23", "it is not"),
        ("Mon-Thr 20:00-23:00", "'Mon-Thr' is no day"),
        ("daily 24:00-25:00", "24:00 is no time"),
        ("daily 20:00-20:00", "it begins when it ends"),
        ("daily 20:00-23:00 Europe/Berlim", "there is no time zone 'Europe/Berlim'"),
    ],
)
def test_what_can_not_be_read_is_refused_before_anything_runs(text: str, what: str) -> None:
    with pytest.raises(ParameterError, match=what):
        checked({"window": text}, "-p")
