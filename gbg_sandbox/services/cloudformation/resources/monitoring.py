"""CloudWatch alarms, log groups and EventBridge rules."""

from __future__ import annotations

import json
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
    tag_changes,
    tag_list,
    tag_map,
)
from gbg_sandbox.services.cloudformation.resources.shapes import from_api, to_api


class Alarm(Provider):
    type = "AWS::CloudWatch::Alarm"
    properties = names(
        "AlarmName", "AlarmDescription", "ActionsEnabled", "OKActions", "AlarmActions",
        "InsufficientDataActions",
        "MetricName", "Namespace", "Statistic", "ExtendedStatistic", "Dimensions", "Period", "Unit",
        "EvaluationPeriods", "DatapointsToAlarm", "Threshold", "ComparisonOperator",
        "TreatMissingData", "Metrics",
        "Tags",
    )  # fmt: skip
    attributes = names("Arn")
    name_property = "AlarmName"

    def create(self, task: Task, new: Properties) -> Made:
        cloudwatch = task.client("cloudwatch")
        name = new.get("AlarmName") or task.name(255)
        if cloudwatch.describe_alarms(AlarmNames=[name])["MetricAlarms"]:
            raise ResourceFailed(f"{name} already exists")
        cloudwatch.put_metric_alarm(**to_api(cloudwatch, "PutMetricAlarm", {**new, "AlarmName": name}))
        alarm = cloudwatch.describe_alarms(AlarmNames=[name])["MetricAlarms"][0]
        return Made(name, {"Arn": alarm["AlarmArn"]})

    def update(self, task: Task, made: Made, old: Properties, new: Properties) -> Made:
        cloudwatch = task.client("cloudwatch")
        wanted = {key: value for key, value in new.items() if key != "Tags"}
        wanted["AlarmName"] = made.physical_id
        cloudwatch.put_metric_alarm(**to_api(cloudwatch, "PutMetricAlarm", wanted))
        added, removed = tag_changes(old, new)
        if removed:
            cloudwatch.untag_resource(ResourceARN=made.attributes["Arn"], TagKeys=removed)
        if added:
            cloudwatch.tag_resource(ResourceARN=made.attributes["Arn"], Tags=tag_list({"Tags": added}))
        return made

    def delete(self, task: Task, made: Made, old: Properties) -> None:
        ignore_missing(task.client("cloudwatch").delete_alarms, AlarmNames=[made.physical_id])

    def find(self, task: Task, identifier: str) -> Made | None:
        alarm = self._find(task, identifier)
        return Made(identifier, {"Arn": alarm["AlarmArn"]}) if alarm else None

    def read(self, task: Task, made: Made) -> Properties | None:
        alarm = self._find(task, made.physical_id)
        if not alarm:
            return None
        tags = task.client("cloudwatch").list_tags_for_resource(ResourceARN=alarm["AlarmArn"])["Tags"]
        return from_api(task.schema, {**alarm, "Tags": tags})

    @staticmethod
    def _find(task: Task, name: str) -> dict[str, Any]:
        found = task.client("cloudwatch").describe_alarms(AlarmNames=[name])["MetricAlarms"]
        return found[0] if found else {}


