"""A VPC and what its network is made of."""

from __future__ import annotations

from typing import Any

from gbg_sandbox.services.cloudformation.resources.base import (
    Made,
    Properties,
    Provider,
    Task,
    given,
    ignore_missing,
    names,
    only_tags,
    tag_changes,
    tag_list,
)

ROUTE_TARGETS = ("GatewayId", "InstanceId", "NetworkInterfaceId", "NatGatewayId", "VpcPeeringConnectionId")


def tag_specifications(kind: str, source: Properties) -> dict[str, Any]:
    tags = tag_list(source)
    return {"TagSpecifications": [{"ResourceType": kind, "Tags": tags}]} if tags else {}


def retag(ec2: Any, resource_id: str, old: Properties, new: Properties) -> None:
    """Bring an EC2 resource's tags from one set of properties to the next."""
    added, removed = tag_changes(old, new)
    if removed:
        ec2.delete_tags(Resources=[resource_id], Tags=[{"Key": key} for key in removed])
    if added:
        tags = [{"Key": key, "Value": value} for key, value in added.items()]
        ec2.create_tags(Resources=[resource_id], Tags=tags)


class Tagged(Provider):
    """An EC2 resource of which only tags can change in place."""

    def update(self, task: Task, made: Made, old: Properties, new: Properties) -> Made:
        if not only_tags(old, new):
            return super().update(task, made, old, new)
        retag(task.client("ec2"), made.physical_id, old, new)
        return made


class Vpc(Provider):
    type = "AWS::EC2::VPC"
    properties = names("CidrBlock", "InstanceTenancy", "EnableDnsSupport", "EnableDnsHostnames", "Tags")
    attributes = names("CidrBlock", "DefaultSecurityGroup", "VpcId")

    def create(self, task: Task, new: Properties) -> Made:
        ec2 = task.client("ec2")
        vpc = ec2.create_vpc(**given(new, "CidrBlock", "InstanceTenancy"), **tag_specifications("vpc", new))[
            "Vpc"
        ]
        task.initiated(vpc["VpcId"])
        self._set_dns(ec2, vpc["VpcId"], {}, new)
        filters = [
            {"Name": "vpc-id", "Values": [vpc["VpcId"]]},
            {"Name": "group-name", "Values": ["default"]},
        ]
        groups = ec2.describe_security_groups(Filters=filters)["SecurityGroups"]
        return Made(
            vpc["VpcId"],
            {
                "VpcId": vpc["VpcId"],
                "CidrBlock": vpc["CidrBlock"],
                "DefaultSecurityGroup": groups[0]["GroupId"] if groups else "",
            },
        )

    def update(self, task: Task, made: Made, old: Properties, new: Properties) -> Made:
        ec2 = task.client("ec2")
        self._set_dns(ec2, made.physical_id, old, new)
        retag(ec2, made.physical_id, old, new)
        return made

    def delete(self, task: Task, made: Made, old: Properties) -> None:
        ignore_missing(task.client("ec2").delete_vpc, VpcId=made.physical_id)

    @staticmethod
    def _set_dns(ec2: Any, vpc_id: str, old: Properties, new: Properties) -> None:
        for name in ("EnableDnsSupport", "EnableDnsHostnames"):
            if name in new and old.get(name) != new[name]:
                ec2.modify_vpc_attribute(VpcId=vpc_id, **{name: {"Value": new[name]}})


class Subnet(Provider):
    type = "AWS::EC2::Subnet"
    properties = names("VpcId", "CidrBlock", "AvailabilityZone", "MapPublicIpOnLaunch", "Tags")
    attributes = names("AvailabilityZone", "AvailabilityZoneId", "CidrBlock", "SubnetId", "VpcId")

    def create(self, task: Task, new: Properties) -> Made:
        ec2 = task.client("ec2")
        arguments = given(new, "VpcId", "CidrBlock", "AvailabilityZone")
        subnet = ec2.create_subnet(**arguments, **tag_specifications("subnet", new))["Subnet"]
        task.initiated(subnet["SubnetId"])
        self._set_public(ec2, subnet["SubnetId"], {}, new)
        return Made(subnet["SubnetId"], {name: subnet.get(name, "") for name in self.attributes})

    def update(self, task: Task, made: Made, old: Properties, new: Properties) -> Made:
        ec2 = task.client("ec2")
        self._set_public(ec2, made.physical_id, old, new)
        retag(ec2, made.physical_id, old, new)
        return made

    def delete(self, task: Task, made: Made, old: Properties) -> None:
        ignore_missing(task.client("ec2").delete_subnet, SubnetId=made.physical_id)

    @staticmethod
    def _set_public(ec2: Any, subnet_id: str, old: Properties, new: Properties) -> None:
        wanted = new.get("MapPublicIpOnLaunch", False)
        if old.get("MapPublicIpOnLaunch", False) != wanted:
            ec2.modify_subnet_attribute(SubnetId=subnet_id, MapPublicIpOnLaunch={"Value": wanted})


