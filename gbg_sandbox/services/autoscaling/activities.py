"""Scaling activities in AWS's words, and who is told of them: EventBridge and the group's SNS topics.

https://docs.aws.amazon.com/autoscaling/ec2/userguide/ec2-auto-scaling-event-reference.html
"""

from __future__ import annotations

import json
import logging
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from gbg_sandbox.services.autoscaling.state import (
    ACTING,
    Activity,
    AutoScalingState,
    Group,
    GroupInstance,
    HookAction,
)

if TYPE_CHECKING:
    from gbg_sandbox.cloud import Cloud

log = logging.getLogger(__name__)

NOTIFICATION_TYPES = (
    "autoscaling:EC2_INSTANCE_LAUNCH",
    "autoscaling:EC2_INSTANCE_LAUNCH_ERROR",
    "autoscaling:EC2_INSTANCE_TERMINATE",
    "autoscaling:EC2_INSTANCE_TERMINATE_ERROR",
    "autoscaling:TEST_NOTIFICATION",
)
ENDINGS = {
    ("launch", True): ("EC2 Instance Launch Successful", NOTIFICATION_TYPES[0], "launch"),
    ("launch", False): ("EC2 Instance Launch Unsuccessful", NOTIFICATION_TYPES[1], "failed launch"),
    ("terminate", True): ("EC2 Instance Terminate Successful", NOTIFICATION_TYPES[2], "termination"),
    ("terminate", False): (
        "EC2 Instance Terminate Unsuccessful",
        NOTIFICATION_TYPES[3],
        "failed termination",
    ),
}


class Activities:
    def __init__(self, cloud: Cloud, state: AutoScalingState) -> None:
        self._cloud = cloud
        self._state = state

    def moment(self) -> str:
        return f"{self._cloud.clock.now():%Y-%m-%dT%H:%M:%SZ}"

    def begin(self, group: Group, description: str, cause: str, subnet: str, zone: str) -> Activity:
        """A new activity in progress; call it with the state's lock held."""
        details = {"Subnet ID": subnet, "Availability Zone": zone}
        activity = Activity(group.name, group.arn, description, cause, self._cloud.clock.now(), details)
        self._state.activities.append(activity)
        return activity

    def end(
        self, group: Group, activity: Activity, kind: str, status: str = "Successful", message: str = ""
    ) -> None:
        """Close an activity and tell it. `kind` is "launch" or "terminate"."""
        self.close(activity, status, message)
        self.tell(group, activity, kind)

    def tell(self, group: Group, activity: Activity, kind: str) -> None:
        """What AWS announces of an activity that has ended."""
        detail_type, notification, words = ENDINGS[kind, activity.status == "Successful"]
        self._publish(group, activity, kind, detail_type)
        subject = f'Auto Scaling: {words} for group "{group.name}"'
        self.notify(group, notification, subject, self._message(activity))

    def close(self, activity: Activity, status: str = "Successful", message: str = "") -> None:
        """End an activity, and announce it nowhere."""
        with self._state.changed:
            activity.status, activity.message = status, message
            activity.progress, activity.ended = 100, self._cloud.clock.now()
            self._state.changed.notify_all()

    def _publish(self, group: Group, activity: Activity, kind: str, detail_type: str) -> None:
        resources = [group.arn]
        if activity.instance_id:
            resources.append(self._cloud.arn("ec2", f"instance/{activity.instance_id}"))
        launched = kind == "launch"
        self._cloud.events.publish(
            source="aws.autoscaling",
            detail_type=detail_type,
            detail={
                **self._message(activity),
                "Details": activity.details,
                "Origin": "EC2" if launched else "AutoScalingGroup",
                "Destination": "AutoScalingGroup" if launched else "EC2",
            },
            resources=resources,
        )

    def _message(self, activity: Activity) -> dict[str, Any]:
        return {
            "StatusCode": activity.status,
            "StatusMessage": activity.message,
            "Description": activity.description,
            "Cause": activity.cause,
            "AutoScalingGroupName": activity.group,
            "ActivityId": activity.id,
            "RequestId": activity.id,
            "EC2InstanceId": activity.instance_id,
            "Details": activity.details,
            "Progress": activity.progress,
            "StartTime": _text(activity.started),
            "EndTime": _text(activity.ended),
        }

    def notify(self, group: Group, event: str, subject: str, message: dict[str, Any]) -> None:
        """Publish to the topics that asked for this kind of event; a topic that refuses is logged."""
        with self._state.changed:
            topics = [topic for topic, types in group.notifications.items() if event in types]
        body = {
            **message,
            "Service": "AWS Auto Scaling",
            "Event": event,
            "Time": self.moment(),
            "AccountId": self._cloud.account,
            "AutoScalingGroupName": group.name,
            "AutoScalingGroupARN": group.arn,
        }
        sns: Any = self._cloud.client("sns", acting=ACTING)
        for topic in topics:
            try:
                sns.publish(TopicArn=topic, Subject=subject[:100], Message=json.dumps(body))
            except ClientError as error:
                log.warning("notification of %s to %s: %s", group.name, topic, error)

    def tell_hook(self, group: Group, instance: GroupInstance, action: HookAction) -> None:
        """That an instance waits for a hook: to EventBridge, and to the hook's own target under its role."""
        launching = action.hook.transition.endswith("LAUNCHING")
        word = "launch" if launching else "terminate"
        detail = {
            "LifecycleActionToken": action.token,
            "AutoScalingGroupName": group.name,
            "LifecycleHookName": action.hook.name,
            "EC2InstanceId": instance.id,
            "LifecycleTransition": action.hook.transition,
            "Origin": "EC2" if launching else "AutoScalingGroup",
            "Destination": "AutoScalingGroup" if launching else "EC2",
        }
        if action.hook.metadata:
            detail["NotificationMetadata"] = action.hook.metadata
        self._cloud.events.publish(
            source="aws.autoscaling",
            detail_type=f"EC2 Instance-{word} Lifecycle Action",
            detail=detail,
            resources=[group.arn, self._cloud.arn("ec2", f"instance/{instance.id}")],
        )
        if action.hook.notification_target:
            self._to_target(group, action, detail)

    def _to_target(self, group: Group, action: HookAction, detail: dict[str, str]) -> None:
        body = {
            **detail,
            "Service": "AWS Auto Scaling",
            "Time": self.moment(),
            "AccountId": self._cloud.account,
            "RequestId": action.token,
        }
        try:
            sns: Any = self._cloud.client("sns", role=action.hook.role, acting=ACTING, session="AutoScaling")
            sns.publish(
                TopicArn=action.hook.notification_target,
                Subject=f"Auto Scaling: Lifecycle action '{action.hook.transition.rpartition('_')[2]}' "
                f"for instance {action.instance_id}"[:100],
                Message=json.dumps(body),
            )
        except ClientError as error:
            log.warning("hook %s of %s can't notify: %s", action.hook.name, group.name, error)


def _text(moment: Any) -> str:
    return f"{moment:%Y-%m-%dT%H:%M:%S.%f}"[:-3] + "Z" if moment else ""
