"""Following something that yields news, with a view that also moves while there is none.

Everything happens in the thread that follows: an interrupt ends it where it is, the last state stays, and
nothing goes on behind the reader's back.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import nullcontext
from typing import Protocol, TypeVar

from gbg_lib.aws import Aws

News = TypeVar("News")
INTERRUPTED = "watching was interrupted here; what was begun goes on"
STOPPED = "it ended with an error, see below"


class WatchingEnded(KeyboardInterrupt):
    """Whoever followed has stopped. A notebook shows its sentence, not where in the code it was."""

    def _render_traceback_(self) -> list[str]:
        return [str(self)]


class Draw(Protocol):
    def __call__(self, *, over: bool = ..., note: str = ...) -> None: ...


def following(
    news: Iterable[News],
    hear: Callable[[News], None],
    draw: Draw,
    aws: Aws | None,
    look: Callable[[], None] = lambda: None,
    finish: Callable[[], None] = lambda: None,
    goes_on: str = "",
    go_round: Callable[[], None] = lambda: None,
) -> None:
    """`look`, a drawing and `go_round` in each pause of whoever makes the news; raises what that raises.

    An interrupt is raised as WatchingEnded, with what `goes_on` and how to follow it.
    """

    def pause() -> None:
        look()
        draw()
        go_round()

    pieces: Iterator[News] = iter(news)
    try:
        with aws.watched(pause) if aws else nullcontext():
            for piece in pieces:
                hear(piece)
        finish()
    except KeyboardInterrupt:
        draw(note=INTERRUPTED)
        _close(pieces)
        raise WatchingEnded(f"{INTERRUPTED.capitalize()}. {goes_on}".strip()) from None
    except BaseException:
        finish()
        draw(over=True, note=STOPPED)
        raise
    draw(over=True)


def _close(pieces: Iterator[object]) -> None:
    """What a generator holds is let go now, not when somebody collects it."""
    close = getattr(pieces, "close", None)
    if close is not None:
        close()
