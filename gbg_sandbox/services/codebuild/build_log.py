"""A build's log: lines as they come, sent to CloudWatch Logs under the project's service role."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable
from datetime import datetime
from typing import Any

from botocore.exceptions import ClientError

FLUSH_SECONDS = 0.5
BATCH = 500
LONGEST_LINE = 200_000


class BuildLog:
    """`write` takes output in pieces; a thread sends it, so that a build never waits for its log."""

    def __init__(self, logs: Any, group: str, stream: str, now: Callable[[], datetime]) -> None:
        self._logs = logs
        self._group = group
        self._stream = stream
        self._now = now
        self._lines: list[dict[str, Any]] = []
        self._partial = b""
        self._closed = False
        self._changed = threading.Condition()
        self._thread = threading.Thread(target=self._send_all, name=f"log {stream}", daemon=True)
        self.failure: ClientError | None = None
        """the first refusal while sending; the build goes on without its log, as on AWS"""

    def open(self) -> None:
        """Make group and stream. Raises botocore's ClientError when the role may not."""
        try:
            self._logs.create_log_stream(logGroupName=self._group, logStreamName=self._stream)
        except self._logs.exceptions.ResourceNotFoundException:
            with contextlib.suppress(self._logs.exceptions.ResourceAlreadyExistsException):
                self._logs.create_log_group(logGroupName=self._group)
            self._logs.create_log_stream(logGroupName=self._group, logStreamName=self._stream)
        self._thread.start()

    def say(self, text: str) -> None:
        """A line of CodeBuild's own, with its mark and the time."""
        with self._changed:
            self._end_line()
            self._add(f"[Container] {self._now():%Y/%m/%d %H:%M:%S.%f} {text}")
            self._changed.notify()

    def write(self, output: bytes) -> None:
        """What a command printed."""
        with self._changed:
            *lines, self._partial = (self._partial + output).split(b"\n")
            for line in lines:
                self._add(line.decode(errors="replace").rstrip("\r"))
            self._changed.notify()

    def close(self) -> None:
        """Send what is left. Idempotent."""
        with self._changed:
            self._end_line()
            self._closed = True
            self._changed.notify()
        if self._thread.is_alive():
            self._thread.join(timeout=10)

    def _end_line(self) -> None:
        if self._partial:
            partial, self._partial = self._partial, b""
            self._add(partial.decode(errors="replace"))

    def _add(self, line: str) -> None:
        moment = int(self._now().timestamp() * 1000)
        self._lines.append({"timestamp": moment, "message": (line[:LONGEST_LINE] or " ") + "\n"})

    def _send_all(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._closed, timeout=FLUSH_SECONDS)
                batch, self._lines = self._lines[:BATCH], self._lines[BATCH:]
                done = self._closed and not self._lines
            if batch and self.failure is None:
                try:
                    self._logs.put_log_events(
                        logGroupName=self._group, logStreamName=self._stream, logEvents=batch
                    )
                except ClientError as error:
                    self.failure = error
            if done:
                return


class NoLog(BuildLog):
    """For projects that have CloudWatch Logs disabled."""

    def __init__(self, now: Callable[[], datetime]) -> None:
        super().__init__(None, "", "", now)

    def open(self) -> None:
        pass

    def _add(self, line: str) -> None:
        pass
