"""The network records that moto keeps; unlike moto's own, each address is given once, lowest first."""

from __future__ import annotations

import ipaddress
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from gbg_sandbox.service import AwsError

if TYPE_CHECKING:
    from gbg_sandbox.cloud import Cloud

RESERVED_AT_START = 4
"""AWS keeps the first four addresses of a subnet and the last one"""


@dataclass(frozen=True)
class Interface:
    id: str
    address: str
    mac: str


class NetworkRecords:
    def __init__(self, cloud: Cloud) -> None:
        self._cloud = cloud
        self._addresses = threading.Lock()

    def ask(self, operation: str, **params: Any) -> dict[str, Any]:
        """An operation of moto's EC2 by its boto3 name."""
        return self._cloud.ask_stored("ec2", operation, **params)

    def subnet(self, subnet_id: str) -> dict[str, Any]:
        found: dict[str, Any] = self.ask("describe_subnets", SubnetIds=[subnet_id])["Subnets"][0]
        return found

    def groups(self, wanted: list[str], subnet: Mapping[str, Any]) -> tuple[tuple[str, str], ...]:
        """Security groups as (id, name); none wanted means the VPC's default group."""
        vpc_id = subnet["VpcId"]
        by_name = [{"Name": "vpc-id", "Values": [vpc_id]}, {"Name": "group-name", "Values": ["default"]}]
        choice: dict[str, Any] = {"GroupIds": wanted} if wanted else {"Filters": by_name}
        found = self.ask("describe_security_groups", **choice)["SecurityGroups"]
        for group in found:
            if group["VpcId"] != vpc_id:
                raise AwsError(
                    "InvalidParameter",
                    f"Security group {group['GroupId']} and subnet {subnet['SubnetId']} belong to "
                    "different networks.",
                )
        return tuple((group["GroupId"], group["GroupName"]) for group in found)

    def interfaces(self, name: str, value: str) -> list[dict[str, Any]]:
        """Network interfaces by one filter."""
        filters = [{"Name": name, "Values": [value]}]
        found: list[dict[str, Any]] = self.ask("describe_network_interfaces", Filters=filters)[
            "NetworkInterfaces"
        ]
        return found

    def create_interfaces(
        self, subnet_id: str, count: int, *, address: str = "", **params: Any
    ) -> list[dict[str, Any]]:
        """New network interfaces at the first free addresses, or one at `address`."""
        with self._addresses:
            subnet = self.subnet(subnet_id)
            used = {one["PrivateIpAddress"] for one in self.interfaces("subnet-id", subnet_id)}
            chosen = [_checked(address, subnet, used)] if address else _free(subnet, used, count)
            return [
                self.ask("create_network_interface", SubnetId=subnet_id, PrivateIpAddress=one, **params)[
                    "NetworkInterface"
                ]
                for one in chosen
            ]

    def remove_interface(self, interface_id: str) -> None:
        self.ask("delete_network_interface", NetworkInterfaceId=interface_id)


def _usable(subnet: Mapping[str, Any]) -> range:
    network = ipaddress.ip_network(subnet["CidrBlock"])
    first = int(network.network_address)
    return range(first + RESERVED_AT_START, first + network.num_addresses - 1)


def _free(subnet: Mapping[str, Any], used: set[str], count: int) -> list[str]:
    taken = {int(ipaddress.ip_address(one)) for one in used}
    chosen = []
    for number in _usable(subnet):
        if number not in taken:
            chosen.append(str(ipaddress.ip_address(number)))
        if len(chosen) == count:
            return chosen
    raise AwsError(
        "InsufficientFreeAddressesInSubnet",
        f"There are not enough free addresses in subnet '{subnet['SubnetId']}' to satisfy the requested "
        "number of instances.",
    )


def _checked(address: str, subnet: Mapping[str, Any], used: set[str]) -> str:
    try:
        number = int(ipaddress.IPv4Address(address))
    except ValueError as error:
        raise AwsError("InvalidParameterValue", f"Invalid IPv4 address {address}") from error
    if number not in _usable(subnet):
        raise AwsError(
            "InvalidParameterValue", f"Address {address} does not fall within the subnet's address range"
        )
    if address in used:
        raise AwsError("InvalidIPAddress.InUse", f"Address {address} is in use.")
    return address
