"""Instances run on machines and tell their states as EC2 does."""

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


def states(cloud: Cloud, instance_id: str) -> list[str]:
    return [
        event.detail["state"]
        for event in cloud.events.since(0)
        if event.detail_type == "EC2 Instance State-change Notification"
        and event.detail["instance-id"] == instance_id
    ]


def test_every_state_of_an_instance_is_announced_and_seen(place: Place, machines: FakeMachines) -> None:
    (instance_id,) = place.launch()
    machine = machines.machines[instance_id]
    place.ec2.stop_instances(InstanceIds=[instance_id])
    eventually(lambda: place.state(instance_id) == "stopped")
    assert not machine.alive()
    place.ec2.start_instances(InstanceIds=[instance_id])
    eventually(lambda: place.state(instance_id) == "running")
    assert machine.alive()
    place.ec2.terminate_instances(InstanceIds=[instance_id])
    eventually(lambda: place.state(instance_id) == "terminated")
    assert instance_id not in machines.machines
    assert states(place.cloud, instance_id) == [
        "pending", "running", "stopping", "stopped", "pending", "running", "shutting-down", "terminated",
    ]  # fmt: skip
    reason = place.instance(instance_id)["StateReason"]
    assert reason["Code"] == "Client.UserInitiatedShutdown"


def test_what_is_terminated_while_it_boots_never_runs(place: Place, machines: FakeMachines) -> None:
    machines.starting.clear()
    instance_id = place.ec2.run_instances(
        ImageId=place.image_id, InstanceType="t3.micro", SubnetId=place.subnets[0], MinCount=1, MaxCount=1
    )["Instances"][0]["InstanceId"]
    assert machines.entered.wait(30)
    place.ec2.terminate_instances(InstanceIds=[instance_id])
    machines.starting.set()
    eventually(lambda: place.state(instance_id) == "terminated")
    assert states(place.cloud, instance_id) == ["pending", "shutting-down", "terminated"]
    assert instance_id not in machines.machines


def test_a_terminated_instance_is_forgotten_after_an_aws_hour(place: Place) -> None:
    (instance_id,) = place.launch()
    place.ec2.terminate_instances(InstanceIds=[instance_id])
    eventually(lambda: not place.ec2.describe_instances()["Reservations"])
    with pytest.raises(ClientError, match=r"InvalidInstanceID\.NotFound"):
        place.state(instance_id)


def test_status_is_ok_only_after_the_machine_answered(place: Place, machines: FakeMachines) -> None:
    (instance_id,) = place.launch()
    place.ec2.get_waiter("instance_status_ok").wait(InstanceIds=[instance_id], WaiterConfig={"Delay": 1})
    assert ("/bin/true",) in machines.machines[instance_id].commands


def test_addresses_are_unique_and_the_lowest_free(place: Place) -> None:
    first = place.launch(3)
    assert [place.instance(one)["PrivateIpAddress"] for one in first] == ["10.0.1.4", "10.0.1.5", "10.0.1.6"]
    with pytest.raises(ClientError, match=r"InvalidIPAddress\.InUse"):
        place.launch(PrivateIpAddress="10.0.1.5")
    with pytest.raises(ClientError, match="does not fall within"):
        place.launch(PrivateIpAddress="10.0.2.9")


def test_a_machine_that_ends_by_itself_stops_its_instance(place: Place, machines: FakeMachines) -> None:
    (instance_id,) = place.launch()
    machines.machines[instance_id].die()
    eventually(lambda: place.state(instance_id) == "stopped")
    assert place.instance(instance_id)["StateReason"]["Code"] == "Client.InstanceInitiatedShutdown"


def test_or_terminates_it_where_that_was_asked(place: Place, machines: FakeMachines) -> None:
    (instance_id,) = place.launch(InstanceInitiatedShutdownBehavior="terminate")
    machines.machines[instance_id].die()
    eventually(lambda: place.state(instance_id) == "terminated")


