"""A release from inside: bake, build, machines, target health, visits.

One look is what can be asked for now. What the running stage does is asked for each time, the rest by turns
with the requests that this leaves; each stage once more when it is over, so that the end does not depend on
who looked when. What says itself that it is over isn't asked again: the pipeline takes a while to see it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from gbg_lib.aws import Aws
from gbg_lib.deployments import Target
from gbg_lib.errors import GbgError
from gbg_lib.fleet import target_health
from gbg_lib.pipeline import BAKE, BUILD, DEPLOY, SOURCE, Action
from gbg_lib.replay.clock import monotonic, pause
from gbg_lib.watch.budget import Budget, shared
from gbg_lib.watch.machines import Machines
from gbg_lib.watch.pieces import Piece, Tail, read_bake, read_build
from gbg_lib.watch.traffic import Traffic

IN_TURN_SECONDS = 1.0
NEAR_SECONDS = 0.15
"""that a look waits for its turn; where more are missing it is the next look's"""
GOING_ON = "InProgress"


def never() -> bool:
    return False


def always() -> bool:
    return True


@dataclass
class Source:
    """Something to ask for, one request a time."""

    stage: str
    ask: Callable[[Action], bool]
    """whether nothing is left to ask for"""
    each_time: Callable[[], bool] = never
    """whether it may have news at each look; else it takes turns"""
    goes_on: Callable[[], bool] = never
    """whether one request that failed leaves others to be made"""
    asked: float = -1e9
    final: bool = False
    """asked for since it was over"""


@dataclass
class Inside:
    """What is known so far. `base` holds Part 1's outputs; `former` makes a request a step."""

    aws: Aws
    base: Mapping[str, str]
    former: Iterator[object] = field(default_factory=lambda: iter(()))
    clock: Callable[[], float] = monotonic
    sleep: Callable[[float], None] = pause
    bake: tuple[Piece, ...] = ()
    bake_lines: tuple[str, ...] = ()
    build: tuple[Piece, ...] = ()
    build_lines: tuple[str, ...] = ()
    health: dict[str, str] = field(default_factory=dict)
    missed: dict[str, str] = field(default_factory=dict)
    """what could not be looked at → why"""

    def __post_init__(self) -> None:
        self.traffic = Traffic(self.base.get("SiteUrl", ""), self.clock)
        self._machines = Machines(self.aws)
        self._first, self._rest = shared(self.aws.poll_seconds, self.clock)
        self._tails: dict[str, Tail] = {}
        self._log = ("", "")
        self._looked: Source | None = None
        self._sources = [
            Source(BAKE, self._ask_bake, each_time=always),
            Source(BUILD, self._ask_build, each_time=always),
            Source(DEPLOY, self._ask_machines, each_time=self._at_work, goes_on=self._more_machines),
            Source(DEPLOY, self._list),
            Source(BAKE, self._bake_output),
            Source(BUILD, self._build_output),
            Source(DEPLOY, self._ask_health),
            Source(SOURCE, self._ask_former),
        ]

    @property
    def targets(self) -> Mapping[str, Target]:
        return self._machines.targets

    def look(self, actions: Sequence[Action]) -> None:
        """One look: a visit while machines change, and a request for what goes on."""
        by_stage = _by_stage(actions)
        deploy = by_stage.get(DEPLOY)
        if deploy is not None and deploy.status == GOING_ON and self.traffic.site:
            self.traffic.visit(deploy.external_id)
        self._looked = next(iter(self._due(by_stage)), None)
        if self._looked is None or self._first.wait > NEAR_SECONDS:
            self._looked = None
            return
        self.sleep(self._first.wait)
        self._ask(self._looked, by_stage[self._looked.stage], self._first)

    def go_round(self, actions: Sequence[Action]) -> None:
        """All else, as far as requests are left: when that look is shown already."""
        by_stage = _by_stage(actions)
        for source in self._due(by_stage):
            if source is not self._looked and self._rest.wait <= NEAR_SECONDS:
                self.sleep(self._rest.wait)
                self._ask(source, by_stage[source.stage], self._rest)

    def finish(self, actions: Sequence[Action]) -> None:
        """What the end of the last stage has left to ask for; waits for its turn.

        What goes on all the same, when who followed gave up, is asked for once.
        """
        by_stage = _by_stage(actions)
        for source in self._sources:
            action = by_stage.get(source.stage)
            left = action is not None and bool(action.external_id) and not source.final
            while action is not None and left:
                budget = min(self._first, self._rest, key=lambda one: one.wait)
                self.sleep(budget.wait)
                self._ask(source, action, budget)
                left = _over(action) and not source.final

    def _due(self, by_stage: Mapping[str, Action]) -> list[Source]:
        """What the running stage does comes first."""
        now = self.clock()
        due = []
        for source in self._sources:
            action = by_stage.get(source.stage)
            if action is None or not action.external_id or source.final:
                continue
            if _over(action) or source.each_time() or now - source.asked >= IN_TURN_SECONDS:
                due.append(source)
        first = [one for one in due if one.each_time()]
        return [*first, *sorted((one for one in due if one not in first), key=lambda one: one.asked)]

    def _ask(self, source: Source, action: Action, budget: Budget) -> None:
        source.asked = self.clock()
        before = self.aws.made_here
        try:
            source.final = source.ask(action)
        except GbgError as error:
            source.final = _over(action) and not source.goes_on()
            self.missed[source.ask.__name__.removeprefix("_ask").strip("_").replace("_", " ")] = error.what
        for _ in range(self.aws.made_here - before):
            budget.take()

    def _at_work(self) -> bool:
        return self._machines.at_work

    def _more_machines(self) -> bool:
        return self._machines.has_more

    # -- one request each

    def _ask_bake(self, action: Action) -> bool:
        found = read_bake(self.aws, action.external_id)
        self.bake = found.steps
        return found.over or _over(action)

    def _bake_output(self, action: Action) -> bool:
        self.bake_lines = self._tail(BAKE, self.base["BakeLogGroupName"], action)
        return _over(action)

    def _ask_build(self, action: Action) -> bool:
        found = read_build(self.aws, action.external_id)
        self.build, self._log = found.phases, (found.log_group, found.log_stream)
        return found.over or _over(action)

    def _build_output(self, action: Action) -> bool:
        group, stream = self._log
        if group:
            self.build_lines = self._tail(BUILD, group, action, stream)
        return _over(action)

    def _tail(self, name: str, group: str, action: Action, stream: str = "") -> tuple[str, ...]:
        tail = self._tails.setdefault(name, Tail(group, action.started, stream))
        tail.look(self.aws)
        return tail.lines

    def _ask_machines(self, action: Action) -> bool:
        return self._machines.ask(action.external_id, over=_over(action))

    def _list(self, action: Action) -> bool:
        """Not at the end, when the machines' own source asks for it."""
        if not _over(action):
            self._machines.name(action.external_id)
        return _over(action)

    def _ask_health(self, action: Action) -> bool:
        self.health = target_health(self.aws, self.base["TargetGroupArn"])
        return _over(action)

    def _ask_former(self, action: Action) -> bool:
        return next(self.former, None) is None


def _over(action: Action) -> bool:
    return action.status != GOING_ON


def _by_stage(actions: Sequence[Action]) -> dict[str, Action]:
    """Each stage's own action."""
    return {action.stage: action for action in actions if action.name == action.stage}
