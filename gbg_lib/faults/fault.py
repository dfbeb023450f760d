"""A fault: something that makes a release fail, planted on purpose and taken away again.

All through AWS's APIs and git, so that what holds on the sandbox can be tried on AWS.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from gbg_lib.steps import ReleaseRun

Former = Mapping[str, str]
"""what was there before and has to come back"""
Look = Callable[[ReleaseRun], dict[str, str]]
Act = Callable[[ReleaseRun, Former], None]
Strike = Callable[[ReleaseRun, str], None]


def nothing_kept(step: ReleaseRun) -> dict[str, str]:
    return {}


def nothing_planted(step: ReleaseRun, former: Former) -> None:
    """For a fault that only strikes."""


def never(step: ReleaseRun, execution_id: str) -> None:
    """For a fault that lies in wait by itself."""


@dataclass(frozen=True)
class Fault:
    name: str
    what: str
    """one sentence"""
    look: Look = nothing_kept
    """what `remove` will need; asked before anything is changed"""
    plant: Act = nothing_planted
    remove: Act = nothing_planted
    """does no harm when there is nothing to take away"""
    strike: Strike = never
    """waits for its moment in this release and acts; raises NotThere when the release ends before"""
    pushes: bool = False
    """whether planting pushes a commit, which starts a release by itself"""
