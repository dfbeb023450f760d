"""AWS's many statuses as the few marks that a view has."""

from __future__ import annotations

from collections.abc import Mapping

from gbg_lib.views.live.board import Mark

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
