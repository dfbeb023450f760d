"""What gates say, and the question to a person where one is there to ask."""

from __future__ import annotations

from collections.abc import Iterable
from typing import get_args

from gbg_lib.gates.gate import Answer, Judgement, Person, answering
from gbg_lib.replay.tape import asked
from gbg_lib.views.late import refusals
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
    return table(rows, ["gate", "asks that", "verdict", "found", "decided by"], name="Gates")


def person(decision: str) -> Person:
    """Asks below the cell, and waits; headless, the parameter `decision` answers or the gate refuses."""
    given = answering(decision)

    def ask(judgement: Judgement) -> Answer:
        if decision in get_args(Answer):
            return given(judgement)
        question = f"{judgement.gate}: {judgement.verdict}; {judgement.found}. Type go or stop: "
        said = asked("person", {"question": question}, lambda: _answer(question))
        return given(judgement) if said is None else "go" if said == "go" else "stop"

    return ask


def _answer(question: str) -> str | None:
    """None where nobody is there to ask."""
    while True:
        try:
            said = input(question).strip().lower()
        except (refusals.StdinNotImplementedError, EOFError):
            return None
        if said in get_args(Answer):
            return said
