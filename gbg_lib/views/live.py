"""Live views: one output that changes while a step goes on, and holds its last state afterwards.

Each state is a whole table: a saved notebook keeps the last one as a static output, equal for equal results.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from IPython import display as notebook

from gbg_lib.pipeline import Action
from gbg_lib.stacks import StackEvent
from gbg_lib.views.table import Table, table, took

STACK = "AWS::CloudFormation::Stack"
STACK_COLUMNS = ("type", "resource", "status", "reason")
RELEASE_COLUMNS = ("stage", "status", "for", "told")


class Live:
    """One display, updated in place."""

    def __init__(self) -> None:
        self._handle: Any = None

    def show(self, view: Table) -> None:
        if self._handle is None:
            self._handle = notebook.display(view, display_id=True)
        else:
            self._handle.update(view)


def show_stack(events: Iterable[StackEvent]) -> None:
    """A row a resource with its latest status, while the stack is being made."""
    live = Live()
    latest: dict[str, StackEvent] = {}
    for event in events:
        latest[event.logical_id] = event
        live.show(stack_state(latest))
    if not latest:
        live.show(table([], STACK_COLUMNS, "Nothing to do: the stack is as planned."))


def stack_state(latest: Mapping[str, StackEvent]) -> Table:
    """By type and name, in whatever order things happened; the stack itself is the title."""
    events = sorted(latest.values(), key=lambda event: (event.type, event.logical_id))
    resources = [event for event in events if event.type != STACK]
    rows = [
        {
            "type": event.type,
            "resource": event.logical_id,
            "status": event.status,
            "reason": event.reason if event.status.endswith("FAILED") else "",
        }
        for event in resources
    ]
    done = sum(event.status.endswith("_COMPLETE") for event in resources)
    stack = "".join(f"{event.logical_id} {event.status}: " for event in events if event.type == STACK)
    return table(rows, STACK_COLUMNS, f"{stack}{done} of {len(resources)} resources done")


def show_release(states: Iterable[Sequence[Action]]) -> None:
    """A row a stage with its status, while the release goes on."""
    live = Live()
    for actions in states:
        live.show(release_state(actions))


def release_state(actions: Sequence[Action]) -> Table:
    rows = [
        {
            "stage": action.stage,
            "status": action.status,
            "for": took(action.seconds),
            "told": action.error or action.summary,
        }
        for action in actions
    ]
    done = sum(action.status == "Succeeded" for action in actions)
    others = [f"{action.stage} {action.status}" for action in actions if action.status != "Succeeded"]
    title = ", ".join([f"{done} stage{'s' * (done != 1)} done", *others])
    return table(rows, RELEASE_COLUMNS, title)
