"""A release while it goes on: board of stages, bake and build step by step, machines, visits."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from gbg_lib.deployments import Target
from gbg_lib.pipeline import BAKE, BUILD, STAGES, Action, Pipeline
from gbg_lib.record.words import plain
from gbg_lib.replay.clock import monotonic
from gbg_lib.typical import Usual, former_releases, of_stages
from gbg_lib.views.live.board import SIGNS, Board, Mark, Row, Section, so_far, whole
from gbg_lib.views.live.following import following
from gbg_lib.views.live.marks import counted, done, mark, not_needed, visited
from gbg_lib.views.live.release_picture import drawing
from gbg_lib.views.live.screen import Screen
from gbg_lib.views.site import Frame
from gbg_lib.views.table import duration
from gbg_lib.watch.pieces import Piece
from gbg_lib.watch.release import Inside
from gbg_lib.watch.traffic import Visit, counts

if TYPE_CHECKING:
    from gbg_lib.steps import ReleaseRun

GOES_ON = """The release goes on in AWS, without the gates that this notebook keeps.
To follow it on: run this cell again. To stop it: aws codepipeline stop-pipeline-execution."""
BAD: tuple[Mark, ...] = ("failed", "undone")


@dataclass(frozen=True)
class ReleaseState:
    actions: tuple[Action, ...] = ()
    bake: tuple[Piece, ...] = ()
    bake_lines: tuple[str, ...] = ()
    build: tuple[Piece, ...] = ()
    build_lines: tuple[str, ...] = ()
    machines: tuple[Target, ...] = ()
    health: Mapping[str, str] = field(default_factory=dict)
    visits: tuple[Visit, ...] = ()
    missed: Mapping[str, str] = field(default_factory=dict)
    usual: Mapping[str, Usual] = field(default_factory=dict)
    over: bool = False
    note: str = ""

    @property
    def seconds(self) -> float:
        """Since the first action began, until now or the last one's end."""
        if not self.actions:
            return 0.0
        begin = min(action.started for action in self.actions)
        return max((action.started - begin).total_seconds() + action.seconds for action in self.actions)

    def standing(self, instance: str) -> str:
        """How a machine is behind the load balancer; nothing is said before that was asked."""
        return self.health.get(instance, "not registered" if self.health else "")

    def went_well(self, stage: str) -> bool:
        return any(one.stage == stage and one.status == "Succeeded" for one in self.actions)

    @property
    def whole_usual(self) -> Usual | None:
        found = [self.usual[name] for name in STAGES if name in self.usual]
        return Usual(sum(one.seconds for one in found), found[-1].source) if found else None

    @property
    def stages(self) -> list[tuple[str, Action | None]]:
        """Those of the pipeline, also what has not begun; then the gates, as they came.

        An action beside a stage's own is told until it is done.
        """
        told = [one for one in self.actions if one.name == one.stage or one.status != "Succeeded"]
        by_name = {action.stage: action for action in told}
        begun = [(name, by_name.get(name)) for name in STAGES]
        return [*begun, *((name, action) for name, action in by_name.items() if name not in STAGES)]

    @property
    def title(self) -> str:
        done = sum(action is not None and action.status == "Succeeded" for _, action in self.stages)
        bad = [
            f"{name} {action.status}" for name, action in self.stages if action and mark(action.status) in BAD
        ]
        told = ", ".join([f"{done} of {len(self.stages)} stages and gates done", *bad])
        told += f"; {so_far(self.seconds, self.whole_usual, over=self.over)}"
        return f"{told}; {self.note}" if self.note else told


def board(state: ReleaseState) -> Board:
    found = [
        Section("Stages", tuple(_stage(state, name, action) for name, action in state.stages)),
        Section(
            f"Bake, step by step: {done(state.bake, well=state.went_well(BAKE))}",
            _pieces(state, BAKE, state.bake),
            _printed(state, BAKE, state.bake_lines),
            in_a_row=True,
        ),
        Section(
            f"Build, phase by phase: {done(state.build, well=state.went_well(BUILD))}",
            _pieces(state, BUILD, state.build),
            _printed(state, BUILD, state.build_lines),
            in_a_row=True,
        ),
        Section("Machines and their lifecycle events", tuple(_machine(state, one) for one in state.machines)),
        Section(f"Who answered visitors: {visited(state.visits)}", _traffic(state.visits), in_a_row=True),
        Section("Not seen", tuple(Row("waiting", what, why) for what, why in sorted(state.missed.items()))),
    ]
    return Board(state.title, tuple(section for section in found if section.rows or section.lines))


