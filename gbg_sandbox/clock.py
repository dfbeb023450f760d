"""The sandbox's time: waits that AWS would impose are scaled, real work is not.

Timestamps are always real, so that signatures, token expiry and logs agree with the host.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime


class ShuttingDown(Exception):
    """The sandbox is being stopped: whoever waits has to leave."""


class Clock:
    """Sleeps AWS seconds; `scale` AWS seconds pass in one real second."""

    def __init__(self, scale: float = 60.0) -> None:
        if scale <= 0:
            raise ValueError(f"the clock's scale must be above 0, not {scale}")
        self.scale = scale
        self._stopped = threading.Event()

    def now(self) -> datetime:
        return datetime.now(UTC)

    def real_seconds(self, aws_seconds: float) -> float:
        """How long a wait that AWS would impose takes on this machine."""
        return aws_seconds / self.scale

    def sleep(self, aws_seconds: float) -> None:
        """Wait as AWS would. Raises ShuttingDown when the sandbox stops meanwhile."""
        self.pause(self.real_seconds(aws_seconds))

    def pause(self, real_seconds: float) -> None:
        """Wait in real seconds, for work that can't be hurried. Raises ShuttingDown."""
        if self._stopped.wait(real_seconds):
            raise ShuttingDown

    def wait_until(
        self, condition: Callable[[], bool], *, aws_seconds: float, real_floor: float = 0.0
    ) -> bool:
        """Wait for `condition`; False when the limit passed first.

        `real_floor` is the least real time given, for what hangs on real work such as a JVM's start.
        """
        deadline = time.monotonic() + max(self.real_seconds(aws_seconds), real_floor)
        while not condition():
            if time.monotonic() >= deadline:
                return False
            self.pause(0.02)
        return True

    def stop(self) -> None:
        self._stopped.set()

    @property
    def stopped(self) -> bool:
        return self._stopped.is_set()
