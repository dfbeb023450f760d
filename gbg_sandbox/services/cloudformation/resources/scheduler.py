"""EventBridge Scheduler's schedules and their groups."""

from __future__ import annotations

from gbg_sandbox.services.cloudformation.resources.base import (
    Made,
    Properties,
    Provider,
    Task,
    given,
    ignore_missing,
    names,
    tag_changes,
    tag_list,
)
from gbg_sandbox.services.cloudformation.resources.shapes import to_api


class Schedule(Provider):
    type = "AWS::Scheduler::Schedule"
    properties = names(
        "Name", "GroupName", "Description", "ScheduleExpression", "ScheduleExpressionTimezone",
        "StartDate", "EndDate", "State", "FlexibleTimeWindow", "Target",
    )  # fmt: skip
    attributes = names("Arn")
    name_property = "Name"

    def create(self, task: Task, new: Properties) -> Made:
        scheduler = task.client("scheduler")
        name = new.get("Name") or task.name(64)
        wanted = to_api(scheduler, "CreateSchedule", {**new, "Name": name})
        return Made(name, {"Arn": scheduler.create_schedule(**wanted)["ScheduleArn"]})

    def update(self, task: Task, made: Made, old: Properties, new: Properties) -> Made:
        if old.get("GroupName") != new.get("GroupName"):
            return super().update(task, made, given(old, "GroupName"), given(new, "GroupName"))
        scheduler = task.client("scheduler")
        wanted = to_api(scheduler, "UpdateSchedule", {**new, "Name": made.physical_id})
        scheduler.update_schedule(**wanted)
        return made

    def delete(self, task: Task, made: Made, old: Properties) -> None:
        ignore_missing(
            task.client("scheduler").delete_schedule, Name=made.physical_id, **given(old, "GroupName")
        )


class ScheduleGroup(Provider):
    type = "AWS::Scheduler::ScheduleGroup"
    properties = names("Name", "Tags")
    attributes = names("Arn")
    name_property = "Name"

    def create(self, task: Task, new: Properties) -> Made:
        name = new.get("Name") or task.name(64)
        answer = task.client("scheduler").create_schedule_group(Name=name, Tags=tag_list(new))
        return Made(name, {"Arn": answer["ScheduleGroupArn"]})

    def update(self, task: Task, made: Made, old: Properties, new: Properties) -> Made:
        scheduler, arn = task.client("scheduler"), made.attributes["Arn"]
        added, removed = tag_changes(old, new)
        if removed:
            scheduler.untag_resource(ResourceArn=arn, TagKeys=removed)
        if added:
            scheduler.tag_resource(ResourceArn=arn, Tags=tag_list({"Tags": added}))
        return made

    def delete(self, task: Task, made: Made, old: Properties) -> None:
        ignore_missing(task.client("scheduler").delete_schedule_group, Name=made.physical_id)
