"""At most so many requests in any second."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from math import ceil

from gbg_lib.replay.clock import monotonic

REQUESTS_A_SECOND = 5
MOST_LOOKS_A_SECOND = 4
SECOND = 1.0


class Budget:
    """A request counts from its answer on, however long its way was.

    Those of a second are never more, but for an answer of many pages: they are counted when all are there.
    """

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
    def wait(self) -> float:
        """Seconds until one may be made."""
        return max(self._taken[0] + SECOND - self.clock(), 0.0) if self.free <= 0 else 0.0

    def _forget(self) -> None:
        now = self.clock()
        while self._taken and now - self._taken[0] >= SECOND:
            self._taken.popleft()


def shared(poll_seconds: float, clock: Callable[[], float] = monotonic) -> tuple[Budget, Budget]:
    """One for what goes on, asked for at each look; one for all else, with what that leaves."""
    looks = ceil(min(1 / poll_seconds, MOST_LOOKS_A_SECOND)) if poll_seconds else MOST_LOOKS_A_SECOND
    return Budget(looks, clock), Budget(REQUESTS_A_SECOND - looks, clock)
