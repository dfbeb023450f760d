"""What failed runs left behind, and what only looks like it."""

from __future__ import annotations

import json
from typing import Any

import pytest

from gbg_lib.images.usage import TemplateVersion, Usage
from gbg_lib.mending.orphans import Orphan, Scene, _builders, _sweep_image, _versions
from tests.unit.aws_fakes import connected
from tests.unit.image_fakes import FakeImages
from tests.unit.moved_fakes import GREEN


class Versions:
    """Two that failed releases wrote."""

    def describe_launch_template_versions(self, **asked: Any) -> dict[str, Any]:
        made = {2: "e-older", 3: "e-newest"}
        return {
            "LaunchTemplateVersions": [
                {"VersionNumber": number, "VersionDescription": json.dumps({"release": one})}
                for number, one in made.items()
            ]
        }


def test_the_template_version_of_a_release_that_can_be_tried_again_is_no_orphan() -> None:
    history = tuple(TemplateVersion("lt-1", "gbg", number, f"ami-{number}", "gbg") for number in (2, 3))
    scene = Scene(
        *(connected(ec2=Versions()), "gbg", "gbg-fleet", {}, GREEN, "arn", "lt-1"),
        releases={"e-newest": "Failed", "e-older": "Failed"},
        retriable=frozenset({"e-newest"}),
        stacks=(),
    )
    assert [one.id for one in _versions(scene, Usage({}, {}, {}, history))] == ["2"]


@pytest.mark.parametrize(("owner", "left"), [("gbg", [1, 3]), ("shop", [1, 2, 3])])
def test_an_image_goes_with_its_own_template_versions_and_with_nobody_elses(
    owner: str, left: list[int]
) -> None:
    cloud = FakeImages(template_of=owner)
    cloud.bake("ami-1")
    cloud.bake("ami-2")
    scene = Scene(cloud.aws, "gbg", "gbg-fleet", {}, GREEN, "arn", "lt-1", releases={}, stacks=())
    left_behind = Orphan("image", "ami-1", "release e (Failed)", "no machine or template needs it")
    _sweep_image(scene, left_behind)
    assert "ami-1" not in cloud.images and "ami-2" in cloud.images
    assert sorted(cloud.versions) == left
    _sweep_image(scene, left_behind)


class Builder:
    """EC2 and Systems Manager: a builder that runs, and how its bake stands."""

    def __init__(self, status: str) -> None:
        self.status = status

    def describe_instances(self, **asked: Any) -> dict[str, Any]:
        tags = [{"Key": "gbg:bake", "Value": "11111111-2222-3333-4444-555555555555"}]
        machine = {"InstanceId": "i-1", "State": {"Name": "running"}, "Tags": tags}
        return {"Reservations": [{"Instances": [machine]}]}

    def get_automation_execution(self, **asked: str) -> dict[str, Any]:
        return {"AutomationExecution": {"AutomationExecutionStatus": self.status}}


@pytest.mark.parametrize(
    ("status", "left"),
    [("InProgress", 0), ("Failed", 1), ("Exited", 1), ("Rejected", 1), ("CompletedWithSuccess", 1)],
)
def test_a_builder_is_an_orphan_once_its_bake_is_over_however_that_ended(status: str, left: int) -> None:
    made = Builder(status)
    aws = connected(ec2=made, ssm=made)
    scene = Scene(aws, "gbg", "gbg-fleet", {}, GREEN, "arn", "lt-1", releases={}, stacks=())
    assert len(list(_builders(scene))) == left
