"""EventBridge Scheduler's operations."""

from __future__ import annotations

import re
import threading
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from gbg_sandbox.paging import page
from gbg_sandbox.service import AwsError, Call, Service, modelled, runs
from gbg_sandbox.services.scheduler.engine import Engine
from gbg_sandbox.services.scheduler.expressions import (
    Expression,
    InvalidExpressionError,
    Once,
    UnsupportedExpressionError,
    parse,
)
from gbg_sandbox.services.scheduler.state import DEFAULT, Group, Schedule, Schedules
from gbg_sandbox.services.scheduler.targets import check_target

if TYPE_CHECKING:
    from gbg_sandbox.cloud import Cloud

NAME = re.compile(r"[0-9a-zA-Z\-_.]{1,64}")
EARLIEST_START = timedelta(minutes=5)


class Scheduler(Service):
    name = "scheduler"

    def __init__(self, cloud: Cloud) -> None:
        super().__init__(cloud)
        self._schedules = Schedules()
        self._schedules.groups[DEFAULT] = self._group(DEFAULT, {})
        self._lock = threading.Lock()
        self._engine = Engine(cloud, self._schedules, self._lock)

    def start(self) -> None:
        self._engine.start()

    @runs
    def create_schedule(self, call: Call, params: dict[str, Any]) -> dict[str, Any]:
        made = self._checked(params, None)
        with self._lock:
            self._schedules.group(made.group)
            if made.key in self._schedules.by_key:
                raise _conflict(f"Schedule {made.name} already exists.")
            self._schedules.by_key[made.key] = made
        return {"ScheduleArn": made.arn}

    @runs
    def update_schedule(self, call: Call, params: dict[str, Any]) -> dict[str, Any]:
        with self._lock:
            old = self._schedules.get(params.get("GroupName", DEFAULT), params["Name"])
        made = self._checked(params, old)
        with self._lock:
            self._schedules.get(*made.key)
            self._schedules.by_key[made.key] = made
        return {"ScheduleArn": made.arn}

    @modelled
    def get_schedule(self, call: Call, params: dict[str, Any]) -> dict[str, Any]:
        with self._lock:
            return self._schedules.get(params.get("GroupName", DEFAULT), params["Name"]).described()

    @modelled
    def list_schedules(self, call: Call, params: dict[str, Any]) -> dict[str, Any]:
        with self._lock:
            if group := params.get("GroupName"):
                self._schedules.group(group)
            found = [
                schedule.summary()
                for (in_group, name), schedule in sorted(self._schedules.by_key.items())
                if params.get("GroupName", in_group) == in_group
                and name.startswith(params.get("NamePrefix", ""))
                and params.get("State") in (None, "ENABLED" if schedule.enabled else "DISABLED")
            ]
        return _page("Schedules", found, params)

    @runs
    def delete_schedule(self, call: Call, params: dict[str, Any]) -> dict[str, Any]:
        with self._lock:
            found = self._schedules.get(params.get("GroupName", DEFAULT), params["Name"])
            del self._schedules.by_key[found.key]
        return {}

    @modelled
    def create_schedule_group(self, call: Call, params: dict[str, Any]) -> dict[str, Any]:
        made = self._group(_name(params), {tag["Key"]: tag["Value"] for tag in params.get("Tags", [])})
        with self._lock:
            if made.name in self._schedules.groups:
                raise _conflict(f"Schedule group {made.name} already exists.")
            self._schedules.groups[made.name] = made
        return {"ScheduleGroupArn": made.arn}

    @modelled
    def get_schedule_group(self, call: Call, params: dict[str, Any]) -> dict[str, Any]:
        with self._lock:
            return self._schedules.group(params["Name"]).described()

    @modelled
    def list_schedule_groups(self, call: Call, params: dict[str, Any]) -> dict[str, Any]:
        with self._lock:
            found = [
                group.described()
                for name, group in sorted(self._schedules.groups.items())
                if name.startswith(params.get("NamePrefix", ""))
            ]
        return _page("ScheduleGroups", found, params)

    @runs
    def delete_schedule_group(self, call: Call, params: dict[str, Any]) -> dict[str, Any]:
        """With all its schedules, as on AWS."""
        if params["Name"] == DEFAULT:
            raise _invalid("Deleting the default schedule group is not allowed.")
        with self._lock:
            group = self._schedules.group(params["Name"])
            for key in [key for key in self._schedules.by_key if key[0] == group.name]:
                del self._schedules.by_key[key]
            del self._schedules.groups[group.name]
        return {}

    @modelled
    def tag_resource(self, call: Call, params: dict[str, Any]) -> dict[str, Any]:
        with self._lock:
            group = self._schedules.group_of_arn(params["ResourceArn"])
            group.tags |= {tag["Key"]: tag["Value"] for tag in params["Tags"]}
        return {}

    @modelled
    def untag_resource(self, call: Call, params: dict[str, Any]) -> dict[str, Any]:
        with self._lock:
            group = self._schedules.group_of_arn(params["ResourceArn"])
            group.tags = {key: value for key, value in group.tags.items() if key not in params["TagKeys"]}
        return {}

    @modelled
    def list_tags_for_resource(self, call: Call, params: dict[str, Any]) -> dict[str, Any]:
        with self._lock:
            tags = self._schedules.group_of_arn(params["ResourceArn"]).tags
            return {"Tags": [{"Key": key, "Value": value} for key, value in tags.items()]}

    def resource_tags(self, arn: str) -> dict[str, str]:
        """For conditions on tags: only groups have them."""
        group = self._schedules.groups.get(arn.partition(":schedule-group/")[2])
        return dict(group.tags) if group else {}

    def tagged_resources(self) -> dict[str, dict[str, str]]:
        with self._lock:
            return {group.arn: dict(group.tags) for group in self._schedules.groups.values()}

    def _group(self, name: str, tags: dict[str, str]) -> Group:
        return Group(
            name, self.cloud.arn("scheduler", f"schedule-group/{name}"), self.cloud.clock.now(), tags
        )

    def _checked(self, params: Mapping[str, Any], old: Schedule | None) -> Schedule:
        """Raises AwsError."""
        if params.get("KmsKeyArn"):
            raise _invalid("gbg_sandbox does not encrypt schedules: KmsKeyArn")
        given = dict(params) | {
            name: _aware(params[name]) for name in ("StartDate", "EndDate") if params.get(name)
        }
        name, group, now = _name(params), params.get("GroupName", DEFAULT), self.cloud.clock.now()
        expression = _expression(params)
        if isinstance(expression, Once) and expression.after(now) is None and not _same_time(params, old):
            raise _invalid(f"Invalid Schedule Expression {params['ScheduleExpression']}. It is in the past.")
        _check_dates(given, now)
        _check_window(params["FlexibleTimeWindow"])
        check_target(self.cloud, params["Target"])
        arn = self.cloud.arn("scheduler", f"schedule/{group}/{name}")
        return Schedule(name, group, arn, expression, given, old.created if old else now, now)


