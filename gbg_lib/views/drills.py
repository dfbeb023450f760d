"""How far a learner is: tasks with what was found and where to look next, and how long it took."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from gbg_lib.checks import Check
from gbg_lib.views.table import Table, table

NOT_YET = "not yet"


def tasks_table(checks: Iterable[Check]) -> Table:
    """A row a task: right, or what to look at next."""
    rows = [
        {
            "task": check.name,
            "result": "right" if check.passed else NOT_YET,
            "found": check.found,
            "look at next": "" if check.passed else check.try_this,
        }
        for check in checks
    ]
    return table(rows, ["task", "result", "found", "look at next"], name="Tasks of the drill")


def times_table(times: Mapping[str, float]) -> Table:
    """Seconds from the failure on."""
    rows = [{"time": name, "took": f"{seconds:.0f} s"} for name, seconds in times.items()]
    return table(rows, ["time", "took"], name="Times of the drill")
