"""What CodeDeploy remembers: applications, groups, configurations and deployments with their targets."""

from __future__ import annotations

import copy
import secrets
import string
import threading
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from gbg_sandbox.service import AwsError

ENDED = frozenset({"Succeeded", "Failed", "Stopped"})
ID_LETTERS = string.ascii_uppercase + string.digits


def new_deployment_id() -> str:
    return "d-" + "".join(secrets.choice(ID_LETTERS) for _ in range(9))


@dataclass
class LifecycleEvent:
    name: str
    status: str = "Pending"
    started: datetime | None = None
    ended: datetime | None = None
    diagnostics: dict[str, str] | None = None


@dataclass
class Target:
    """One instance in a deployment."""

    instance_id: str
    label: str
    """Green, Blue, or empty in an in-place deployment"""
    events: list[LifecycleEvent]
    status: str = "Pending"
    updated: datetime | None = None

    def event(self, name: str) -> LifecycleEvent:
        return next(event for event in self.events if event.name == name)


@dataclass
class Revision:
    """A registered revision of an application."""

    location: dict[str, Any]
    description: str
    registered: datetime
    first_used: datetime | None = None
    last_used: datetime | None = None
    groups: set[str] = field(default_factory=set)


@dataclass
class Application:
    name: str
    created: datetime
    compute_platform: str
    id: str = field(default_factory=lambda: str(uuid.uuid4()))
    revisions: list[Revision] = field(default_factory=list)
    groups: dict[str, Group] = field(default_factory=dict)

    def revision(self, location: Mapping[str, Any]) -> Revision | None:
        return next((one for one in self.revisions if one.location == location), None)


@dataclass
class Group:
    """A deployment group; `settings` has the API's own names and shapes."""

    application: str
    name: str
    settings: dict[str, Any]
    hooks: dict[str, str] = field(default_factory=dict)
    """Auto Scaling group → the launch hook that CodeDeploy put on it"""
    id: str = field(default_factory=lambda: str(uuid.uuid4()))
    last_successful: Deployment | None = None
    last_attempted: Deployment | None = None
    target_revision: dict[str, Any] | None = None

    @property
    def role(self) -> str:
        return str(self.settings["serviceRoleArn"])

    @property
    def scaling_groups(self) -> list[str]:
        return list(self.settings.get("autoScalingGroups", []))

    @property
    def style(self) -> dict[str, str]:
        default = {"deploymentType": "IN_PLACE", "deploymentOption": "WITHOUT_TRAFFIC_CONTROL"}
        return {**default, **self.settings.get("deploymentStyle", {})}

    @property
    def blue_green(self) -> bool:
        return self.style["deploymentType"] == "BLUE_GREEN"

    @property
    def with_traffic(self) -> bool:
        return self.style["deploymentOption"] == "WITH_TRAFFIC_CONTROL"

    @property
    def target_groups(self) -> list[str]:
        """Names of the load balancer's target groups."""
        return [
            one["name"] for one in self.settings.get("loadBalancerInfo", {}).get("targetGroupInfoList", [])
        ]

    def blue_green_setting(self, name: str) -> dict[str, Any]:
        return dict(self.settings.get("blueGreenDeploymentConfiguration", {}).get(name, {}))


