"""How long things usually take: from former releases where there are some, else from a shipped table.

Whoever shows such a figure says where it is from.
"""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import yaml

from gbg_lib.pipeline import STAGES, Action, Pipeline

TABLE = Path(__file__).with_suffix(".yaml")
SHIPPED = {"sandbox": "as shipped", "aws": "as shipped, not measured"}
FORMER = 3
"""releases that are looked at, newest first"""


@dataclass(frozen=True)
class Usual:
    seconds: float
    source: str
    """whose time it is, in words: `as shipped`, `the last 2 releases`"""


def shipped(cloud: str, what: str) -> Usual | None:
    """None for what the table lacks."""
    seconds = _table()[cloud].get(what)
    return None if seconds is None else Usual(seconds, SHIPPED[cloud])


def stages(cloud: str) -> dict[str, float]:
    """Seconds of a release's stages, as shipped."""
    return {name: _table()[cloud][name] for name in STAGES}


def of_stages(cloud: str, former: list[list[Action]]) -> dict[str, Usual]:
    """Stage → how long it usually takes: the median of former releases, else the shipped figure."""
    found: dict[str, list[float]] = {}
    for actions in former:
        for action in actions:
            if action.status == "Succeeded" and action.name == action.stage:
                found.setdefault(action.stage, []).append(action.seconds)
    usual = {name: Usual(seconds, SHIPPED[cloud]) for name, seconds in stages(cloud).items()}
    for name, seconds in found.items():
        one = len(seconds) == 1
        told = "the release before" if one else f"the {len(seconds)} releases before"
        usual[name] = Usual(statistics.median(seconds), told)
    return usual


def former_releases(pipeline: Pipeline, now: Iterable[Action]) -> Iterator[list[list[Action]]]:
    """The actions of the last good whole releases but the one of `now`: what is known after each request."""
    ours = {action.id for action in now}
    good = [one.id for one in pipeline.executions() if one.status == "Succeeded" and not one.rolls_back_to]
    found: list[list[Action]] = []
    yield found
    for one in good[: FORMER + 1]:
        if len(found) < FORMER:
            actions = pipeline.actions(one)
            found = found if ours & {action.id for action in actions} else [*found, actions]
            yield found


@cache
def _table() -> Mapping[str, Mapping[str, float]]:
    table: Mapping[str, Mapping[str, float]] = yaml.safe_load(TABLE.read_text())
    return table
