"""Going on after a run: a step's recorded result is compared with the live state, never trusted by itself."""

from __future__ import annotations

import hashlib
import importlib
import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gbg_lib.errors import GbgError, MisuseError
from gbg_lib.parameters import HIDDEN, Parameters
from gbg_lib.runner import journal
from gbg_lib.runs import result
from gbg_lib.runs.folder import JOURNAL, begun

if TYPE_CHECKING:
    from gbg_lib.aws import Aws

BLUEPRINT = Path(__file__).resolve().parent.parent / "blueprint"
PACKAGE = "gbg_lib."
Look = Callable[[str, Parameters], Mapping[str, str]]
"""what a step sees now, by its name in a journal"""


@dataclass(frozen=True)
class Comparison:
    """One thing that a step left."""

    name: str
    recorded: str
    live: str

    @property
    def same(self) -> bool:
        return self.recorded == self.live


@dataclass(frozen=True)
class Decision:
    runbook: str
    action: str
    """skip | again | first"""
    reason: str
    comparisons: tuple[Comparison, ...] = ()


@dataclass(frozen=True)
class Series:
    """Runbooks that were asked for together."""

    name: str
    plan: tuple[Path, ...]
    values: Mapping[str, Any]
    """parameters as they were given, of every run of it"""


def series_of(runs: Path, name: str) -> Series:
    """Of a run, by its folder's name. Raises MisuseError."""
    told = begun(runs / name)
    if told is None:
        raise MisuseError("--resume", f"there is no run {name!r} in {runs}", "`gbg runs` lists them")
    return Series(told["series"], tuple(map(Path, told["plan"])), told["values"])


def decide(runs: Path, series: str, source: Path, values: Mapping[str, Any], look: Look) -> Decision:
    """For one runbook of a series, as AWS is now."""
    last = _last(runs, series, source)
    runbook = source.stem
    if last is None:
        return Decision(runbook, "first", "it was not begun")
    ended = result.read(last) or {}
    told = begun(last) or {}
    if ended.get("status") != "done":
        why = ended.get("what") or "it has no result"
        return Decision(runbook, "again", f"{last.name} is {ended.get('status', 'not closed')}: {why}")
    if told.get("inputs") != inputs(source, values):
        return Decision(runbook, "again", "its notebook, the blueprint or the parameters are others now")
    seen = [one for one in journal.read(last / JOURNAL) if one["kind"] == journal.EVIDENCE]
    if not seen:
        return Decision(runbook, "again", f"{last.name} left no evidence; the step plans from the live state")
    try:
        comparisons = tuple(_compared(seen, _parameters(values), look))
    except GbgError as error:
        return Decision(runbook, "again", f"{error.where}: {error.what}")
    if other := [one for one in comparisons if not one.same]:
        return Decision(runbook, "again", f"{other[0].name} differs from what {last.name} left", comparisons)
    return Decision(runbook, "skip", f"everything is as {last.name} left it", comparisons)


def look_with(open_door: Callable[[Parameters], Aws] | None = None) -> Look:
    """At AWS itself, with the class that recorded."""
    from gbg_lib.aws import open_aws  # a run that resumes nothing needs none of it
    from gbg_lib.steps import Step

    opened = open_door or open_aws

    def look(step: str, parameters: Parameters) -> Mapping[str, str]:
        module, _, name = step.partition(":")
        found = getattr(importlib.import_module(module), name, None) if module.startswith(PACKAGE) else None
        if not isinstance(found, type) or not issubclass(found, Step):
            raise MisuseError("--resume", f"there is no step {step}", "run the runbook by its number instead")
        return found(parameters, opened(parameters)).seen()

    return look


def inputs(source: Path, values: Mapping[str, Any]) -> str:
    """A digest of what decides a run besides AWS: notebook, blueprint, parameters.

    Without the hidden ones, which a resumed run does not know.
    """
    digest = hashlib.sha256(source.read_bytes())
    for path in sorted(BLUEPRINT.rglob("*")):
        if path.is_file() and "__pycache__" not in path.parts:
            digest.update(path.relative_to(BLUEPRINT).as_posix().encode() + b"\0" + path.read_bytes())
    deciding = {name: value for name, value in sorted(values.items()) if name not in HIDDEN}
    digest.update(json.dumps(deciding, default=str).encode())
    return digest.hexdigest()


def _compared(seen: Iterable[Mapping[str, Any]], parameters: Parameters, look: Look) -> Iterable[Comparison]:
    for entry in {one["step"]: one for one in seen}.values():  # of each step the last word
        live = look(entry["step"], parameters)
        for name in sorted({*entry["seen"], *live}):
            yield Comparison(name, entry["seen"].get(name, "nothing"), live.get(name, "nothing"))


def _last(runs: Path, series: str, source: Path) -> Path | None:
    found = [
        (told["started"], path)
        for path in runs.glob("*/")
        if (told := _begun(path)) and told["series"] == series and told["source"] == str(source)
    ]
    return max(found)[1] if found else None


def _begun(path: Path) -> dict[str, Any] | None:
    """None also where it can't be read: nobody can go on from there."""
    try:
        return begun(path)
    except result.BrokenRun:
        return None


def _parameters(values: Mapping[str, Any]) -> Parameters:
    return Parameters(**{name: value for name, value in values.items() if name in Parameters.model_fields})
