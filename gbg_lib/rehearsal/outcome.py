"""What came of a rehearsal, and where it is kept: a folder with the rehearsal's own record, result and pages.

records/<deployment>/rehearsals/<time>-<execution>/result.json, rehearsal.html, rehearsal.md, <deployment>/…
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from gbg_lib.errors import GbgError
from gbg_lib.record.archive import Archive, open_archive
from gbg_lib.record.compare import durations, packages
from gbg_lib.rehearsal.comparison import Comparison, Pair, compare
from gbg_lib.rehearsal.likeness import Likeness
from gbg_lib.rehearsal.plan import Plan, Unlike
from gbg_lib.rehearsal.timetable import visited
from gbg_lib.rehearsal.visitors import MOST_PER_SECOND
from gbg_lib.runner.whole_files import write_json

REHEARSALS, RESULT = "rehearsals", "result.json"
SAME, DIVERGED = "same", "diverged"
MOST_NAMED = 8


@dataclass(frozen=True)
class Outcome:
    plan: Plan
    folder: Path
    recorded: Archive
    rehearsed: Archive
    path: Path
    """of the rehearsal's record"""
    comparison: Comparison
    unlike: tuple[Unlike, ...]
    plain: Comparison | None
    """of the plain rehearsal before with this what-if; None where there is none"""
    seconds: float
    """from the sandbox's start to the comparison"""

    @property
    def status(self) -> str:
        return SAME if self.comparison.same else DIVERGED

    @property
    def durations(self) -> list[tuple[str, float, float]]:
        """Stage, bake step or build phase, seconds recorded and rehearsed; what took a second at least."""
        before, after = durations(self.recorded), durations(self.rehearsed)
        return [
            (name, before[name], after[name])
            for name in before
            if name in after and max(before[name], after[name]) >= 1
        ]

    @property
    def told(self) -> dict[str, Any]:
        """For programs."""
        first = self.comparison.divergences[0] if self.comparison.divergences else None
        return {
            "status": self.status,
            "record": self.plan.record,
            "rehearsed": str(self.path),
            "changed": self.plan.changed,
            "recorded_status": self.plan.status,
            "rehearsed_status": str(self.rehearsed.manifest.summary.get("status")),
            "steps": len(self.comparison.pairs),
            "divergences": len(self.comparison.divergences),
            "same_ending": self.comparison.same_ending,
            "first": _told(first) if first else None,
            "before": [pair.place for pair in self.comparison.before],
            "against_plain": None if self.plain is None else len(self.plain.divergences),
            "not_reproduced": [asdict(one) for one in self.unlike],
            "seconds": round(self.seconds, 1),
        }


def _told(pair: Pair) -> dict[str, Any]:
    return {"place": pair.place, "differences": [asdict(one) for one in pair.differences]}


def folder_for(records: Path, plan: Plan, now: datetime) -> Path:
    name = f"{now.astimezone(UTC):%Y%m%dT%H%M%SZ}-{plan.execution_id[:8]}"
    return records / plan.parameters.deployment / REHEARSALS / name


def outcome(plan: Plan, folder: Path, recorded: Archive, path: Path, seconds: float) -> Outcome:
    rehearsed = open_archive(path)
    before = former_plain(folder, plan) if plan.changed else None
    comparison = compare(recorded, rehearsed, plan.likeness, plan.expected)
    return Outcome(
        plan,
        folder,
        recorded,
        rehearsed,
        path,
        comparison,
        (*plan.unlike, *_seen(plan, recorded, rehearsed), *_of_time(comparison)),
        None if before is None else compare(before, rehearsed, Likeness(), plan.expected),
        seconds,
    )


def keep(made: Outcome) -> None:
    write_json(made.folder / RESULT, made.told)


def former_plain(folder: Path, plan: Plan) -> Archive | None:
    """The newest rehearsal of this record in which nothing was changed, from the same folder."""
    for result in sorted(folder.parent.glob(f"*/{RESULT}"), reverse=True):
        told = _read(result)
        if told.get("record") == plan.record and told.get("changed") == "":
            try:
                return open_archive(Path(str(told["rehearsed"])))
            except (GbgError, OSError):
                continue
    return None


def _read(path: Path) -> Mapping[str, Any]:
    try:
        told = json.loads(path.read_text())
    except (OSError, ValueError):
        return {}
    return told if isinstance(told, Mapping) else {}


def _seen(plan: Plan, recorded: Archive, rehearsed: Archive) -> Iterator[Unlike]:
    """What only the rehearsal's own record tells."""
    yield from _of_visitors(recorded, rehearsed)
    yield from _of_images(plan.packages, packages(rehearsed))


def _of_visitors(recorded: Archive, rehearsed: Archive) -> Iterator[Unlike]:
    """What their load balancers counted."""
    told = [visited(one) for one in (recorded, rehearsed)]
    if not any(requests for requests, _ in told):
        return
    then, now = [f"{requests} requests, {errors} answered by errors" for requests, errors in told]
    why = f"they come as they were counted, {MOST_PER_SECOND} a second at most, and all see the front page"
    yield Unlike("visitors", then, now, why)


def _of_images(before: Mapping[str, str], after: Mapping[str, str]) -> Iterator[Unlike]:
    """Packages that the sandbox's catalogue has not, or in another version."""
    if not before or not after:
        return
    lacking = sorted(name for name in before if name not in after)
    other = sorted(name for name in before if name in after and before[name] != after[name])
    if lacking:
        what = f"{len(lacking)} of {len(before)} packages"
        yield Unlike(
            what, _named(lacking), "not in the image", "the sandbox's catalogue has none of that name"
        )
    if other:
        what = f"versions of {len(other)} packages"
        pairs = [f"{name} {before[name]}" for name in other], [f"{name} {after[name]}" for name in other]
        yield Unlike(what, _named(pairs[0]), _named(pairs[1]), "the sandbox's catalogue has others")


def _of_time(comparison: Comparison) -> Iterator[Unlike]:
    """A record that was written while a rollback went on."""
    if comparison.open:
        places = sorted({pair.lane for pair in comparison.open})
        what = f"the end of {len(comparison.open)} steps"
        yield Unlike(what, f"went on: {_named(places)}", "over", "the record was written before they ended")


def _named(names: list[str]) -> str:
    return ", ".join(names[:MOST_NAMED]) + (
        f" and {len(names) - MOST_NAMED} more" if len(names) > MOST_NAMED else ""
    )
