"""At most so many requests in any second."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

from gbg_lib.replay.clock import monotonic

REQUESTS_A_SECOND = 5
SECOND = 1.0


class Budget:
    def __init__(self, most: int = REQUESTS_A_SECOND, clock: Callable[[], float] = monotonic) -> None:
        self.most = most
        self.clock = clock
        self._taken: deque[float] = deque()

    @property
    def free(self) -> int:
        """How many may be made now."""
        self._forget()
        return self.most - len(self._taken)

    def take(self) -> None:
        self._taken.append(self.clock())

    @property
    def until_less(self) -> float:
        """Seconds until one of those that were taken is a second old."""
        return max(self._taken[0] + SECOND - self.clock(), 0.0) if self._taken else 0.0

    def _forget(self) -> None:
        now = self.clock()
        while self._taken and now - self._taken[0] >= SECOND:
            self._taken.popleft()
