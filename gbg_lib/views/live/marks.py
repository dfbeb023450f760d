"""AWS's many statuses as the few marks that a view has."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from gbg_lib.views.live.board import Mark
from gbg_lib.views.table import duration
from gbg_lib.watch.pieces import Piece
from gbg_lib.watch.traffic import Visit

PENDING = "Pending"
MARKS: Mapping[str, Mark] = {
    "": "waiting",
    PENDING: "waiting",
    "InProgress": "going on",
    "IN_PROGRESS": "going on",
    "Waiting": "going on",
    "Ready": "going on",
    "Succeeded": "done",
    "SUCCEEDED": "done",
    "Success": "done",
    "Skipped": "done",
    "Abandoned": "undone",
    "Cancelled": "undone",
    "Cancelling": "undone",
    "Stopped": "undone",
}
"""of an action, a step, a phase, a machine, a lifecycle event; any other is bad news"""


def mark(status: str) -> Mark:
    return MARKS.get(status, "failed")


def not_needed(piece: Piece, *, well: bool) -> bool:
    """Whether it was for another end than the one that all came to, where that went `well`."""
    return well and piece.status == PENDING


def needed(pieces: Sequence[Piece], *, well: bool) -> list[Piece]:
    return [one for one in pieces if not not_needed(one, well=well)]


def done(pieces: Sequence[Piece], *, well: bool = False) -> str:
    """`3 of 18 done`, or `15 of 15 done, 3 not needed`."""
    rest = needed(pieces, well=well)
    told = f"{sum(mark(one.status) == 'done' for one in rest)} of {len(rest)} done"
    return told if len(rest) == len(pieces) else f"{told}, {len(pieces) - len(rest)} not needed"


def counted(number: int, what: str) -> str:
    return f"{number} {what}" if number == 1 else f"{number} {what}s"


def visited(made: Sequence[Visit]) -> str:
    return f"{duration(max((one.at for one in made), default=0.0))} of visits"
