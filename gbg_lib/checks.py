"""Checks after a step: what should be so, what was found, what to do when it differs.

A check has three results. *Right*: it is so. *Not yet*: it may still come right by itself, or a step before
it was not taken; it says what to look at. *Wrong*: it does not come right by itself; it says how to mend it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from gbg_lib.errors import CheckFailed

Result = Literal["right", "not yet", "wrong"]


@dataclass(frozen=True)
class Check:
    name: str
    passed: bool
    found: str
    try_this: str
    """what to look at, or how to mend it"""
    pending: bool = False
    """whether what is not so may still come right by itself"""

    @property
    def result(self) -> Result:
        return "right" if self.passed else "not yet" if self.pending else "wrong"


def require(checks: Iterable[Check]) -> list[Check]:
    """The checks, when all passed. Raises CheckFailed: the first that is wrong, else the first not yet."""
    checks = list(checks)
    open_ = sorted((check for check in checks if not check.passed), key=lambda check: check.pending)
    if open_:
        first = open_[0]
        raise CheckFailed(f"check: {first.name}", first.found, first.try_this, checks)
    return checks
