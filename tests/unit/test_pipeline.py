"""The pipeline: which execution, which try of an action, and when it is over."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from gbg_lib.errors import NotThere, TimedOut
from gbg_lib.pipeline import Action, Pipeline
from tests.unit.aws_fakes import connected
from tests.unit.release_fakes import COMMIT, EXECUTION, GOOD, FakeCodePipeline, action


def pipeline(cloud: FakeCodePipeline) -> Pipeline:
    return Pipeline(connected(codepipeline=cloud), "gbg-release")


def test_actions_come_oldest_first_over_all_pages() -> None:
    found = pipeline(FakeCodePipeline(GOOD)).actions(EXECUTION)
    told = [one.label for one in found]
    assert told == ["Source", "BuildGoldenAMI", "Build", "Deploy / PinFleet", "Deploy"]
    assert [one.seconds for one in found] == [1, 38, 9, 1, 37]


def test_the_newest_try_of_an_action_counts() -> None:
    tries = [action("Build", 0, 5, "Failed"), action("Source", -1, 0), action("Build", 9, 12)]
    found = pipeline(FakeCodePipeline(tries)).actions(EXECUTION)
    assert [(one.stage, one.status, one.seconds) for one in found] == [
        ("Source", "Succeeded", 1),
        ("Build", "Succeeded", 3),
    ]


def test_a_start_later_than_the_end_is_no_negative_duration() -> None:
    [found] = pipeline(FakeCodePipeline([action("Build", 5, 3)])).actions(EXECUTION)
    assert found.seconds == 0


def test_an_action_in_progress_goes_on_to_last() -> None:
    begun = datetime.now(UTC) - timedelta(seconds=30)
    assert Action("1", "Build", "Build", "InProgress", begun, begun).seconds >= 30


@pytest.mark.parametrize(
    ("status", "over"),
    [("InProgress", False), ("Stopping", False), ("Stopped", True), ("Superseded", True), ("Failed", True)],
)
def test_over_is_only_what_can_change_no_more(status: str, over: bool) -> None:
    assert pipeline(FakeCodePipeline([], status)).execution(EXECUTION).over is over


def test_an_execution_older_than_the_list_is_found_by_its_id() -> None:
    cloud = FakeCodePipeline(GOOD)
    cloud.listed = False
    found = pipeline(cloud).execution(EXECUTION)
    assert (found.status, found.commit) == ("Succeeded", COMMIT)
    with pytest.raises(NotThere):
        pipeline(cloud).execution("99999999-2222-3333-4444-555555555555")


def test_follow_tells_each_change_once_and_the_end() -> None:
    cloud = FakeCodePipeline([action("Source", 0, 1)], "InProgress")

    def build_begins() -> None:
        cloud.actions.append(action("Build", 2, 3, "InProgress"))

    def build_ends() -> None:
        cloud.actions[-1] = action("Build", 2, 9)
        cloud.status = "Succeeded"

    cloud.news = [lambda: None, lambda: None, build_begins, lambda: None, build_ends]
    states = list(pipeline(cloud).follow(EXECUTION, limit_seconds=60))
    assert [[one.status for one in state] for state in states] == [
        ["Succeeded"],
        ["Succeeded", "InProgress"],
        ["Succeeded", "Succeeded"],
    ]


def test_what_is_behind_an_action_is_news_also_when_nothing_else_changes() -> None:
    """A view asks the build for its phases by that id: it must not wait for the build's end."""
    cloud = FakeCodePipeline([action("Build", 0, 1, "InProgress")], "InProgress")

    def build_has_an_id() -> None:
        cloud.actions[-1] = action("Build", 0, 1, "InProgress", external="gbg-build:1")

    def build_ends() -> None:
        cloud.actions[-1] = action("Build", 0, 9, external="gbg-build:1")
        cloud.status = "Succeeded"

    cloud.news = [lambda: None, build_has_an_id, build_ends]
    states = pipeline(cloud).follow(EXECUTION, limit_seconds=60)
    assert [(one.status, one.external_id) for [one] in states] == [
        ("InProgress", ""),
        ("InProgress", "gbg-build:1"),
        ("Succeeded", "gbg-build:1"),
    ]


def test_following_too_long_says_that_the_release_goes_on() -> None:
    with pytest.raises(TimedOut) as late:
        list(pipeline(FakeCodePipeline([], "InProgress")).follow(EXECUTION, limit_seconds=0))
    assert "goes on by itself" in late.value.try_this


def test_a_pushs_execution_is_awaited() -> None:
    cloud = FakeCodePipeline([])
    cloud.listed = False
    cloud.news = [lambda: None, lambda: setattr(cloud, "listed", True)]
    assert pipeline(cloud).execution_for(COMMIT).id == EXECUTION