def test_a_machine_that_cannot_start_terminates_its_instance_with_the_cause(
    place: Place, machines: FakeMachines
) -> None:
    machines.failure = "no space left"
    made = place.ec2.run_instances(ImageId=place.image_id, SubnetId=place.subnets[0], MinCount=1, MaxCount=1)
    instance_id = made["Instances"][0]["InstanceId"]
    eventually(lambda: place.state(instance_id) == "terminated")
    reason = place.instance(instance_id)["StateReason"]
    assert reason["Code"] == "Server.InternalError"
    assert "no space left" in reason["Message"]


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"ImageId": "ami-0123456789abcdef0"}, "InvalidAMIID.NotFound"),
        ({"ImageId": "golden"}, "InvalidAMIID.Malformed"),
        ({"SubnetId": "subnet-0123456789abcdef0"}, "InvalidSubnetID.NotFound"),
        ({"SecurityGroupIds": ["sg-0123456789abcdef0"]}, "InvalidGroup.NotFound"),
        ({"InstanceType": "t3.enormous"}, "InvalidParameterValue"),
        ({"InstanceType": "t4g.micro"}, "InvalidParameterValue"),
        ({"IamInstanceProfile": {"Name": "nobody"}}, "InvalidParameterValue"),
        ({"KeyName": "nokey"}, "InvalidKeyPair.NotFound"),
        ({"LaunchTemplate": {"LaunchTemplateName": "none"}}, "InvalidLaunchTemplateName.NotFoundException"),
        ({"TagSpecifications": [{"ResourceType": "instance", "Tags": [{"Key": "a"}]}], "MinCount": 2,
          "MaxCount": 1}, "InvalidParameterValue"),
        ({"HibernationOptions": {"Configured": True}}, "UnsupportedOperation"),
        ({"DryRun": True}, "DryRunOperation"),
    ],
)  # fmt: skip
def test_a_wrong_launch_is_refused_with_awss_code(place: Place, change: dict[str, object], code: str) -> None:
    request = {
        "ImageId": place.image_id,
        "SubnetId": place.subnets[0],
        "MinCount": 1,
        "MaxCount": 1,
        **change,
    }
    with pytest.raises(ClientError) as refusal:
        place.ec2.run_instances(**request)
    assert refusal.value.response["Error"]["Code"] == code
    assert place.ec2.describe_instances()["Reservations"] == []


def test_the_same_client_token_launches_once(place: Place) -> None:
    first = place.launch(ClientToken="one")
    assert place.launch(ClientToken="one") == first
    with pytest.raises(ClientError, match="IdempotentParameterMismatch"):
        place.launch(2, ClientToken="one")


def test_a_protected_instance_stays(place: Place) -> None:
    (instance_id,) = place.launch(DisableApiTermination=True)
    with pytest.raises(ClientError, match="disableApiTermination"):
        place.ec2.terminate_instances(InstanceIds=[instance_id])
    place.ec2.modify_instance_attribute(InstanceId=instance_id, DisableApiTermination={"Value": False})
    place.ec2.terminate_instances(InstanceIds=[instance_id])


def test_filters_tags_and_pages(place: Place) -> None:
    tagged = [{"ResourceType": "instance", "Tags": [{"Key": "gbg:deployment", "Value": "d1"}]}]
    ours = place.launch(3, TagSpecifications=tagged)
    place.launch()
    wanted = [{"Name": "tag:gbg:deployment", "Values": ["d*"]}]
    pages = place.ec2.get_paginator("describe_instances").paginate(
        Filters=wanted, PaginationConfig={"PageSize": 2}
    )
    found = [
        one["InstanceId"] for page in pages for group in page["Reservations"] for one in group["Instances"]
    ]
    assert sorted(found) == sorted(ours)
    with pytest.raises(ClientError, match="The filter 'colour' is invalid"):
        place.ec2.describe_instances(Filters=[{"Name": "colour", "Values": ["blue"]}])
    place.ec2.create_tags(Resources=[ours[0], place.vpc_id], Tags=[{"Key": "owner", "Value": "me"}])
    tags = place.ec2.describe_tags(Filters=[{"Name": "key", "Values": ["owner"]}])["Tags"]
    assert {tag["ResourceType"] for tag in tags} == {"instance", "vpc"}
    with pytest.raises(ClientError, match="The ID 'i-0' is not valid"):
        place.ec2.create_tags(Resources=["i-0"], Tags=[{"Key": "owner", "Value": "me"}])
