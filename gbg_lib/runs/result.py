"""A run's result.json: how it ended, and what it asked of AWS. docs/result.schema.json is made from it."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from gbg_lib import whole_files

VERSION = 1
FILE = "result.json"


@dataclass(frozen=True)
class GoingOn:
    what: str
    follow: str
    """command"""
    stop: str
    """command; empty where it only can be waited for"""


@dataclass(frozen=True)
class Result:
    version: Literal[1]
    run: str
    """name of the run's folder"""
    runbook: str
    status: Literal["done", "failed", "interrupted", "killed"]
    exit_status: Literal[0, 1, 2, 3, 4, 5]
    """done, failed, misuse, refused by a gate, interrupted, locked"""
    error: str
    """class of the error; empty when done"""
    where: str
    what: str
    """the reason in words; empty when done"""
    try_this: str
    started: str
    """ISO 8601, UTC"""
    ended: str
    seconds: float
    requests: dict[str, int]
    """how many requests each service of AWS got"""
    going_on: list[GoingOn]
    """after an interruption: what goes on in AWS without the run"""
    replies: str
    """SHA-256 of replies.jsonl, what came from outside; empty where nothing is known of it"""

    def write(self, folder: Path) -> None:
        told = asdict(self)
        told["try"] = told.pop("try_this")
        whole_files.write_json(folder / FILE, told)


def read(folder: Path) -> dict[str, Any] | None:
    """None where there is no result (yet)."""
    try:
        found = json.loads((folder / FILE).read_text())
    except FileNotFoundError:
        return None
    return found if isinstance(found, dict) else None
