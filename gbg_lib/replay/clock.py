"""Time and chance as a run meets them: kept as they came; in a replay as they came then, and no waits."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from threading import Event
from uuid import uuid4

from gbg_lib.replay.tape import Playing, Recording, asked, current


def now() -> datetime:
    tape = current()
    if isinstance(tape, Playing):
        return datetime.fromisoformat(tape.reading("now"))
    read = datetime.now(UTC)
    if isinstance(tape, Recording):
        tape.keep("now", {}, reply=read.isoformat())
    return read


def monotonic() -> float:
    """Seconds from some moment on."""
    tape = current()
    if isinstance(tape, Playing):
        return float(tape.reading("tick"))
    if not isinstance(tape, Recording):
        return time.monotonic()
    read = round(time.monotonic(), 3)  # what is kept is what is compared
    tape.keep("tick", {}, reply=read)
    return read


def pause(seconds: float) -> None:
    if not isinstance(current(), Playing):
        time.sleep(seconds)


def waited(event: Event, seconds: float) -> bool:
    """As `event.wait`; in a replay until it is this thread's turn."""
    tape = current()
    return tape.waited(event.is_set) if isinstance(tape, Playing) else event.wait(seconds)


def drawn() -> str:
    """32 hexadecimal digits by chance."""
    return asked("chance", {}, lambda: uuid4().hex)
