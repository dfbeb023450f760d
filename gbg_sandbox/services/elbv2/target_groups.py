"""Operations on target groups and their targets."""

from __future__ import annotations

from typing import Any

from gbg_sandbox.service import AwsError, Call, modelled, runs
from gbg_sandbox.services.elbv2.attributes import TARGET_GROUP_DEFAULTS, changed, listed
from gbg_sandbox.services.elbv2.base import Elbv2Base, check_name, invalid, paged, refuse, tags_of
from gbg_sandbox.services.elbv2.health import MATCHER
from gbg_sandbox.services.elbv2.state import Key, Target, TargetGroup, new_id

HEALTH_DEFAULTS: dict[str, Any] = {
    "HealthCheckPort": "traffic-port",
    "HealthCheckPath": "/",
    "HealthCheckIntervalSeconds": 30,
    "HealthCheckTimeoutSeconds": 5,
    "HealthyThresholdCount": 5,
    "UnhealthyThresholdCount": 2,
    "Matcher": {"HttpCode": "200"},
}
HEALTH_RANGES = {
    "HealthCheckIntervalSeconds": range(5, 301),
    "HealthCheckTimeoutSeconds": range(2, 121),
    "HealthyThresholdCount": range(2, 11),
    "UnhealthyThresholdCount": range(2, 11),
}


class TargetGroups(Elbv2Base):
    @runs
    def create_target_group(self, call: Call, params: dict[str, Any]) -> dict[str, Any]:
        check_name(params["Name"], "Target group")
        _check_kind(params)
        for required in ("Port", "VpcId"):
            if not params.get(required):
                raise invalid(f"A {'port' if required == 'Port' else 'VPC ID'} must be specified")
        self._check_vpc(params["VpcId"])
        health = _health(HEALTH_DEFAULTS, params)
        with self.lock:
            existing = next((one for one in self.records.groups.values() if one.name == params["Name"]), None)
            if existing is not None:
                raise AwsError(
                    "DuplicateTargetGroupName",
                    f"A target group with the same name '{existing.name}' exists, but with different "
                    "settings",
                )
            made = TargetGroup(
                self.cloud.arn("elasticloadbalancing", f"targetgroup/{params['Name']}/{new_id()}"),
                params["Name"],
                params["Port"],
                params["VpcId"],
                **health,
                attributes=dict(TARGET_GROUP_DEFAULTS),
                tags=tags_of(params),
            )
            self.records.groups[made.arn] = made
            return {"TargetGroups": [made.described([])]}

    def _check_vpc(self, vpc: str) -> None:
        filters = [{"Name": "vpc-id", "Values": [vpc]}]
        if not self.cloud.client("ec2").describe_vpcs(Filters=filters)["Vpcs"]:
            raise invalid(f"The VPC ID '{vpc}' is not found")

    @modelled
    def describe_target_groups(self, call: Call, params: dict[str, Any]) -> dict[str, Any]:
        with self.lock:
            found = list(self.records.groups.values())
            if params.get("TargetGroupArns"):
                found = [self.records.group(arn) for arn in params["TargetGroupArns"]]
            if params.get("Names"):
                if set(params["Names"]) - {one.name for one in found}:
                    raise AwsError("TargetGroupNotFound", "One or more target groups not found")
                found = [one for one in found if one.name in params["Names"]]
            if params.get("LoadBalancerArn"):
                used = self.records.load_balancer(params["LoadBalancerArn"]).target_groups()
                found = [one for one in found if one.arn in used]
            return paged("TargetGroups", [self._described(one) for one in found], params)

    def _described(self, group: TargetGroup) -> dict[str, Any]:
        return group.described([one.arn for one in self.records.users(group.arn)])

    @runs
    def modify_target_group(self, call: Call, params: dict[str, Any]) -> dict[str, Any]:
        _check_kind(params)
        with self.lock:
            group = self.records.group(params["TargetGroupArn"])
            health = _health(self._described(group), params)
            for name, value in health.items():
                setattr(group, name, value)
            return {"TargetGroups": [self._described(group)]}

    @runs
    def delete_target_group(self, call: Call, params: dict[str, Any]) -> None:
        arn = params["TargetGroupArn"]
        with self.lock:
            if self.records.users(arn):
                raise AwsError(
                    "ResourceInUse", f"Target group '{arn}' is currently in use by a listener or a rule"
                )
            group = self.records.groups.pop(arn, None)
            for target in group.targets.values() if group else ():
                target.rest("Target.NotRegistered", "Target is not registered to the target group")

    @modelled
    def describe_target_group_attributes(self, call: Call, params: dict[str, Any]) -> dict[str, Any]:
        with self.lock:
            return {"Attributes": listed(self.records.group(params["TargetGroupArn"]).attributes)}

    @runs
    def modify_target_group_attributes(self, call: Call, params: dict[str, Any]) -> dict[str, Any]:
        with self.lock:
            group = self.records.group(params["TargetGroupArn"])
            before = group.attributes
            group.attributes = changed(before, TARGET_GROUP_DEFAULTS, params["Attributes"])
            algorithm = "load_balancing.algorithm.type"
            other = before[algorithm] != group.attributes[algorithm]
            users = self.records.users(group.arn) if other else []
        for user in users:
            self.engine.apply_rules(user)
        return {"Attributes": listed(group.attributes)}

    @runs
    def register_targets(self, call: Call, params: dict[str, Any]) -> dict[str, Any]:
        with self.lock:
            group = self.records.group(params["TargetGroupArn"])
        self.engine.register(group, self._targets(group, params["Targets"]))
        return {}

    def _targets(self, group: TargetGroup, wanted: list[dict[str, Any]]) -> list[Target]:
        """The running instances asked for. Raises AwsError when one can't be a target."""
        for one in wanted:
            refuse(one, "AvailabilityZone", "QuicServerId")
        ids = sorted({one["Id"] for one in wanted})
        filters = [{"Name": "instance-id", "Values": ids}]
        pages = self.cloud.client("ec2").get_paginator("describe_instances").paginate(Filters=filters)
        found = {
            instance["InstanceId"]: instance
            for page in pages
            for reservation in page["Reservations"]
            for instance in reservation["Instances"]
        }
        _none("The following targets do not exist", [one for one in ids if one not in found])
        outside = [one for one in ids if found[one].get("VpcId") != group.vpc_id]
        _none(f"The following targets are not in the target group VPC '{group.vpc_id}'", outside)
        idle = [one for one in ids if found[one]["State"]["Name"] != "running"]
        _none("The following targets are not in a running state and cannot be registered", idle)
        return [
            Target(
                one["Id"],
                one.get("Port", group.port),
                found[one["Id"]]["PrivateIpAddress"],
                found[one["Id"]]["Placement"]["AvailabilityZone"],
            )
            for one in wanted
        ]

    @runs
    def deregister_targets(self, call: Call, params: dict[str, Any]) -> dict[str, Any]:
        with self.lock:
            group = self.records.group(params["TargetGroupArn"])
            keys = [key for one in params["Targets"] for key in _keys(group, one)]
        self.engine.deregister(group, keys)
        return {}

    @runs
    def describe_target_health(self, call: Call, params: dict[str, Any]) -> dict[str, Any]:
        with self.lock:
            group = self.records.group(params["TargetGroupArn"])
            if not params.get("Targets"):
                return {
                    "TargetHealthDescriptions": [_described(group, one) for one in group.targets.values()]
                }
            told: list[dict[str, Any]] = []
            for one in params["Targets"]:
                keys = _keys(group, one)
                told += [_described(group, group.targets[key]) for key in keys] or [_unknown(group, one)]
            return {"TargetHealthDescriptions": told}


