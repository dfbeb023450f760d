"""The steps of a bake and the phases of a build, with what they print."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from gbg_lib.aws import Aws
from gbg_lib.bakes import OVER
from gbg_lib.record.words import plain
from gbg_lib.replay.clock import now
from gbg_lib.secret.values import masking

LAST_LINES = 6
WIDTH = 110
"""characters that are shown of a line"""
CONTAINER = re.compile(r"^\[Container\] [\d/]+ [\d:.]+ ")
"""what CodeBuild writes before its own lines"""


@dataclass(frozen=True)
class Piece:
    """A step or phase."""

    name: str
    status: str
    """as AWS says it; `Pending` for one that has not begun"""
    seconds: float | None = None
    """None for one that has not begun"""


@dataclass(frozen=True)
class Bake:
    steps: tuple[Piece, ...]
    over: bool


def read_bake(aws: Aws, automation: str) -> Bake:
    """Its steps in their order."""
    found = aws.call("ssm", "get_automation_execution", AutomationExecutionId=automation)
    execution = found["AutomationExecution"]
    steps = tuple(
        Piece(step["StepName"], step["StepStatus"], _seconds(step, "ExecutionStartTime", "ExecutionEndTime"))
        for step in execution.get("StepExecutions", [])
    )
    return Bake(steps, execution["AutomationExecutionStatus"] in OVER)


@dataclass(frozen=True)
class Build:
    phases: tuple[Piece, ...]
    log_group: str
    log_stream: str
    over: bool


def read_build(aws: Aws, build: str) -> Build:
    """Its phases in their order; the last one, which only says that it is over, left out."""
    [found] = aws.call("codebuild", "batch_get_builds", ids=[build])["builds"]
    phases = tuple(
        Piece(one["phaseType"], one.get("phaseStatus", "IN_PROGRESS"), _seconds(one, "startTime", "endTime"))
        for one in found.get("phases", [])
        if one["phaseType"] != "COMPLETED"
    )
    logs = found.get("logs", {})
    over = bool(found.get("buildComplete"))
    return Build(phases, logs.get("groupName", ""), logs.get("streamName", ""), over)


class Tail:
    """The last lines of a log group since a moment, read on from where the last look ended."""

    def __init__(self, group: str, since: datetime, stream: str = "") -> None:
        self.group = group
        self.lines: tuple[str, ...] = ()
        self._asked: dict[str, Any] = {"logStreamNames": [stream]} if stream else {}
        self._since = int(since.timestamp() * 1000)
        self._seen: set[str] = set()

    def look(self, aws: Aws) -> None:
        """One request: what a page holds."""
        answer = aws.call(
            "logs", "filter_log_events", logGroupName=self.group, startTime=self._since, **self._asked
        )
        new = [event for event in answer["events"] if event["eventId"] not in self._seen]
        for event in sorted(new, key=lambda event: (event["timestamp"], event["logStreamName"])):
            self._seen.add(event["eventId"])
            self._since = max(self._since, event["timestamp"])
            self.lines = shown([*self.lines, *event["message"].splitlines()])


def shown(lines: Iterable[str]) -> tuple[str, ...]:
    """The last lines that say something, without what is secret and what moves a cursor."""
    masked = masking()
    told = (plain(CONTAINER.sub("", masked.text(line)), WIDTH) for line in lines)
    return tuple(line for line in told if line.strip())[-LAST_LINES:]


def _seconds(item: Mapping[str, Any], begin: str, end: str) -> float | None:
    if item.get(begin) is None:
        return None
    until = item.get(end) or now()
    return max(float((until - item[begin]).total_seconds()), 0.0)
