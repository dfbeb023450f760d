"""The wish to stop a run: SIGINT, SIGTERM, or a time that is over.

The first wish interrupts the cell that runs, and the run closes its files; a kernel that does not heed it is
killed. A second signal ends the process at once: the next run closes what it left.
"""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from gbg_lib.errors import INTERRUPTED, GbgError, Interrupted

SIGNALS = (signal.SIGINT, signal.SIGTERM)
GRACE_SECONDS = 15.0
"""from the interrupt of a kernel to its end by force"""


def _nothing() -> None:
    pass


@dataclass
class Stop:
    wish: GbgError | None = None
    """why it is to stop; None while it goes on"""
    interrupt: Callable[[], None] = _nothing
    kill: Callable[[], None] = _nothing
    last_words: Callable[[], None] = _nothing
    """said before a second signal ends the process"""
    grace_seconds: float = GRACE_SECONDS
    _timers: list[threading.Timer] = field(default_factory=list)

    def ask(self, wish: GbgError) -> None:
        """The first wish counts."""
        if self.wish is None:
            self.wish = wish
            self.interrupt()
            self.after(self.grace_seconds, lambda: self.kill())

    def after(self, seconds: float, act: Callable[[], None]) -> threading.Timer:
        timer = threading.Timer(seconds, act)
        timer.daemon = True
        timer.start()
        self._timers.append(timer)
        return timer

    def over(self) -> None:
        """Nothing is waited for any more."""
        for timer in self._timers:
            timer.cancel()
        self._timers.clear()
        self.interrupt = self.kill = _nothing

    def require_going_on(self) -> None:
        """Raises the wish."""
        if self.wish is not None:
            raise self.wish


@contextmanager
def heeded(stop: Stop) -> Iterator[None]:
    """Signals are wishes to stop. Only the main thread hears signals; in another one nothing changes."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    signalled = False

    def heard(number: int, _: object) -> None:
        nonlocal signalled
        again, signalled = signalled, True
        if again:
            stop.kill()
            stop.last_words()
            os._exit(INTERRUPTED)
        name = signal.Signals(number).name
        stop.ask(
            Interrupted(
                "run",
                f"interrupted by {name}",
                "`gbg run --resume last`, or its folder's name, goes on from what is done in AWS",
            )
        )

    before = {number: signal.signal(number, heard) for number in SIGNALS}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
