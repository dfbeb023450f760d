"""Load balancers, target groups, targets, listeners, rules. Whoever touches them holds the lock."""

from __future__ import annotations

import secrets
import socket
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from gbg_sandbox.service import AwsError

Key = tuple[str, int]
"""a target: instance id and port"""
Samples = list[tuple[int, int]]
"""how many targets were healthy, and how many unhealthy"""
NOT_IN_USE = (
    "Target.NotInUse",
    "Target group is not configured to receive traffic from the load balancer",
)


@dataclass
class Target:
    instance_id: str
    port: int
    address: str
    zone: str
    state: str = "unused"
    """initial | healthy | unhealthy | draining | unused"""
    reason: str = NOT_IN_USE[0]
    description: str = NOT_IN_USE[1]
    passed: int = 0
    """checks passed in a row"""
    failed: int = 0
    """checks failed in a row"""
    round: int = 0
    """counts up whenever it is put in or taken out, so that a watcher knows its time is over"""

    @property
    def key(self) -> Key:
        return self.instance_id, self.port

    @property
    def server(self) -> str:
        """Its name at the proxy."""
        return f"{self.instance_id}:{self.port}"

    @property
    def can_serve(self) -> bool:
        """Whether a proxy that still knows its group may send it requests."""
        return self.state != "unused" or self.reason == NOT_IN_USE[0]

    def begin(self) -> None:
        """Wait for the first checks."""
        self.round += 1
        self.passed = self.failed = 0
        self.move("initial", "Elb.RegistrationInProgress", "Target registration is in progress")

    def rest(self, reason: str, description: str) -> None:
        """Get no requests and no checks."""
        self.round += 1
        self.move("unused", reason, description)

    def move(self, state: str, reason: str = "", description: str = "") -> bool:
        """Take a new state; False when it was the state already."""
        changed = state != self.state
        self.state, self.reason, self.description = state, reason, description
        return changed


@dataclass
class TargetGroup:
    arn: str
    name: str
    port: int
    vpc_id: str
    health_port: str
    health_path: str
    interval_seconds: int
    timeout_seconds: int
    healthy_threshold: int
    unhealthy_threshold: int
    matcher: str
    attributes: dict[str, str]
    tags: dict[str, str]
    targets: dict[Key, Target] = field(default_factory=dict)
    sampled: Samples = field(default_factory=list)
    """since they were told last"""

    def sample(self) -> None:
        states = [target.state for target in self.targets.values()]
        self.sampled.append((states.count("healthy"), states.count("unhealthy")))

    def samples(self) -> Samples:
        """Those after each change since this was asked last, and what is now."""
        self.sample()
        found, self.sampled = self.sampled, []
        return found

    @property
    def dimension(self) -> str:
        return self.arn.rpartition(":")[2]

    @property
    def backend(self) -> str:
        """Its name at the proxy."""
        return self.arn.rpartition("/")[2]

    @property
    def deregistration_delay(self) -> int:
        return int(self.attributes["deregistration_delay.timeout_seconds"])

    def described(self, load_balancers: Sequence[str]) -> dict[str, Any]:
        return {
            "TargetGroupArn": self.arn,
            "TargetGroupName": self.name,
            "Protocol": "HTTP",
            "ProtocolVersion": "HTTP1",
            "Port": self.port,
            "VpcId": self.vpc_id,
            "TargetType": "instance",
            "IpAddressType": "ipv4",
            "HealthCheckEnabled": True,
            "HealthCheckProtocol": "HTTP",
            "HealthCheckPort": self.health_port,
            "HealthCheckPath": self.health_path,
            "HealthCheckIntervalSeconds": self.interval_seconds,
            "HealthCheckTimeoutSeconds": self.timeout_seconds,
            "HealthyThresholdCount": self.healthy_threshold,
            "UnhealthyThresholdCount": self.unhealthy_threshold,
            "Matcher": {"HttpCode": self.matcher},
            "LoadBalancerArns": list(load_balancers),
        }


@dataclass
class Rule:
    arn: str
    priority: int
    """0 for the default rule"""
    conditions: list[dict[str, Any]]
    actions: list[dict[str, Any]]
    tags: dict[str, str] = field(default_factory=dict)

    @property
    def is_default(self) -> bool:
        return self.priority == 0

    def described(self) -> dict[str, Any]:
        return {
            "RuleArn": self.arn,
            "Priority": "default" if self.is_default else str(self.priority),
            "Conditions": self.conditions,
            "Actions": self.actions,
            "IsDefault": self.is_default,
        }

    def target_groups(self) -> Iterator[str]:
        for action in self.actions:
            for one in action.get("ForwardConfig", {}).get("TargetGroups", []):
                yield one["TargetGroupArn"]


