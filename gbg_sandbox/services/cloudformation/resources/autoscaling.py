"""Auto Scaling groups, their policies and hooks.

Rolling updates follow
https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-attribute-updatepolicy.html
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gbg_sandbox.services.cloudformation.errors import ResourceFailed
from gbg_sandbox.services.cloudformation.resources.base import (
    Made,
    Properties,
    Provider,
    Task,
    changed,
    given,
    ignore_missing,
    names,
)
from gbg_sandbox.services.cloudformation.resources.shapes import from_api, to_api
from gbg_sandbox.services.cloudformation.signals import wait_for

SAME = (
    "MinSize", "MaxSize", "DesiredCapacity", "AvailabilityZones", "HealthCheckType", "HealthCheckGracePeriod",
    "PlacementGroup", "TerminationPolicies", "NewInstancesProtectedFromScaleIn", "MaxInstanceLifetime",
    "CapacityRebalance", "DefaultInstanceWarmup", "LaunchTemplate", "MixedInstancesPolicy",
)  # fmt: skip
SIZES = ("MinSize", "MaxSize", "DesiredCapacity")
STARTED_ANEW = ("LaunchTemplate", "MixedInstancesPolicy", "VPCZoneIdentifier")
TERMINATING = "Terminating"


def arguments(new: Properties) -> dict[str, Any]:
    """What CreateAutoScalingGroup and UpdateAutoScalingGroup have in common."""
    made = given(new, *SAME, DefaultCooldown="Cooldown")
    if "VPCZoneIdentifier" in new:
        made["VPCZoneIdentifier"] = ",".join(new["VPCZoneIdentifier"])
    return made


def tags(name: str, source: Properties) -> list[dict[str, Any]]:
    return [
        {"ResourceId": name, "ResourceType": "auto-scaling-group", **tag} for tag in source.get("Tags", [])
    ]


class AutoScalingGroup(Provider):
    type = "AWS::AutoScaling::AutoScalingGroup"
    properties = names(
        "AutoScalingGroupName", "VPCZoneIdentifier", "TargetGroupARNs", "LoadBalancerNames",
        "Cooldown", "Tags",
        "MetricsCollection", "LifecycleHookSpecificationList", "NotificationConfigurations", *SAME,
    )  # fmt: skip
    attributes = names("AutoScalingGroupARN")
    name_property = "AutoScalingGroupName"
    unread = names("LifecycleHookSpecificationList", "NotificationConfigurations")

    def create(self, task: Task, new: Properties) -> Made:
        autoscaling = task.client("autoscaling")
        name = new.get("AutoScalingGroupName") or task.name(255)
        wanted = arguments(new) | given(
            new, "TargetGroupARNs", "LoadBalancerNames", "LifecycleHookSpecificationList"
        )
        if "Tags" in new:
            wanted["Tags"] = tags(name, new)
        wanted["AutoScalingGroupName"] = name
        autoscaling.create_auto_scaling_group(**to_api(autoscaling, "CreateAutoScalingGroup", wanted))
        task.initiated(name)
        self._watch(autoscaling, name, {}, new)
        task.wait(lambda: self._settled(task, name), f"Group {name} did not stabilize", real_floor=180)
        return Made(name, {"AutoScalingGroupARN": self._find(autoscaling, name)["AutoScalingGroupARN"]})

    def update(self, task: Task, made: Made, old: Properties, new: Properties) -> Made:
        autoscaling = task.client("autoscaling")
        name = made.physical_id
        wanted = arguments(new) | {"AutoScalingGroupName": name}
        if task.update_policy.get("AutoScalingScheduledAction", {}).get(
            "IgnoreUnmodifiedGroupSizeProperties"
        ):
            for size in SIZES:
                if old.get(size) == new.get(size):
                    wanted.pop(size, None)
        autoscaling.update_auto_scaling_group(**to_api(autoscaling, "UpdateAutoScalingGroup", wanted))
        self._attach(autoscaling, name, old, new)
        self._retag(autoscaling, name, old, new)
        self._watch(autoscaling, name, old, new)
        policy = task.update_policy.get("AutoScalingRollingUpdate")
        if policy and changed(old, new, *STARTED_ANEW):
            RollingUpdate(task, name, policy).run()
        return made

    def delete(self, task: Task, made: Made, old: Properties) -> None:
        autoscaling = task.client("autoscaling")
        name = made.physical_id
        if not self._find(autoscaling, name):
            return
        autoscaling.update_auto_scaling_group(
            AutoScalingGroupName=name, MinSize=0, MaxSize=0, DesiredCapacity=0
        )
        task.wait(
            lambda: not self._find(autoscaling, name).get("Instances"),
            f"Group {name} did not let go of its instances",
            real_floor=120,
        )
        ignore_missing(autoscaling.delete_auto_scaling_group, AutoScalingGroupName=name)
        task.wait(lambda: not self._find(autoscaling, name), f"Group {name} was not deleted")

    def find(self, task: Task, identifier: str) -> Made | None:
        group = self._find(task.client("autoscaling"), identifier)
        return Made(identifier, {"AutoScalingGroupARN": group["AutoScalingGroupARN"]}) if group else None

    def read(self, task: Task, made: Made) -> Properties | None:
        group = self._find(task.client("autoscaling"), made.physical_id)
        if not group:
            return None
        metrics = [
            {"Granularity": one["Granularity"], "Metrics": [one["Metric"]]}
            for one in group.get("EnabledMetrics", [])
        ]
        subnets = group.get("VPCZoneIdentifier", "")
        shown = {**group, "MetricsCollection": metrics, "VPCZoneIdentifier": subnets.split(",")}
        return from_api(task.schema, shown, Cooldown="DefaultCooldown")

    @staticmethod
    def _find(autoscaling: Any, name: str) -> dict[str, Any]:
        found = autoscaling.describe_auto_scaling_groups(AutoScalingGroupNames=[name])["AutoScalingGroups"]
        return found[0] if found else {}

    def _settled(self, task: Task, name: str) -> bool:
        """Whether the group has the instances it wants. A launch that failed ends the wait at once."""
        autoscaling = task.client("autoscaling")
        group = self._find(autoscaling, name)
        there = [i for i in group.get("Instances", []) if not i["LifecycleState"].startswith(TERMINATING)]
        if len(there) >= group["DesiredCapacity"]:
            return True
        answer = autoscaling.describe_scaling_activities(AutoScalingGroupName=name)
        failed = [activity for activity in answer["Activities"] if activity["StatusCode"] == "Failed"]
        if failed:
            raise ResourceFailed(
                "Group did not stabilize. {current/minSize/desired} group size: "
                f"{len(there)}/{group['MinSize']}/{group['DesiredCapacity']}. Failed Scaling Activity: "
                f"{failed[0].get('StatusMessage', '')}"
            )
        return False

    @staticmethod
    def _attach(autoscaling: Any, name: str, old: Properties, new: Properties) -> None:
        before, after = old.get("TargetGroupARNs", []), new.get("TargetGroupARNs", [])
        if gone := [arn for arn in before if arn not in after]:
            autoscaling.detach_load_balancer_target_groups(AutoScalingGroupName=name, TargetGroupARNs=gone)
        if added := [arn for arn in after if arn not in before]:
            autoscaling.attach_load_balancer_target_groups(AutoScalingGroupName=name, TargetGroupARNs=added)

    @staticmethod
    def _retag(autoscaling: Any, name: str, old: Properties, new: Properties) -> None:
        before, after = tags(name, old), tags(name, new)
        kept = {tag["Key"] for tag in after}
        if gone := [tag for tag in before if tag["Key"] not in kept]:
            autoscaling.delete_tags(Tags=gone)
        if added := [tag for tag in after if tag not in before]:
            autoscaling.create_or_update_tags(Tags=added)

    @staticmethod
    def _watch(autoscaling: Any, name: str, old: Properties, new: Properties) -> None:
        """Metrics collection and notifications, which have calls of their own."""
        if changed(old, new, "MetricsCollection"):
            for metrics in new.get("MetricsCollection", []):
                autoscaling.enable_metrics_collection(AutoScalingGroupName=name, **metrics)
        if changed(old, new, "NotificationConfigurations"):
            for notification in new.get("NotificationConfigurations", []):
                autoscaling.put_notification_configuration(
                    AutoScalingGroupName=name,
                    TopicARN=notification["TopicARN"],
                    NotificationTypes=notification.get("NotificationTypes", []),
                )


class RollingUpdate:
    """UpdatePolicy AutoScalingRollingUpdate: instances are replaced a batch at a time."""

    def __init__(self, task: Task, name: str, policy: Mapping[str, Any]) -> None:
        self.task = task
        self.autoscaling = task.client("autoscaling")
        self.name = name
        self.batch = int(policy.get("MaxBatchSize", 1))
        self.in_service = int(policy.get("MinInstancesInService", 0))
        self.signals = str(policy.get("WaitOnResourceSignals", "false")).lower() == "true"
        self.pause = str(policy.get("PauseTime", "PT5M" if self.signals else "PT0S"))
        self.share = int(policy.get("MinSuccessfulInstancesPercent", 100))
        self.suspended = list(policy.get("SuspendProcesses", []))

    def run(self) -> None:
        if self.suspended:
            self.autoscaling.suspend_processes(
                AutoScalingGroupName=self.name, ScalingProcesses=self.suspended
            )
        try:
            self._roll()
        finally:
            if self.suspended:
                self.autoscaling.resume_processes(
                    AutoScalingGroupName=self.name, ScalingProcesses=self.suspended
                )

    def _roll(self) -> None:
        old = list(self._instances())
        desired = self._group()["DesiredCapacity"]
        size = max(1, min(self.batch, desired - self.in_service))
        for start in range(0, len(old), size):
            batch = old[start : start + size]
            known = frozenset(self.task.host.signals(self.task.logical_id))
            for instance in batch:
                self.autoscaling.terminate_instance_in_auto_scaling_group(
                    InstanceId=instance, ShouldDecrementDesiredCapacity=False
                )
            self._await(batch, desired)
            if self.signals:
                wait_for(self.task, len(batch), self.share, self.pause, known)

    def _await(self, batch: list[str], desired: int) -> None:
        self.task.wait(
            lambda: self._renewed(batch, desired),
            f"Group {self.name} did not replace {', '.join(batch)}",
            real_floor=180,
        )

    def _group(self) -> dict[str, Any]:
        return AutoScalingGroup._find(self.autoscaling, self.name)

    def _instances(self) -> dict[str, str]:
        return {item["InstanceId"]: item["LifecycleState"] for item in self._group().get("Instances", [])}

    def _renewed(self, batch: list[str], desired: int) -> bool:
        now = self._instances()
        ready = [instance for instance, state in now.items() if state == "InService"]
        return not set(batch) & set(ready) and len(ready) >= desired


class ScalingPolicy(Provider):
    type = "AWS::AutoScaling::ScalingPolicy"
    properties = names(
        "AutoScalingGroupName", "PolicyType", "AdjustmentType", "Cooldown", "EstimatedInstanceWarmup",
        "MetricAggregationType", "MinAdjustmentMagnitude", "ScalingAdjustment", "StepAdjustments",
        "TargetTrackingConfiguration",
    )  # fmt: skip
    attributes = names("Arn", "PolicyName")

    def create(self, task: Task, new: Properties) -> Made:
        return self._put(task, task.name(255), new)

    def update(self, task: Task, made: Made, old: Properties, new: Properties) -> Made:
        return self._put(task, made.attributes["PolicyName"], new)

    def delete(self, task: Task, made: Made, old: Properties) -> None:
        ignore_missing(
            task.client("autoscaling").delete_policy,
            AutoScalingGroupName=old["AutoScalingGroupName"],
            PolicyName=made.attributes.get("PolicyName", made.physical_id),
        )

    def find(self, task: Task, identifier: str) -> Made | None:
        policy = self._find(task, identifier)
        return Made(identifier, {"Arn": identifier, "PolicyName": policy["PolicyName"]}) if policy else None

    def read(self, task: Task, made: Made) -> Properties | None:
        policy = self._find(task, made.physical_id)
        return from_api(task.schema, policy) if policy else None

    @staticmethod
    def _find(task: Task, arn: str) -> dict[str, Any]:
        pages = task.client("autoscaling").get_paginator("describe_policies").paginate(PolicyNames=[arn])
        found = [policy for page in pages for policy in page["ScalingPolicies"]]
        return next((policy for policy in found if policy["PolicyARN"] == arn), {})

    @staticmethod
    def _put(task: Task, name: str, new: Properties) -> Made:
        autoscaling = task.client("autoscaling")
        wanted = to_api(autoscaling, "PutScalingPolicy", {**new, "PolicyName": name})
        arn = autoscaling.put_scaling_policy(**wanted)["PolicyARN"]
        return Made(arn, {"Arn": arn, "PolicyName": name})


class LifecycleHook(Provider):
    type = "AWS::AutoScaling::LifecycleHook"
    properties = names(
        "AutoScalingGroupName", "LifecycleHookName", "LifecycleTransition", "DefaultResult",
        "HeartbeatTimeout",
        "NotificationMetadata", "NotificationTargetARN", "RoleARN",
    )  # fmt: skip
    name_property = "LifecycleHookName"

    def create(self, task: Task, new: Properties) -> Made:
        name = new.get("LifecycleHookName") or task.name(255)
        self._put(task, name, new)
        return Made(name)

    def update(self, task: Task, made: Made, old: Properties, new: Properties) -> Made:
        self._put(task, made.physical_id, new)
        return made

    def delete(self, task: Task, made: Made, old: Properties) -> None:
        ignore_missing(
            task.client("autoscaling").delete_lifecycle_hook,
            AutoScalingGroupName=old["AutoScalingGroupName"],
            LifecycleHookName=made.physical_id,
        )

    @staticmethod
    def _put(task: Task, name: str, new: Properties) -> None:
        task.client("autoscaling").put_lifecycle_hook(**{**new, "LifecycleHookName": name})
