"""The way back after a release that ended badly."""

from __future__ import annotations

import pytest

from gbg_lib.blueprint.part3.pin_fleet import Fleet, Release
from gbg_lib.blueprint.part3.restore_launch_template import let_go, restore
from tests.unit.fleet_fakes import FakeFleet

FAILED = "11111111-2222-4333-8444-555555555555"
EARLIER = "99999999-2222-4333-8444-555555555555"
GREEN = "CodeDeploy_gbg-fleet_d-1"


@pytest.fixture
def fleet() -> FakeFleet:
    return FakeFleet()


def bake(fleet: FakeFleet, image: str, release: str) -> None:
    Fleet(fleet, fleet, fleet, "gbg-app", "gbg-fleet").pin(Release(release, f"bake-of-{release}", image))


def put_back(fleet: FakeFleet, release: str = FAILED) -> str:
    return restore(release, "gbg-app", "gbg-fleet", fleet, fleet, fleet)


def launched(fleet: FakeFleet, group: str) -> str:
    return let_go(group, "gbg-app", "gbg-fleet", fleet, fleet, fleet)


def test_blue_goes_back_as_soon_as_green_is_made(fleet: FakeFleet) -> None:
    bake(fleet, "ami-new", FAILED)
    fleet.pinned[GREEN] = fleet.pinned["gbg-blue"]
    assert launched(fleet, GREEN) == "gbg-blue is back on version 1"
    assert (fleet.image("gbg-blue"), fleet.image(GREEN)) == ("ami-source", "ami-new")


def test_every_later_machine_of_green_changes_nothing(fleet: FakeFleet) -> None:
    bake(fleet, "ami-new", FAILED)
    fleet.pinned[GREEN] = fleet.pinned["gbg-blue"]
    launched(fleet, GREEN)
    assert "no group waits" in launched(fleet, GREEN)
    assert fleet.pinned == {"gbg-blue": "1", GREEN: "2"}


def test_a_green_fleet_of_an_earlier_release_lets_nothing_go(fleet: FakeFleet) -> None:
    fleet.pinned[GREEN] = "1"
    bake(fleet, "ami-new", FAILED)
    assert "no group waits" in launched(fleet, GREEN)
    assert fleet.image("gbg-blue") == "ami-new"


@pytest.mark.parametrize("group", ["gbg-blue", "gone"])
def test_blue_that_launches_for_itself_waits_for_its_copy(fleet: FakeFleet, group: str) -> None:
    bake(fleet, "ami-new", FAILED)
    assert "no group waits" in launched(fleet, group)
    assert fleet.image("gbg-blue") == "ami-new"


def test_the_group_goes_back_to_the_version_before_the_failed_release(fleet: FakeFleet) -> None:
    bake(fleet, "ami-new", FAILED)
    assert put_back(fleet) == "gbg-blue is back on version 1"
    assert fleet.image("gbg-blue") == "ami-source"


def test_a_second_event_changes_nothing(fleet: FakeFleet) -> None:
    bake(fleet, "ami-new", FAILED)
    put_back(fleet)
    assert "no group" in put_back(fleet)
    assert fleet.pinned == {"gbg-blue": "1"}


def test_a_release_that_never_pinned_changes_nothing(fleet: FakeFleet) -> None:
    assert "no group" in put_back(fleet)
    assert fleet.updates == 0


def test_another_releases_version_stays(fleet: FakeFleet) -> None:
    bake(fleet, "ami-good", EARLIER)
    assert "no group" in put_back(fleet)
    assert fleet.image("gbg-blue") == "ami-good"


def test_a_green_group_that_serves_stays_on_the_image_it_was_made_of(fleet: FakeFleet) -> None:
    bake(fleet, "ami-new", FAILED)
    fleet.serving, fleet.pinned[GREEN] = [GREEN], fleet.pinned["gbg-blue"]
    assert "no group" in put_back(fleet)
    assert fleet.image(GREEN) == "ami-new"


def test_the_next_failed_release_goes_back_to_the_released_image(fleet: FakeFleet) -> None:
    bake(fleet, "ami-good", EARLIER)
    fleet.serving, fleet.pinned = [GREEN], {GREEN: fleet.pinned["gbg-blue"]}
    bake(fleet, "ami-bad", FAILED)
    assert put_back(fleet) == f"{GREEN} is back on version 2"
    assert fleet.image(GREEN) == "ami-good"


@pytest.mark.parametrize("serving", [[], ["gone"]])
def test_no_group_is_nothing_to_do(fleet: FakeFleet, serving: list[str]) -> None:
    fleet.serving = serving
    assert "no group" in put_back(fleet)


def test_a_floating_group_is_left_alone(fleet: FakeFleet) -> None:
    fleet.pinned["gbg-blue"] = "$Latest"
    assert "no group" in put_back(fleet)
