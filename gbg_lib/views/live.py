"""Live views: one output that changes while a step goes on, and holds its last state afterwards."""

from __future__ import annotations

import html
from collections.abc import Iterable, Sequence
from typing import Any

from IPython import display as notebook

from gbg_lib.pipeline import Action
from gbg_lib.stacks import StackEvent

SHOWN = {"COMPLETE": "done", "FAILED": "failed", "IN_PROGRESS": "in progress"}


class _Rows:
    """A table that displays as HTML where that is possible and as text everywhere."""

    def __init__(self, title: str, header: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
        self.title = title
        self.header = header
        self.rows = rows

    def __repr__(self) -> str:
        widths = [max(map(len, column)) for column in zip(self.header, *self.rows, strict=True)]
        lines = [
            "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
            for row in (self.header, *self.rows)
        ]
        return "\n".join([self.title, *lines])

    def _repr_html_(self) -> str:
        head = "".join(f"<th scope='col'>{html.escape(cell)}</th>" for cell in self.header)
        body = "".join(
            "<tr>"
            + "".join(f"<td style='text-align:left'>{html.escape(cell)}</td>" for cell in row)
            + "</tr>"
            for row in self.rows
        )
        title = html.escape(self.title)
        return f"<p>{title}</p><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


class _Live:
    """One display, updated in place."""

    def __init__(self) -> None:
        self._handle: Any = None

    def show(self, view: Any) -> None:
        if self._handle is None:
            self._handle = notebook.display(view, display_id=True)
        else:
            self._handle.update(view)


def show_stack(events: Iterable[StackEvent]) -> None:
    """A row a resource with its latest status, while the stack is being made."""
    live = _Live()
    latest: dict[str, StackEvent] = {}
    for event in events:
        latest[event.logical_id] = event
        live.show(_stack_rows(latest))
    live.show(_stack_rows(latest))


def _stack_rows(latest: dict[str, StackEvent]) -> _Rows:
    if not latest:
        return _Rows("Nothing to do: the stack is as planned.", ["resource"], [])
    rows = [
        (event.type, event.logical_id, event.status, event.reason if "FAILED" in event.status else "")
        for event in sorted(latest.values(), key=lambda event: (event.type, event.logical_id))
    ]
    done = sum(event.status.endswith("_COMPLETE") for event in latest.values())
    return _Rows(f"{done} of {len(latest)} resources done", ["type", "resource", "status", "reason"], rows)


def show_release(states: Iterable[Sequence[Action]]) -> None:
    """A row an action with its status, while the release goes on."""
    live = _Live()
    for actions in states:
        rows = [
            (action.stage, action.status, f"{action.seconds:.0f} s", action.summary) for action in actions
        ]
        live.show(_Rows("Stages", ["stage", "status", "for", "told"], rows))