class InternetGateway(Tagged):
    type = "AWS::EC2::InternetGateway"
    properties = names("Tags")
    attributes = names("InternetGatewayId")

    def create(self, task: Task, new: Properties) -> Made:
        answer = task.client("ec2").create_internet_gateway(**tag_specifications("internet-gateway", new))
        gateway = answer["InternetGateway"]["InternetGatewayId"]
        return Made(gateway, {"InternetGatewayId": gateway})

    def delete(self, task: Task, made: Made, old: Properties) -> None:
        ignore_missing(task.client("ec2").delete_internet_gateway, InternetGatewayId=made.physical_id)


class VpcGatewayAttachment(Provider):
    type = "AWS::EC2::VPCGatewayAttachment"
    properties = names("VpcId", "InternetGatewayId")
    attributes = names("AttachmentType")

    def create(self, task: Task, new: Properties) -> Made:
        task.client("ec2").attach_internet_gateway(**given(new, "VpcId", "InternetGatewayId"))
        return Made(f"IGW|{new['VpcId']}", {"AttachmentType": "IGW"})

    def update(self, task: Task, made: Made, old: Properties, new: Properties) -> Made:
        self.delete(task, made, old)
        return self.create(task, new)

    def delete(self, task: Task, made: Made, old: Properties) -> None:
        arguments = given(old, "VpcId", "InternetGatewayId")
        ignore_missing(task.client("ec2").detach_internet_gateway, **arguments)


class RouteTable(Tagged):
    type = "AWS::EC2::RouteTable"
    properties = names("VpcId", "Tags")
    attributes = names("RouteTableId")

    def create(self, task: Task, new: Properties) -> Made:
        ec2 = task.client("ec2")
        answer = ec2.create_route_table(VpcId=new["VpcId"], **tag_specifications("route-table", new))
        table = answer["RouteTable"]["RouteTableId"]
        return Made(table, {"RouteTableId": table})

    def delete(self, task: Task, made: Made, old: Properties) -> None:
        ignore_missing(task.client("ec2").delete_route_table, RouteTableId=made.physical_id)


class Route(Provider):
    type = "AWS::EC2::Route"
    properties = names("RouteTableId", "DestinationCidrBlock", *ROUTE_TARGETS)
    attributes = names("CidrBlock")

    def create(self, task: Task, new: Properties) -> Made:
        task.client("ec2").create_route(**new)
        destination = new["DestinationCidrBlock"]
        return Made(f"{new['RouteTableId']}|{destination}", {"CidrBlock": destination})

    def update(self, task: Task, made: Made, old: Properties, new: Properties) -> Made:
        task.client("ec2").replace_route(**new)
        return made

    def delete(self, task: Task, made: Made, old: Properties) -> None:
        arguments = given(old, "RouteTableId", "DestinationCidrBlock")
        ignore_missing(task.client("ec2").delete_route, **arguments)


class SubnetRouteTableAssociation(Provider):
    type = "AWS::EC2::SubnetRouteTableAssociation"
    properties = names("SubnetId", "RouteTableId")
    attributes = names("Id")

    def create(self, task: Task, new: Properties) -> Made:
        association = task.client("ec2").associate_route_table(**new)["AssociationId"]
        return Made(association, {"Id": association})

    def delete(self, task: Task, made: Made, old: Properties) -> None:
        ignore_missing(task.client("ec2").disassociate_route_table, AssociationId=made.physical_id)
