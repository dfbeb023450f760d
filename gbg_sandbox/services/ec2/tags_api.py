"""Tags: of instances, images, snapshots, volumes and launch templates here, of networks at moto."""

from __future__ import annotations

from typing import Any

from gbg_sandbox.service import AwsError, Call, runs
from gbg_sandbox.services.ec2.base import Ec2Operations
from gbg_sandbox.services.ec2.filters import page, select
from gbg_sandbox.services.ec2.launch import check_tag_keys
from gbg_sandbox.services.ec2.state import Tags

Params = dict[str, Any]

LIMIT = 50
KINDS = {"i": "instance", "ami": "image", "snap": "snapshot", "vol": "volume", "lt": "launch-template"}

NETWORKS = {
    "vpc": ("describe_vpcs", "Vpcs", "VpcId"),
    "subnet": ("describe_subnets", "Subnets", "SubnetId"),
    "internet-gateway": ("describe_internet_gateways", "InternetGateways", "InternetGatewayId"),
    "route-table": ("describe_route_tables", "RouteTables", "RouteTableId"),
    "security-group": ("describe_security_groups", "SecurityGroups", "GroupId"),
    "network-interface": ("describe_network_interfaces", "NetworkInterfaces", "NetworkInterfaceId"),
}
"""resource type → operation that lists them, and the keys of the list and of the id"""


class TagOperations(Ec2Operations):
    @runs
    def create_tags(self, call: Call, params: Params) -> None:
        tags = {tag["Key"]: tag.get("Value", "") for tag in params["Tags"]}
        check_tag_keys(tags, call.principal)
        own, others = self._split(params["Resources"])
        if others:
            self.records.ask("create_tags", Resources=others, Tags=params["Tags"])
        with self.state.lock:
            for present in own:
                if len(present.keys() | tags.keys()) > LIMIT:
                    raise AwsError("TagLimitExceeded", f"A resource has at most {LIMIT} tags.")
                present.update(tags)

    @runs
    def delete_tags(self, call: Call, params: Params) -> None:
        """A tag given with a value goes only when the value is the same; without tags all go."""
        own, others = self._split(params["Resources"])
        wanted = params.get("Tags")
        if others:
            self.records.ask("delete_tags", Resources=others, **({"Tags": wanted} if wanted else {}))
        with self.state.lock:
            for present in own:
                named = wanted or [{"Key": key} for key in present if not key.startswith("aws:")]
                check_tag_keys({tag["Key"]: "" for tag in named}, call.principal)
                for tag in named:
                    if "Value" not in tag or present.get(tag["Key"]) == tag["Value"]:
                        present.pop(tag["Key"], None)

    def _split(self, resources: list[str]) -> tuple[list[Tags], list[str]]:
        own: list[Tags] = []
        others: list[str] = []
        with self.state.lock:
            for resource in resources:
                tags = self.state.tags_of(resource)
                if tags is not None:
                    own.append(tags)
                elif resource.partition("-")[0] in KINDS:
                    raise AwsError("InvalidID", f"The ID '{resource}' is not valid")
                else:
                    others.append(resource)
        return own, others

    @runs
    def describe_tags(self, call: Call, params: Params) -> dict[str, Any]:
        found = [*self._own_tags(), *self._network_tags()]
        known = {
            "key": lambda tag: tag["Key"],
            "value": lambda tag: tag["Value"],
            "resource-id": lambda tag: tag["ResourceId"],
            "resource-type": lambda tag: tag["ResourceType"],
        }
        chosen, more = page(select(found, params.get("Filters"), known), params)
        return {"Tags": chosen, **more}

    def tagged_resources(self) -> dict[str, dict[str, str]]:
        found: dict[str, dict[str, str]] = {}
        for tag in [*self._own_tags(), *self._network_tags()]:
            arn = self.cloud.arn("ec2", f"{tag['ResourceType']}/{tag['ResourceId']}")
            found.setdefault(arn, {})[tag["Key"]] = tag["Value"]
        return found

    def _network_tags(self) -> list[dict[str, str]]:
        """moto's, which stay there when their resource is deleted."""
        tags: list[dict[str, str]] = self.records.ask("describe_tags")["Tags"]
        lists = [NETWORKS[kind] for kind in {tag["ResourceType"] for tag in tags} & NETWORKS.keys()]
        alive = {item[name] for operation, key, name in lists for item in self.records.ask(operation)[key]}
        return [tag for tag in tags if tag["ResourceType"] not in NETWORKS or tag["ResourceId"] in alive]

    def _own_tags(self) -> list[dict[str, str]]:
        state = self.state
        with state.lock:
            tagged: list[tuple[str, Tags]] = [
                (one.id, one.tags)
                for kept in (state.instances, state.images, state.snapshots, state.templates)
                for one in kept.values()
            ]
            tagged += [(volume.id, volume.tags) for volume in state.volumes()]
            return [
                {
                    "Key": key,
                    "Value": value,
                    "ResourceId": name,
                    "ResourceType": KINDS[name.partition("-")[0]],
                }
                for name, tags in tagged
                for key, value in tags.items()
            ]
