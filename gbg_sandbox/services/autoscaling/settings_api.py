"""Operations on what hangs on a group: target groups, tags, notifications, processes, metrics, schedule."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from typing import Any

from botocore.exceptions import ClientError

from gbg_sandbox.service import AwsError, Call, modelled, runs, stored
from gbg_sandbox.services.autoscaling import answers, schedule, settings
from gbg_sandbox.services.autoscaling.activities import NOTIFICATION_TYPES
from gbg_sandbox.services.autoscaling.base import Answer, AutoScalingOperations, Params, one_of
from gbg_sandbox.services.autoscaling.plan import TERMINATION_POLICIES
from gbg_sandbox.services.autoscaling.state import PROCESSES, Group, ScheduledAction
from gbg_sandbox.services.ec2.filters import page, select

METRICS = (
    "GroupMinSize",
    "GroupMaxSize",
    "GroupDesiredCapacity",
    "GroupInServiceInstances",
    "GroupPendingInstances",
    "GroupStandbyInstances",
    "GroupTerminatingInstances",
    "GroupTotalInstances",
)
SIZES = ("MinSize", "MaxSize", "DesiredCapacity")


class SettingOperations(AutoScalingOperations):
    @runs
    def attach_load_balancer_target_groups(self, call: Call, params: Params) -> Answer:
        return self._attach(params, params["TargetGroupARNs"])

    @runs
    def detach_load_balancer_target_groups(self, call: Call, params: Params) -> Answer:
        return self._detach(params, params["TargetGroupARNs"])

    @runs
    def attach_traffic_sources(self, call: Call, params: Params) -> Answer:
        return self._attach(params, settings.traffic_sources(params["TrafficSources"]))

    @runs
    def detach_traffic_sources(self, call: Call, params: Params) -> Answer:
        return self._detach(params, settings.traffic_sources(params["TrafficSources"]))

    def _attach(self, params: Params, arns: list[str]) -> Answer:
        """Instances in service are registered at once, later ones when they come into service."""
        self.engine.targets.check(arns)
        with self.state.changed:
            group = self.live_group(params)
            new = [arn for arn in arns if arn not in group.target_groups]
            group.target_groups += new
            serving = [one.id for one in group.instances.values() if one.state == "InService"]
        if serving:
            self.engine.targets.add(new, serving)
        return {}

    def _detach(self, params: Params, arns: list[str]) -> Answer:
        with self.state.changed:
            group = self.live_group(params)
            for arn in arns:
                if arn not in group.target_groups:
                    raise AwsError("ValidationError", f"Target group {arn} is not attached to {group.name}.")
            group.target_groups = [arn for arn in group.target_groups if arn not in arns]
            members = list(group.instances)
        if members:
            self.cloud.spawn(f"{group.name} detach targets", self.engine.targets.remove, arns, members)
        return {}

    @runs
    def describe_load_balancer_target_groups(self, call: Call, params: Params) -> Answer:
        found = [
            {"LoadBalancerTargetGroupARN": arn, "State": state} for arn, state in self._target_states(params)
        ]
        chosen, more = page(found, params, "MaxRecords")
        return {"LoadBalancerTargetGroups": chosen, **more}

    @runs
    def describe_traffic_sources(self, call: Call, params: Params) -> Answer:
        if params.get("TrafficSourceType", "elbv2") != "elbv2":
            return {"TrafficSources": []}
        found = [
            {"TrafficSource": arn, "Identifier": arn, "Type": "elbv2", "State": state}
            for arn, state in self._target_states(params)
        ]
        chosen, more = page(found, params, "MaxRecords")
        return {"TrafficSources": chosen, **more}

    def _target_states(self, params: Params) -> list[tuple[str, str]]:
        """Adding until every instance is registered; InService when health is ELB's and one is healthy."""
        with self.state.changed:
            group = self.state.group(params["AutoScalingGroupName"])
            arns, judged = list(group.target_groups), "ELB" in group.health_check
            serving = {one.id for one in group.instances.values() if one.state == "InService"}
        states = []
        for arn in arns:
            health = self.engine.targets.health(arn)
            state = "Added" if serving <= health.keys() else "Adding"
            if state == "Added" and judged and any(health[one] == "healthy" for one in serving):
                state = "InService"
            states.append((arn, state))
        return states

    @runs
    def create_or_update_tags(self, call: Call, params: Params) -> None:
        self._each_tag(call, params, lambda group, tags: group.tags.update(tags))

    @runs
    def delete_tags(self, call: Call, params: Params) -> None:
        def remove(group: Group, tags: dict[str, Any]) -> None:
            for key in tags:
                group.tags.pop(key, None)

        self._each_tag(call, params, remove)

    def _each_tag(self, call: Call, params: Params, change: Callable[[Group, dict[str, Any]], None]) -> None:
        with self.state.changed:
            for tag in params["Tags"]:
                change(self.state.group(tag.get("ResourceId", "")), settings.read_tags([tag], call.principal))

    @runs
    def describe_tags(self, call: Call, params: Params) -> Answer:
        known: dict[str, Callable[[Any], Any]] = {
            "auto-scaling-group": lambda tag: tag["ResourceId"],
            "key": lambda tag: tag["Key"],
            "value": lambda tag: tag["Value"],
            "propagate-at-launch": lambda tag: tag["PropagateAtLaunch"],
        }
        with self.state.changed:
            found = [
                answers.tag(group.name, tag)
                for group in self.state.groups.values()
                for tag in group.tags.values()
            ]
        chosen, more = page(select(found, params.get("Filters"), known), params, "MaxRecords")
        return {"Tags": chosen, **more}

    @runs
    def put_notification_configuration(self, call: Call, params: Params) -> None:
        """A test notification tells at once whether the topic can be reached."""
        for kind in params["NotificationTypes"]:
            one_of(kind, NOTIFICATION_TYPES, "NotificationType")
        topic = params["TopicARN"]
        with self.state.changed:
            group = self.live_group(params)
        sns: Any = self.cloud.client("sns")
        try:
            sns.get_topic_attributes(TopicArn=topic)
        except ClientError as error:
            raise AwsError(
                "ValidationError", f"Unable to publish test message to notification target {topic}: {error}"
            ) from error
        with self.state.changed:
            former = group.notifications.get(topic)
            group.notifications[topic] = [NOTIFICATION_TYPES[-1]]
        subject = f'Auto Scaling: test notification for group "{group.name}"'
        self.engine.activities.notify(group, NOTIFICATION_TYPES[-1], subject, {"RequestId": call.request_id})
        with self.state.changed:
            group.notifications[topic] = list(dict.fromkeys(params["NotificationTypes"])) or former or []

    @runs
    def delete_notification_configuration(self, call: Call, params: Params) -> None:
        with self.state.changed:
            self.live_group(params).notifications.pop(params["TopicARN"], None)

    @runs
    def describe_notification_configurations(self, call: Call, params: Params) -> Answer:
        names = params.get("AutoScalingGroupNames")
        with self.state.changed:
            found = [
                {"AutoScalingGroupName": group.name, "TopicARN": topic, "NotificationType": kind}
                for group in self.state.groups.values()
                if not names or group.name in names
                for topic, kinds in group.notifications.items()
                for kind in kinds
            ]
        chosen, more = page(found, params, "MaxRecords")
        return {"NotificationConfigurations": chosen, **more}

    @modelled
    def describe_auto_scaling_notification_types(self, call: Call, params: Params) -> Answer:
        return {"AutoScalingNotificationTypes": list(NOTIFICATION_TYPES)}

    @runs
    def suspend_processes(self, call: Call, params: Params) -> None:
        with self.state.changed:
            group = self.live_group(params)
            now = self.engine.activities.moment()
            for name in _processes(params):
                group.suspended.setdefault(name, f"User suspended at {now}")

    @runs
    def resume_processes(self, call: Call, params: Params) -> None:
        with self.state.changed:
            group = self.live_group(params)
            for name in _processes(params):
                group.suspended.pop(name, None)
            self.state.changed.notify_all()

    @modelled
    def describe_scaling_process_types(self, call: Call, params: Params) -> Answer:
        return {"Processes": [{"ProcessName": name} for name in sorted(PROCESSES)]}

    @modelled
    def describe_termination_policy_types(self, call: Call, params: Params) -> Answer:
        return {"TerminationPolicyTypes": list(TERMINATION_POLICIES)}

    @stored
    def enable_metrics_collection(self, call: Call, params: Params) -> None:
        one_of(params["Granularity"], ("1Minute",), "Granularity")
        wanted = params.get("Metrics") or METRICS
        for name in wanted:
            one_of(name, METRICS, "Metric")
        with self.state.changed:
            group = self.live_group(params)
            group.metrics = list(dict.fromkeys([*group.metrics, *wanted]))

    @stored
    def disable_metrics_collection(self, call: Call, params: Params) -> None:
        gone = params.get("Metrics") or METRICS
        with self.state.changed:
            group = self.live_group(params)
            group.metrics = [name for name in group.metrics if name not in gone]

    @modelled
    def describe_metric_collection_types(self, call: Call, params: Params) -> Answer:
        return {
            "Metrics": [{"Metric": name} for name in METRICS],
            "Granularities": [{"Granularity": "1Minute"}],
        }

    @runs
    def put_scheduled_update_group_action(self, call: Call, params: Params) -> None:
        sizes = {name: params[name] for name in SIZES if name in params}
        if not sizes:
            raise AwsError("ValidationError", "Give MinSize, MaxSize or DesiredCapacity.")
        start, recurrence = params.get("StartTime") or params.get("Time"), params.get("Recurrence", "")
        now, zone = self.cloud.clock.now(), params.get("TimeZone", "")
        if start is not None and start < now:
            raise AwsError("ValidationError", "Given start time is in the past")
        schedule.zone_of(zone)
        cron = schedule.parse(recurrence) if recurrence else None
        if start is None and cron is None:
            raise AwsError("ValidationError", "Give a StartTime or a Recurrence.")
        name = params["ScheduledActionName"]
        with self.state.changed:
            group = self.live_group(params)
            rest = f"{uuid.uuid4()}:autoScalingGroupName/{group.name}:scheduledActionName/{name}"
            group.schedule[name] = ScheduledAction(
                name=name,
                arn=self.arn_of("scheduledUpdateGroupAction", rest),
                start=start,
                end=params.get("EndTime"),
                recurrence=recurrence,
                time_zone=zone,
                sizes=sizes,
                next_run=cron.next_after(start or now, zone) if cron else start,
            )

    @runs
    def delete_scheduled_action(self, call: Call, params: Params) -> None:
        with self.state.changed:
            group = self.live_group(params)
            if group.schedule.pop(params["ScheduledActionName"], None) is None:
                raise AwsError(
                    "ValidationError", f"Scheduled action name not found: {params['ScheduledActionName']}"
                )

    @runs
    def describe_scheduled_actions(self, call: Call, params: Params) -> Answer:
        name, names = params.get("AutoScalingGroupName"), params.get("ScheduledActionNames")
        with self.state.changed:
            groups = [self.state.group(name)] if name else list(self.state.groups.values())
            found = [
                answers.scheduled(group.name, action)
                for group in groups
                for action in group.schedule.values()
                if not names or action.name in names
            ]
        chosen, more = page(found, params, "MaxRecords")
        return {"ScheduledUpdateGroupActions": chosen, **more}


def _processes(params: Params) -> list[str]:
    """The processes named, all when none is."""
    return [one_of(name, PROCESSES, "ScalingProcess") for name in params.get("ScalingProcesses") or PROCESSES]
