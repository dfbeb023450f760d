"""A drill: a release that meets a planted fault, and what someone is to find out about it.

The answers are those of the failure table (docs/failures.md), where a test holds them.
"""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass

from gbg_lib.errors import MisuseError
from gbg_lib.pipeline import STAGES

CAUSES = ("application", "image", "function", "right", "machine", "alarm", "person")
QUESTIONS: Mapping[str, tuple[str, ...]] = {
    "stage": STAGES,
    "serves": ("blue", "green"),
    "cause": CAUSES,
}
"""what is asked before and after, with the answers that there are"""
WHERE_TO_LOOK = {
    "stage": "runbook 04 shows each stage with its status, and the first that failed tells why",
    "serves": "read the commit at the site's /health, and compare it with the release's",
    "cause": "read the message of the failed release to its last line: who or what is named there?",
}


@dataclass(frozen=True)
class Drill:
    name: str
    """the fault that is planted"""
    stage: str
    cause: str
    hints: tuple[str, ...]
    """from a nudge to all but the answer"""
    serves: str = "blue"

    def right(self, question: str) -> str:
        return {"stage": self.stage, "serves": self.serves, "cause": self.cause}[question]


def draw(drills: Mapping[str, Drill], name: str, seed: int) -> Drill:
    """The one that is named, else one by chance, the same for the same seed. Raises MisuseError."""
    if not name:
        return drills[random.Random(seed).choice(sorted(drills))]
    if name not in drills:
        raise MisuseError("drill", f"there is none called {name!r}", f"one of: {', '.join(sorted(drills))}")
    return drills[name]


def predictions(text: str) -> dict[str, str]:
    """`stage=Build, serves=blue` by question. Raises MisuseError for an answer that there isn't."""
    found: dict[str, str] = {}
    for part in filter(None, (part.strip() for part in text.split(","))):
        question, _, answer = (word.strip() for word in part.partition("="))
        if answer not in QUESTIONS.get(question, ()):
            raise MisuseError(
                "predictions",
                f"{part!r} answers no question",
                "; ".join(f"{name} is one of {', '.join(answers)}" for name, answers in QUESTIONS.items()),
            )
        found[question] = answer
    return found
