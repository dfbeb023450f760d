"""Two records of one release, step by step: where they part first, in what, and what came before.

Steps are matched by lane and name. Machines have other names each time: those of one side are matched with
the ones that went through the same, and what is left by the order in which they began.
Durations are told and never count. A step that went on when it was recorded has no end to compare.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Container, Iterator, Sequence
from dataclasses import dataclass, replace

from gbg_lib.record.archive import Archive
from gbg_lib.rehearsal.likeness import Likeness
from gbg_lib.rehearsal.steps import Lane, Step, lanes

BEFORE = 5
"""steps that are shown before the first divergence"""
STATUS, ORDER = "status", "order"
PROGRESS = frozenset({"machines"})
"""results that tell how far a step had come when it failed, and not why"""


@dataclass(frozen=True)
class Difference:
    """In one step: `status`, `order`, or the name of a result."""

    what: str
    recorded: str
    rehearsed: str


@dataclass(frozen=True)
class Pair:
    """A step in both records; None where one has no such step."""

    lane: str
    recorded: Step | None
    rehearsed: Step | None
    differences: tuple[Difference, ...] = ()
    expected: bool = False
    """whether it differs by the very change that a what-if makes"""

    @property
    def name(self) -> str:
        step = self.recorded or self.rehearsed
        assert step is not None
        return step.name

    @property
    def place(self) -> str:
        return f"{self.lane}: {self.name}"

    @property
    def same(self) -> bool:
        return self.expected or not self.differences


@dataclass(frozen=True)
class Ending:
    """The first step that failed, and what it said."""

    place: str
    status: str
    results: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Comparison:
    pairs: tuple[Pair, ...]
    """by the recorded time"""
    endings: tuple[Ending | None, Ending | None]
    """recorded and rehearsed; None where nothing failed"""

    @property
    def divergences(self) -> tuple[Pair, ...]:
        return tuple(pair for pair in self.pairs if not pair.same)

    @property
    def same(self) -> bool:
        return not self.divergences

    @property
    def open(self) -> tuple[Pair, ...]:
        """Steps of which the record doesn't know the end."""
        return tuple(pair for pair in self.pairs if pair.recorded is not None and pair.recorded.open)

    @property
    def before(self) -> tuple[Pair, ...]:
        """What came before the first divergence, equal in both."""
        first = next((number for number, pair in enumerate(self.pairs) if not pair.same), 0)
        return self.pairs[max(0, first - BEFORE) : first]

    @property
    def same_ending(self) -> bool:
        """Whether both failed at the same step for the same reason, or neither failed."""
        return self.endings[0] == self.endings[1]


def compare(
    recorded: Archive, rehearsed: Archive, likeness: Likeness, expected: Container[str] = ()
) -> Comparison:
    """`expected` are places where results, not status, differ by what was changed.

    Raises RecordError for evidence of a shape that AWS never answers with.
    """
    before, after = lanes(recorded, likeness), lanes(rehearsed, likeness)
    pairs = [pair for lane, other in matched(before, after) for pair in _steps(lane, other)]
    told = [replace(pair, expected=_expected(pair, expected)) for pair in _by_time(pairs)]
    return Comparison(tuple(told), (_ending(before), _ending(after)))


def _expected(pair: Pair, expected: Container[str]) -> bool:
    return pair.place in expected and all(one.what not in (STATUS, ORDER) for one in pair.differences)