def _keys(group: TargetGroup, wanted: dict[str, Any]) -> list[Key]:
    """The registered targets meant; without a port, all of the instance."""
    return [
        key
        for key in group.targets
        if key[0] == wanted["Id"] and ("Port" not in wanted or key[1] == wanted["Port"])
    ]


def _described(group: TargetGroup, target: Target) -> dict[str, Any]:
    told = {"State": target.state, "Reason": target.reason, "Description": target.description}
    port = str(target.port) if group.health_port == "traffic-port" else group.health_port
    return {
        "Target": {"Id": target.instance_id, "Port": target.port},
        "HealthCheckPort": port,
        "TargetHealth": {key: value for key, value in told.items() if value},
    }


def _unknown(group: TargetGroup, wanted: dict[str, Any]) -> dict[str, Any]:
    return {
        "Target": {"Id": wanted["Id"], "Port": wanted.get("Port", group.port)},
        "TargetHealth": {
            "State": "unused",
            "Reason": "Target.NotRegistered",
            "Description": "Target is not registered to the target group",
        },
    }


def _none(complaint: str, targets: list[str]) -> None:
    if targets:
        listed_targets = ", ".join(f"'{one}'" for one in targets)
        raise AwsError("InvalidTarget", f"{complaint}: {listed_targets}")


def _check_kind(params: dict[str, Any]) -> None:
    only = {
        "TargetType": "instance",
        "Protocol": "HTTP",
        "ProtocolVersion": "HTTP1",
        "IpAddressType": "ipv4",
        "HealthCheckProtocol": "HTTP",
        "HealthCheckEnabled": True,
    }
    for name, value in only.items():
        if params.get(name, value) != value:
            raise invalid(f"gbg_sandbox runs target groups with {name} {value}, not {params[name]}")
    refuse(params, "TargetControlPort")


def _health(present: dict[str, Any], params: dict[str, Any]) -> dict[str, Any]:
    """The health check's settings after a change, by the names that the target group has for them."""
    wanted = {name: params.get(name, present[name]) for name in HEALTH_DEFAULTS}
    for name, limits in HEALTH_RANGES.items():
        if wanted[name] not in limits:
            raise invalid(f"{name} '{wanted[name]}' must be between {limits.start} and {limits.stop - 1}")
    if wanted["HealthCheckTimeoutSeconds"] >= wanted["HealthCheckIntervalSeconds"]:
        raise invalid(
            f"Health check timeout '{wanted['HealthCheckTimeoutSeconds']}' must be smaller than the interval "
            f"'{wanted['HealthCheckIntervalSeconds']}'"
        )
    matcher = wanted["Matcher"].get("HttpCode", "")
    if not MATCHER.fullmatch(matcher):
        raise invalid(f"Health check matcher HTTP code '{matcher}' is not valid")
    if not wanted["HealthCheckPath"].startswith("/"):
        raise invalid(f"Health check path '{wanted['HealthCheckPath']}' must begin with '/'")
    port = wanted["HealthCheckPort"]
    if port != "traffic-port" and not (port.isdecimal() and 1 <= int(port) <= 65535):
        raise invalid(f"Health check port '{port}' must be either 'traffic-port' or a port")
    return {
        "health_port": port,
        "health_path": wanted["HealthCheckPath"],
        "interval_seconds": wanted["HealthCheckIntervalSeconds"],
        "timeout_seconds": wanted["HealthCheckTimeoutSeconds"],
        "healthy_threshold": wanted["HealthyThresholdCount"],
        "unhealthy_threshold": wanted["UnhealthyThresholdCount"],
        "matcher": matcher,
    }