@dataclass(frozen=True)
class Config:
    """How many instances may be without the application at once."""

    name: str
    kind: str
    """HOST_COUNT or FLEET_PERCENT"""
    value: int
    created: datetime
    id: str = field(default_factory=lambda: str(uuid.uuid4()))

    def least_healthy(self, hosts: int) -> int:
        """Hosts that must stay healthy; one may always be worked on."""
        wanted = self.value if self.kind == "HOST_COUNT" else -(-hosts * self.value // 100)
        return max(0, min(wanted, hosts - 1))


@dataclass(frozen=True)
class Halt:
    """Why a deployment has to stop."""

    code: str
    message: str
    rollback: bool


@dataclass
class Deployment:
    id: str
    group: Group
    revision: dict[str, Any]
    config: Config
    creator: str
    created: datetime
    description: str = ""
    ignore_stop_failures: bool = False
    file_exists: str = "DISALLOW"
    alarms: dict[str, Any] = field(default_factory=dict)
    override_alarms: dict[str, Any] | None = None
    rollback: dict[str, Any] = field(default_factory=dict)
    status: str = "Created"
    started: datetime | None = None
    completed: datetime | None = None
    error: tuple[str, str] | None = None
    targets: list[Target] = field(default_factory=list)
    previous_revision: dict[str, Any] | None = None
    rollback_info: dict[str, str] = field(default_factory=dict)
    termination_wait_started: bool = False
    messages: list[str] = field(default_factory=list)
    style: dict[str, str] = field(default_factory=dict)
    blue_group: str = ""
    green_group: str = ""
    only_instance: str = ""
    """the one instance of a deployment that Auto Scaling asked for"""
    halt: Halt | None = None
    continued: set[str] = field(default_factory=set)
    """READY_WAIT, TERMINATION_WAIT: waits that somebody has ended"""
    settings: dict[str, Any] = field(default_factory=dict)
    """the group's settings when the deployment began"""

    @property
    def ended(self) -> bool:
        return self.status in ENDED

    def labelled(self, label: str) -> list[Target]:
        return [target for target in self.targets if target.label == label]

    def target(self, instance_id: str) -> Target | None:
        return next((one for one in self.targets if one.instance_id == instance_id), None)


class Registry:
    """Everything, behind one lock that is never held while something waits."""

    def __init__(self) -> None:
        self.lock = threading.RLock()
        self.applications: dict[str, Application] = {}
        self.configs: dict[str, Config] = {}
        self.deployments: dict[str, Deployment] = {}
        self.tags: dict[str, dict[str, str]] = {}

    def forget_tags(self, arn: str) -> None:
        """They go with what carries them: another of the same name begins without any."""
        self.tags.pop(arn, None)

    def application(self, name: str) -> Application:
        if name not in self.applications:
            raise AwsError("ApplicationDoesNotExistException", f"No application found for name: {name}")
        return self.applications[name]

    def group(self, application: str, name: str) -> Group:
        groups = self.application(application).groups
        if name not in groups:
            raise AwsError(
                "DeploymentGroupDoesNotExistException", f"No Deployment Group found for name: {name}"
            )
        return groups[name]

    def config(self, name: str) -> Config:
        if name not in self.configs:
            raise AwsError(
                "DeploymentConfigDoesNotExistException", f"No Deployment Configuration found for name: {name}"
            )
        return self.configs[name]

    def deployment(self, deployment_id: str) -> Deployment:
        if not deployment_id:
            raise AwsError("DeploymentIdRequiredException", "The deployment ID was not specified.")
        if deployment_id not in self.deployments:
            message = f"The deployment {deployment_id} could not be found"
            raise AwsError("DeploymentDoesNotExistException", message)
        return self.deployments[deployment_id]

    def active(self, group: Group) -> Deployment | None:
        """The deployment that runs in this group now."""
        return next((one for one in self.deployments.values() if one.group is group and not one.ended), None)

    def groups_of(self, scaling_group: str) -> list[Group]:
        with self.lock:
            return [
                group
                for application in self.applications.values()
                for group in application.groups.values()
                if scaling_group in group.scaling_groups
            ]

    def add(self, deployment: Deployment) -> Deployment:
        """Keep a new deployment; one at a time in a group, but any number that Auto Scaling asked for."""
        with self.lock:
            active = self.active(deployment.group)
            if active is not None and not deployment.only_instance and not active.only_instance:
                raise AwsError(
                    "DeploymentLimitExceededException",
                    f"The Deployment Group '{deployment.group.name}' already has an active Deployment "
                    f"'{active.id}'",
                )
            deployment.settings = copy.deepcopy(deployment.group.settings)
            self.deployments[deployment.id] = deployment
        return deployment