def matched(recorded: Sequence[Lane], rehearsed: Sequence[Lane]) -> Iterator[tuple[Lane | None, Lane | None]]:
    groups = dict.fromkeys(lane.group for lane in (*recorded, *rehearsed))
    for group in groups:
        ours = [lane for lane in recorded if lane.group == group]
        theirs = [lane for lane in rehearsed if lane.group == group]
        pairs: list[tuple[Lane, Lane]] = []
        for likes in (_whole, _statuses):
            for lane in [one for one in ours if all(one is not pair[0] for pair in pairs)]:
                free = (one for one in theirs if all(one is not pair[1] for pair in pairs))
                found = next((one for one in free if likes(one) == likes(lane)), None)
                if found is not None:
                    pairs.append((lane, found))
        yield from pairs
        left = [one for one in ours if all(one is not pair[0] for pair in pairs)]
        right = [one for one in theirs if all(one is not pair[1] for pair in pairs)]
        for number in range(max(len(left), len(right))):
            yield (
                left[number] if number < len(left) else None,
                right[number] if number < len(right) else None,
            )


def _whole(lane: Lane) -> object:
    return [(step.name, step.status, dict(step.results)) for step in lane.steps]


def _statuses(lane: Lane) -> object:
    return [(step.name, step.status) for step in lane.steps]


def _steps(recorded: Lane | None, rehearsed: Lane | None) -> Iterator[Pair]:
    """Each step once; a name that comes twice in a lane (a retry) is matched by its turn."""
    name = (recorded or rehearsed).name  # type: ignore[union-attr]
    before = _keyed(recorded.steps if recorded else ())
    after = _keyed(rehearsed.steps if rehearsed else ())
    shared = [key for key in before if key in after]
    order = [key for key in after if key in before]
    turned = next((key for key, other in zip(shared, order, strict=True) if key != other), None)
    for key, step in before.items():
        other = after.get(key)
        told = list(_differences(step, other))
        if key == turned:
            told.insert(0, Difference(ORDER, key[0], order[shared.index(key)][0]))
        yield Pair(name, step, other, tuple(told))
    for key, step in after.items():
        if key not in before:
            yield Pair(name, None, step, (Difference(STATUS, "no such step", step.status),))


def _keyed(steps: Sequence[Step]) -> dict[tuple[str, int], Step]:
    seen: Counter[str] = Counter()
    keyed = {}
    for step in steps:
        seen[step.name] += 1
        keyed[step.name, seen[step.name]] = step
    return keyed


def _differences(recorded: Step, rehearsed: Step | None) -> Iterator[Difference]:
    if rehearsed is None:
        yield Difference(STATUS, recorded.status, "no such step")
        return
    if recorded.open:
        return
    if recorded.status != rehearsed.status:
        yield Difference(STATUS, recorded.status, rehearsed.status)
    for name in dict.fromkeys((*recorded.results, *rehearsed.results)):
        ours, theirs = recorded.results.get(name, ""), rehearsed.results.get(name, "")
        if ours != theirs:
            yield Difference(name, ours, theirs)


def _by_time(pairs: Sequence[Pair]) -> list[Pair]:
    """By the end of the recorded step; a step without a time stays behind the one before it in its lane.

    A step that only the rehearsal has comes where its lane had come to.
    """
    reached: dict[str, float] = {}
    timed = []
    for number, pair in enumerate(pairs):
        step = pair.recorded
        ended = (step.until or step.at) if step else None
        moment = ended.timestamp() if ended else float("-inf")
        reached[pair.lane] = max(reached.get(pair.lane, float("-inf")), moment)
        at = reached[pair.lane]
        timed.append((at if at > float("-inf") else float("inf"), number, pair))
    return [pair for _, _, pair in sorted(timed, key=lambda one: one[:2])]


def _ending(told: Sequence[Lane]) -> Ending | None:
    """By time; where a step and what it is a part of ended together, the part."""
    failed = [(step, lane) for lane in reversed(told) for step in lane.steps if step.bad]
    timed = [(step, lane) for step, lane in failed if step.until or step.at]
    if not timed:
        return None
    step, lane = min(timed, key=lambda one: (one[0].until or one[0].at).timestamp())  # type: ignore[union-attr]
    said = {name: text for name, text in step.results.items() if name not in PROGRESS}
    return Ending(f"{lane.group}: {step.name}", step.status, tuple(sorted(said.items())))
