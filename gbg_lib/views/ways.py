"""Ways back from a release as a table, and one being taken."""

from __future__ import annotations

from collections.abc import Iterable

from gbg_lib.rollback import Progress
from gbg_lib.views.live import Live
from gbg_lib.views.table import Table, table
from gbg_lib.ways_back import WaysBack

PROGRESS_COLUMNS = ("step", "status", "told")


def ways_table(found: WaysBack) -> Table:
    rows = [
        {
            "way": way.kind,
            "means": way.means,
            "open": "yes" if way.open else "no",
            "because": way.reason,
            "costs": way.cost,
        }
        for way in found.ways
    ]
    return table(rows, ["way", "means", "open", "because", "costs"])


def show_progress(events: Iterable[Progress]) -> None:
    """A row a step with its latest status."""
    live = Live()
    latest: dict[str, Progress] = {}
    for event in events:
        latest[event.step] = event
        live.show(progress_state(latest.values()))


def progress_state(steps: Iterable[Progress]) -> Table:
    rows = [{"step": step.step, "status": step.status, "told": step.told} for step in steps]
    return table(rows, PROGRESS_COLUMNS)
