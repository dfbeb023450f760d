"""An instance's way into its group: launched, running, hooks passed, in the load balancer, in service."""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from gbg_sandbox.services.autoscaling.activities import Activities
from gbg_sandbox.services.autoscaling.hooks import Hooks, Patience
from gbg_sandbox.services.autoscaling.state import (
    ACTING,
    LAUNCHING,
    Activity,
    AutoScalingState,
    Group,
    GroupInstance,
    exact_version,
)
from gbg_sandbox.services.autoscaling.targets import Targets

if TYPE_CHECKING:
    from gbg_sandbox.cloud import Cloud

log = logging.getLogger(__name__)

RETRY_AWS_SECONDS = 30
RETRY_LIMIT_AWS_SECONDS = 900
RETRY_REAL_FLOOR_SECONDS = 0.5
GROUP_TAG = "aws:autoscaling:groupName"


@dataclass(frozen=True)
class Launch:
    """Instances to start in one subnet; a cause for each."""

    subnet: str
    zone: str
    causes: tuple[str, ...]


def in_subnet(template_data: Mapping[str, Any], subnet: str) -> dict[str, Any]:
    """The parameters of RunInstances that put a template's instance into a subnet."""
    interfaces = template_data.get("NetworkInterfaces")
    if interfaces:
        return {"NetworkInterfaces": [{**interfaces[0], "SubnetId": subnet}]}
    return {"SubnetId": subnet}


