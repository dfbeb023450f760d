"""Writes what functions say to CloudWatch Logs, under each function's own role.

Without the right to do so there are no logs, as on AWS; the refusal is seen on the event stream.
"""

from __future__ import annotations

import queue
import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from gbg_sandbox.service import Principal

if TYPE_CHECKING:
    from gbg_sandbox.cloud import Cloud

MOST_EVENTS = 1000
LONGEST_MESSAGE = 250_000
GATHER_SECONDS = 0.05
"""real: lines that come close together go into one request"""


@dataclass(frozen=True)
class Entry:
    group: str
    stream: str
    principal: Principal
    time_ms: int
    message: str


class LogWriter:
    def __init__(self, cloud: Cloud) -> None:
        self._cloud = cloud
        self._queue: queue.SimpleQueue[Entry | threading.Event] = queue.SimpleQueue()
        self._known: set[tuple[str, str]] = set()

    def start(self) -> None:
        self._cloud.keep("lambda logs", self._run)

    def write(self, group: str, stream: str, principal: Principal, message: str) -> None:
        entry = Entry(group, stream, principal, int(time.time() * 1000), message[:LONGEST_MESSAGE] or " ")
        self._queue.put(entry)

    def flush(self, real_seconds: float) -> None:
        """Wait until what has been written so far is in its streams."""
        written = threading.Event()
        self._queue.put(written)
        written.wait(real_seconds)

    def _run(self) -> None:
        try:
            found = [self._queue.get(timeout=0.5)]
        except queue.Empty:
            self._cloud.clock.pause(0)
            return
        self._cloud.clock.pause(GATHER_SECONDS)
        while not self._queue.empty() and len(found) < MOST_EVENTS:
            found.append(self._queue.get())
        streams: dict[tuple[str, str, Principal], list[Entry]] = {}
        for entry in found:
            if isinstance(entry, Entry):
                streams.setdefault((entry.group, entry.stream, entry.principal), []).append(entry)
        for (group, stream, principal), kept in streams.items():
            self._put(group, stream, principal, kept)
        for flushed in found:
            if isinstance(flushed, threading.Event):
                flushed.set()

    def _put(self, group: str, stream: str, principal: Principal, entries: list[Entry]) -> None:
        logs = self._cloud.client("logs", principal=principal)
        events = [{"timestamp": entry.time_ms, "message": entry.message} for entry in entries]
        try:
            if (group, stream) not in self._known:
                self._create(logs, group, stream)
            logs.put_log_events(logGroupName=group, logStreamName=stream, logEvents=events)
        except ClientError as error:
            self._known.discard((group, stream))
            detail = {"logGroup": group, "role": principal.arn, "lost": len(entries), "error": str(error)}
            self._cloud.events.publish("gbg.sandbox", "Lambda Logs Lost", detail)

    def _create(self, logs: Any, group: str, stream: str) -> None:
        try:
            logs.create_log_stream(logGroupName=group, logStreamName=stream)
        except ClientError as error:
            if error.response["Error"]["Code"] != "ResourceNotFoundException":
                raise
            logs.create_log_group(logGroupName=group)
            logs.create_log_stream(logGroupName=group, logStreamName=stream)
        self._known.add((group, stream))
