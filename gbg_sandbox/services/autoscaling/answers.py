"""Auto Scaling's records in the form that its Describe operations answer."""

from __future__ import annotations

import json
from typing import Any

from gbg_sandbox.services.autoscaling.state import (
    Activity,
    Group,
    GroupInstance,
    Hook,
    Policy,
    ScheduledAction,
    Tag,
    TemplateChoice,
)

Answer = dict[str, Any]


def template(choice: TemplateChoice) -> Answer:
    return {
        "LaunchTemplateId": choice.id,
        "LaunchTemplateName": choice.name,
        "Version": choice.version,
    }


def tag(group: str, one: Tag) -> Answer:
    return {
        "ResourceId": group,
        "ResourceType": "auto-scaling-group",
        "Key": one.key,
        "Value": one.value,
        "PropagateAtLaunch": one.propagate,
    }


def group(one: Group, *, instances: bool = True) -> Answer:
    answer: Answer = {
        "AutoScalingGroupName": one.name,
        "AutoScalingGroupARN": one.arn,
        "LaunchTemplate": template(one.template),
        "MinSize": one.min_size,
        "MaxSize": one.max_size,
        "DesiredCapacity": one.desired,
        "DefaultCooldown": one.cooldown_seconds,
        "AvailabilityZones": one.zones,
        "LoadBalancerNames": [],
        "TargetGroupARNs": list(one.target_groups),
        "HealthCheckType": one.health_check,
        "HealthCheckGracePeriod": one.grace_seconds,
        "Instances": [instance(member) for member in one.instances.values()] if instances else [],
        "CreatedTime": one.created,
        "SuspendedProcesses": [
            {"ProcessName": name, "SuspensionReason": reason} for name, reason in one.suspended.items()
        ],
        "VPCZoneIdentifier": ",".join(one.subnets),
        "EnabledMetrics": [{"Metric": name, "Granularity": "1Minute"} for name in one.metrics],
        "Tags": [tag(one.name, kept) for kept in one.tags.values()],
        "TerminationPolicies": list(one.termination_policies),
        "NewInstancesProtectedFromScaleIn": one.protect_new,
        "ServiceLinkedRoleARN": one.service_linked_role,
        "TrafficSources": [{"Identifier": arn, "Type": "elbv2"} for arn in one.target_groups],
        "DeletionProtection": one.deletion_protection,
        **one.kept,
    }
    return answer | ({"Status": "Delete in progress"} if one.deleting else {})


def instance(one: GroupInstance) -> Answer:
    return {
        "InstanceId": one.id,
        "InstanceType": one.instance_type,
        "AvailabilityZone": one.zone,
        "LifecycleState": one.state,
        "HealthStatus": "Healthy" if one.healthy else "Unhealthy",
        "LaunchTemplate": template(one.template),
        "ImageId": one.image_id,
        "ProtectedFromScaleIn": one.protected,
    }


def member(owner: Group, one: GroupInstance) -> Answer:
    """As DescribeAutoScalingInstances has it: health in capitals."""
    answer = instance(one)
    return {**answer, "AutoScalingGroupName": owner.name, "HealthStatus": answer["HealthStatus"].upper()}


def activity(one: Activity, *, deleted: bool = False) -> Answer:
    answer: Answer = {
        "ActivityId": one.id,
        "AutoScalingGroupName": one.group,
        "AutoScalingGroupARN": one.group_arn,
        "Description": one.description,
        "Cause": one.cause,
        "StartTime": one.started,
        "StatusCode": one.status,
        "Progress": one.progress,
        "Details": json.dumps(one.details, separators=(",", ":")),
    }
    if one.ended:
        answer["EndTime"] = one.ended
    if one.message:
        answer["StatusMessage"] = one.message
    if deleted:
        answer["AutoScalingGroupState"] = "Deleted"
    return answer


def hook(owner: str, one: Hook) -> Answer:
    answer: Answer = {
        "LifecycleHookName": one.name,
        "AutoScalingGroupName": owner,
        "LifecycleTransition": one.transition,
        "HeartbeatTimeout": one.heartbeat_seconds,
        "GlobalTimeout": one.global_seconds,
        "DefaultResult": one.default_result,
    }
    optional = {
        "NotificationTargetARN": one.notification_target,
        "RoleARN": one.role,
        "NotificationMetadata": one.metadata,
    }
    return answer | {name: value for name, value in optional.items() if value}


def policy(owner: str, one: Policy, alarms: list[tuple[str, str]]) -> Answer:
    settings = {
        name: value
        for name, value in one.settings.items()
        if name not in ("AutoScalingGroupName", "PolicyName", "PolicyType", "Enabled")
    }
    return {
        "AutoScalingGroupName": owner,
        "PolicyName": one.name,
        "PolicyARN": one.arn,
        "PolicyType": one.kind,
        "Enabled": one.enabled,
        "Alarms": [{"AlarmName": name, "AlarmARN": arn} for name, arn in alarms],
        **({"StepAdjustments": []} if "StepAdjustments" not in settings else {}),
        **settings,
    }


def scheduled(owner: str, one: ScheduledAction) -> Answer:
    answer: Answer = {
        "AutoScalingGroupName": owner,
        "ScheduledActionName": one.name,
        "ScheduledActionARN": one.arn,
        **one.sizes,
    }
    optional = {
        "StartTime": one.next_run or one.start,
        "Time": one.next_run or one.start,
        "EndTime": one.end,
        "Recurrence": one.recurrence,
        "TimeZone": one.time_zone,
    }
    return answer | {name: value for name, value in optional.items() if value}
