"""The way back after a release that ended badly."""

from __future__ import annotations

import pytest

from gbg_lib.blueprint.part3.bake_golden_ami import Fleet
from gbg_lib.blueprint.part3.restore_launch_template import restore
from tests.unit.fleet_fakes import FakeFleet

FAILED = "11111111-2222-4333-8444-555555555555"
EARLIER = "99999999-2222-4333-8444-555555555555"
GREEN = "CodeDeploy_gbg-fleet_d-1"


@pytest.fixture
def fleet() -> FakeFleet:
    return FakeFleet()


def bake(fleet: FakeFleet, image: str, release: str) -> None:
    Fleet(fleet, fleet, fleet, "gbg-app", "gbg-fleet").pin(image, f"bake-of-{release}", release)


def put_back(fleet: FakeFleet, release: str = FAILED) -> str:
    return restore(release, "gbg-app", "gbg-fleet", fleet, fleet, fleet)


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
