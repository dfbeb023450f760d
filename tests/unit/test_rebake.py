"""Rebake: which commit it is that serves."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from gbg_lib.errors import GateRefused, NotThere
from gbg_lib.jobs.rebake import Rebake
from gbg_lib.parameters import Parameters
from tests.unit.serving_fakes import FakeServing
from tests.unit.serving_state import COMMITS, NEW, OLD, Group, green
from tests.unit.site import serving


@pytest.fixture
def cloud() -> Iterator[FakeServing]:
    made = FakeServing()
    with serving(made.pages) as site:
        made.base["SiteUrl"] = site
        yield made


def rebake(cloud: FakeServing) -> Rebake:
    return Rebake(Parameters(), cloud.connect())


def test_the_commit_of_the_newest_release_is_the_one_that_serves(cloud: FakeServing) -> None:
    assert rebake(cloud).serving() == (COMMITS[NEW], NEW)


def test_a_release_that_codedeploy_went_back_from_is_not_baked_again(cloud: FakeServing) -> None:
    """NEW has succeeded and is the newest execution; OLD's application serves on OLD's image."""
    cloud.groups = {green("d-BACK"): Group("2", {"i-1": "2", "i-2": "2"})}
    assert rebake(cloud).serving() == (COMMITS[OLD], OLD)


def test_a_fleet_that_no_release_brought_is_not_baked(cloud: FakeServing) -> None:
    cloud.versions["4"] = "ami-by-hand"
    cloud.groups = {green("d-BACK"): Group("4", {"i-1": "4", "i-2": "4"})}
    with pytest.raises(NotThere, match="the fleet runs ami-by-hand, which no release"):
        rebake(cloud).serving()


def test_a_release_whose_pipeline_was_stopped_though_its_fleet_serves_is_named(cloud: FakeServing) -> None:
    cloud.executions[0].status = "Stopped"
    with pytest.raises(NotThere, match=f"of release {NEW} of commit {COMMITS[NEW][:8]}, which is Stopped"):
        rebake(cloud).serving()


def test_a_release_that_is_going_on_bakes_for_itself(cloud: FakeServing) -> None:
    cloud.executions[0].status = "InProgress"
    with pytest.raises(GateRefused, match="is going on"):
        rebake(cloud).serving()
