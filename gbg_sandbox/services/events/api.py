"""EventBridge's operations on the default bus."""

from __future__ import annotations

import json
import threading
from typing import TYPE_CHECKING, Any

from gbg_sandbox.paging import page
from gbg_sandbox.service import AwsError, Call, Service, modelled, runs
from gbg_sandbox.services.events.engine import Engine
from gbg_sandbox.services.events.patterns import InvalidPatternError, Pattern, matches, parse
from gbg_sandbox.services.events.schedule import InvalidScheduleError, UnsupportedScheduleError, rate_seconds
from gbg_sandbox.services.events.state import Rule, Rules
from gbg_sandbox.services.events.targets import check_target
from gbg_sandbox.services.events.transformer import InvalidPathError, path_steps

if TYPE_CHECKING:
    from gbg_sandbox.cloud import Cloud

MOST_TARGETS = 5
EVENT_FIELDS = ("id", "account", "source", "time", "region", "resources", "detail-type")


class Events(Service):
    name = "events"

    def __init__(self, cloud: Cloud) -> None:
        super().__init__(cloud)
        self._rules = Rules()
        self._lock = threading.Lock()
        self._engine = Engine(cloud, self._rules, self._lock)

    def start(self) -> None:
        self._engine.start()

    @runs
    def put_rule(self, call: Call, params: dict[str, Any]) -> dict[str, Any]:
        self._only_default_bus(params)
        if not params.get("EventPattern") and not params.get("ScheduleExpression"):
            raise _invalid("Parameter(s) EventPattern or ScheduleExpression must be specified.")
        if params.get("State", "ENABLED") not in ("ENABLED", "DISABLED"):
            raise _invalid(f"gbg_sandbox does not run rules in state {params['State']}")
        pattern = _pattern(params["EventPattern"]) if params.get("EventPattern") else None
        rate = _rate(params["ScheduleExpression"]) if params.get("ScheduleExpression") else 0
        name = params["Name"]
        tags = {tag["Key"]: tag["Value"] for tag in params.get("Tags", [])}
        with self._lock:
            old = self._rules.by_name.get(name)
            rule = Rule(
                name,
                self.cloud.arn("events", f"rule/{name}"),
                enabled=params.get("State", "ENABLED") == "ENABLED",
                pattern_text=params.get("EventPattern", ""),
                pattern=pattern,
                schedule=params.get("ScheduleExpression", ""),
                rate_seconds=rate,
                description=params.get("Description", ""),
                role_arn=params.get("RoleArn", ""),
                targets=old.targets if old else {},
                tags=old.tags if old else tags,
            )
            self._rules.by_name[name] = rule
        return {"RuleArn": rule.arn}

    @modelled
    def describe_rule(self, call: Call, params: dict[str, Any]) -> dict[str, Any]:
        self._only_default_bus(params)
        with self._lock:
            return self._rules.get(params["Name"]).described() | {"CreatedBy": self.cloud.account}

    @modelled
    def list_rules(self, call: Call, params: dict[str, Any]) -> dict[str, Any]:
        self._only_default_bus(params)
        with self._lock:
            described = [rule.described() for rule in self._rules.listed(params.get("NamePrefix", ""))]
        return _page("Rules", described, params)

    @modelled
    def list_rule_names_by_target(self, call: Call, params: dict[str, Any]) -> dict[str, Any]:
        self._only_default_bus(params)
        with self._lock:
            names = [
                rule.name
                for rule in self._rules.listed()
                if any(target["Arn"] == params["TargetArn"] for target in rule.targets.values())
            ]
        return _page("RuleNames", names, params)

    @runs
    def delete_rule(self, call: Call, params: dict[str, Any]) -> None:
        self._only_default_bus(params)
        with self._lock:
            rule = self._rules.by_name.get(params["Name"])
            if rule is not None and rule.targets:
                raise _invalid("Rule can't be deleted since it has targets.")
            self._rules.by_name.pop(params["Name"], None)

    @runs
    def enable_rule(self, call: Call, params: dict[str, Any]) -> None:
        self._switch(params, enabled=True)

    @runs
    def disable_rule(self, call: Call, params: dict[str, Any]) -> None:
        self._switch(params, enabled=False)

    def _switch(self, params: dict[str, Any], *, enabled: bool) -> None:
        self._only_default_bus(params)
        with self._lock:
            self._rules.get(params["Name"]).enabled = enabled

    @runs
    def put_targets(self, call: Call, params: dict[str, Any]) -> dict[str, Any]:
        self._only_default_bus(params)
        for target in params["Targets"]:
            check_target(target)
            _check_paths(target)
        with self._lock:
            rule = self._rules.get(params["Rule"])
            wanted = rule.targets | {target["Id"]: target for target in params["Targets"]}
            if len(wanted) > MOST_TARGETS:
                raise AwsError(
                    "LimitExceededException", "The requested resource exceeds the maximum number allowed."
                )
            rule.targets = wanted
        return {"FailedEntryCount": 0, "FailedEntries": []}

    @modelled
    def list_targets_by_rule(self, call: Call, params: dict[str, Any]) -> dict[str, Any]:
        self._only_default_bus(params)
        with self._lock:
            return _page("Targets", list(self._rules.get(params["Rule"]).targets.values()), params)

    @runs
    def remove_targets(self, call: Call, params: dict[str, Any]) -> dict[str, Any]:
        self._only_default_bus(params)
        with self._lock:
            rule = self._rules.get(params["Rule"])
            missing = [one for one in params["Ids"] if one not in rule.targets]
            rule.targets = {name: one for name, one in rule.targets.items() if name not in params["Ids"]}
        failed = [
            {
                "TargetId": one,
                "ErrorCode": "ResourceNotFoundException",
                "ErrorMessage": f"Target {one} does not exist on rule {params['Rule']}.",
            }
            for one in missing
        ]
        return {"FailedEntryCount": len(failed), "FailedEntries": failed}

    @runs
    def put_events(self, call: Call, params: dict[str, Any]) -> dict[str, Any]:
        entries = [self._put(entry) for entry in params["Entries"]]
        return {"FailedEntryCount": sum("ErrorCode" in entry for entry in entries), "Entries": entries}

    def _put(self, entry: dict[str, Any]) -> dict[str, Any]:
        try:
            self._only_default_bus(entry)
            detail = _detail(entry)
        except AwsError as error:
            return {"ErrorCode": error.code, "ErrorMessage": error.message}
        event = self.cloud.events.publish(
            entry["Source"], entry["DetailType"], detail, entry.get("Resources", [])
        )
        return {"EventId": event.id}

    @runs
    def test_event_pattern(self, call: Call, params: dict[str, Any]) -> dict[str, Any]:
        pattern = _pattern(params["EventPattern"])
        try:
            event = json.loads(params["Event"])
        except json.JSONDecodeError as error:
            raise AwsError("ValidationException", "Parameter Event is not valid.") from error
        missing = [field for field in EVENT_FIELDS if field not in event]
        if missing:
            raise _invalid(f"Parameter Event is not valid: it has no {', '.join(missing)}.")
        return {"Result": matches(pattern, event)}

    @modelled
    def tag_resource(self, call: Call, params: dict[str, Any]) -> None:
        with self._lock:
            rule = self._rules.by_arn(params["ResourceARN"])
            rule.tags |= {tag["Key"]: tag["Value"] for tag in params["Tags"]}

    @modelled
    def untag_resource(self, call: Call, params: dict[str, Any]) -> None:
        with self._lock:
            rule = self._rules.by_arn(params["ResourceARN"])
            rule.tags = {key: value for key, value in rule.tags.items() if key not in params["TagKeys"]}

    @modelled
    def list_tags_for_resource(self, call: Call, params: dict[str, Any]) -> dict[str, Any]:
        with self._lock:
            tags = self._rules.by_arn(params["ResourceARN"]).tags
            return {"Tags": [{"Key": key, "Value": value} for key, value in tags.items()]}

    def tagged_resources(self) -> dict[str, dict[str, str]]:
        with self._lock:
            return {rule.arn: dict(rule.tags) for rule in self._rules.listed()}

    def _only_default_bus(self, params: dict[str, Any]) -> None:
        bus = params.get("EventBusName", "default")
        if bus not in ("default", self.cloud.arn("events", "event-bus/default")):
            raise AwsError(
                "ResourceNotFoundException",
                f"Event bus {bus} does not exist: gbg_sandbox has the default bus only.",
            )


