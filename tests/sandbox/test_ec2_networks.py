"""Networks: what is in use can't be deleted, and nothing is there that nobody made."""

from __future__ import annotations

import pytest
from botocore.exceptions import ClientError

from gbg_sandbox.cloud import Cloud
from tests.sandbox.fakes import FakeMachines
from tests.sandbox.places import Place, eventually, make_place


@pytest.fixture
def place(cloud: Cloud) -> Place:
    return make_place(cloud)


def test_a_new_account_has_no_network(cloud: Cloud) -> None:
    ec2 = cloud.client("ec2")
    assert ec2.describe_vpcs()["Vpcs"] == []
    assert ec2.describe_subnets()["Subnets"] == []


def test_a_network_is_emptied_from_the_inside_out(place: Place) -> None:
    ec2 = place.ec2
    group = ec2.create_security_group(GroupName="web", Description="web", VpcId=place.vpc_id)["GroupId"]
    (instance_id,) = place.launch(SecurityGroupIds=[group])
    refused = {
        ec2.delete_security_group: {"GroupId": group},
        ec2.delete_subnet: {"SubnetId": place.subnets[0]},
        ec2.delete_vpc: {"VpcId": place.vpc_id},
    }
    for delete, params in refused.items():
        with pytest.raises(ClientError, match="DependencyViolation"):
            delete(**params)
    ec2.terminate_instances(InstanceIds=[instance_id])
    eventually(lambda: place.state(instance_id) == "terminated")
    for subnet in place.subnets:
        ec2.delete_subnet(SubnetId=subnet)
    with pytest.raises(ClientError, match="DependencyViolation"):
        ec2.delete_vpc(VpcId=place.vpc_id)
    ec2.delete_security_group(GroupId=group)
    ec2.delete_vpc(VpcId=place.vpc_id)
    assert isinstance(place.cloud.machines, FakeMachines)
    assert place.cloud.machines.networks == {}


def test_a_group_that_another_ones_rule_names_stays(place: Place) -> None:
    ec2 = place.ec2
    front, back = (
        ec2.create_security_group(GroupName=name, Description=name, VpcId=place.vpc_id)["GroupId"]
        for name in ("front", "back")
    )
    from_front = {
        "IpProtocol": "tcp",
        "FromPort": 8080,
        "ToPort": 8080,
        "UserIdGroupPairs": [{"GroupId": front}],
    }
    ec2.authorize_security_group_ingress(GroupId=back, IpPermissions=[from_front])
    with pytest.raises(ClientError, match="DependencyViolation"):
        ec2.delete_security_group(GroupId=front)
    ec2.delete_security_group(GroupId=back)
    ec2.delete_security_group(GroupId=front)


def test_an_instances_interface_is_shown_as_attached(place: Place) -> None:
    (instance_id,) = place.launch()
    wanted = [{"Name": "attachment.instance-id", "Values": [instance_id]}]
    (interface,) = place.ec2.describe_network_interfaces(Filters=wanted)["NetworkInterfaces"]
    assert interface["Status"] == "in-use"
    assert interface["PrivateIpAddress"] == place.instance(instance_id)["PrivateIpAddress"]
    with pytest.raises(ClientError, match="currently in use"):
        place.ec2.delete_network_interface(NetworkInterfaceId=interface["NetworkInterfaceId"])


def test_tags_go_with_what_they_were_on(place: Place) -> None:
    ec2 = place.ec2
    tags = [{"Key": "owner", "Value": "mary"}]
    kept, gone = (
        ec2.create_security_group(
            GroupName=name,
            Description=name,
            VpcId=place.vpc_id,
            TagSpecifications=[{"ResourceType": "security-group", "Tags": tags}],
        )["GroupId"]
        for name in ("kept", "gone")
    )
    ec2.delete_security_group(GroupId=gone)
    found = ec2.describe_tags(Filters=[{"Name": "key", "Values": ["owner"]}])["Tags"]
    assert [tag["ResourceId"] for tag in found] == [kept]