class Entering:
    def __init__(
        self,
        cloud: Cloud,
        state: AutoScalingState,
        activities: Activities,
        hooks: Hooks,
        targets: Targets,
        patience: Patience,
    ) -> None:
        self._cloud = cloud
        self._state = state
        self._activities = activities
        self._hooks = hooks
        self._targets = targets
        self._patience = patience

    def launch(self, group: Group, launch: Launch) -> None:
        """Ask EC2 for the instances and bring each in, in a thread of its own."""
        ec2: Any = self._cloud.client("ec2", acting=ACTING)
        try:
            made = ec2.run_instances(**self._request(ec2, group, launch))["Instances"]
        except ClientError as error:
            self._failed(group, launch, error.response["Error"]["Message"])
            return
        for described, cause in zip(made, launch.causes, strict=True):
            instance, activity = self._take_up(group, launch, described, cause)
            self._cloud.spawn(f"{group.name} {instance.id} in", self._bring_in, group, instance, activity)

    def _request(self, ec2: Any, group: Group, launch: Launch) -> dict[str, Any]:
        with self._state.changed:
            tags = {tag.key: tag.value for tag in group.tags.values() if tag.propagate}
            template = {
                "LaunchTemplateId": group.template.id,
                "Version": group.template.version or "$Default",
            }
        tags[GROUP_TAG] = group.name
        found = ec2.describe_launch_template_versions(
            LaunchTemplateId=template["LaunchTemplateId"], Versions=[template["Version"]]
        )["LaunchTemplateVersions"][0]
        return {
            "LaunchTemplate": template,
            "MinCount": len(launch.causes),
            "MaxCount": len(launch.causes),
            "TagSpecifications": [
                {
                    "ResourceType": "instance",
                    "Tags": [{"Key": key, "Value": value} for key, value in tags.items()],
                }
            ],
            **in_subnet(found["LaunchTemplateData"], launch.subnet),
        }

    def _take_up(
        self, group: Group, launch: Launch, described: dict[str, Any], cause: str
    ) -> tuple[GroupInstance, Activity]:
        tags = {tag["Key"]: tag["Value"] for tag in described["Tags"]}
        with self._state.changed:
            instance = GroupInstance(
                id=described["InstanceId"],
                zone=launch.zone,
                subnet=launch.subnet,
                instance_type=described["InstanceType"],
                image_id=described["ImageId"],
                template=exact_version(group.template, int(tags["aws:ec2launchtemplate:version"])),
                launched=described["LaunchTime"],
                protected=group.protect_new,
            )
            group.launching[launch.subnet] -= 1
            group.instances[instance.id] = instance
            text = f"Launching a new EC2 instance: {instance.id}"
            activity = self._activities.begin(group, text, cause, launch.subnet, launch.zone)
            activity.instance_id = instance.id
            activity.progress = 30
            self._state.changed.notify_all()
        return instance, activity

    def _failed(self, group: Group, launch: Launch, message: str) -> None:
        with self._state.changed:
            group.launching[launch.subnet] -= len(launch.causes)
            text = f"Launching a new EC2 instance.  Status Reason: {message} Launching EC2 instance failed."
            activity = self._activities.begin(group, text, launch.causes[0], launch.subnet, launch.zone)
            self._try_later(group)
        self._activities.end(group, activity, "launch", "Failed", f"{message} Launching EC2 instance failed.")

    def _try_later(self, group: Group) -> None:
        group.failures += 1
        seconds = min(RETRY_AWS_SECONDS * 2 ** (group.failures - 1), RETRY_LIMIT_AWS_SECONDS)
        pause = max(self._cloud.clock.real_seconds(seconds), RETRY_REAL_FLOOR_SECONDS)
        group.retry_at = time.monotonic() + pause

    def _bring_in(self, group: Group, instance: GroupInstance, activity: Activity) -> None:
        if not self._runs(instance):
            self._lost(group, instance, activity)
            return
        if not self._hooks.run(group, instance, LAUNCHING, activity):
            self._activities.end(group, activity, "launch", "Cancelled", activity.message)
            with self._state.changed:
                instance.healthy = instance.leaving
                instance.unhealthy_because = "its lifecycle action being abandoned."
                self._try_later(group)
                self._state.changed.notify_all()
            return
        if self.put_in_service(group, instance):
            with self._state.changed:
                group.failures = 0
            self._activities.end(group, activity, "launch")
        else:
            self._activities.end(
                group, activity, "launch", "Cancelled", "Instance was ended before it was in service."
            )

    def _runs(self, instance: GroupInstance) -> bool:
        states = self._state.machine_states
        self._patience.until(
            lambda: states.get(instance.id) not in (None, "pending") or instance.state != "Pending"
        )
        return states.get(instance.id) == "running" or instance.leaving

    def _lost(self, group: Group, instance: GroupInstance, activity: Activity) -> None:
        """EC2 gave the instance up while it was pending."""
        ec2: Any = self._cloud.client("ec2", acting=ACTING)
        found = ec2.describe_instances(InstanceIds=[instance.id])["Reservations"][0]["Instances"][0]
        reason = found.get("StateReason", {}).get("Message", found["State"]["Name"])
        with self._state.changed:
            group.instances.pop(instance.id, None)
            self._try_later(group)
        message = (
            "Instance became unhealthy while waiting for instance to be in InService state. "
            f"Termination Reason: {reason}"
        )
        self._activities.end(group, activity, "launch", "Failed", message)

    def put_in_service(self, group: Group, instance: GroupInstance) -> bool:
        """Register with the load balancer, then count as serving; False when it is leaving already."""
        with self._state.changed:
            if instance.leaving or not instance.healthy:
                return False
            arns = list(group.target_groups) if group.runs("AddToLoadBalancer") else []
        self._targets.add(arns, [instance.id])
        with self._state.changed:
            if instance.leaving:
                return False
            instance.state = "InService"
            instance.in_service_since = self._cloud.clock.now()
            self._state.changed.notify_all()
        return True

    def attach(self, group: Group, instance: GroupInstance, cause: str) -> Activity:
        """An instance that exists already joins the group."""
        with self._state.changed:
            group.instances[instance.id] = instance
            text = f"Attaching an existing EC2 instance: {instance.id}"
            activity = self._activities.begin(group, text, cause, instance.subnet, instance.zone)
            activity.instance_id = instance.id
            self._state.changed.notify_all()
        ec2: Any = self._cloud.client("ec2", acting=ACTING)
        ec2.create_tags(Resources=[instance.id], Tags=[{"Key": GROUP_TAG, "Value": group.name}])
        self._cloud.spawn(f"{group.name} {instance.id} in", self._bring_in, group, instance, activity)
        return activity
