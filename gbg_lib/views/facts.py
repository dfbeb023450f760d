"""A decision and its reasons, a row a fact."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

from gbg_lib.stacks import StackPlan
from gbg_lib.views.table import Table, table


def facts_table(decided: Any) -> Table:
    """A dataclass's fields in words."""
    rows = [
        {"fact": field.name.replace("_", " "), "value": _words(getattr(decided, field.name))}
        for field in fields(decided)
    ]
    return table(rows, ["fact", "value"], name="What was decided")


def _words(value: object) -> str:
    if isinstance(value, StackPlan):
        changed = ", ".join(change.logical_id for change in value.changes)
        return f"{value.stack}: {value.action} {changed}"
    if isinstance(value, tuple):
        return ", ".join(map(str, value)) or "-"
    return "-" if value in (None, "") else str(value)
