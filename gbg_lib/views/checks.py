"""Check cells: they look at the state, and say right, not yet, or wrong, with what to do next."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from typing import Any

from gbg_lib.checks import Check
from gbg_lib.errors import CheckFailed, GbgError, NotThere, TimedOut
from gbg_lib.progress import LEARNER, Progress
from gbg_lib.views.explain import explaining
from gbg_lib.views.late import notebook
from gbg_lib.views.shown import GREEN, ORANGE, RED, Shown, note
from gbg_lib.views.table import Table, table

MARKS = {"right": "✓", "not yet": "…", "wrong": "✗"}
COLOURS = {"right": GREEN, "not yet": ORANGE, "wrong": RED}
DOES = {"right": "", "not yet": "look at: ", "wrong": "mend it: "}


def checks_table(checks: Iterable[Check]) -> Table:
    """A row a check, with what to do where it is not right."""
    rows = [
        {
            "check": check.name,
            "result": f"{MARKS[check.result]} {check.result}",
            "found": check.found,
            "next": "" if check.passed else f"{DOES[check.result]}{check.try_this}",
        }
        for check in checks
    ]
    every = all(not row["next"] for row in rows)
    columns = ["check", "result", "found", *([] if every else ["next"])]
    return table(rows, columns, name="Checks")


def checks(runbook: str, look: Callable[..., Iterable[Check]], *words: Any) -> Shown:
    """The verdict and its rows. What is not right is shown first, then raised, so that a run stops.

    Who learns (`gbg lab`) has it in their progress.
    """
    try:
        found = list(look(*words))
    except GbgError as error:
        found = as_checks(error)
        if not explaining():
            _noted(runbook, found)
            notebook.display(verdict(found))
        raise
    _noted(runbook, found)
    return verdict(found)


def as_checks(error: GbgError) -> list[Check]:
    """An error that a check met, as a row: what is not there yet, or not ready yet, is no fault."""
    if isinstance(error, CheckFailed) and error.checks:
        return list(error.checks)
    pending = isinstance(error, NotThere | TimedOut)
    return [Check(error.where, False, error.what, error.try_this, pending)]


def verdict(found: list[Check]) -> Shown:
    """The worst result of all, and a row a check."""
    worst = max((check.result for check in found), key=list(MARKS).index, default="right")
    open_ = [check for check in found if check.result == worst]
    lines = [f"{MARKS[worst]} {worst.capitalize()}"]
    if worst != "right":
        lines += [
            f"{check.name}: {check.found}. {DOES[worst].capitalize()}{check.try_this}" for check in open_
        ]
    headline, rows = note(COLOURS[worst], lines, label="check"), checks_table(found)
    return Shown(headline.markup + rows._repr_html_(), f"{headline.text}\n{rows!r}")


def _noted(runbook: str, found: list[Check]) -> None:
    if os.environ.get(LEARNER):
        Progress().note(f"{runbook}: check", right=all(check.passed for check in found))
