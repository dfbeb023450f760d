"""AWS's many statuses as the few marks that a view has."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from gbg_lib.views.live.board import Mark
from gbg_lib.views.table import duration
from gbg_lib.watch.pieces import Piece
from gbg_lib.watch.traffic import Visit

MARKS: Mapping[str, Mark] = {
    "": "waiting",
    "Pending": "waiting",
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


def done(pieces: Sequence[Piece]) -> str:
    """`3 of 18 done`."""
    return f"{sum(mark(one.status) == 'done' for one in pieces)} of {len(pieces)} done"


def visited(visits: Sequence[Visit]) -> str:
    return f"{duration(max((one.at for one in visits), default=0.0))} of visits"
