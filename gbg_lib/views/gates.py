"""What gates say, and the question to a person where one is there to ask."""

from __future__ import annotations

from collections.abc import Iterable
from typing import get_args

from IPython.core.error import StdinNotImplementedError

from gbg_lib.gates.gate import Answer, Judgement, Person, answering
from gbg_lib.views.table import Table, table


def gates_table(judgements: Iterable[Judgement]) -> Table:
    rows = [
        {
            "gate": judgement.gate,
            "asks that": judgement.condition,
            "verdict": judgement.verdict,
            "found": judgement.found,
            "decided by": judgement.decided_by,
        }
        for judgement in judgements
    ]
    return table(rows, ["gate", "asks that", "verdict", "found", "decided by"])


def person(decision: str) -> Person:
    """Asks below the cell, and waits; headless, the parameter `decision` answers or the gate refuses."""
    given = answering(decision)

    def ask(judgement: Judgement) -> Answer:
        if decision in get_args(Answer):
            return given(judgement)
        question = f"{judgement.gate}: {judgement.verdict}; {judgement.found}. Type go or stop: "
        try:
            return _answer(question)
        except (StdinNotImplementedError, EOFError):
            return given(judgement)

    return ask


def _answer(question: str) -> Answer:
    while True:
        said = input(question).strip().lower()
        for answer in get_args(Answer):
            if said == answer:
                return "go" if answer == "go" else "stop"
