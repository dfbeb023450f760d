"""One way to wait: look, yield what changed, until it is over or the time is up."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TypeVar

from gbg_lib.aws import Aws
from gbg_lib.errors import TimedOut
from gbg_lib.replay import clock

T = TypeVar("T")


def wait_until(
    aws: Aws, look: Callable[[], T | None], *, limit_seconds: float, what: str, try_this: str
) -> T:
    """The first answer of `look` that is not None. Raises TimedOut."""
    for _ in rounds(aws, limit_seconds=limit_seconds, what=what, try_this=try_this):
        found = look()
        if found is not None:
            return found
    raise AssertionError("rounds ends by TimedOut only")


def rounds(aws: Aws, *, limit_seconds: float, what: str, try_this: str) -> Iterator[None]:
    """Yields once for each look; pauses between. Raises TimedOut after `limit_seconds`."""
    deadline = clock.monotonic() + limit_seconds
    while True:
        yield
        if clock.monotonic() >= deadline:
            raise TimedOut(what, f"not done after {limit_seconds:.0f} s", try_this)
        aws.pause()
