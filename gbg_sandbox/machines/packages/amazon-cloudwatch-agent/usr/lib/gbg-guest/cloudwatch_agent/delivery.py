"""Brings lines to a log stream with the instance's own rights, in batches that PutLogEvents takes.

https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_PutLogEvents.html
"""

from __future__ import annotations

import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from cloudwatch_agent.place import Log
    from cloudwatch_agent.tail import Tail

API = "Logs_20140328"
BATCH_EVENTS = 10_000
BATCH_BYTES = 1_000_000
EVENT_OVERHEAD = 26
FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS = 1.0, 60.0


class Stream:
    """One file series and its log stream. Nothing new is read while a batch waits to be delivered."""

    def __init__(self, aws: Any, log: Log, tail: Tail, group: str, name: str, retention_days: int) -> None:
        self.aws = aws
        self.log = log
        self.tail = tail
        self.group = group
        self.name = name
        self.retention_days = retention_days
        self._waiting: list[dict[str, Any]] = []
        self._bytes = 0
        self._since = 0.0
        self._pause = 0.0
        self._not_before = 0.0

    def turn(self, flush_seconds: float) -> None:
        """Read what is new; deliver when the oldest line waited `flush_seconds`, or a batch is full."""
        now = time.monotonic()
        full = self._read()
        if self._waiting and now >= self._not_before and (full or now - self._since >= flush_seconds):
            self.deliver()

    def _read(self) -> bool:
        """Whether a batch is full."""
        while self._bytes < BATCH_BYTES // 2 and len(self._waiting) < BATCH_EVENTS // 2:
            lines = self.tail.read()
            if not lines:
                return False
            self._since = self._since if self._waiting else time.monotonic()
            stamp = int(time.time() * 1000)
            for line in lines:
                self._waiting.append({"timestamp": stamp, "message": line.decode("utf-8", "replace")})
                self._bytes += len(line) + EVENT_OVERHEAD
        return True

    def deliver(self, timeout: float = 10.0) -> None:
        """What fails is logged and tried again, after a longer pause each time."""
        if not self._waiting:
            return
        try:
            self._put(timeout)
        except (self.aws.ServiceError, self.aws.InstanceError, OSError) as error:
            self._pause = min(self._pause * 2, LONGEST_PAUSE_SECONDS) or FIRST_PAUSE_SECONDS
            self._not_before = time.monotonic() + self._pause
            self.log.error(f"[outputs.cloudwatchlogs] {self.group}/{self.name}: {error}")
            return
        self._waiting, self._bytes, self._pause, self._not_before = [], 0, 0.0, 0.0
        self.tail.confirm()

    def _put(self, timeout: float) -> None:
        events = {"logEvents": self._waiting}
        for action in (None, "CreateLogStream", "CreateLogGroup"):
            try:
                if action == "CreateLogGroup":
                    self._make_group(timeout)
                if action:
                    self._make_stream(timeout)
                self._call("PutLogEvents", timeout, logStreamName=self.name, **events)
                return
            except self.aws.ServiceError as error:
                if error.code != "ResourceNotFoundException" or action == "CreateLogGroup":
                    raise

    def _make_stream(self, timeout: float) -> None:
        self._make("CreateLogStream", timeout, logStreamName=self.name)

    def _make_group(self, timeout: float) -> None:
        self._make("CreateLogGroup", timeout)
        if self.retention_days > 0:
            self._call("PutRetentionPolicy", timeout, retentionInDays=self.retention_days)

    def _make(self, action: str, timeout: float, **params: Any) -> None:
        try:
            self._call(action, timeout, **params)
        except self.aws.ServiceError as error:
            if error.code != "ResourceAlreadyExistsException":
                raise
        else:
            self.log.info(f"[outputs.cloudwatchlogs] {action} {self.group} {params.get('logStreamName', '')}")

    def _call(self, action: str, timeout: float, **params: Any) -> None:
        request = {"logGroupName": self.group, **params}
        answer = self.aws.call("logs", f"{API}.{action}", request, timeout=timeout)
        rejected = answer.get("rejectedLogEventsInfo")
        if rejected:
            self.log.error(f"[outputs.cloudwatchlogs] {self.group}/{self.name} refused events: {rejected}")
