"""CloudWatch: metrics and metric alarms. Dashboards, anomaly detection and metric math are not there."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from gbg_sandbox.paging import page
from gbg_sandbox.service import AwsError, Call, modelled, runs
from gbg_sandbox.services.cloudwatch.actions import check_action
from gbg_sandbox.services.cloudwatch.engine import Engine
from gbg_sandbox.services.cloudwatch.evaluation import COMPARISONS, TREATMENTS, Condition, State
from gbg_sandbox.services.cloudwatch.metrics import Metric, known_statistic
from gbg_sandbox.services.cloudwatch.metrics_api import MetricsApi
from gbg_sandbox.services.cloudwatch.state import ACTION_LISTS, Alarm, Alarms, HistoryItem

if TYPE_CHECKING:
    from gbg_sandbox.cloud import Cloud

SETTINGS = frozenset(
    {
        *("AlarmName", "AlarmDescription", "ActionsEnabled", "Tags", *ACTION_LISTS.values()),
        *("MetricName", "Namespace", "Statistic", "ExtendedStatistic", "Dimensions", "Period", "Unit"),
        *("EvaluationPeriods", "DatapointsToAlarm", "Threshold", "ComparisonOperator", "TreatMissingData"),
    }
)
MOST_ACTIONS = 5


class Cloudwatch(MetricsApi):
    def __init__(self, cloud: Cloud) -> None:
        super().__init__(cloud)
        self.alarms = Alarms()
        self.engine = Engine(cloud, self.alarms, self.metrics, self.lock)

    def start(self) -> None:
        self.engine.start()

    @runs
    def put_metric_alarm(self, call: Call, params: dict[str, Any]) -> None:
        made = self._alarm(params)
        with self.lock:
            old = self.alarms.by_name.get(made.name)
            if old is not None:
                made.tags = old.tags
                made.state, made.reason, made.reason_data = old.state, old.reason, old.reason_data
                made.state_updated, made.state_transitioned = old.state_updated, old.state_transitioned
            self.alarms.by_name[made.name] = made
            self._remember(made, "updated" if old else "created")

    def _alarm(self, params: dict[str, Any]) -> Alarm:
        unsupported = sorted(name for name in set(params) - SETTINGS if params[name])
        if unsupported:
            raise _invalid(f"gbg_sandbox does not run alarms with {', '.join(unsupported)}")
        for name in ACTION_LISTS.values():
            if len(params.get(name, [])) > MOST_ACTIONS:
                raise _invalid(f"{name} must have at most {MOST_ACTIONS} members")
            for arn in params.get(name, []):
                check_action(arn)
        now = self.cloud.clock.now()
        return Alarm(
            params["AlarmName"],
            self.cloud.arn("cloudwatch", f"alarm:{params['AlarmName']}"),
            params,
            _metric_of(params),
            _statistic_of(params),
            _period_of(params),
            params.get("Unit", ""),
            _condition_of(params),
            now,
            now,
            now,
            tags={tag["Key"]: tag["Value"] for tag in params.get("Tags", [])},
        )

    @modelled
    def describe_alarms(self, call: Call, params: dict[str, Any]) -> dict[str, Any]:
        if params.get("ChildrenOfAlarmName") or params.get("ParentsOfAlarmName"):
            raise _invalid("gbg_sandbox has no composite alarms")
        with self.lock:
            found = [
                alarm.described()
                for name, alarm in sorted(self.alarms.by_name.items())
                if ("AlarmNames" not in params or name in params["AlarmNames"])
                and name.startswith(params.get("AlarmNamePrefix", ""))
                and params.get("StateValue", alarm.state) == alarm.state
                and "MetricAlarm" in params.get("AlarmTypes", ["MetricAlarm"])
                and _has_action(alarm, params.get("ActionPrefix"))
            ]
        return _page("MetricAlarms", found, params) | {"CompositeAlarms": []}

    @modelled
    def describe_alarms_for_metric(self, call: Call, params: dict[str, Any]) -> dict[str, Any]:
        metric = _metric_of(params)
        wanted = {
            name: params[name]
            for name in ("Statistic", "ExtendedStatistic", "Period", "Unit")
            if name in params
        }
        with self.lock:
            return {
                "MetricAlarms": [
                    alarm.described()
                    for alarm in self.alarms.by_name.values()
                    if alarm.metric == metric
                    and all(alarm.settings.get(name) == value for name, value in wanted.items())
                ]
            }

    @runs
    def delete_alarms(self, call: Call, params: dict[str, Any]) -> None:
        with self.lock:
            missing = [name for name in params["AlarmNames"] if name not in self.alarms.by_name]
            if missing:
                raise AwsError("ResourceNotFound", f"Unknown alarms: {', '.join(missing)}", 404)
            for name in params["AlarmNames"]:
                self._remember(self.alarms.by_name.pop(name), "deleted")

    @runs
    def set_alarm_state(self, call: Call, params: dict[str, Any]) -> None:
        with self.lock:
            alarm = self.alarms.get(params["AlarmName"])
        data = params.get("StateReasonData", "{}")
        try:
            json.loads(data)
        except ValueError as error:
            raise AwsError(
                "InvalidFormat", f"StateReasonData is not syntactically valid JSON: {error}"
            ) from error
        self.engine.move(alarm, State(params["StateValue"]), params["StateReason"], data)

    @modelled
    def describe_alarm_history(self, call: Call, params: dict[str, Any]) -> dict[str, Any]:
        with self.lock:
            found = [
                item.described()
                for item in self.alarms.history
                if params.get("AlarmName", item.alarm) == item.alarm
                and params.get("HistoryItemType", item.kind) == item.kind
                and params.get("StartDate", item.time) <= item.time <= params.get("EndDate", item.time)
            ]
        if params.get("ScanBy", "TimestampDescending") == "TimestampDescending":
            found.reverse()
        return _page("AlarmHistoryItems", found, params)

    @runs
    def enable_alarm_actions(self, call: Call, params: dict[str, Any]) -> None:
        self._switch(params["AlarmNames"], enabled=True)

    @runs
    def disable_alarm_actions(self, call: Call, params: dict[str, Any]) -> None:
        self._switch(params["AlarmNames"], enabled=False)

    def _switch(self, names: list[str], *, enabled: bool) -> None:
        with self.lock:
            for name in names:
                if name in self.alarms.by_name:
                    self.alarms.by_name[name].settings["ActionsEnabled"] = enabled

    @modelled
    def tag_resource(self, call: Call, params: dict[str, Any]) -> dict[str, Any]:
        with self.lock:
            tags = self.alarms.by_arn(params["ResourceARN"]).tags
            tags.update({tag["Key"]: tag["Value"] for tag in params["Tags"]})
        return {}

    @modelled
    def untag_resource(self, call: Call, params: dict[str, Any]) -> dict[str, Any]:
        with self.lock:
            for key in params["TagKeys"]:
                self.alarms.by_arn(params["ResourceARN"]).tags.pop(key, None)
        return {}

    @modelled
    def list_tags_for_resource(self, call: Call, params: dict[str, Any]) -> dict[str, Any]:
        with self.lock:
            tags = self.alarms.by_arn(params["ResourceARN"]).tags
            return {"Tags": [{"Key": key, "Value": value} for key, value in tags.items()]}

    def tagged_resources(self) -> dict[str, dict[str, str]]:
        with self.lock:
            return {one.arn: dict(one.tags) for one in self.alarms.by_name.values()}

    def _remember(self, alarm: Alarm, verb: str) -> None:
        data = {"version": "1.0", "type": verb.removesuffix("d").capitalize(), "alarmArn": alarm.arn}
        self.alarms.history.append(
            HistoryItem(
                alarm.name,
                self.cloud.clock.now(),
                "ConfigurationUpdate",
                f'Alarm "{alarm.name}" {verb}',
                data,
            )
        )


def _invalid(message: str) -> AwsError:
    return AwsError("ValidationError", message)


def _metric_of(params: dict[str, Any]) -> Metric:
    for name in ("MetricName", "Namespace"):
        if not params.get(name):
            raise _invalid(f"The parameter {name} is required: gbg_sandbox runs alarms on one metric")
    dimensions = {one["Name"]: one["Value"] for one in params.get("Dimensions", [])}
    return Metric.of(params["Namespace"], params["MetricName"], dimensions)


def _statistic_of(params: dict[str, Any]) -> str:
    if ("Statistic" in params) == ("ExtendedStatistic" in params):
        raise _invalid("One of Statistic and ExtendedStatistic must be specified")
    wanted = str(params.get("Statistic") or params["ExtendedStatistic"])
    if not known_statistic(wanted):
        raise _invalid(f"gbg_sandbox does not run the statistic {wanted}")
    return wanted


def _period_of(params: dict[str, Any]) -> int:
    period = int(params.get("Period", 0))
    if period not in (10, 20, 30) and (period < 60 or period % 60):
        raise _invalid("Period must be 10, 20, 30 or any multiple of 60")
    return period


def _condition_of(params: dict[str, Any]) -> Condition:
    for name in ("EvaluationPeriods", "Threshold", "ComparisonOperator"):
        if name not in params:
            raise _invalid(f"The parameter {name} is required")
    if params["ComparisonOperator"] not in COMPARISONS:
        raise _invalid(
            f"gbg_sandbox does not run {params['ComparisonOperator']}: it has no anomaly detection"
        )
    missing = params.get("TreatMissingData", "missing")
    if missing not in TREATMENTS:
        raise _invalid(f"Option {missing} is not supported for TreatMissingData")
    periods = params["EvaluationPeriods"]
    datapoints = params.get("DatapointsToAlarm", periods)
    if not 1 <= datapoints <= periods:
        raise _invalid("DatapointsToAlarm must be between 1 and EvaluationPeriods")
    return Condition(params["ComparisonOperator"], params["Threshold"], datapoints, periods, missing)


def _has_action(alarm: Alarm, prefix: str | None) -> bool:
    if not prefix:
        return True
    return any(
        arn.startswith(prefix) for name in ACTION_LISTS.values() for arn in alarm.settings.get(name, [])
    )


def _page(key: str, items: list[dict[str, Any]], params: dict[str, Any]) -> dict[str, Any]:
    shown, following = page(items, params.get("NextToken"), params.get("MaxRecords", 50))
    return {key: shown, **({"NextToken": following} if following else {})}


SERVICE = Cloudwatch