@dataclass
class Listener:
    arn: str
    load_balancer_arn: str
    port: int
    rules: list[Rule]
    """the default rule is the last"""
    tags: dict[str, str] = field(default_factory=dict)

    @property
    def default(self) -> Rule:
        return self.rules[-1]

    def described(self) -> dict[str, Any]:
        return {
            "ListenerArn": self.arn,
            "LoadBalancerArn": self.load_balancer_arn,
            "Port": self.port,
            "Protocol": "HTTP",
            "DefaultActions": self.default.actions,
        }

    def sort_rules(self) -> None:
        self.rules.sort(key=lambda rule: (rule.is_default, rule.priority))


@dataclass
class LoadBalancer:
    arn: str
    name: str
    scheme: str
    vpc_id: str
    zones: list[tuple[str, str]]
    """zone name, subnet id"""
    security_groups: list[str]
    socket: socket.socket
    """bound to its address on the host; it listens while there is a listener"""
    created: datetime
    attributes: dict[str, str]
    tags: dict[str, str]
    state: str = "provisioning"
    listener: Listener | None = None

    @property
    def id(self) -> str:
        return self.arn.rpartition("/")[2]

    @property
    def dimension(self) -> str:
        return self.arn.partition(":loadbalancer/")[2]

    @property
    def host_port(self) -> int:
        return int(self.socket.getsockname()[1])

    def target_groups(self) -> list[str]:
        """ARNs of the target groups that a rule names, each once."""
        if self.listener is None:
            return []
        return list(dict.fromkeys(arn for rule in self.listener.rules for arn in rule.target_groups()))

    def described(self) -> dict[str, Any]:
        return {
            "LoadBalancerArn": self.arn,
            "LoadBalancerName": self.name,
            "DNSName": f"localhost:{self.host_port}",
            "CanonicalHostedZoneId": "Z35SXDOTRQ7X7K",
            "CreatedTime": self.created,
            "Scheme": self.scheme,
            "VpcId": self.vpc_id,
            "State": {"Code": self.state},
            "Type": "application",
            "AvailabilityZones": [
                {"ZoneName": zone, "SubnetId": subnet, "LoadBalancerAddresses": []}
                for zone, subnet in self.zones
            ],
            "SecurityGroups": self.security_groups,
            "IpAddressType": "ipv4",
        }


class Records:
    def __init__(self) -> None:
        self.load_balancers: dict[str, LoadBalancer] = {}
        self.groups: dict[str, TargetGroup] = {}

    def load_balancer(self, arn: str) -> LoadBalancer:
        if arn not in self.load_balancers:
            raise AwsError("LoadBalancerNotFound", f"Load balancer '{arn}' not found")
        return self.load_balancers[arn]

    def group(self, arn: str) -> TargetGroup:
        if arn not in self.groups:
            raise AwsError("TargetGroupNotFound", "One or more target groups not found")
        return self.groups[arn]

    def listeners(self) -> list[Listener]:
        return [one.listener for one in self.load_balancers.values() if one.listener is not None]

    def listener(self, arn: str) -> Listener:
        for listener in self.listeners():
            if listener.arn == arn:
                return listener
        raise AwsError("ListenerNotFound", "One or more listeners not found")

    def rule(self, arn: str) -> tuple[Listener, Rule]:
        for listener in self.listeners():
            for rule in listener.rules:
                if rule.arn == arn:
                    return listener, rule
        raise AwsError("RuleNotFound", "One or more rules not found")

    def users(self, group_arn: str) -> list[LoadBalancer]:
        """The load balancers that send requests to this group."""
        return [one for one in self.load_balancers.values() if group_arn in one.target_groups()]

    def tagged(self, arn: str) -> dict[str, str]:
        """The tags of whatever carries this ARN, to be changed in place."""
        if ":loadbalancer/" in arn:
            return self.load_balancer(arn).tags
        if ":targetgroup/" in arn:
            return self.group(arn).tags
        if ":listener-rule/" in arn:
            return self.rule(arn)[1].tags
        return self.listener(arn).tags


def new_id() -> str:
    return secrets.token_hex(8)


def bound_socket(port: int = 0) -> socket.socket:
    """A socket on the host's loopback address that does not listen yet, so that connections are refused.

    IPPROTO_TCP is said aloud: without it a proxy may leave Nagle's algorithm on for what it accepts.
    """
    made = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    made.bind(("127.0.0.1", port))
    return made
