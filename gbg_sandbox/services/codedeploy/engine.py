"""Starts deployments, ends them, rolls them back, and deploys to what Auto Scaling launches."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from gbg_sandbox.services.codedeploy.alarms import Alarms
from gbg_sandbox.services.codedeploy.announce import Announcer
from gbg_sandbox.services.codedeploy.commands import CommandQueue
from gbg_sandbox.services.codedeploy.failures import DeploymentFailed
from gbg_sandbox.services.codedeploy.fleet import HOOK_PREFIX, Fleets
from gbg_sandbox.services.codedeploy.hooks import LaunchHooks
from gbg_sandbox.services.codedeploy.hosts import Limits
from gbg_sandbox.services.codedeploy.role import ServiceRole
from gbg_sandbox.services.codedeploy.state import (
    Config,
    Deployment,
    Group,
    Registry,
    Revision,
    new_deployment_id,
)
from gbg_sandbox.services.codedeploy.workflow import BackToBlue, BlueGreen, InPlace, Workflow

if TYPE_CHECKING:
    from gbg_sandbox.cloud import Cloud
    from gbg_sandbox.events import Event

log = logging.getLogger(__name__)

NO_ALARMS: dict[str, Any] = {"enabled": False, "ignorePollAlarmFailure": False, "alarms": []}
NOTHING_TO_GO_BACK_TO = (
    "The deployment was not rolled back: no deployment to this group has succeeded before."
)


class Engine:
    def __init__(self, cloud: Cloud, registry: Registry) -> None:
        self.cloud = cloud
        self.registry = registry
        self.commands = CommandQueue()
        self.announcer = Announcer(cloud)
        self.alarms = Alarms(cloud)
        self.hooks = LaunchHooks()
        self.limits = Limits()

    def create(
        self, group: Group, revision: dict[str, Any], config: Config, creator: str, **fields: Any
    ) -> Deployment:
        """A deployment, kept and not begun. Raises AwsError when the group has one already."""
        rollback = fields.pop("rollback", None) or group.settings.get("autoRollbackConfiguration", {})
        override = fields.pop("override_alarms", None)
        style = dict(group.style)
        if fields.get("only_instance"):
            style = {"deploymentType": "IN_PLACE", "deploymentOption": "WITHOUT_TRAFFIC_CONTROL"}
        deployment = Deployment(
            id=new_deployment_id(),
            group=group,
            revision=revision,
            config=config,
            creator=creator,
            created=self.cloud.clock.now(),
            alarms=override if override is not None else group.settings.get("alarmConfiguration", {}),
            override_alarms=override,
            rollback=rollback,
            previous_revision=group.last_successful.revision if group.last_successful else None,
            style=style,
            **fields,
        )
        if style["deploymentType"] == "BLUE_GREEN" and not deployment.blue_group:
            deployment.blue_group = next(iter(group.scaling_groups), "")
        self.registry.add(deployment)
        group.last_attempted = deployment
        self._use(group, revision)
        return deployment

    def start(self, deployment: Deployment) -> None:
        self.cloud.spawn(f"codedeploy {deployment.id}", self._workflow(deployment).run)

    def _workflow(self, deployment: Deployment) -> Workflow:
        if deployment.style["deploymentType"] != "BLUE_GREEN":
            return InPlace(self, deployment)
        if deployment.green_group:
            return BackToBlue(self, deployment)
        return BlueGreen(self, deployment)

    def _use(self, group: Group, location: dict[str, Any]) -> None:
        """Register the revision, if it is new, as used by this group."""
        now = self.cloud.clock.now()
        with self.registry.lock:
            application = self.registry.application(group.application)
            found = application.revision(location)
            if found is None:
                found = Revision(location, "Application revision registered by Deployment", now)
                application.revisions.append(found)
            found.first_used = found.first_used or now
            found.last_used = now
            found.groups.add(group.name)

    def has_revision(self, instance_id: str) -> bool:
        """Whether a deployment has ever succeeded in installing on this instance."""
        with self.registry.lock:
            return any(
                event.name == "Install" and event.status == "Succeeded"
                for deployment in self.registry.deployments.values()
                for target in deployment.targets
                if target.instance_id == instance_id
                for event in target.events
            )

    def ended(self, deployment: Deployment, status: str) -> None:
        """The deployment's last act: keep its result, and roll back where that is wanted."""
        group = deployment.group
        wanted = status != "Succeeded" and self._to_roll_back(deployment, status)
        blue_lives = wanted and bool(deployment.green_group) and self._lives(group, deployment.blue_group)
        with self.registry.lock:
            deployment.status = status
            if status == "Succeeded":
                group.last_successful = deployment
                group.target_revision = deployment.revision
            rollback = self._roll_back(deployment, blue_lives) if wanted else None
        if rollback is not None:
            self.announcer.deployment(deployment, "ROLLBACK")
            self.start(rollback)

    @staticmethod
    def _to_roll_back(deployment: Deployment, status: str) -> bool:
        if deployment.creator == "codeDeployRollback" or deployment.only_instance:
            return False
        if status == "Stopped":
            return deployment.halt is not None and deployment.halt.rollback
        wanted = deployment.rollback
        return bool(wanted.get("enabled")) and "DEPLOYMENT_FAILURE" in wanted.get("events", [])

    def _roll_back(self, failed: Deployment, blue_lives: bool) -> Deployment | None:
        """A deployment of the last good revision: to the originals while they live, else to a new fleet."""
        good = failed.group.last_successful
        if good is None:
            failed.rollback_info = {"rollbackMessage": NOTHING_TO_GO_BACK_TO}
            return None
        groups = {"blue_group": failed.blue_group, "green_group": failed.green_group} if blue_lives else {}
        deployment = self.create(
            failed.group,
            good.revision,
            failed.config,
            "codeDeployRollback",
            description=f"Back to the revision of {good.id}, as deployment {failed.id} did not succeed.",
            rollback_info={
                "rollbackTriggeringDeploymentId": failed.id,
                "rollbackMessage": f"Rolled back from {failed.id} to the revision of {good.id}.",
            },
            override_alarms=NO_ALARMS,
            file_exists="OVERWRITE",
            **groups,
        )
        failed.rollback_info = {
            "rollbackDeploymentId": deployment.id,
            "rollbackMessage": f"Rolled back by deployment {deployment.id}.",
        }
        return deployment

    def _lives(self, group: Group, name: str) -> bool:
        fleets = Fleets(ServiceRole(self.cloud, group.role, "rollback"))
        try:
            found = fleets.find(name)
        except (DeploymentFailed, ClientError):
            return False
        return found is not None and not str(found.get("Status", "")).startswith("Delete")

    def on_event(self, event: Event) -> None:
        """Auto Scaling has launched an instance and waits for CodeDeploy."""
        if event.detail_type != "EC2 Instance-launch Lifecycle Action":
            return
        if str(event.detail.get("LifecycleHookName", "")).startswith(HOOK_PREFIX):
            name = f"codedeploy launch {event.detail.get('EC2InstanceId')}"
            self.cloud.spawn(name, self._launched, dict(event.detail))

    def _launched(self, detail: Mapping[str, Any]) -> None:
        name, hook = detail["AutoScalingGroupName"], detail["LifecycleHookName"]
        for group in self.registry.groups_of(name):
            if group.hooks.get(name) != hook:
                continue
            result = "CONTINUE" if self._deploy_to(group, detail["EC2InstanceId"]) else "ABANDON"
            fleets = Fleets(ServiceRole(self.cloud, group.role, "autoscaling"))
            fleets.complete_launch(name, hook, detail["EC2InstanceId"], result)

    def _deploy_to(self, group: Group, instance_id: str) -> bool:
        """Bring the last good revision onto a new instance; nothing to do when there is none."""
        good = group.last_successful
        if good is None:
            return True
        deployment = self.create(
            group,
            good.revision,
            good.config,
            "autoscaling",
            only_instance=instance_id,
            file_exists="OVERWRITE",
            override_alarms=NO_ALARMS,
            rollback={"enabled": False, "events": []},
        )
        self._workflow(deployment).run()
        return deployment.status == "Succeeded"
