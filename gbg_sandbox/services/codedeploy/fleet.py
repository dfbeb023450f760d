"""Auto Scaling groups as CodeDeploy handles them: copied for green, deleted for blue.

AWS gives no list of what COPY_AUTO_SCALING_GROUP copies. Copied here is what the managed policy
AWSCodeDeployRole lets CodeDeploy write: settings, tags, scaling policies and their alarms, scheduled actions,
notifications and metrics. Lifecycle hooks are not.
https://docs.aws.amazon.com/codedeploy/latest/userguide/integrations-aws-auto-scaling.html
"""

from __future__ import annotations

from typing import Any

from gbg_sandbox.services.codedeploy.failures import NO_INSTANCES, DeploymentFailed
from gbg_sandbox.services.codedeploy.role import ServiceRole

COPIED = (
    "MixedInstancesPolicy",
    "DefaultCooldown",
    "VPCZoneIdentifier",
    "PlacementGroup",
    "HealthCheckType",
    "HealthCheckGracePeriod",
    "TerminationPolicies",
    "NewInstancesProtectedFromScaleIn",
    "ServiceLinkedRoleARN",
    "MaxInstanceLifetime",
    "CapacityRebalance",
    "DefaultInstanceWarmup",
    "Context",
    "DesiredCapacityType",
    "InstanceMaintenancePolicy",
    "AvailabilityZoneDistribution",
)
POLICY_FIELDS = (
    "PolicyName",
    "PolicyType",
    "AdjustmentType",
    "MinAdjustmentStep",
    "MinAdjustmentMagnitude",
    "ScalingAdjustment",
    "Cooldown",
    "StepAdjustments",
    "MetricAggregationType",
    "EstimatedInstanceWarmup",
    "TargetTrackingConfiguration",
    "PredictiveScalingConfiguration",
    "Enabled",
)
ALARM_FIELDS = (
    "AlarmDescription",
    "ActionsEnabled",
    "MetricName",
    "Namespace",
    "Statistic",
    "ExtendedStatistic",
    "Period",
    "Unit",
    "EvaluationPeriods",
    "DatapointsToAlarm",
    "Threshold",
    "ComparisonOperator",
    "TreatMissingData",
)
SCHEDULE_FIELDS = (
    "ScheduledActionName",
    "StartTime",
    "EndTime",
    "Recurrence",
    "MinSize",
    "MaxSize",
    "DesiredCapacity",
)
PROVISIONED_BY = "CodeDeployProvisioningDeploymentId"
SUSPENDED_ON_BLUE = ["AddToLoadBalancer", "AlarmNotification", "HealthCheck", "ReplaceUnhealthy"]
"""processes that would fight the rerouting while the originals leave the load balancer"""
HOOK_PREFIX = "CodeDeploy-managed-automatic-launch-deployment-hook"
HOOK_SECONDS = 600


def chosen(found: dict[str, Any], names: tuple[str, ...]) -> dict[str, Any]:
    return {name: found[name] for name in names if found.get(name) not in (None, "", [])}