def _invalid(message: str) -> AwsError:
    return AwsError("ValidationException", message)


def _pattern(text: str) -> Pattern:
    try:
        return parse(text)
    except InvalidPatternError as error:
        raise AwsError(
            "InvalidEventPatternException", f"Event pattern is not valid. Reason: {error}"
        ) from error


def _rate(expression: str) -> int:
    try:
        return rate_seconds(expression)
    except (InvalidScheduleError, UnsupportedScheduleError) as error:
        raise _invalid(str(error)) from error


def _check_paths(target: dict[str, Any]) -> None:
    paths = list(target.get("InputTransformer", {}).get("InputPathsMap", {}).values())
    try:
        for path in [*paths, target.get("InputPath", "$")]:
            path_steps(path)
    except InvalidPathError as error:
        raise _invalid(f"{error} for target {target['Id']}.") from error


def _detail(entry: dict[str, Any]) -> dict[str, Any]:
    for field in ("Source", "DetailType", "Detail"):
        if not entry.get(field):
            raise AwsError(
                "InvalidArgument", f"Parameter {field} is not valid. Reason: {field} is a required argument."
            )
    if entry["Source"].startswith(("aws.", "gbg.sandbox")):
        raise AwsError("NotAuthorizedForSourceException", f"Not authorized for the source {entry['Source']}.")
    try:
        detail = json.loads(entry["Detail"])
    except json.JSONDecodeError as error:
        raise AwsError("MalformedDetail", "Detail is malformed.") from error
    if not isinstance(detail, dict):
        raise AwsError("MalformedDetail", "Detail is malformed.")
    return detail


def _page(key: str, items: list[Any], params: dict[str, Any]) -> dict[str, Any]:
    shown, following = page(
        items, params.get("NextToken"), params.get("Limit", 100), invalid="ValidationException"
    )
    return {key: shown, **({"NextToken": following} if following else {})}


SERVICE = Events
