"""A release from inside: bake, build, machines, target health, visits.

One look is what can be asked for now. What the running stage does is asked for each time; the rest in turn,
once a second; each stage once more when it is over, so that the end does not depend on who looked when.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from math import ceil

from gbg_lib.aws import Aws
from gbg_lib.deployments import BATCH_TARGETS, Target, read_targets, target_ids
from gbg_lib.errors import GbgError
from gbg_lib.fleet import target_health
from gbg_lib.pipeline import BAKE, BUILD, DEPLOY, Action
from gbg_lib.replay.clock import pause
from gbg_lib.watch.budget import Budget
from gbg_lib.watch.pieces import Piece, Tail, bake_steps, build_phases
from gbg_lib.watch.traffic import Traffic

IN_TURN_SECONDS = 1.0
GOING_ON = "InProgress"


@dataclass
class Source:
    """Something to ask for, one request a time."""

    stage: str
    ask: Callable[[Action], None]
    each_time: bool = False
    asked: float = -1e9
    final: bool = False
    """asked for since the stage was over"""


@dataclass
class Inside:
    """What is known so far. `base` holds Part 1's outputs."""

    aws: Aws
    base: Mapping[str, str]
    budget: Budget = field(default_factory=Budget)
    bake: tuple[Piece, ...] = ()
    bake_lines: tuple[str, ...] = ()
    build: tuple[Piece, ...] = ()
    build_lines: tuple[str, ...] = ()
    targets: dict[str, Target] = field(default_factory=dict)
    health: dict[str, str] = field(default_factory=dict)
    missed: dict[str, str] = field(default_factory=dict)
    """what could not be looked at → why"""

    def __post_init__(self) -> None:
        self.traffic = Traffic(self.base.get("SiteUrl", ""), self.budget.clock)
        self._ids: list[str] = []
        self._batch = 0
        self._tails: dict[str, Tail] = {}
        self._log = ("", "")
        self._sources = [
            Source(BAKE, self._bake, each_time=True),
            Source(BUILD, self._build, each_time=True),
            Source(DEPLOY, self._machines, each_time=True),
            Source(DEPLOY, self._list),
            Source(BAKE, self._bake_output),
            Source(BUILD, self._build_output),
            Source(DEPLOY, self._health),
        ]

    def look(self, actions: Sequence[Action]) -> None:
        """One look: a visit while machines change, and as many requests as may be made now."""
        by_stage = {action.stage: action for action in actions}
        deploy = by_stage.get(DEPLOY)
        if deploy is not None and deploy.status == GOING_ON and self.traffic.site:
            self.traffic.visit(deploy.external_id)
        for source in self._due(by_stage):
            action = by_stage[source.stage]
            if self.budget.free < self._needs(source, action):
                return
            self._ask(source, action)

    def finish(self, actions: Sequence[Action], sleep: Callable[[float], None] = pause) -> None:
        """What the end of the last stage has left to ask for; waits for its turn."""
        by_stage = {action.stage: action for action in actions}
        for source in self._sources:
            action = by_stage.get(source.stage)
            if action is not None and not source.final:
                while self.budget.free < self._needs(source, action):
                    sleep(self.budget.until_less)
                self._ask(source, action)

    def _due(self, by_stage: Mapping[str, Action]) -> list[Source]:
        now = self.budget.clock()
        due = []
        for source in self._sources:
            action = by_stage.get(source.stage)
            if action is None or not action.external_id or source.final:
                continue
            over = action.status != GOING_ON
            if over or source.each_time or now - source.asked >= IN_TURN_SECONDS:
                due.append(source)
        each_time = [one for one in due if one.each_time]
        in_turn = sorted((one for one in due if not one.each_time), key=lambda one: one.asked)
        return [*each_time, *in_turn[:1]]

    def _needs(self, source: Source, action: Action) -> int:
        """Requests; at the end of more than a hundred machines they are more than a second has."""
        if source.ask != self._machines:
            return 1
        if action.status == GOING_ON:
            return 1 if self._ids else 2
        batches = ceil(len(self._ids) / BATCH_TARGETS) or self.budget.most
        return min(1 + batches, self.budget.most)

    def _ask(self, source: Source, action: Action) -> None:
        source.asked = self.budget.clock()
        source.final = action.status != GOING_ON
        try:
            source.ask(action)
        except GbgError as error:
            self.missed[source.ask.__name__.strip("_").replace("_", " ")] = error.what

    # -- one request each

    def _bake(self, action: Action) -> None:
        self.budget.take()
        self.bake = bake_steps(self.aws, action.external_id)

    def _bake_output(self, action: Action) -> None:
        self.bake_lines = self._tail(BAKE, self.base["BakeLogGroupName"], action)

    def _build(self, action: Action) -> None:
        self.budget.take()
        found = build_phases(self.aws, action.external_id)
        self.build, self._log = found.phases, (found.log_group, found.log_stream)

    def _build_output(self, action: Action) -> None:
        group, stream = self._log
        if group:
            self.build_lines = self._tail(BUILD, group, action, stream)

    def _tail(self, name: str, group: str, action: Action, stream: str = "") -> tuple[str, ...]:
        tail = self._tails.setdefault(name, Tail(group, action.started, stream))
        self.budget.take()
        tail.look(self.aws)
        return tail.lines

    def _list(self, action: Action) -> None:
        self.budget.take()
        self._ids = target_ids(self.aws, action.external_id)

    def _machines(self, action: Action) -> None:
        """A batch a look; all of them when the deployment is over."""
        over = action.status != GOING_ON
        if over or not self._ids:
            self._list(action)
        batches = [self._ids[at : at + BATCH_TARGETS] for at in range(0, len(self._ids), BATCH_TARGETS)]
        for number, ids in enumerate(batches):
            if over or number == self._batch % len(batches):
                self.budget.take()
                found = read_targets(self.aws, action.external_id, ids)
                self.targets |= {target.instance: target for target in found}
        self._batch += 1

    def _health(self, action: Action) -> None:
        self.budget.take()
        self.health = target_health(self.aws, self.base["TargetGroupArn"])
