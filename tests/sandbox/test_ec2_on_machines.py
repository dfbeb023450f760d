"""Instances on real machines: what user data did, what an image carries, and what a power-off means."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from gbg_sandbox.cloud import Cloud
from gbg_sandbox.machines import open_machines
from tests.sandbox.groups import make_fleet
from tests.sandbox.host import skip_unless_allowed
from tests.sandbox.places import Place, eventually, make_place

USER_DATA = """#!/bin/bash
token=$(curl -s -X PUT http://169.254.169.254/latest/api/token -H 'X-aws-ec2-metadata-token-ttl-seconds: 60')
curl -s http://169.254.169.254/latest/meta-data/instance-id -H "X-aws-ec2-metadata-token: $token" > /tmp/id
(cat /tmp/id; echo) > /etc/golden
"""


@pytest.fixture
def cloud(tmp_path: Path) -> Iterator[Cloud]:
    skip_unless_allowed(None, tmp_path)
    made = Cloud(
        tmp_path / "state",
        open_machines=lambda folder, files: open_machines(folder, site_files=files),
        scale=600,
    )
    made.start()
    yield made
    made.stop()


def run(place: Place, instance_id: str, command: str) -> str:
    machine = place.cloud.machines.get(instance_id)
    assert machine is not None
    written: list[bytes] = []
    machine.run(["sh", "-c", command], output=written.append)
    return b"".join(written).decode().strip()


def test_user_data_runs_once_and_its_files_are_in_the_image(cloud: Cloud) -> None:
    place = make_place(cloud)
    (builder,) = place.launch(UserData=USER_DATA)
    eventually(lambda: run(place, builder, "cat /etc/golden") == builder)
    place.ec2.stop_instances(InstanceIds=[builder])
    eventually(lambda: place.state(builder) == "stopped")
    image_id = place.ec2.create_image(InstanceId=builder, Name="golden", NoReboot=True)["ImageId"]
    eventually(lambda: place.ec2.describe_images(ImageIds=[image_id])["Images"][0]["State"] == "available")
    (instance_id,) = place.launch(ImageId=image_id)
    assert run(place, instance_id, "cat /etc/golden; hostname").split() == [
        builder,
        place.instance(instance_id)["PrivateDnsName"],
    ]
    eventually(lambda: "cloud-init" in place.ec2.get_console_output(InstanceId=instance_id)["Output"])


def test_the_public_images_are_different_releases(cloud: Cloud) -> None:
    place = make_place(cloud)
    versions = set()
    for image in place.ec2.describe_images(Owners=["amazon"])["Images"]:
        (instance_id,) = place.launch(ImageId=image["ImageId"])
        release = run(place, instance_id, "cat /etc/system-release")
        assert release.split()[3] in image["Name"]
        versions.add(run(place, instance_id, "rpm -q curl-minimal"))
    assert len(versions) >= 2


def test_a_group_replaces_a_machine_that_powered_off(cloud: Cloud) -> None:
    fleet = make_fleet(cloud)
    fleet.create("web", 2)
    lost = fleet.serving("web")[0]
    run(fleet.place, lost, "(sleep 0.2; poweroff) > /dev/null 2>&1 < /dev/null &")
    eventually(lambda: lost not in fleet.members("web") and len(fleet.serving("web")) == 2)