class Fleets:
    def __init__(self, role: ServiceRole) -> None:
        self._role = role

    def _call(self, operation: str, **params: Any) -> Any:
        return self._role.call("autoscaling", operation, **params)

    def find(self, name: str) -> dict[str, Any] | None:
        groups = self._call("describe_auto_scaling_groups", AutoScalingGroupNames=[name])["AutoScalingGroups"]
        return dict(groups[0]) if groups else None

    def get(self, name: str) -> dict[str, Any]:
        found = self.find(name)
        if found is None:
            raise DeploymentFailed(
                "AUTO_SCALING_CONFIGURATION", f"The Auto Scaling group {name} could not be found."
            )
        return found

    def running(self, name: str) -> list[str]:
        """Ids of its instances that are in service and healthy. Raises DeploymentFailed NO_INSTANCES."""
        found = healthy(self.get(name))
        if not found:
            raise DeploymentFailed("NO_INSTANCES", NO_INSTANCES)
        return found

    def copy(self, source_name: str, name: str, size: int, deployment_id: str) -> None:
        """Make the green group, with `size` instances and without the load balancer."""
        source = self.get(source_name)
        template = chosen(source.get("LaunchTemplate", {}), ("LaunchTemplateId", "Version"))
        if not template and not source.get("MixedInstancesPolicy"):
            raise DeploymentFailed(
                "AUTO_SCALING_CONFIGURATION",
                f"The Auto Scaling group {source_name} uses a launch configuration, which can't be copied "
                "here.",
            )
        self._call(
            "create_auto_scaling_group",
            AutoScalingGroupName=name,
            MinSize=min(source["MinSize"], size),
            MaxSize=max(source["MaxSize"], size),
            DesiredCapacity=size,
            Tags=_tags(source, name, deployment_id),
            **chosen(source, COPIED),
            **({"LaunchTemplate": template} if template else {}),
        )
        self._copy_policies(source_name, name)
        self._copy_schedule(source_name, name)
        self._copy_notifications(source_name, name)
        metrics = [metric["Metric"] for metric in source.get("EnabledMetrics", [])]
        if metrics:
            self._call(
                "enable_metrics_collection", AutoScalingGroupName=name, Metrics=metrics, Granularity="1Minute"
            )

    def _copy_policies(self, source: str, name: str) -> None:
        for policy in self._call("describe_policies", AutoScalingGroupName=source)["ScalingPolicies"]:
            made = self._call(
                "put_scaling_policy", AutoScalingGroupName=name, **chosen(policy, POLICY_FIELDS)
            )
            if policy["PolicyType"] in ("StepScaling", "SimpleScaling"):
                self._copy_alarms(policy.get("Alarms", []), source, name, made["PolicyARN"])

    def _copy_alarms(self, alarms: list[dict[str, str]], source: str, name: str, policy: str) -> None:
        names = [alarm["AlarmName"] for alarm in alarms]
        if not names:
            return
        for alarm in self._role.call("cloudwatch", "describe_alarms", AlarmNames=names)["MetricAlarms"]:
            dimensions = [
                {**one, "Value": name} if one["Value"] == source else one
                for one in alarm.get("Dimensions", [])
            ]
            self._role.call(
                "cloudwatch",
                "put_metric_alarm",
                AlarmName=f"{alarm['AlarmName']}-{name}",
                AlarmActions=[policy],
                Dimensions=dimensions,
                **chosen(alarm, ALARM_FIELDS),
            )

    def _copy_schedule(self, source: str, name: str) -> None:
        found = self._call("describe_scheduled_actions", AutoScalingGroupName=source)
        for action in found["ScheduledUpdateGroupActions"]:
            self._call(
                "put_scheduled_update_group_action",
                AutoScalingGroupName=name,
                **chosen(action, SCHEDULE_FIELDS),
            )

    def _copy_notifications(self, source: str, name: str) -> None:
        found = self._call("describe_notification_configurations", AutoScalingGroupNames=[source])
        by_topic: dict[str, list[str]] = {}
        for one in found["NotificationConfigurations"]:
            by_topic.setdefault(one["TopicARN"], []).append(one["NotificationType"])
        for topic, kinds in by_topic.items():
            self._call(
                "put_notification_configuration",
                AutoScalingGroupName=name,
                TopicARN=topic,
                NotificationTypes=kinds,
            )

    def attach(self, name: str, target_group_arns: list[str]) -> None:
        """From now on what the group launches is registered with the load balancer."""
        self._call(
            "attach_load_balancer_target_groups", AutoScalingGroupName=name, TargetGroupARNs=target_group_arns
        )

    def quieten(self, name: str) -> None:
        self._call("suspend_processes", AutoScalingGroupName=name, ScalingProcesses=SUSPENDED_ON_BLUE)

    def wake(self, name: str) -> None:
        self._call("resume_processes", AutoScalingGroupName=name, ScalingProcesses=SUSPENDED_ON_BLUE)

    def put_hook(self, name: str, hook: str) -> None:
        """New instances wait until CodeDeploy has deployed to them."""
        self._call(
            "put_lifecycle_hook",
            LifecycleHookName=hook,
            AutoScalingGroupName=name,
            LifecycleTransition="autoscaling:EC2_INSTANCE_LAUNCHING",
            HeartbeatTimeout=HOOK_SECONDS,
            DefaultResult="ABANDON",
        )

    def remove_hook(self, name: str, hook: str) -> None:
        self._call("delete_lifecycle_hook", LifecycleHookName=hook, AutoScalingGroupName=name)

    def complete_launch(self, name: str, hook: str, instance_id: str, result: str) -> None:
        self._call(
            "complete_lifecycle_action",
            LifecycleHookName=hook,
            AutoScalingGroupName=name,
            InstanceId=instance_id,
            LifecycleActionResult=result,
        )

    def delete(self, name: str) -> None:
        self._call("delete_auto_scaling_group", AutoScalingGroupName=name, ForceDelete=True)

    def last_failure(self, name: str) -> str:
        """Why the group's last launch failed, or an empty text."""
        activities = self._call("describe_scaling_activities", AutoScalingGroupName=name)["Activities"]
        failed = [one for one in activities if one["StatusCode"] == "Failed"]
        return str(failed[0].get("StatusMessage", "")) if failed else ""


def healthy(group: dict[str, Any]) -> list[str]:
    """Zone by zone: AWS promises no order, and that of the launches would differ from run to run."""
    found = [
        one
        for one in group["Instances"]
        if one["LifecycleState"] == "InService" and one["HealthStatus"] == "Healthy"
    ]
    return [one["InstanceId"] for one in sorted(found, key=lambda one: str(one["AvailabilityZone"]))]


def _tags(source: dict[str, Any], name: str, deployment_id: str) -> list[dict[str, Any]]:
    """The source's tags without AWS's own, and who made this group."""
    kept = [(tag["Key"], tag["Value"], tag["PropagateAtLaunch"]) for tag in source.get("Tags", [])]
    tags = [one for one in kept if not one[0].startswith("aws:") and one[0] != PROVISIONED_BY]
    tags.append((PROVISIONED_BY, deployment_id, True))
    return [
        {
            "ResourceId": name,
            "ResourceType": "auto-scaling-group",
            "Key": key,
            "Value": value,
            "PropagateAtLaunch": propagate,
        }
        for key, value, propagate in tags
    ]