def _same_time(params: Mapping[str, Any], old: Schedule | None) -> bool:
    names = ("ScheduleExpression", "ScheduleExpressionTimezone")
    return old is not None and all(params.get(name) == old.given.get(name) for name in names)


def _expression(params: Mapping[str, Any]) -> Expression:
    zone = params.get("ScheduleExpressionTimezone", "UTC")
    try:
        return parse(params["ScheduleExpression"], ZoneInfo(zone))
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        if isinstance(error, UnsupportedExpressionError):
            raise _invalid(str(error)) from error
        if isinstance(error, InvalidExpressionError):
            raise _invalid(f"Invalid Schedule Expression {error}.") from error
        raise _invalid(f"Invalid ScheduleExpressionTimezone {zone}.") from error


def _check_dates(given: Mapping[str, Any], now: datetime) -> None:
    start, end = given.get("StartDate"), given.get("EndDate")
    if start and start < now - EARLIEST_START:
        raise _invalid("The StartDate you specify cannot be earlier than 5 minutes ago.")
    if end and end < now:
        raise _invalid("The EndDate you specify cannot be in the past.")
    if start and end and start >= end:
        raise _invalid("The StartDate you specify must come before the EndDate.")


def _check_window(window: Mapping[str, Any]) -> None:
    flexible = window["Mode"] == "FLEXIBLE"
    if window["Mode"] not in ("OFF", "FLEXIBLE"):
        raise _invalid(f"FlexibleTimeWindow has no mode {window['Mode']}.")
    if flexible != ("MaximumWindowInMinutes" in window):
        raise _invalid(
            "MaximumWindowInMinutes goes with a FlexibleTimeWindow of mode FLEXIBLE, and only with it."
        )


def _aware(moment: datetime) -> datetime:
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _name(params: Mapping[str, Any]) -> str:
    name: str = params["Name"]
    if not NAME.fullmatch(name):
        raise _invalid(f"Value '{name}' at 'name' failed to satisfy constraint: [0-9a-zA-Z-_.]+")
    return name


def _invalid(message: str) -> AwsError:
    return AwsError("ValidationException", message)


def _conflict(message: str) -> AwsError:
    return AwsError("ConflictException", message, 409)


def _page(key: str, items: list[Any], params: Mapping[str, Any]) -> dict[str, Any]:
    shown, following = page(
        items, params.get("NextToken"), params.get("MaxResults", 100), invalid="ValidationException"
    )
    return {key: shown, **({"NextToken": following} if following else {})}


SERVICE = Scheduler
