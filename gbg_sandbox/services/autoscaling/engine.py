"""Keeps every group at its desired capacity: looks, decides by `plan`, and lets instances in and out.

Acts as AWS itself, as the service-linked role AWSServiceRoleForAutoScaling does.
"""

from __future__ import annotations

import time
from datetime import timedelta
from typing import TYPE_CHECKING

from gbg_sandbox.clock import ShuttingDown
from gbg_sandbox.events import Event
from gbg_sandbox.services.autoscaling import plan
from gbg_sandbox.services.autoscaling.activities import Activities
from gbg_sandbox.services.autoscaling.entering import Entering, Launch
from gbg_sandbox.services.autoscaling.hooks import Hooks, Patience
from gbg_sandbox.services.autoscaling.leaving import Leaving
from gbg_sandbox.services.autoscaling.state import AutoScalingState, Group, GroupInstance
from gbg_sandbox.services.autoscaling.targets import Targets

if TYPE_CHECKING:
    from gbg_sandbox.cloud import Cloud

LOOK_SECONDS = 0.5
"""real time after which a group is looked at even if nothing changed"""
HEALTH_SECONDS = 1.0
"""real time between two looks at target health"""
NOT_RUNNING = ("stopping", "stopped", "shutting-down", "terminated")
CHECKED = ("Pending:Wait", "Pending:Proceed", "InService")
OUT_OF_SERVICE = "an instance was taken out of service in response to"


class AutoScalingEngine:
    def __init__(self, cloud: Cloud, state: AutoScalingState) -> None:
        self._cloud = cloud
        self._state = state
        self.patience = Patience(cloud, state)
        self.activities = Activities(cloud, state)
        self.targets = Targets(cloud)
        self.hooks = Hooks(state, self.activities, self.patience)
        parts = (cloud, state, self.activities, self.hooks, self.targets, self.patience)
        self.entering = Entering(*parts)
        self.leaving = Leaving(*parts)

    def start(self) -> None:
        self._cloud.events.subscribe(self._read)
        self._cloud.keep("autoscaling groups", self._keep_groups)
        self._cloud.keep("autoscaling health", self._watch_targets)

    def stop(self) -> None:
        with self._state.changed:
            self._state.changed.notify_all()

    def _read(self, event: Event) -> None:
        if event.detail_type == "EC2 Instance State-change Notification":
            with self._state.changed:
                self._state.machine_states[event.detail["instance-id"]] = event.detail["state"]
                self._state.changed.notify_all()

    def _keep_groups(self) -> None:
        with self._state.changed:
            groups = dict(self._state.groups)
        self._cloud.each("an Auto Scaling group", groups, self._keep)
        with self._state.changed:
            self._state.changed.wait(LOOK_SECONDS)
        if self._cloud.clock.stopped:
            raise ShuttingDown

    def _keep(self, group: Group) -> None:
        """One look at a group, and what follows from it."""
        with self._state.changed:
            self._check_machines(group)
            step = plan.next_step(group, time.monotonic())
            for instance_id in step.replace:
                self._replace(group, group.instances[instance_id])
            for instance_id in step.remove:
                self._remove(group, group.instances[instance_id])
            launches = self._launches(group, step)
            if group.deleting and not group.instances and not any(group.launching.values()):
                self._state.groups.pop(group.name, None)
        for launch in launches:
            self._cloud.spawn(f"{group.name} launch", self.entering.launch, group, launch)

    def _check_machines(self, group: Group) -> None:
        if not group.runs("HealthCheck"):
            return
        for instance in group.instances.values():
            gone = self._state.machine_states.get(instance.id) in NOT_RUNNING
            if gone and instance.healthy and instance.state in CHECKED:
                instance.healthy = False
                instance.unhealthy_because = (
                    "an EC2 health check indicating it has been terminated or stopped."
                )

    def _replace(self, group: Group, instance: GroupInstance) -> None:
        group.replacements += 1
        cause = f"At {self.activities.moment()} {OUT_OF_SERVICE} {instance.unhealthy_because}"
        self.leaving.terminate(group, instance, cause)

    def _remove(self, group: Group, instance: GroupInstance) -> None:
        now = self.activities.moment()
        size = group.capacity
        shrinking = f"shrinking the capacity from {size} to {size - instance.counts}"
        cause = (
            f"{group.reason}At {now} {OUT_OF_SERVICE} a difference between desired and actual capacity, "
            f"{shrinking}.  At {now} instance {instance.id} was selected for termination."
        )
        self.leaving.terminate(group, instance, cause)
        if group.capacity <= group.desired:
            group.reason = ""

    def _launches(self, group: Group, step: plan.Step) -> list[Launch]:
        now = self.activities.moment()
        size = group.capacity
        total = sum(step.launch.values())
        difference = (
            f"{group.reason}At {now} an instance was started in response to a difference between desired and "
            f"actual capacity, increasing the capacity from {size} to {size + total}."
        )
        replacing = (
            f"At {now} an instance was launched in response to an unhealthy instance needing to be replaced."
        )
        launches = []
        for subnet, count in step.launch.items():
            replaced = min(count, group.replacements)
            group.replacements -= replaced
            group.launching[subnet] = group.launching.get(subnet, 0) + count
            causes = (replacing,) * replaced + (difference,) * (count - replaced)
            launches.append(Launch(subnet, group.subnets[subnet], causes))
        if launches:
            group.reason = ""
        return launches

    def _watch_targets(self) -> None:
        with self._state.changed:
            watched = {
                f"{group.name} {arn}": (group, arn)
                for group in self._state.groups.values()
                if "ELB" in group.health_check and group.runs("HealthCheck") and not group.deleting
                for arn in group.target_groups
            }
        self._cloud.each(
            "targets' health", watched, lambda one: self._judge(one[0], self.targets.health(one[1]))
        )
        self._cloud.clock.pause(HEALTH_SECONDS)

    def _judge(self, group: Group, health: dict[str, str]) -> None:
        with self._state.changed:
            for instance in group.instances.values():
                failed = health.get(instance.id) == "unhealthy"
                if (
                    failed
                    and instance.healthy
                    and instance.state == "InService"
                    and self.settled(group, instance)
                ):
                    instance.healthy = False
                    instance.unhealthy_because = "an ELB system health check failure."
                    self._state.changed.notify_all()

    def settled(self, group: Group, instance: GroupInstance) -> bool:
        """Whether the grace period is over."""
        if instance.in_service_since is None:
            return False
        grace = timedelta(seconds=self.patience.real_seconds(group.grace_seconds))
        return self._cloud.clock.now() >= instance.in_service_since + grace

    def resize(self, group: Group, capacity: int, reason: str) -> None:
        """Set the desired capacity; `reason` as in `a user request`. Call it with the state's lock held."""
        if capacity != group.desired:
            now = self._cloud.clock.now()
            text = f"changing the desired capacity from {group.desired} to {capacity}"
            group.reason = f"At {self.activities.moment()} {reason} {text}.  "
            if capacity > group.desired:
                group.scaled_out_at = now
            group.scaled_at = now
            group.desired = capacity
        self._state.changed.notify_all()
