"""Operations on groups."""

from __future__ import annotations

import uuid
from collections.abc import Mapping

from gbg_sandbox.service import AwsError, Call, runs
from gbg_sandbox.services.autoscaling import answers, settings
from gbg_sandbox.services.autoscaling.base import Answer, AutoScalingOperations, Params
from gbg_sandbox.services.autoscaling.hooks_api import read_hook
from gbg_sandbox.services.autoscaling.state import Group
from gbg_sandbox.services.ec2.filters import page, select

LINKED_ROLE = "role/aws-service-role/autoscaling.amazonaws.com/AWSServiceRoleForAutoScaling"


class GroupOperations(AutoScalingOperations):
    @runs
    def create_auto_scaling_group(self, call: Call, params: Params) -> None:
        settings.check_known(params)
        if "LaunchTemplate" not in params:
            raise AwsError(
                "ValidationError",
                "Valid requests must contain either LaunchTemplate, LaunchConfigurationName, InstanceId or "
                "MixedInstancesPolicy parameter.",
            )
        desired: int = params["DesiredCapacity"] if "DesiredCapacity" in params else params["MinSize"]
        settings.check_sizes(params["MinSize"], params["MaxSize"], desired)
        arns = settings.target_groups(params)
        self.engine.targets.check(arns)
        subnets = settings.find_subnets(self.cloud, params)
        group = self._new_group(call, params, subnets)
        group.target_groups = arns
        for specification in params.get("LifecycleHookSpecificationList", ()):
            hook = read_hook(specification, None)
            group.hooks[hook.name] = hook
        with self.state.changed:
            if group.name in self.state.groups:
                raise AwsError(
                    "AlreadyExists",
                    "AutoScalingGroup by this name already exists - A group with the name "
                    f"{group.name} already exists",
                )
            self.state.groups[group.name] = group
            self.engine.resize(group, desired, "a user request created an AutoScalingGroup")

    def _new_group(self, call: Call, params: Params, subnets: dict[str, str]) -> Group:
        template, data = settings.choose_template(self.cloud, params["LaunchTemplate"])
        settings.check_launch(self.cloud, call.principal, template, data, next(iter(subnets)))
        name = params["AutoScalingGroupName"]
        group = Group(
            name=name,
            arn=self.arn_of("autoScalingGroup", f"{uuid.uuid4()}:autoScalingGroupName/{name}"),
            created=self.cloud.clock.now(),
            template=template,
            min_size=params["MinSize"],
            max_size=params["MaxSize"],
            desired=0,
            subnets=subnets,
            service_linked_role=f"arn:aws:iam::{self.cloud.account}:{LINKED_ROLE}",
            tags=settings.read_tags(params.get("Tags", ()), call.principal),
        )
        settings.apply(group, params)
        return group

    @runs
    def update_auto_scaling_group(self, call: Call, params: Params) -> None:
        settings.check_known(params)
        with self.state.changed:
            group = self.live_group(params)
            low, high, desired = _sizes(group, params)
            subnets = dict(group.subnets)
        settings.check_sizes(low, high, desired)
        if "VPCZoneIdentifier" in params:
            subnets = settings.find_subnets(self.cloud, params)
        template = group.template
        if "LaunchTemplate" in params:
            template, data = settings.choose_template(self.cloud, params["LaunchTemplate"])
            settings.check_launch(self.cloud, call.principal, template, data, next(iter(subnets)))
        with self.state.changed:
            group = self.live_group(params)
            settings.apply(group, params)
            group.template, group.subnets = template, subnets
            group.min_size, group.max_size = low, high
            group.retry_at, group.failures = 0.0, 0
            limits = f"min: {low}, max: {high}, desired: {desired}"
            self.engine.resize(
                group, desired, f"a user request update of AutoScalingGroup constraints to {limits}"
            )

    @runs
    def set_desired_capacity(self, call: Call, params: Params) -> None:
        capacity = params["DesiredCapacity"]
        with self.state.changed:
            group = self.live_group(params)
            if capacity > group.max_size:
                raise AwsError(
                    "ValidationError",
                    f"New SetDesiredCapacity value {capacity} is above max value {group.max_size} for the "
                    "AutoScalingGroup.",
                )
            if capacity < group.min_size:
                raise AwsError(
                    "ValidationError",
                    f"New SetDesiredCapacity value {capacity} is below min value {group.min_size} for the "
                    "AutoScalingGroup.",
                )
            self.engine.resize(group, capacity, "a user request explicitly set group desired capacity")

    @runs
    def delete_auto_scaling_group(self, call: Call, params: Params) -> None:
        """With ForceDelete the instances go too, without their termination hooks."""
        forced = params.get("ForceDelete", False)
        with self.state.changed:
            group = self.state.group(params["AutoScalingGroupName"])
            _check_protection(group, forced=forced)
            if not forced and (group.instances or any(group.launching.values())):
                raise AwsError(
                    "ResourceInUse",
                    "You cannot delete an AutoScalingGroup while there are instances or pending Spot "
                    "instance request(s) still in the group.",
                )
            policies = list(group.policies.values())
            group.deleting = True
            group.min_size = group.max_size = 0
            self.engine.resize(group, 0, "a user request force-deleted AutoScalingGroup")
            if not group.instances and not any(group.launching.values()):
                del self.state.groups[group.name]
        self.scaling.remove_alarms(policies)

    @runs
    def describe_auto_scaling_groups(self, call: Call, params: Params) -> Answer:
        names = params.get("AutoScalingGroupNames")
        with self.state.changed:
            every = [one for one in self.state.groups.values() if not names or one.name in names]
            pairs = select([_Tagged(one) for one in every], params.get("Filters"), {})
            chosen, more = page([pair.group for pair in pairs], params, "MaxRecords")
            full = params.get("IncludeInstances", True)
            return {"AutoScalingGroups": [answers.group(one, instances=full) for one in chosen], **more}

    def resource_tags(self, arn: str) -> Mapping[str, str]:
        """A group's tags, for conditions of IAM policies."""
        with self.state.changed:
            group = self.state.groups.get(arn.rpartition("autoScalingGroupName/")[2])
            return {tag.key: tag.value for tag in group.tags.values()} if group else {}


class _Tagged:
    """A group as filters see it."""

    def __init__(self, group: Group) -> None:
        self.group = group
        self.tags = {tag.key: tag.value for tag in group.tags.values()}


def _sizes(group: Group, params: Params) -> tuple[int, int, int]:
    """Min, max and desired; a desired capacity that isn't given moves into new limits."""
    low, high = params.get("MinSize", group.min_size), params.get("MaxSize", group.max_size)
    moved = max(low, min(high, group.desired)) if low <= high else group.desired
    return low, high, params.get("DesiredCapacity", moved)


def _check_protection(group: Group, *, forced: bool) -> None:
    if group.deletion_protection == "prevent-all-deletion" or (
        forced and group.deletion_protection == "prevent-force-deletion"
    ):
        raise AwsError(
            "ResourceInUse",
            f"AutoScalingGroup '{group.name}' has DeletionProtection {group.deletion_protection}.",
        )
