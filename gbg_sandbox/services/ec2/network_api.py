"""Operations on networks: moto keeps them, machines are plugged into them."""

from __future__ import annotations

from typing import Any

from gbg_sandbox.service import AwsError, Call, modelled, runs
from gbg_sandbox.services.ec2 import answers
from gbg_sandbox.services.ec2.base import Ec2Operations
from gbg_sandbox.services.ec2.imds import MetadataService

Params = dict[str, Any]
Answer = dict[str, Any]


class NetworkOperations(Ec2Operations):
    _metadata: MetadataService

    @runs
    def create_vpc(self, call: Call, params: Params) -> Answer:
        _refuse(params, {"CidrBlock", "InstanceTenancy", "TagSpecifications", "DryRun"}, "a VPC")
        answer = self.records.ask("create_vpc", **params)
        vpc_id = answer["Vpc"]["VpcId"]
        self.cloud.machines.add_network(vpc_id, params["CidrBlock"])
        self._metadata.serve(vpc_id)
        self.cloud.network_added(vpc_id)
        return answer

    @runs
    def delete_vpc(self, call: Call, params: Params) -> None:
        vpc_id = params["VpcId"]
        self._refuse_while_used(vpc_id)
        self.records.ask("delete_vpc", VpcId=vpc_id)
        self._metadata.stop_serving(vpc_id)
        self.cloud.network_removed(vpc_id)
        self.cloud.machines.remove_network(vpc_id)

    def _refuse_while_used(self, vpc_id: str) -> None:
        """What AWS calls dependencies: subnets, gateways, own groups and route tables, interfaces."""

        def inside(operation: str, key: str, name: str = "vpc-id") -> list[dict[str, Any]]:
            found: list[dict[str, Any]] = self.records.ask(
                operation, Filters=[{"Name": name, "Values": [vpc_id]}]
            )[key]
            return found

        groups = inside("describe_security_groups", "SecurityGroups")
        tables = inside("describe_route_tables", "RouteTables")
        used = (
            inside("describe_subnets", "Subnets")
            or inside("describe_internet_gateways", "InternetGateways", "attachment.vpc-id")
            or inside("describe_network_interfaces", "NetworkInterfaces")
            or [one for one in groups if one["GroupName"] != "default"]
            or [one for one in tables if not any(a.get("Main") for a in one.get("Associations", ()))]
        )
        if used:
            raise AwsError(
                "DependencyViolation", f"The vpc '{vpc_id}' has dependencies and cannot be deleted."
            )

    @modelled
    def create_subnet(self, call: Call, params: Params) -> Answer:
        answer = self.records.ask("create_subnet", **params)
        subnet = answer["Subnet"]
        # moto takes the first subnet of a zone for the default VPC's.
        if subnet.get("MapPublicIpOnLaunch"):
            self.records.ask(
                "modify_subnet_attribute", SubnetId=subnet["SubnetId"], MapPublicIpOnLaunch={"Value": False}
            )
        return {"Subnet": {**subnet, "DefaultForAz": False, "MapPublicIpOnLaunch": False}}

    @modelled
    def describe_subnets(self, call: Call, params: Params) -> Answer:
        answer = self.records.ask("describe_subnets", **params)
        for subnet in answer["Subnets"]:
            subnet["DefaultForAz"] = False
        return answer

    @modelled
    def delete_subnet(self, call: Call, params: Params) -> None:
        subnet_id = params["SubnetId"]
        if self.records.interfaces("subnet-id", subnet_id):
            raise AwsError(
                "DependencyViolation", f"The subnet '{subnet_id}' has dependencies and cannot be deleted."
            )
        self.records.ask("delete_subnet", SubnetId=subnet_id)

    @modelled
    def delete_security_group(self, call: Call, params: Params) -> Answer:
        group = self._group(params)
        group_id = group["GroupId"]
        if group["GroupName"] == "default":
            raise AwsError(
                "CannotDelete",
                f'the specified group: "{group_id}" name: "default" cannot be deleted by a user',
            )
        if self.records.interfaces("group-id", group_id) or self._referring(group_id):
            raise AwsError("DependencyViolation", f"resource {group_id} has a dependent object")
        self.records.ask("delete_security_group", GroupId=group_id)
        return {"Return": True, "GroupId": group_id}

    def _group(self, params: Params) -> dict[str, Any]:
        if "GroupId" not in params:
            raise AwsError("MissingParameter", "The request must contain the parameter GroupId")
        found: dict[str, Any] = self.records.ask("describe_security_groups", GroupIds=[params["GroupId"]])[
            "SecurityGroups"
        ][0]
        return found

    def _referring(self, group_id: str) -> bool:
        return any(
            pair.get("GroupId") == group_id
            for group in self.records.ask("describe_security_groups")["SecurityGroups"]
            if group["GroupId"] != group_id
            for rule in [*group.get("IpPermissions", ()), *group.get("IpPermissionsEgress", ())]
            for pair in rule.get("UserIdGroupPairs", ())
        )

    @modelled
    def create_network_interface(self, call: Call, params: Params) -> Answer:
        address = params.pop("PrivateIpAddress", "")
        _refuse(
            params,
            {"SubnetId", "Groups", "Description", "TagSpecifications", "ClientToken"},
            "a network interface",
        )
        params.pop("ClientToken", None)
        subnet_id = params.pop("SubnetId")
        made = self.records.create_interfaces(subnet_id, 1, address=address, **params)
        return {"NetworkInterface": made[0]}

    @modelled
    def describe_network_interfaces(self, call: Call, params: Params) -> Answer:
        wanted = [one for one in params.get("Filters", ()) if one["Name"] == "attachment.instance-id"]
        if "Filters" in params:
            params["Filters"] = [one for one in params["Filters"] if one not in wanted]
        answer = self.records.ask("describe_network_interfaces", **params)
        with self.state.lock:
            owners = {one.interface_id: one for one in self.state.instances.values()}
        for interface in answer["NetworkInterfaces"]:
            owner = owners.get(interface["NetworkInterfaceId"])
            if owner:
                attachment = {
                    **answers.attachment(owner),
                    "InstanceId": owner.id,
                    "InstanceOwnerId": self.cloud.account,
                }
                interface.update(Attachment=attachment, Status="in-use", PrivateDnsName=owner.hostname)
        ids = {value for one in wanted for value in one["Values"]}
        if wanted:
            answer["NetworkInterfaces"] = [
                one
                for one in answer["NetworkInterfaces"]
                if one.get("Attachment", {}).get("InstanceId") in ids
            ]
        return answer

    @modelled
    def delete_network_interface(self, call: Call, params: Params) -> None:
        interface_id = params["NetworkInterfaceId"]
        with self.state.lock:
            used = any(
                one.interface_id == interface_id and one.exists for one in self.state.instances.values()
            )
        if used:
            raise AwsError(
                "InvalidParameterValue", f"Network interface '{interface_id}' is currently in use."
            )
        self.records.remove_interface(interface_id)

    def remove_default_network(self) -> None:
        """moto starts with a default VPC; this account has none: only what was made is there."""
        by_default = [{"Name": "is-default", "Values": ["true"]}]
        for vpc in self.records.ask("describe_vpcs", Filters=by_default)["Vpcs"]:
            inside = [{"Name": "vpc-id", "Values": [vpc["VpcId"]]}]
            for subnet in self.records.ask("describe_subnets", Filters=inside)["Subnets"]:
                self.records.ask("delete_subnet", SubnetId=subnet["SubnetId"])
            self.records.ask("delete_vpc", VpcId=vpc["VpcId"])


def _refuse(params: Params, known: set[str], what: str) -> None:
    for name in sorted(set(params) - known):
        if params[name] not in (None, False, [], ""):
            raise AwsError("UnsupportedOperation", f"gbg_sandbox does not make {what} with {name}.")
