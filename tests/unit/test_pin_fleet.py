"""The pipeline's pin action: one version a release and group, the group that serves, and always an answer."""

from __future__ import annotations

import json
import logging
from typing import Any

import pytest
from botocore.exceptions import ClientError

from gbg_lib.blueprint.part3.pin_fleet import Fleet, run
from tests.unit.fleet_fakes import FakeFleet
from tests.unit.shapes import checked

RELEASE = "11111111-2222-4333-8444-555555555555"
GREEN = "CodeDeploy_gbg-fleet_d-1"
SECRET = "wJalr-not-for-any-log"


class InvalidJobState(ClientError):
    def __init__(self) -> None:
        super().__init__({"Error": {"Code": "InvalidJobStateException", "Message": "answered"}}, "Put")


class FakePipeline:
    class exceptions:  # noqa: N801
        InvalidJobStateException = InvalidJobState

    def __init__(self) -> None:
        self.answers: dict[str, dict[str, Any]] = {}

    def put_job_success_result(self, **given: Any) -> None:
        self._put(checked("codepipeline", "put_job_success_result", given))

    def put_job_failure_result(self, **given: Any) -> None:
        self._put(checked("codepipeline", "put_job_failure_result", given))

    def _put(self, given: dict[str, Any]) -> None:
        if given["jobId"] in self.answers:
            raise InvalidJobState
        self.answers[given["jobId"]] = given


class World:
    def __init__(self) -> None:
        self.fleet = FakeFleet()
        self.pipeline = FakePipeline()
        self.jobs = 0

    def deliver(self, image: str = "ami-new", release: str = RELEASE, *, job: str = "") -> dict[str, Any]:
        """One job of its own, or `job` once more; the answer that the pipeline has for it afterwards."""
        self.jobs += 1
        job = job or f"job-{self.jobs}"
        given = json.dumps({"release": release, "bake": f"bake-of-{image}", "image": image})
        data = {
            "actionConfiguration": {"configuration": {"UserParameters": given}},
            "artifactCredentials": {"secretAccessKey": SECRET},
        }
        run({"id": job, "data": data}, self.pipeline, self.prepare)
        return self.pipeline.answers[job]

    def prepare(self) -> Fleet:
        return Fleet(self.fleet, self.fleet, self.fleet, "gbg-app", "gbg-fleet")

    def refused(self, **asked: str) -> str:
        return str(self.deliver(**asked)["failureDetails"]["message"])


@pytest.fixture
def world() -> World:
    return World()


def test_the_group_that_serves_is_pinned_to_a_new_version(world: World) -> None:
    assert world.deliver()["outputVariables"] == {
        "LaunchTemplateId": "lt-0123456789abcdef0",
        "LaunchTemplateVersion": "2",
        "FormerLaunchTemplateVersion": "1",
        "AutoScalingGroupName": "gbg-blue",
    }
    assert world.fleet.image("gbg-blue") == "ami-new"


def test_after_a_release_the_green_group_is_the_one_to_pin(world: World) -> None:
    world.fleet.serving = [GREEN]
    world.fleet.pinned = {GREEN: "1", "gbg-blue": "1"}
    world.deliver()
    assert world.fleet.pinned == {GREEN: "2", "gbg-blue": "1"}


def test_what_part_1_has_written_since_arrives_with_the_release(world: World) -> None:
    for image in ("ami-1", "ami-2"):
        world.deliver(image, f"release-of-{image}")
    newer = {"VersionNumber": 4, "VersionDescription": "base page on the source AMI", "ImageId": "ami-source"}
    world.fleet.versions.append({**newer, "InstanceType": "t3.large"})
    variables = world.deliver("ami-3")["outputVariables"]
    assert (variables["LaunchTemplateVersion"], variables["FormerLaunchTemplateVersion"]) == ("5", "3")
    assert world.fleet.versions[4]["InstanceType"] == "t3.large"
    assert world.fleet.image("gbg-blue") == "ami-3"


def test_a_second_delivery_writes_nothing_and_moves_nothing(world: World) -> None:
    world.deliver(job="job")
    world.deliver(job="job")
    assert len(world.fleet.versions) == 2
    assert world.fleet.updates == 1


