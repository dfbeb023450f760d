"""An image carries what its machine's disk had, on top of what that machine came from."""

from __future__ import annotations

import pytest
from botocore.exceptions import ClientError

from gbg_sandbox.cloud import Cloud
from tests.sandbox.fakes import FakeMachines
from tests.sandbox.places import Place, eventually, make_place


@pytest.fixture
def place(cloud: Cloud) -> Place:
    return make_place(cloud)


@pytest.fixture
def machines(cloud: Cloud) -> FakeMachines:
    assert isinstance(cloud.machines, FakeMachines)
    return cloud.machines


def bake(place: Place, instance_id: str, name: str, **params: object) -> str:
    image_id = str(place.ec2.create_image(InstanceId=instance_id, Name=name, **params)["ImageId"])
    eventually(lambda: place.ec2.describe_images(ImageIds=[image_id])["Images"][0]["State"] == "available")
    return image_id


def test_what_was_written_is_there_in_the_image_and_in_its_childs(
    place: Place, machines: FakeMachines
) -> None:
    (builder,) = place.launch()
    machines.machines[builder].write("/etc/golden", b"one")
    first = bake(place, builder, "first")
    (second_builder,) = place.launch(ImageId=first)
    machines.machines[second_builder].write("/etc/more", b"two")
    second = bake(place, second_builder, "second")
    (instance_id,) = place.launch(ImageId=second)
    assert machines.machines[instance_id].read("/etc/golden") == b"one"
    assert machines.machines[instance_id].read("/etc/more") == b"two"


def test_without_no_reboot_the_machine_is_off_while_it_is_copied(
    place: Place, machines: FakeMachines
) -> None:
    (builder,) = place.launch()
    bake(place, builder, "untouched", NoReboot=True)
    assert machines.machines[builder].boots == 1
    bake(place, builder, "rebooted")
    eventually(lambda: machines.machines[builder].boots == 2)


def test_image_and_snapshots_carry_their_tags(place: Place) -> None:
    (builder,) = place.launch()
    kinds = [
        {"ResourceType": kind, "Tags": [{"Key": "gbg:commit", "Value": kind}]}
        for kind in ("image", "snapshot")
    ]
    image_id = bake(place, builder, "golden", TagSpecifications=kinds)
    image = place.ec2.describe_images(Filters=[{"Name": "tag:gbg:commit", "Values": ["image"]}])["Images"][0]
    assert image["ImageId"] == image_id
    assert image["SourceImageId"] == place.image_id
    snapshot_id = image["BlockDeviceMappings"][0]["Ebs"]["SnapshotId"]
    snapshot = place.ec2.describe_snapshots(SnapshotIds=[snapshot_id])["Snapshots"][0]
    assert snapshot["Tags"] == [{"Key": "gbg:commit", "Value": "snapshot"}]
    assert snapshot["State"] == "completed"


def test_a_name_is_given_once(place: Place) -> None:
    (builder,) = place.launch()
    image_id = bake(place, builder, "golden")
    with pytest.raises(ClientError, match=rf"InvalidAMIName\.Duplicate.*{image_id}"):
        bake(place, builder, "golden")
    with pytest.raises(ClientError, match=r"InvalidAMIName\.Malformed"):
        bake(place, builder, "what?")


def test_deregistering_ends_launches_and_keeps_what_others_stand_on(
    place: Place, machines: FakeMachines
) -> None:
    (builder,) = place.launch()
    machines.machines[builder].write("/etc/golden", b"one")
    first = bake(place, builder, "first")
    (child,) = place.launch(ImageId=first)
    second = bake(place, child, "second")
    images = place.cloud.state_dir / "images"
    answer = place.ec2.deregister_image(ImageId=first, DeleteAssociatedSnapshots=True)
    assert [one["ReturnCode"] for one in answer["DeleteSnapshotResults"]] == ["success"]
    assert place.ec2.describe_snapshots(OwnerIds=["self"])["Snapshots"][0]["Description"].endswith(second)
    with pytest.raises(ClientError, match=r"InvalidAMIID\.Unavailable"):
        place.launch(ImageId=first)
    (late,) = place.launch(ImageId=second)
    assert machines.machines[late].read("/etc/golden") == b"one"
    place.ec2.deregister_image(ImageId=second)
    place.ec2.terminate_instances(InstanceIds=[late, child])
    eventually(lambda: not list(images.glob("ami-*")))


def test_a_snapshot_of_an_image_is_in_use(place: Place) -> None:
    (builder,) = place.launch()
    bake(place, builder, "golden")
    snapshot_id = place.ec2.describe_snapshots(OwnerIds=["self"])["Snapshots"][0]["SnapshotId"]
    with pytest.raises(ClientError, match=r"InvalidSnapshot\.InUse"):
        place.ec2.delete_snapshot(SnapshotId=snapshot_id)


def test_a_disabled_image_launches_nothing_until_it_is_enabled(place: Place) -> None:
    (builder,) = place.launch()
    image_id = bake(place, builder, "golden")
    place.ec2.disable_image(ImageId=image_id)
    with pytest.raises(ClientError, match=r"InvalidAMIID\.Unavailable"):
        place.launch(ImageId=image_id)
    assert place.ec2.describe_images(Owners=["self"])["Images"] == []
    place.ec2.enable_image(ImageId=image_id)
    place.launch(ImageId=image_id)


def test_imds_support_makes_tokens_required(place: Place) -> None:
    (builder,) = place.launch()
    image_id = bake(place, builder, "golden")
    place.ec2.modify_image_attribute(ImageId=image_id, ImdsSupport={"Value": "v2.0"})
    (instance_id,) = place.launch(ImageId=image_id)
    assert place.instance(instance_id)["MetadataOptions"]["HttpTokens"] == "required"


def test_amazons_images_are_not_ours_to_change(place: Place) -> None:
    with pytest.raises(ClientError, match="AuthFailure"):
        place.ec2.deregister_image(ImageId=place.image_id)


def told(place: Place, image_id: str) -> list[str]:
    return [
        event.detail["State"]
        for event in place.cloud.events.since(0)
        if event.detail_type == "EC2 AMI State Change" and event.detail["ImageId"] == image_id
    ]


def test_each_new_state_of_an_image_is_announced(place: Place) -> None:
    (builder,) = place.launch()
    image_id = bake(place, builder, "golden")
    eventually(lambda: told(place, image_id) == ["available"])
    place.ec2.deregister_image(ImageId=image_id)
    assert told(place, image_id) == ["available", "deregistered"]


def test_an_encrypted_volume_stays_encrypted(place: Place) -> None:
    encrypted = [{"DeviceName": "/dev/xvda", "Ebs": {"Encrypted": True}}]
    (builder,) = place.launch(BlockDeviceMappings=encrypted)
    bake(place, builder, "golden")
    assert place.ec2.describe_snapshots(OwnerIds=["self"])["Snapshots"][0]["Encrypted"] is True
