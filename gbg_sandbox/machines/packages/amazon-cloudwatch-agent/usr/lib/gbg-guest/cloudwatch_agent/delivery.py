"""Brings lines to a log stream with the instance's own rights, in batches that PutLogEvents takes.

https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_PutLogEvents.html
"""

from __future__ import annotations

import re
import time
from http.client import HTTPException

from cloudwatch_agent.tail import LONGEST_LINE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from cloudwatch_agent.place import Log
    from cloudwatch_agent.tail import Tail

API = "Logs_20140328"
BATCH_EVENTS = 10_000
BATCH_BYTES = 1_000_000
EVENT_OVERHEAD = 26
CALL_SECONDS = 10.0
FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS = 1.0, 60.0
NOT_AGAIN = ("InvalidParameterException", "DataAlreadyAcceptedException")
"""refusals that the same events would meet again"""


class Stream:
    """One file series and its log stream. Nothing new is read while a full batch waits to be delivered."""

    def __init__(
        self,
        aws: Any,
        log: Log,
        tail: Tail,
        group: str,
        name: str,
        *,
        retention_days: int = -1,
        event_start: str = r"^\S",
    ) -> None:
        """`event_start`: a line without it belongs to the event of the line before."""
        self.aws = aws
        self.log = log
        self.tail = tail
        self.group = group
        self.name = name
        self._retention_days = retention_days
        self._starts = re.compile(event_start).search
        self._waiting: list[dict[str, Any]] = []
        self._bytes = 0
        self._since = 0.0
        self._pause = 0.0
        self._not_before = 0.0
        self._call_seconds = CALL_SECONDS

    def turn(self, flush_seconds: float) -> None:
        """Read what is new; deliver when the oldest line waited `flush_seconds`, or a batch is full."""
        full = self._read()
        now = time.monotonic()
        if self._waiting and now >= self._not_before and (full or now - self._since >= flush_seconds):
            self._deliver()

    def finish(self, seconds: float) -> None:
        """Deliver what is there, each call in `seconds` or never."""
        self._call_seconds = seconds
        self._read()
        self._deliver()

    def _read(self) -> bool:
        """Whether a batch is full."""
        while self._bytes < BATCH_BYTES // 2:
            lines = self.tail.read()
            if not lines:
                return False
            self._since = self._since if self._waiting else time.monotonic()
            stamp = int(time.time() * 1000)
            for line in lines:
                self._take(line.decode("utf-8", "replace"), len(line), stamp)
        return True

    def _take(self, text: str, size: int, stamp: int) -> None:
        last = self._waiting[-1] if self._waiting else None
        if last and not self._starts(text) and len(last["message"]) + size < LONGEST_LINE:
            last["message"] += f"\n{text}"
        else:
            self._waiting.append({"timestamp": stamp, "message": text})
            self._bytes += EVENT_OVERHEAD
        self._bytes += size

    def _deliver(self) -> None:
        """What fails is logged and tried again, after a longer pause each time."""
        try:
            while self._waiting:
                batch = self._batch()
                self._put(batch)
                del self._waiting[: len(batch)]
        except (self.aws.ServiceError, self.aws.InstanceError, OSError, HTTPException) as error:
            self._pause = min(self._pause * 2, LONGEST_PAUSE_SECONDS) or FIRST_PAUSE_SECONDS
            self._not_before = time.monotonic() + self._pause
            self._complain(str(error))
            return
        self._bytes, self._pause, self._not_before = 0, 0.0, 0.0
        self.tail.confirm()
        self._keep_for_days()

    def _batch(self) -> list[dict[str, Any]]:
        size = 0
        for number, event in enumerate(self._waiting[:BATCH_EVENTS]):
            size += len(event["message"].encode()) + EVENT_OVERHEAD
            if size > BATCH_BYTES and number:
                return self._waiting[:number]
        return self._waiting[:BATCH_EVENTS]

    def _put(self, batch: list[dict[str, Any]]) -> None:
        """Makes the stream, and the group, when one is missing."""
        try:
            self._put_or_make(batch)
        except self.aws.ServiceError as error:
            if error.code not in NOT_AGAIN:
                raise
            self._complain(f"{len(batch)} events are given up: {error}")

    def _put_or_make(self, batch: list[dict[str, Any]]) -> None:
        for making in ((), ("CreateLogStream",), ("CreateLogGroup", "CreateLogStream")):
            try:
                for action in making:
                    self._make(action)
                answer = self._call("PutLogEvents", logStreamName=self.name, logEvents=batch)
            except self.aws.ServiceError as error:
                if error.code != "ResourceNotFoundException" or len(making) == 2:
                    raise
            else:
                if answer.get("rejectedLogEventsInfo"):
                    self._complain(f"refused events: {answer['rejectedLogEventsInfo']}")
                return

    def _make(self, action: str) -> None:
        params = {"logStreamName": self.name} if action == "CreateLogStream" else {}
        try:
            self._call(action, **params)
        except self.aws.ServiceError as error:
            if error.code != "ResourceAlreadyExistsException":
                raise
        else:
            self.log.info(f"[outputs.cloudwatchlogs] {self.group}/{self.name}: {action} done")

    def _keep_for_days(self) -> None:
        """Set the group's retention, once."""
        days, self._retention_days = self._retention_days, -1
        if days < 0:
            return
        try:
            self._call("PutRetentionPolicy", retentionInDays=days)
        except (self.aws.ServiceError, self.aws.InstanceError, OSError, HTTPException) as error:
            self._complain(str(error))

    def _complain(self, text: str) -> None:
        self.log.error(f"[outputs.cloudwatchlogs] {self.group}/{self.name}: {text}")

    def _call(self, action: str, **params: Any) -> dict[str, Any]:
        request = {"logGroupName": self.group, **params}
        answer: dict[str, Any] = self.aws.call("logs", f"{API}.{action}", request, timeout=self._call_seconds)
        return answer