def test_a_stage_that_is_tried_again_pins_the_version_that_it_wrote(world: World) -> None:
    world.deliver()
    world.fleet.pinned["gbg-blue"] = "1"
    variables = world.deliver()["outputVariables"]
    assert (variables["LaunchTemplateVersion"], variables["FormerLaunchTemplateVersion"]) == ("2", "1")
    assert len(world.fleet.versions) == 2
    assert world.fleet.image("gbg-blue") == "ami-new"


def test_a_stage_that_is_rolled_back_writes_a_version_of_its_own_for_the_fleet_that_serves_now(
    world: World,
) -> None:
    world.deliver("ami-old")
    world.fleet.serving, world.fleet.pinned = [GREEN], {GREEN: "2"}
    world.deliver("ami-new", "22222222")
    variables = world.deliver("ami-old", "33333333")["outputVariables"]
    assert (variables["LaunchTemplateVersion"], variables["FormerLaunchTemplateVersion"]) == ("4", "3")
    assert world.fleet.image(GREEN) == "ami-old"
    assert json.loads(world.fleet.versions[3]["VersionDescription"])["release"] == "33333333"


def test_a_late_delivery_does_not_move_a_fleet_that_went_on(world: World) -> None:
    world.deliver()
    world.fleet.versions.append({"VersionNumber": 3, "ImageId": "ami-next"})
    world.fleet.pinned["gbg-blue"] = "3"
    assert "gbg-blue, which is on 3" in world.refused()
    assert world.fleet.pinned["gbg-blue"] == "3"


def test_a_late_delivery_leaves_the_green_fleet_that_this_image_brought(world: World) -> None:
    world.deliver()
    world.fleet.serving, world.fleet.pinned = [GREEN], {GREEN: "2"}
    world.deliver()
    assert (len(world.fleet.versions), world.fleet.pinned) == (2, {GREEN: "2"})


@pytest.mark.parametrize("version", ["$Latest", "$Default"])
def test_a_group_that_floats_is_refused(world: World, version: str) -> None:
    world.fleet.pinned["gbg-blue"] = version
    assert version in world.refused()


@pytest.mark.parametrize("serving", [[], ["gbg-blue", "another"], ["gone"]])
def test_a_deployment_group_without_exactly_one_group_is_refused(world: World, serving: list[str]) -> None:
    world.fleet.serving = serving
    assert world.deliver()["failureDetails"]["type"] == "JobFailed"


@pytest.mark.parametrize(
    ("image", "told"),
    [
        ({"Tags": [{"Key": "gbg:revoked", "Value": "CVE-2026-1"}]}, "ami-new is revoked: CVE-2026-1"),
        ({"State": "gone"}, "ami-new is not there"),
        ({"State": "disabled"}, "ami-new is disabled"),
    ],
)
def test_no_fleet_is_pinned_to_an_image_that_may_not_be_used(
    world: World, image: dict[str, Any], told: str
) -> None:
    world.fleet.image_states["ami-new"] = image
    assert told in world.refused()
    assert world.fleet.updates == 0


def test_an_image_that_was_being_made_while_its_source_was_revoked_serves_nowhere(world: World) -> None:
    states = world.fleet.image_states
    states["ami-new"] = {"Tags": [{"Key": "gbg:source-ami", "Value": "ami-between"}]}
    states["ami-between"] = {"State": "disabled", "Tags": [{"Key": "gbg:source-ami", "Value": "ami-amazon"}]}
    world.deliver()
    assert world.fleet.updates == 1
    states["ami-amazon"] = {"Tags": [{"Key": "gbg:revoked", "Value": "CVE-2026-1"}]}
    world.fleet.pinned["gbg-blue"] = "1"
    assert "ami-new, made from ami-between, made from ami-amazon is revoked: CVE-2026-1" in world.refused()
    assert world.fleet.updates == 1


def test_no_secret_of_the_event_is_logged(world: World, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    world.deliver()
    world.fleet.serving = []
    world.deliver()
    assert "job-2" in caplog.text
    assert SECRET not in caplog.text
