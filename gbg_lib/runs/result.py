"""A run's result.json: how it ended, and what it asked of AWS. docs/result.schema.json is made from it."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from gbg_lib.errors import MisuseError
from gbg_lib.runner import whole_files

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
    status: Literal["done", "explained", "failed", "interrupted", "killed"]
    """explained: it told what it would do, and stopped before the first change"""
    exit_status: Literal[0, 1, 2, 3, 4, 5]
    """done, failed, misuse, refused by a gate, interrupted, locked"""
    error: str
    """class of the error, ours or another's; empty when done"""
    cell: int
    """the code cell that it stopped in, counted from 1 over all cells; 0 where it stopped in none"""
    where: str
    """runbook, and the heading above that cell"""
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


class BrokenRun(MisuseError):
    """A file of a run's folder can't be read: cut off, edited, or another's."""

    def __init__(self, file: Path, why: str) -> None:
        super().__init__(str(file), f"it can't be read: {why}", "remove this folder, or restore the file")


def read(folder: Path) -> dict[str, Any] | None:
    """None where there is no result (yet). Raises BrokenRun."""
    return read_json(folder / FILE)


def read_json(path: Path) -> dict[str, Any] | None:
    """None where there is no such file. Raises BrokenRun."""
    try:
        found = json.loads(path.read_text())
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (OSError, ValueError) as error:
        raise BrokenRun(path, str(error)) from error
    if not isinstance(found, dict):
        raise BrokenRun(path, "it holds no names and values")
    return found
