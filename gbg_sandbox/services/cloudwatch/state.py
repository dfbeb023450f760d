"""Alarms and what became of them."""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from gbg_sandbox.service import AwsError
from gbg_sandbox.services.cloudwatch.evaluation import Condition, State
from gbg_sandbox.services.cloudwatch.metrics import Metric

KEPT_HISTORY = 1000
ACTION_LISTS = {
    State.ALARM: "AlarmActions",
    State.OK: "OKActions",
    State.INSUFFICIENT_DATA: "InsufficientDataActions",
}


@dataclass(frozen=True)
class HistoryItem:
    alarm: str
    time: datetime
    kind: str
    """ConfigurationUpdate | StateUpdate | Action"""
    summary: str
    data: Mapping[str, Any]

    def described(self) -> dict[str, Any]:
        return {
            "AlarmName": self.alarm,
            "AlarmType": "MetricAlarm",
            "Timestamp": self.time,
            "HistoryItemType": self.kind,
            "HistorySummary": self.summary,
            "HistoryData": json.dumps(self.data, default=str),
        }


@dataclass
class Alarm:
    name: str
    arn: str
    settings: dict[str, Any]
    """as PutMetricAlarm was given them"""
    metric: Metric
    statistic: str
    period_seconds: int
    """AWS seconds"""
    unit: str
    condition: Condition
    configured: datetime
    state_updated: datetime
    state_transitioned: datetime
    state: State = State.INSUFFICIENT_DATA
    reason: str = "Unchecked: Initial alarm creation"
    reason_data: str = "{}"
    tags: dict[str, str] = field(default_factory=dict)
    looked_at: float = 0.0
    """end of the newest period that was evaluated"""
    acted: float = 0.0
    """when its scaling actions were run last, on the monotonic clock"""

    @property
    def actions_enabled(self) -> bool:
        return bool(self.settings.get("ActionsEnabled", True))

    @property
    def actions(self) -> list[str]:
        """ARNs of what its present state starts."""
        return list(self.settings.get(ACTION_LISTS[self.state], []))

    def described(self) -> dict[str, Any]:
        settings = {key: value for key, value in self.settings.items() if key != "Tags"}
        return {
            "ActionsEnabled": True,
            **{name: [] for name in ACTION_LISTS.values()},
            "Dimensions": [],
            **settings,
            "AlarmArn": self.arn,
            "AlarmConfigurationUpdatedTimestamp": self.configured,
            "StateValue": self.state.value,
            "StateReason": self.reason,
            "StateReasonData": self.reason_data,
            "StateUpdatedTimestamp": self.state_updated,
            "StateTransitionedTimestamp": self.state_transitioned,
        }


class Alarms:
    """All alarms by name. Whoever reads or writes holds the service's lock."""

    def __init__(self) -> None:
        self.by_name: dict[str, Alarm] = {}
        self.history: deque[HistoryItem] = deque(maxlen=KEPT_HISTORY)

    def get(self, name: str) -> Alarm:
        if name not in self.by_name:
            raise AwsError("ResourceNotFound", f"Alarm {name} does not exist", 404)
        return self.by_name[name]

    def by_arn(self, arn: str) -> Alarm:
        return self.get(arn.partition(":alarm:")[2])
