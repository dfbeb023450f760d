"""Evaluates alarms: an alarm's period passes on the scaled clock, yet never in less than a real second.

Periods are aligned to whole ones and looked at half a second after they ended, when what happened in them has
been put. A look that a busy machine lets come late makes up for the periods before, one after the other, so
that no alarm misses what one of them held. Scaling policies are started again every minute while the alarm
lasts, as on AWS.
"""

from __future__ import annotations

import json
import math
import threading
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from gbg_sandbox.service import AwsError
from gbg_sandbox.services.cloudwatch.actions import (
    SCALING_POLICY,
    run_action,
    state_change,
    state_kept,
    state_told,
)
from gbg_sandbox.services.cloudwatch.evaluation import State, evaluate, reason
from gbg_sandbox.services.cloudwatch.metrics import Metrics, statistic
from gbg_sandbox.services.cloudwatch.state import Alarm, Alarms, HistoryItem

if TYPE_CHECKING:
    from gbg_sandbox.cloud import Cloud

LEAST_PERIOD_SECONDS = 1.0
SETTLING_SECONDS = 0.5
SCALING_REPEAT_SECONDS = 60
MOST_LATE = 10
"""periods that are made up for; the machine may have slept"""


class Engine:
    def __init__(self, cloud: Cloud, alarms: Alarms, metrics: Metrics, lock: threading.RLock) -> None:
        self._cloud = cloud
        self._alarms = alarms
        self._metrics = metrics
        self._lock = lock

    def start(self) -> None:
        self._cloud.keep("alarms", self._run)

    def _run(self) -> None:
        self._cloud.clock.pause(1 - (time.time() - SETTLING_SECONDS) % 1)
        with self._lock:
            alarms = dict(self._alarms.by_name)
        self._cloud.each("an alarm", alarms, lambda one: self._look_at(one, time.time() - SETTLING_SECONDS))

    def _look_at(self, alarm: Alarm, now: float) -> None:
        period = max(self._cloud.clock.real_seconds(alarm.period_seconds), LEAST_PERIOD_SECONDS)
        newest = math.floor(now / period + 0.01)
        with self._lock:
            last = round(alarm.looked_at / period) if alarm.looked_at else newest - 1
            alarm.looked_at = max(newest, last) * period
        for number in range(max(last, newest - MOST_LATE) + 1, newest + 1):
            self._judge(alarm, period, number * period)

    def _judge(self, alarm: Alarm, period: float, end: float) -> None:
        """By the periods up to that `end`."""
        with self._lock:
            starts = [end - period * number for number in range(alarm.condition.periods, 0, -1)]
            values = [
                statistic(
                    alarm.statistic, self._metrics.window(alarm.metric, start, start + period, alarm.unit)
                )
                for start in starts
            ]
        state = evaluate(alarm.condition, values)
        if state is None or state is alarm.state:
            self._repeat(alarm)
            return
        moments = [datetime.fromtimestamp(start, UTC) for start in starts]
        times = [moment.strftime("%d/%m/%y %H:%M:%S") for moment in moments]
        data = {
            "version": "1.0",
            "queryDate": datetime.now(UTC).isoformat(),
            "statistic": alarm.statistic,
            "period": alarm.period_seconds,
            "recentDatapoints": [value for value in values if value is not None],
            "threshold": alarm.condition.threshold,
        }
        self.move(alarm, state, reason(alarm.condition, values, times, state), json.dumps(data))

    def move(self, alarm: Alarm, state: State, why: str, data: str) -> None:
        """Give an alarm a state; when it is a new one, tell everybody and start its actions."""
        now = self._cloud.clock.now()
        with self._lock:
            previous, kept = state_told(alarm), state_kept(alarm)
            changed = alarm.state is not state
            alarm.state, alarm.reason, alarm.reason_data, alarm.state_updated = state, why, data, now
            if not changed:
                return
            alarm.state_transitioned = now
            event, described = state_change(alarm, previous), alarm.described()
            self._alarms.history.append(
                HistoryItem(
                    alarm.name,
                    now,
                    "StateUpdate",
                    f"Alarm updated from {previous['value']} to {state.value}",
                    {"version": "1.0", "oldState": kept, "newState": state_kept(alarm)},
                )
            )
            actions = alarm.actions if alarm.actions_enabled else []
        self._cloud.events.publish("aws.cloudwatch", "CloudWatch Alarm State Change", event, [alarm.arn])
        alarm.acted = time.monotonic()
        for arn in actions:
            self._cloud.spawn(f"alarm {alarm.name}", self._act, alarm, arn, described, event)

    def _repeat(self, alarm: Alarm) -> None:
        interval = max(self._cloud.clock.real_seconds(SCALING_REPEAT_SECONDS), LEAST_PERIOD_SECONDS)
        with self._lock:
            actions = [arn for arn in alarm.actions if SCALING_POLICY.fullmatch(arn)]
            if not actions or not alarm.actions_enabled or time.monotonic() - alarm.acted < interval:
                return
            alarm.acted = time.monotonic()
            event, described = state_change(alarm, state_told(alarm)), alarm.described()
        for arn in actions:
            self._cloud.spawn(f"alarm {alarm.name}", self._act, alarm, arn, described, event)

    def _act(self, alarm: Alarm, arn: str, described: dict[str, Any], event: dict[str, Any]) -> None:
        try:
            run_action(self._cloud, alarm, arn, described, event)
            summary = f"Successfully executed action {arn}"
        except (AwsError, ClientError) as error:
            summary = f'Failed to execute action {arn}. Received error: "{error}"'
        data = {"actionState": summary.partition(" ")[0], "stateUpdateTimestamp": event["state"]["timestamp"]}
        with self._lock:
            self._alarms.history.append(
                HistoryItem(alarm.name, self._cloud.clock.now(), "Action", summary, data)
            )