def _stage(state: ReleaseState, name: str, action: Action | None) -> Row:
    usual = state.usual.get(name)
    if action is None:
        return Row("waiting", name, told=f"usually {duration(usual.seconds)}" if usual else "")
    going_on = action.status == "InProgress"
    took = so_far(action.seconds, usual, over=not going_on, source=False)
    return Row(mark(action.status), name, action.status, " · ".join(filter(None, [took, _told(action)])))


def _told(action: Action) -> str:
    return plain(action.error or action.summary)


def _printed(state: ReleaseState, stage: str, lines: tuple[str, ...]) -> tuple[str, ...]:
    """What a stage that went well printed is in the record; here it is for who waits or seeks."""
    return () if state.went_well(stage) else lines


def _pieces(state: ReleaseState, stage: str, pieces: Sequence[Piece]) -> tuple[Row, ...]:
    return tuple(_piece(one, well=state.went_well(stage)) for one in pieces)


def _piece(piece: Piece, *, well: bool) -> Row:
    """What still pends of something that went well was for another end: nobody waits for it."""
    if not_needed(piece, well=well):
        return Row("waiting", piece.name, piece.status, "not needed")
    going_on = mark(piece.status) == "going on"
    took = "" if piece.seconds is None else whole(piece.seconds) if going_on else duration(piece.seconds)
    return Row(mark(piece.status), piece.name, piece.status, took)


def _machine(state: ReleaseState, machine: Target) -> Row:
    """`✓ Green i-0abc  Succeeded  healthy: ✓ BeforeInstall ✓ Install …`."""
    events = "  ".join(f"{SIGNS[mark(event.status)]} {event.name}" for event in machine.events)
    health = state.standing(machine.instance)
    name = f"{machine.side} {machine.instance}"
    return Row(mark(machine.status), name, machine.status, ": ".join(filter(None, (health, events))))


def _traffic(visits: Sequence[Visit]) -> tuple[Row, ...]:
    """A row a colour; none where nobody visited."""
    if not visits:
        return ()
    return tuple(Row("failed" if who == "nobody" and count else "done", who, counted(count, "visit"))
                 for who, count in counts(visits).items())  # fmt: skip


class ReleaseView:
    """Holds what is known; draws it. Without a step only the stages are known."""

    def __init__(self, step: ReleaseRun | None, clock: Callable[[], float] = monotonic) -> None:
        self.actions: tuple[Action, ...] = ()
        self.inside = Inside(step.aws, step.base, self._expected(step)) if step else None
        self._frame = Frame(step.base.get("SiteUrl", "") if step else "")
        self.screen = Screen(between=self._frame.show)
        self._usual = of_stages(step.parameters.cloud, []) if step else {}

    def hear(self, actions: Sequence[Action]) -> None:
        self.actions = tuple(actions)
        self.draw()

    def look(self) -> None:
        if self.inside:
            self.inside.look(self.actions)
            if self.inside.traffic.visits:
                self._frame.show(self.inside.traffic.visits[-1].who)

    def go_round(self) -> None:
        if self.inside:
            self.inside.go_round(self.actions)

    def finish(self) -> None:
        if self.inside:
            self.inside.finish(self.actions)

    def _expected(self, step: ReleaseRun) -> Iterator[object]:
        """How long its stages usually take: better known after each request."""
        pipeline = Pipeline(step.aws, step.parts["PipelineName"])
        yield pipeline
        for former in former_releases(pipeline, self.actions):
            self._usual = of_stages(step.parameters.cloud, former)
            yield former

    def state(self, *, over: bool = False, note: str = "") -> ReleaseState:
        known = ReleaseState(self.actions, usual=self._usual, over=over, note=note)
        if self.inside is None:
            return known
        inside = self.inside
        machines = sorted(inside.targets.values(), key=lambda one: (one.side != "Green", one.instance))
        return ReleaseState(
            self.actions,
            inside.bake,
            inside.bake_lines,
            inside.build,
            inside.build_lines,
            tuple(machines),
            inside.health,
            tuple(inside.traffic.visits),
            inside.missed,
            self._usual,
            over,
            note,
        )

    def draw(self, *, over: bool = False, note: str = "") -> None:
        if self.actions:
            state = self.state(over=over, note=note)
            self.screen.show(board(state), lambda: drawing(state))


def show_release(states: Iterable[Sequence[Action]], step: ReleaseRun | None = None) -> None:
    """The release from inside, as long as `states` tells of it. Ends with what `states` ends with."""
    view = ReleaseView(step)
    aws = step.aws if step else None
    following(states, view.hear, view.draw, aws, view.look, view.finish, GOES_ON, view.go_round)
