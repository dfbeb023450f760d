"""An instance's way out of its group: drained, out of the load balancer, hooks passed, ended or set free."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from gbg_sandbox.services.autoscaling.activities import Activities
from gbg_sandbox.services.autoscaling.entering import GROUP_TAG
from gbg_sandbox.services.autoscaling.hooks import Hooks, Patience
from gbg_sandbox.services.autoscaling.state import (
    ACTING,
    TERMINATING,
    Activity,
    AutoScalingState,
    Group,
    GroupInstance,
)
from gbg_sandbox.services.autoscaling.targets import Targets

if TYPE_CHECKING:
    from gbg_sandbox.cloud import Cloud

ENDED = ("shutting-down", "terminated")


class Leaving:
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

    def terminate(self, group: Group, instance: GroupInstance, cause: str) -> Activity:
        """Begin to end an instance; call it with the state's lock held."""
        instance.state = "Terminating"
        text = f"Terminating EC2 instance: {instance.id}"
        activity = self._activities.begin(group, text, cause, instance.subnet, instance.zone)
        activity.instance_id = instance.id
        self._state.changed.notify_all()
        self._cloud.spawn(f"{group.name} {instance.id} out", self._take_out, group, instance, activity)
        return activity

    def _take_out(self, group: Group, instance: GroupInstance, activity: Activity) -> None:
        self._drain(group, instance, activity)
        self._hooks.run(group, instance, TERMINATING, activity)
        ec2: Any = self._cloud.client("ec2", acting=ACTING)
        try:
            ec2.terminate_instances(InstanceIds=[instance.id])
        except ClientError as error:
            if error.response["Error"]["Code"] != "InvalidInstanceID.NotFound":
                self._stays(group, instance, activity, error.response["Error"]["Message"])
                return
        else:
            states = self._state.machine_states
            self._patience.until(lambda: states.get(instance.id) == "terminated")
        with self._state.changed:
            group.instances.pop(instance.id, None)
            self._activities.close(activity)
        self._activities.tell(group, activity, "terminate")

    def _stays(self, group: Group, instance: GroupInstance, activity: Activity, message: str) -> None:
        """EC2 refused: the instance keeps serving nobody; the activity says why."""
        with self._state.changed:
            instance.state, instance.healthy, instance.protected = "InService", True, True
        self._activities.end(group, activity, "terminate", "Failed", message)

    def _drain(self, group: Group, instance: GroupInstance, activity: Activity) -> None:
        with self._state.changed:
            arns = list(group.target_groups)
            if arns:
                activity.status = "WaitingForELBConnectionDraining"
            activity.progress = 10
        self._targets.remove(arns, [instance.id])
        with self._state.changed:
            activity.status, activity.progress = "InProgress", 50

    def detach(self, group: Group, instance: GroupInstance, cause: str) -> Activity:
        """Set an instance free; it goes on running. Call it with the state's lock held."""
        instance.state = "Detaching"
        text = f"Detaching EC2 instance: {instance.id}"
        activity = self._begin(group, instance, text, cause)
        self._cloud.spawn(f"{group.name} {instance.id} detach", self._set_free, group, instance, activity)
        return activity

    def _set_free(self, group: Group, instance: GroupInstance, activity: Activity) -> None:
        self._drain(group, instance, activity)
        ec2: Any = self._cloud.client("ec2", acting=ACTING)
        if self._state.machine_states.get(instance.id) not in ENDED:
            ec2.delete_tags(Resources=[instance.id], Tags=[{"Key": GROUP_TAG}])
        with self._state.changed:
            group.instances.pop(instance.id, None)
        self._activities.close(activity)

    def stand_by(self, group: Group, instance: GroupInstance, cause: str) -> Activity:
        """Take an instance out of service and keep it in the group. Call it with the state's lock held."""
        instance.state = "EnteringStandby"
        text = f"Moving EC2 instance to Standby: {instance.id}"
        activity = self._begin(group, instance, text, cause)
        self._cloud.spawn(f"{group.name} {instance.id} standby", self._aside, group, instance, activity)
        return activity

    def _aside(self, group: Group, instance: GroupInstance, activity: Activity) -> None:
        self._drain(group, instance, activity)
        with self._state.changed:
            if instance.state == "EnteringStandby":
                instance.state = "Standby"
        self._activities.close(activity)

    def _begin(self, group: Group, instance: GroupInstance, text: str, cause: str) -> Activity:
        activity = self._activities.begin(group, text, cause, instance.subnet, instance.zone)
        activity.instance_id = instance.id
        self._state.changed.notify_all()
        return activity
