"""A stack while it is made: a tree of services and resources that fills."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from gbg_lib.replay.clock import monotonic
from gbg_lib.stacks import StackEvent, StackPlan
from gbg_lib.typical import Usual, shipped
from gbg_lib.views.live import svg
from gbg_lib.views.live.board import Board, Mark, Row, Section, so_far
from gbg_lib.views.live.following import following
from gbg_lib.views.live.screen import Picture, Screen

if TYPE_CHECKING:
    from gbg_lib.steps import Step

STACK = "AWS::CloudFormation::Stack"
ORDER: tuple[Mark, ...] = ("failed", "undone", "going on", "waiting", "done")
"""the mark of a group is the first of these that one of its members has"""
GOES_ON = """CloudFormation goes on with the stack.
Run this notebook again from its plan on: the plan says how far it is."""
CELL, LINE, LABEL, COUNT = 17.0, 25.0, 262.0, 196.0


@dataclass(frozen=True)
class Resource:
    name: str
    type: str
    status: str
    """empty before it was begun"""
    reason: str = ""

    @property
    def mark(self) -> Mark:
        return mark(self.status)


@dataclass(frozen=True)
class StackState:
    """By type and name, in whatever order things happened."""

    stack: str
    status: str
    resources: tuple[Resource, ...]
    seconds: float
    usual: Usual | None
    over: bool
    note: str = ""

    @property
    def groups(self) -> dict[str, list[Resource]]:
        found: dict[str, list[Resource]] = {}
        for one in self.resources:
            found.setdefault(service(one.type), []).append(one)
        return found

    @property
    def title(self) -> str:
        done = sum(one.mark == "done" for one in self.resources)
        told = f"{self.stack} {self.status}: {done} of {len(self.resources)} resources done, "
        told += so_far(self.seconds, self.usual, over=self.over)
        return f"{told}; {self.note}" if self.note else told


def mark(status: str) -> Mark:
    """A resource's or stack's status as one of the few that a view has."""
    if status.endswith("_FAILED"):
        return "failed"
    if "ROLLBACK" in status or status.startswith("DELETE"):
        return "undone"
    if status.endswith("_COMPLETE"):
        return "done"
    return "going on" if status else "waiting"


def service(type_: str) -> str:
    """`AWS::EC2::Subnet` → EC2."""
    parts = type_.split("::")
    return parts[1] if parts[0] == "AWS" else parts[-1]


def whole_mark(resources: Sequence[Resource]) -> Mark:
    found = {one.mark for one in resources}
    if found <= {"waiting", "done"} and len(found) > 1:
        return "going on"
    return next((one for one in ORDER if one in found), "waiting")


def board(state: StackState) -> Board:
    rows = []
    for name, members in state.groups.items():
        done = sum(one.mark == "done" for one in members)
        below = tuple(
            Row(one.mark, one.name, one.status, " · ".join(filter(None, [one.type, one.reason])))
            for one in members
        )
        rows.append(Row(whole_mark(members), name, told=f"{done} of {len(members)}", rows=below))
    return Board(state.title, (Section("Resources", tuple(rows)),))


def drawing(state: StackState) -> Picture:
    """A line a service, a square a resource."""
    share = state.seconds / state.usual.seconds if state.usual else 0.0
    parts = [
        svg.headline(24, state.title),
        svg.progress(16, 34, svg.WIDTH - 32, share, over=state.over),
    ]
    y = 52.0
    for name, members in state.groups.items():
        done = sum(one.mark == "done" for one in members)
        parts.append(svg.text(16, y + 13, name, bold=True))
        parts.append(svg.text(COUNT, y + 13, f"{done} of {len(members)}"))
        for number, one in enumerate(members):
            parts.append(svg.cell(LABEL + number * (CELL + 5), y, CELL, one.mark, one.name))
        y += LINE
    return svg.picture(y + 8, parts, state.title)


class StackView:
    def __init__(self, planned: StackPlan | None, usual: Usual | None, clock: Callable[[], float]) -> None:
        self.latest: dict[str, StackEvent] = {}
        self.screen = Screen()
        self._planned = {one.logical_id: one.type for one in planned.changes} if planned else {}
        self._usual = usual
        self._clock, self._began = clock, clock()

    def hear(self, event: StackEvent) -> None:
        self.latest[event.logical_id] = event
        self.draw()

    def draw(self, *, over: bool = False, note: str = "") -> None:
        if self.latest:
            state = stack_state(self.latest, self._planned, self._clock() - self._began, self._usual,
                                over=over, note=note)  # fmt: skip
            self.screen.show(board(state), lambda: drawing(state))


def stack_state(
    latest: Mapping[str, StackEvent],
    planned: Mapping[str, str],
    seconds: float = 0.0,
    usual: Usual | None = None,
    *,
    over: bool = False,
    note: str = "",
) -> StackState:
    own = next((event for event in latest.values() if event.type == STACK), None)
    names = {**planned, **{event.logical_id: event.type for event in latest.values() if event.type != STACK}}
    resources = []
    for name, type_ in sorted(names.items(), key=lambda item: (service(item[1]), item[1], item[0])):
        event = latest.get(name)
        failed = event is not None and event.status.endswith("FAILED")
        resources.append(
            Resource(name, type_, event.status if event else "", event.reason if event and failed else "")
        )
    stack, status = (own.logical_id, own.status) if own else ("stack", "begins")
    return StackState(stack, status, tuple(resources), seconds, usual, over, note)


def show_stack(events: Iterable[StackEvent], step: Step | None = None, plan: StackPlan | None = None) -> None:
    """A tree of what the plan makes, that fills as events tell. Ends with what `events` ends with."""
    what = f"{plan.action} {plan.stack.rpartition('-')[2]}" if plan else ""
    usual = shipped(step.parameters.cloud, what) if step else None
    view = StackView(plan, usual, monotonic)
    following(events, view.hear, view.draw, step.aws if step else None, goes_on=GOES_ON)
    if not view.latest:
        view.screen.show(Board("Nothing to do: the stack is as planned.", ()))
