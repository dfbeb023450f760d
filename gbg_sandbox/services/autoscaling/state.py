"""What Auto Scaling remembers: groups with all that belongs to them; activities outlive their groups."""

from __future__ import annotations

import threading
import uuid
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from gbg_sandbox.service import AwsError

ACTING = "autoscaling.amazonaws.com"
"""the service that its service-linked role is for"""
PROCESSES = (
    "Launch",
    "Terminate",
    "AddToLoadBalancer",
    "AlarmNotification",
    "AZRebalance",
    "HealthCheck",
    "InstanceRefresh",
    "ReplaceUnhealthy",
    "ScheduledActions",
)
LAUNCHING = "autoscaling:EC2_INSTANCE_LAUNCHING"
TERMINATING = "autoscaling:EC2_INSTANCE_TERMINATING"


@dataclass(frozen=True)
class TemplateChoice:
    """The launch template as a group names it: `version` is a number, `$Latest` or `$Default`."""

    id: str
    name: str
    version: str


@dataclass(frozen=True)
class Tag:
    key: str
    value: str
    propagate: bool


@dataclass
class GroupInstance:
    id: str
    zone: str
    subnet: str
    instance_type: str
    image_id: str
    template: TemplateChoice
    """with the version's number"""
    launched: datetime
    state: str = "Pending"
    healthy: bool = True
    protected: bool = False
    in_service_since: datetime | None = None
    unhealthy_because: str = ""

    @property
    def counts(self) -> bool:
        """Whether it is part of the group's capacity."""
        return self.state in ("Pending", "Pending:Wait", "Pending:Proceed", "InService")

    @property
    def leaving(self) -> bool:
        return self.state.startswith(("Terminating", "Detaching"))


@dataclass(frozen=True)
class Hook:
    name: str
    transition: str
    default_result: str = "ABANDON"
    heartbeat_seconds: int = 3600
    """AWS seconds"""
    notification_target: str = ""
    role: str = ""
    metadata: str = ""

    @property
    def global_seconds(self) -> int:
        """How long heartbeats can keep an instance waiting: 48 hours or 100 heartbeats."""
        return min(172800, 100 * self.heartbeat_seconds)


@dataclass
class HookAction:
    """A hook that waits for one instance."""

    hook: Hook
    group: str
    instance_id: str
    deadline: float
    """on the monotonic clock"""
    last_deadline: float
    token: str = field(default_factory=lambda: str(uuid.uuid4()))
    result: str = ""
    why: str = ""


@dataclass
class Policy:
    name: str
    arn: str
    kind: str
    settings: dict[str, Any]
    """as PutScalingPolicy got them"""
    enabled: bool = True
    alarms: list[tuple[str, str]] = field(default_factory=list)
    """name and ARN of the alarms that target tracking made"""


@dataclass
class ScheduledAction:
    name: str
    arn: str
    start: datetime | None
    end: datetime | None
    recurrence: str
    time_zone: str
    sizes: dict[str, int]
    """MinSize, MaxSize, DesiredCapacity, as far as given"""
    next_run: datetime | None = None


@dataclass
class Activity:
    group: str
    group_arn: str
    description: str
    cause: str
    started: datetime
    details: dict[str, str]
    id: str = field(default_factory=lambda: str(uuid.uuid4()))
    instance_id: str = ""
    status: str = "InProgress"
    message: str = ""
    progress: int = 0
    ended: datetime | None = None


@dataclass
class Group:
    name: str
    arn: str
    created: datetime
    template: TemplateChoice
    min_size: int
    max_size: int
    desired: int
    subnets: dict[str, str]
    """subnet → its zone, in the order given"""
    service_linked_role: str
    cooldown_seconds: int = 300
    target_groups: list[str] = field(default_factory=list)
    health_check: str = "EC2"
    grace_seconds: int = 0
    termination_policies: list[str] = field(default_factory=lambda: ["Default"])
    protect_new: bool = False
    deletion_protection: str = "none"
    tags: dict[str, Tag] = field(default_factory=dict)
    kept: dict[str, Any] = field(default_factory=dict)
    """settings that change nothing here and are given back as they came"""
    suspended: dict[str, str] = field(default_factory=dict)
    hooks: dict[str, Hook] = field(default_factory=dict)
    policies: dict[str, Policy] = field(default_factory=dict)
    schedule: dict[str, ScheduledAction] = field(default_factory=dict)
    notifications: dict[str, list[str]] = field(default_factory=dict)
    """topic → notification types"""
    metrics: list[str] = field(default_factory=list)
    instances: dict[str, GroupInstance] = field(default_factory=dict)
    launching: dict[str, int] = field(default_factory=dict)
    """subnet → instances asked for that EC2 has not named yet"""
    deleting: bool = False
    reason: str = ""
    """why the desired capacity is what it is, in AWS's words"""
    replacements: int = 0
    """launches that stand for an instance lost to bad health"""
    failures: int = 0
    """launches that failed in a row"""
    retry_at: float = 0.0
    """on the monotonic clock"""
    scaled_at: datetime | None = None
    scaled_out_at: datetime | None = None

    @property
    def capacity(self) -> int:
        """Instances that count towards the desired capacity, and those being asked for."""
        return sum(one.counts for one in self.instances.values()) + sum(self.launching.values())

    @property
    def zones(self) -> list[str]:
        return sorted(set(self.subnets.values()))

    def runs(self, process: str) -> bool:
        return process not in self.suspended

    def hooks_of(self, transition: str) -> list[Hook]:
        return [hook for hook in self.hooks.values() if hook.transition == transition]


class AutoScalingState:
    """`changed` guards all and is notified of each change; never hold it during a call or real work."""

    def __init__(self) -> None:
        self.changed = threading.Condition(threading.RLock())
        self.groups: dict[str, Group] = {}
        self.activities: list[Activity] = []
        """oldest first, of deleted groups too"""
        self.actions: dict[str, HookAction] = {}
        """by token"""
        self.machine_states: dict[str, str] = {}
        """EC2's state of each instance that was seen changing"""

    def group(self, name: str) -> Group:
        if name not in self.groups:
            raise AwsError(
                "ValidationError", f"AutoScalingGroup name not found - AutoScalingGroup '{name}' not found"
            )
        return self.groups[name]

    def of_instance(self, instance_id: str) -> tuple[Group, GroupInstance]:
        for group in self.groups.values():
            if instance_id in group.instances:
                return group, group.instances[instance_id]
        raise AwsError(
            "ValidationError",
            f"Instance Id not found - No managed instance found for instance ID: {instance_id}",
        )

    def members(self, group: Group, ids: list[str]) -> list[GroupInstance]:
        """Instances of one group. Raises ValidationError for one that is not in it."""
        for instance_id in ids:
            if instance_id not in group.instances:
                raise AwsError(
                    "ValidationError",
                    f"The instance {instance_id} is not part of Auto Scaling group {group.name}.",
                )
        return [group.instances[one] for one in ids]

    def policy(self, arn: str) -> tuple[Group, Policy]:
        for group in self.groups.values():
            for policy in group.policies.values():
                if policy.arn == arn:
                    return group, policy
        raise AwsError("ValidationError", f"There is no scaling policy {arn}")


def exact_version(choice: TemplateChoice, number: int) -> TemplateChoice:
    return replace(choice, version=str(number))
