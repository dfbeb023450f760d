"""Checks after a step: what should be so, what was found, what to do when it differs."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from gbg_lib.errors import CheckFailed


@dataclass(frozen=True)
class Check:
    name: str
    passed: bool
    found: str
    try_this: str


def require(checks: Iterable[Check]) -> list[Check]:
    """The checks, when all passed. Raises CheckFailed with the first that did not."""
    checks = list(checks)
    for check in checks:
        if not check.passed:
            raise CheckFailed(f"check: {check.name}", check.found, check.try_this)
    return checks
