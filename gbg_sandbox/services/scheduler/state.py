"""Schedules and their groups. Whoever reads or writes holds the service's lock."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from gbg_sandbox.service import AwsError
from gbg_sandbox.services.scheduler.expressions import Expression

DEFAULT = "default"


@dataclass
class Group:
    name: str
    arn: str
    created: datetime
    tags: dict[str, str] = field(default_factory=dict)

    def described(self) -> dict[str, Any]:
        """As GetScheduleGroup and ListScheduleGroups tell it."""
        return {
            "Name": self.name,
            "Arn": self.arn,
            "State": "ACTIVE",
            "CreationDate": self.created,
            "LastModificationDate": self.created,
        }


@dataclass(frozen=True)
class Schedule:
    """A change is another one: the engine starts anew with it."""

    name: str
    group: str
    arn: str
    expression: Expression
    given: Mapping[str, Any]
    """what CreateSchedule or UpdateSchedule got"""
    created: datetime
    modified: datetime

    @property
    def enabled(self) -> bool:
        return bool(self.given.get("State", "ENABLED") == "ENABLED")

    @property
    def target(self) -> Mapping[str, Any]:
        target: Mapping[str, Any] = self.given["Target"]
        return target

    @property
    def key(self) -> tuple[str, str]:
        return self.group, self.name

    def described(self) -> dict[str, Any]:
        """As GetSchedule tells it."""
        defaults = {
            "ScheduleExpressionTimezone": "UTC",
            "State": "ENABLED",
            "ActionAfterCompletion": "NONE",
            "GroupName": self.group,
        }
        times = {"Arn": self.arn, "CreationDate": self.created, "LastModificationDate": self.modified}
        given = {name: value for name, value in self.given.items() if name != "ClientToken"}
        retry = {"MaximumEventAgeInSeconds": 86400, "MaximumRetryAttempts": 185}
        target = {**self.target, "RetryPolicy": retry | self.target.get("RetryPolicy", {})}
        return defaults | given | times | {"Target": target}

    def summary(self) -> dict[str, Any]:
        """As ListSchedules tells it."""
        told = self.described()
        names = ("Arn", "Name", "GroupName", "State", "CreationDate", "LastModificationDate")
        return {name: told[name] for name in names} | {"Target": {"Arn": self.target["Arn"]}}


class Schedules:
    def __init__(self) -> None:
        self.groups: dict[str, Group] = {}
        self.by_key: dict[tuple[str, str], Schedule] = {}

    def group(self, name: str) -> Group:
        if name not in self.groups:
            raise AwsError("ResourceNotFoundException", f"Schedule group {name} does not exist.", 404)
        return self.groups[name]

    def group_of_arn(self, arn: str) -> Group:
        return self.group(arn.partition(":schedule-group/")[2])

    def get(self, group: str, name: str) -> Schedule:
        self.group(group)
        if (group, name) not in self.by_key:
            raise AwsError("ResourceNotFoundException", f"Schedule {name} does not exist.", 404)
        return self.by_key[group, name]
