"""pid 1's loop: what is ready to be read is heard, what is due is done, and no error in either ends it."""

from __future__ import annotations

import heapq
import itertools
import selectors
import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from socket import socket

    Action = Callable[[], None]


class Loop:
    def __init__(self, complain: Callable[[str], None]) -> None:
        self._complain = complain
        self._selector = selectors.DefaultSelector()
        self._timers: list[tuple[float, int, Action]] = []
        self._cancelled: set[int] = set()
        self._numbers = itertools.count(1)

    def watch(self, source: socket | int, action: Action) -> None:
        """`action` whenever the source, or descriptor, can be read, until it is forgotten."""
        self._selector.register(source, selectors.EVENT_READ, action)

    def forget(self, source: socket | int) -> None:
        self._selector.unregister(source)

    def after(self, seconds: float, action: Action) -> int:
        """A number to cancel it by."""
        number = next(self._numbers)
        heapq.heappush(self._timers, (time.monotonic() + seconds, number, action))
        return number

    def cancel(self, number: int) -> None:
        """Nothing where it is done already."""
        if any(timer[1] == number for timer in self._timers):
            self._cancelled.add(number)

    def turn(self) -> None:
        """Wait for what comes next, and do it."""
        for key, _events in self._selector.select(self._patience()):
            self._survive(key.data)
        self._fire_timers()

    def _patience(self) -> float | None:
        return max(0.0, self._timers[0][0] - time.monotonic()) if self._timers else None

    def _fire_timers(self) -> None:
        while self._timers and self._timers[0][0] <= time.monotonic():
            _moment, number, action = heapq.heappop(self._timers)
            if number in self._cancelled:
                self._cancelled.discard(number)
            else:
                self._survive(action)

    def _survive(self, action: Action) -> None:
        """pid 1 must not die of one bad request or unit: who made the loop hears of the error."""
        try:
            action()
        except Exception as error:
            where = error.__traceback__
            while where is not None and where.tb_next is not None:
                where = where.tb_next
            line = f"{where.tb_frame.f_code.co_filename}:{where.tb_lineno}" if where else "?"
            self._complain(f"systemd: {type(error).__name__}: {error} ({line})")