class LogGroup(Provider):
    type = "AWS::Logs::LogGroup"
    properties = names("LogGroupName", "RetentionInDays", "Tags")
    attributes = names("Arn")
    name_property = "LogGroupName"

    def create(self, task: Task, new: Properties) -> Made:
        logs = task.client("logs")
        name = new.get("LogGroupName") or task.name(512)
        logs.create_log_group(logGroupName=name, **({"tags": tag_map(new)} if tag_map(new) else {}))
        task.initiated(name)
        self._retain(logs, name, {}, new)
        return Made(name, {"Arn": f"{task.cloud.arn('logs', f'log-group:{name}')}:*"})

    def update(self, task: Task, made: Made, old: Properties, new: Properties) -> Made:
        logs = task.client("logs")
        self._retain(logs, made.physical_id, old, new)
        arn = made.attributes["Arn"].removesuffix(":*")
        added, removed = tag_changes(old, new)
        if removed:
            logs.untag_resource(resourceArn=arn, tagKeys=removed)
        if added:
            logs.tag_resource(resourceArn=arn, tags=added)
        return made

    def delete(self, task: Task, made: Made, old: Properties) -> None:
        ignore_missing(task.client("logs").delete_log_group, logGroupName=made.physical_id)

    def find(self, task: Task, identifier: str) -> Made | None:
        group = self._find(task, identifier)
        return Made(identifier, {"Arn": group["arn"]}) if group else None

    def read(self, task: Task, made: Made) -> Properties | None:
        group = self._find(task, made.physical_id)
        if not group:
            return None
        arn = group["arn"].removesuffix(":*")
        tags = task.client("logs").list_tags_for_resource(resourceArn=arn)["tags"]
        listed = [{"Key": key, "Value": value} for key, value in tags.items()]
        return from_api(task.schema, {**group, "Tags": listed})

    @staticmethod
    def _find(task: Task, name: str) -> dict[str, Any]:
        found = task.client("logs").describe_log_groups(logGroupNamePrefix=name)["logGroups"]
        return next((group for group in found if group["logGroupName"] == name), {})

    @staticmethod
    def _retain(logs: Any, name: str, old: Properties, new: Properties) -> None:
        if not changed(old, new, "RetentionInDays"):
            return
        if "RetentionInDays" in new:
            logs.put_retention_policy(logGroupName=name, retentionInDays=new["RetentionInDays"])
        else:
            logs.delete_retention_policy(logGroupName=name)


class Rule(Provider):
    type = "AWS::Events::Rule"
    set_by_rule = ("ScheduleExpression", "State", "Description", "RoleArn", "EventBusName")
    properties = names("Name", "EventPattern", "Targets", "Tags", *set_by_rule)
    attributes = names("Arn", "RuleName")
    name_property = "Name"

    def create(self, task: Task, new: Properties) -> Made:
        events = task.client("events")
        name = new.get("Name") or task.name(64)
        tags = {"Tags": tag_list(new)} if tag_list(new) else {}
        arn: str = events.put_rule(Name=name, **self._rule(new), **tags)["RuleArn"]
        task.initiated(name)
        self._set_targets(events, name, {}, new)
        return Made(name, {"Arn": arn, "RuleName": name})

    def update(self, task: Task, made: Made, old: Properties, new: Properties) -> Made:
        events = task.client("events")
        events.put_rule(Name=made.physical_id, **self._rule(new))
        self._set_targets(events, made.physical_id, old, new)
        added, removed = tag_changes(old, new)
        if removed:
            events.untag_resource(ResourceARN=made.attributes["Arn"], TagKeys=removed)
        if added:
            events.tag_resource(ResourceARN=made.attributes["Arn"], Tags=tag_list({"Tags": added}))
        return made

    def delete(self, task: Task, made: Made, old: Properties) -> None:
        events = task.client("events")
        bus = given(old, "EventBusName")
        if ids := [target["Id"] for target in old.get("Targets", [])]:
            ignore_missing(events.remove_targets, Rule=made.physical_id, Ids=ids, **bus)
        ignore_missing(events.delete_rule, Name=made.physical_id, **bus)

    def _rule(self, new: Properties) -> dict[str, Any]:
        made = given(new, *self.set_by_rule)
        if "EventPattern" in new:
            pattern = new["EventPattern"]
            made["EventPattern"] = pattern if isinstance(pattern, str) else json.dumps(pattern)
        return made

    @staticmethod
    def _set_targets(events: Any, name: str, old: Properties, new: Properties) -> None:
        bus = given(new, "EventBusName")
        wanted = new.get("Targets", [])
        kept = {target["Id"] for target in wanted}
        if gone := [target["Id"] for target in old.get("Targets", []) if target["Id"] not in kept]:
            events.remove_targets(Rule=name, Ids=gone, **bus)
        if not wanted or wanted == old.get("Targets"):
            return
        arguments = to_api(events, "PutTargets", {"Rule": name, "Targets": wanted, **bus})
        answer = events.put_targets(**arguments)
        if answer.get("FailedEntryCount"):
            raise ResourceFailed(f"Targets of {name} were refused: {answer['FailedEntries']}")
