"""What counts as late evidence: what is new, and nothing that only AWS's clock tells finer."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from gbg_lib.record.format import Evidence, lines, read_lines
from gbg_lib.record.recorder import is_news

AT = datetime(2026, 11, 28, 18, 4, 7, 665_123, tzinfo=UTC)
ACTIVITY = Evidence("scaling.activity", "scaling.activity:1", "autoscaling:x", {"Progress": 50}, AT, AT)
[WRITTEN] = read_lines(lines([ACTIVITY]), "evidence.jsonl")


def test_what_is_written_already_is_no_news() -> None:
    assert WRITTEN.at != ACTIVITY.at
    assert not is_news(ACTIVITY, WRITTEN)


@pytest.mark.parametrize(
    "now",
    [
        replace(ACTIVITY, data={"Progress": 100}),
        replace(ACTIVITY, until=AT + timedelta(seconds=1)),
        replace(ACTIVITY, until=None),
    ],
)
def test_what_changed_is(now: Evidence) -> None:
    assert is_news(now, WRITTEN)
    assert is_news(now, None)


def test_what_is_missing_still_is_not_in_whatever_words_and_what_came_is() -> None:
    before, now, came = (
        Evidence("missing", "missing:traffic", "gbg record", {"what": "traffic", **more})
        for more in ({"why": "request 1 is refused"}, {"why": "request 2 is refused"}, {"came": True})
    )
    assert is_news(before, None)
    assert not is_news(now, before)
    assert is_news(came, before) and is_news(now, came)
    assert not is_news(came, came)


def test_who_gathers_and_when_is_not() -> None:
    assert not is_news(Evidence("gathering", "gathering", "gbg record", {"calls": 1}), None)
