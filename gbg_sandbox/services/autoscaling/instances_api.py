"""Operations on a group's instances and its activities."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from botocore.exceptions import ClientError

from gbg_sandbox.service import AwsError, Call, runs
from gbg_sandbox.services.autoscaling import answers
from gbg_sandbox.services.autoscaling.base import Answer, AutoScalingOperations, Params, one_of
from gbg_sandbox.services.autoscaling.state import (
    Activity,
    Group,
    GroupInstance,
    TemplateChoice,
)
from gbg_sandbox.services.ec2.filters import page, select


class InstanceOperations(AutoScalingOperations):
    @runs
    def describe_auto_scaling_instances(self, call: Call, params: Params) -> Answer:
        ids = params.get("InstanceIds")
        with self.state.changed:
            found = [
                answers.member(group, one)
                for group in self.state.groups.values()
                for one in group.instances.values()
                if not ids or one.id in ids
            ]
        chosen, more = page(found, params, "MaxRecords")
        return {"AutoScalingInstances": chosen, **more}

    @runs
    def terminate_instance_in_auto_scaling_group(self, call: Call, params: Params) -> Answer:
        if "InstanceId" not in params or params.get("InstanceIds"):
            raise AwsError("ValidationError", "gbg_sandbox ends one instance a call: give InstanceId.")
        with self.state.changed:
            group, instance = self.state.of_instance(params["InstanceId"])
            if instance.leaving:
                raise AwsError(
                    "ScalingActivityInProgress",
                    f"Instance {instance.id} is in state {instance.state} already.",
                )
            cause = self._leave(
                group, instance, "was taken out of service", params["ShouldDecrementDesiredCapacity"]
            )
            activity = self.engine.leaving.terminate(group, instance, cause)
            return {"Activity": answers.activity(activity)}

    def _leave(self, group: Group, instance: GroupInstance, what: str, decrement: bool) -> str:
        """The cause of an activity that a user asked for, and the group's new size."""
        now = self.engine.activities.moment()
        cause = f"At {now} instance {instance.id} {what} in response to a user request"
        if not decrement or not instance.counts:
            return f"{cause}."
        if group.desired <= group.min_size:
            raise AwsError(
                "ValidationError",
                f"Currently, desiredSize equals minSize ({group.min_size}). Terminating instance without "
                "replacement will violate group's min size constraint. Either set "
                "shouldDecrementDesiredCapacity flag to false or lower group's min size.",
            )
        group.desired -= 1
        return f"{cause}, shrinking the capacity from {group.desired + 1} to {group.desired}."

    @runs
    def detach_instances(self, call: Call, params: Params) -> Answer:
        return self._move(params, self.engine.leaving.detach, "was detached")

    @runs
    def enter_standby(self, call: Call, params: Params) -> Answer:
        return self._move(params, self.engine.leaving.stand_by, "was moved to standby")

    def _move(
        self, params: Params, begin: Callable[[Group, GroupInstance, str], Activity], what: str
    ) -> Answer:
        with self.state.changed:
            group = self.live_group(params)
            members = self.state.members(group, params.get("InstanceIds", []))
            for one in members:
                if one.state not in ("InService", "Standby"):
                    raise AwsError(
                        "ValidationError", f"The instance {one.id} is not in InService or Standby."
                    )
            moved = [
                begin(group, one, self._leave(group, one, what, params["ShouldDecrementDesiredCapacity"]))
                for one in members
            ]
            return {"Activities": [answers.activity(one) for one in moved]}

    @runs
    def exit_standby(self, call: Call, params: Params) -> Answer:
        moved = []
        with self.state.changed:
            group = self.live_group(params)
            members = self.state.members(group, params.get("InstanceIds", []))
            for one in members:
                if one.state != "Standby":
                    raise AwsError("ValidationError", f"The instance {one.id} is not in Standby.")
            _check_room(group, len(members))
            for one in members:
                now = self.engine.activities.moment()
                group.desired += 1
                cause = (
                    f"At {now} instance {one.id} was moved out of standby in response to a user request, "
                    f"increasing the capacity from {group.desired - 1} to {group.desired}."
                )
                text = f"Moving EC2 instance out of Standby: {one.id}"
                activity = self.engine.activities.begin(group, text, cause, one.subnet, one.zone)
                activity.instance_id = one.id
                one.state = "Pending"
                moved.append(activity)
                self.cloud.spawn(f"{group.name} {one.id} back", self._back, group, one, activity)
            return {"Activities": [answers.activity(activity) for activity in moved]}

    def _back(self, group: Group, instance: GroupInstance, activity: Activity) -> None:
        self.engine.entering.put_in_service(group, instance)
        self.engine.activities.close(activity)

    @runs
    def attach_instances(self, call: Call, params: Params) -> None:
        ids = params.get("InstanceIds", [])
        with self.state.changed:
            group = self.live_group(params)
            _check_room(group, len(ids))
        for instance in self._strangers(group, ids):
            with self.state.changed:
                group.desired += 1
                cause = (
                    f"At {self.engine.activities.moment()} instance {instance.id} was attached in response "
                    f"to a user request, increasing the capacity from {group.desired - 1} to {group.desired}."
                )
            self.engine.entering.attach(group, instance, cause)

    def _strangers(self, group: Group, ids: list[str]) -> list[GroupInstance]:
        """Running instances of the group's zones that no group has."""
        ec2: Any = self.cloud.client("ec2")
        try:
            reservations = ec2.describe_instances(InstanceIds=ids)["Reservations"]
        except ClientError as error:
            raise AwsError("ValidationError", error.response["Error"]["Message"]) from error
        found = [one for reservation in reservations for one in reservation["Instances"]]
        with self.state.changed:
            taken = {name for one in self.state.groups.values() for name in one.instances}
        for one in found:
            name, zone = one["InstanceId"], one["Placement"]["AvailabilityZone"]
            if one["State"]["Name"] != "running":
                raise AwsError("ValidationError", f"Instance {name} is not in correct state for attachment.")
            if name in taken:
                raise AwsError(
                    "ValidationError", f"Instance {name} is part of an Auto Scaling group already."
                )
            if zone not in group.zones:
                raise AwsError("ValidationError", f"Instance {name} is in zone {zone}, the group is not.")
        return [_stranger(group, one) for one in found]

    @runs
    def set_instance_health(self, call: Call, params: Params) -> None:
        status = one_of(params["HealthStatus"], ("Healthy", "Unhealthy"), "HealthStatus")
        with self.state.changed:
            group, instance = self.state.of_instance(params["InstanceId"])
            graceful = params.get("ShouldRespectGracePeriod", True)
            if status == "Unhealthy" and graceful and not self.engine.settled(group, instance):
                return
            instance.healthy = status == "Healthy"
            instance.unhealthy_because = "a user health-check."
            self.state.changed.notify_all()

    @runs
    def set_instance_protection(self, call: Call, params: Params) -> Answer:
        with self.state.changed:
            group = self.live_group(params)
            for instance in self.state.members(group, params["InstanceIds"]):
                instance.protected = params["ProtectedFromScaleIn"]
            self.state.changed.notify_all()
        return {}

    @runs
    def describe_scaling_activities(self, call: Call, params: Params) -> Answer:
        """Newest first. Those of a deleted group only with IncludeDeletedGroups."""
        name, ids = params.get("AutoScalingGroupName"), params.get("ActivityIds")
        with self.state.changed:
            alive = {group.arn for group in self.state.groups.values()}
            if name and name not in self.state.groups and not params.get("IncludeDeletedGroups"):
                self.state.group(name)
            found = [
                one
                for one in reversed(self.state.activities)
                if (not name or one.group == name)
                and (not ids or one.id in ids)
                and (one.group_arn in alive or params.get("IncludeDeletedGroups"))
            ]
            known = {"Status": lambda one: one.status}
            chosen, more = page(select(found, params.get("Filters"), known), params, "MaxRecords")
            told = [answers.activity(one, deleted=one.group_arn not in alive) for one in chosen]
            return {"Activities": told, **more}


def _check_room(group: Group, count: int) -> None:
    if group.desired + count > group.max_size:
        raise AwsError(
            "ValidationError",
            f"Attaching {count} instances would bring the desired capacity of {group.name} above its max "
            f"size {group.max_size}.",
        )


def _stranger(group: Group, described: dict[str, Any]) -> GroupInstance:
    tags = {tag["Key"]: tag["Value"] for tag in described.get("Tags", ())}
    template = TemplateChoice(
        tags.get("aws:ec2launchtemplate:id", ""), "", tags.get("aws:ec2launchtemplate:version", "0")
    )
    return GroupInstance(
        id=described["InstanceId"],
        zone=described["Placement"]["AvailabilityZone"],
        subnet=described["SubnetId"],
        instance_type=described["InstanceType"],
        image_id=described["ImageId"],
        template=template,
        launched=described["LaunchTime"],
        protected=group.protect_new,
    )
