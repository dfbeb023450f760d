"""How far a learner has come: what was checked or answered, when, and how it went.

One JSON file a learner, in the user's own data folder. It is written whole or not at all.
"""

from __future__ import annotations

import getpass
import json
import os
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from gbg_lib.errors import GbgError

LEARNER = "GBG_LEARNER"
"""variable that names who learns; else it is the user's name"""


@dataclass(frozen=True)
class Mark:
    task: str
    """`01: check`, `04: which fleet serves?`"""
    result: str
    """right | wrong"""
    at: str
    """ISO 8601, UTC"""
    tries: int


class Progress:
    def __init__(self, folder: Path | None = None, learner: str = "") -> None:
        self.learner = learner or os.environ.get(LEARNER) or getpass.getuser()
        data = Path(os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share")
        self.file = (folder or data / "gbg" / "progress") / f"{_plain(self.learner)}.json"

    def marks(self) -> list[Mark]:
        """In the order in which the tasks were first met. Raises GbgError for a file that is none of ours."""
        if not self.file.exists():
            return []
        try:
            return [Mark(**item) for item in json.loads(self.file.read_text())["marks"]]
        except (ValueError, TypeError, KeyError) as error:
            raise GbgError(
                str(self.file), f"it holds no progress: {error}", "move it away; a new one is begun"
            ) from error

    def note(self, task: str, *, right: bool) -> Mark:
        """Keep how a task went; one that went right once stays right."""
        before = {mark.task: mark for mark in self.marks()}
        former = before.get(task)
        went = "right" if right or (former and former.result == "right") else "wrong"
        at = datetime.now(UTC).isoformat(timespec="seconds")
        mark = before[task] = Mark(task, went, at, (former.tries if former else 0) + 1)
        self._write(list(before.values()))
        return mark

    def forget(self) -> None:
        self.file.unlink(missing_ok=True)

    def _write(self, marks: list[Mark]) -> None:
        self.file.parent.mkdir(parents=True, exist_ok=True)
        temporary = self.file.with_name(f"{self.file.name}.{os.getpid()}.part")
        text = json.dumps({"learner": self.learner, "marks": [vars(mark) for mark in marks]}, indent=2)
        temporary.write_text(text)
        temporary.replace(self.file)


def _plain(learner: str) -> str:
    """A file's name for any learner's."""
    return "".join(letter if letter.isalnum() else "_" for letter in learner) or "_"
