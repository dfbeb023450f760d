"""A gate: a condition, how long it may take to find out, and what was found.

Judging changes nothing. What can't be read in time is never taken for a pass.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Literal

from gbg_lib.aws import Aws
from gbg_lib.errors import AccessRefused, GateRefused, GbgError, TimedOut
from gbg_lib.waiting import rounds

Verdict = Literal["pass", "fail", "can't tell"]
Answer = Literal["go", "stop"]


@dataclass(frozen=True)
class Finding:
    """What one look at the world says of the condition."""

    verdict: Verdict
    found: str
    try_this: str = ""


@dataclass(frozen=True)
class Gate:
    name: str
    condition: str
    """what must hold, as a sentence"""
    limit_seconds: float
    """after which `can't tell` is the last word; of this machine's clock"""
    look: Callable[[], Finding]


@dataclass(frozen=True)
class Judgement:
    gate: str
    condition: str
    verdict: Verdict
    found: str
    try_this: str
    seconds: float
    decided_by: str = "the gate"

    @property
    def open(self) -> bool:
        return self.verdict == "pass"


Person = Callable[[Judgement], Answer]
"""Asked what a gate can't tell. Raises GateRefused where nobody answers."""


def watch(aws: Aws, gate: Gate) -> Iterator[Judgement]:
    """A judgement each time what is found changes; the last one is final: pass, fail, or time is up."""
    begun = time.monotonic()
    before: Finding | None = None
    try:
        for _ in rounds(aws, limit_seconds=gate.limit_seconds, what=gate.name, try_this=""):
            try:
                finding = gate.look()
            except AccessRefused as error:
                yield _judged(
                    gate, Finding("can't tell", f"{error.where}: {error.what}", error.try_this), begun
                )
                return
            except GbgError as error:
                finding = Finding("can't tell", f"{error.where}: {error.what}", error.try_this)
            if finding != before:
                before = finding
                yield _judged(gate, finding, begun)
            if finding.verdict != "can't tell":
                return
    except TimedOut:
        assert before is not None
        found = f"{before.found}; not known after {gate.limit_seconds:.0f} s"
        yield _judged(gate, replace(before, found=found), begun)


def judge(aws: Aws, gate: Gate) -> Judgement:
    """The gate's last word."""
    *_, last = watch(aws, gate)
    return last


def _judged(gate: Gate, finding: Finding, begun: float) -> Judgement:
    seconds = time.monotonic() - begun
    return Judgement(gate.name, gate.condition, finding.verdict, finding.found, finding.try_this, seconds)


def require_open(judgements: Iterable[Judgement], person: Person) -> list[Judgement]:
    """The judgements, each a pass or a person's go. Raises GateRefused at the first that is neither."""
    return [_decided(judgement, person) for judgement in judgements]


def _decided(judgement: Judgement, person: Person) -> Judgement:
    if judgement.open:
        return judgement
    if judgement.verdict == "can't tell" and person(judgement) == "go":
        return replace(judgement, verdict="pass", decided_by="a person")
    raise refused(judgement)


def refused(judgement: Judgement) -> GateRefused:
    said = {"fail": "is shut", "can't tell": "stays shut: it can't tell"}[judgement.verdict]
    return GateRefused(
        f"gate {judgement.gate}",
        f"it {said}; it asks that {judgement.condition}; {judgement.found}",
        judgement.try_this or "look at what was found, mend it, and run this again",
    )


def answering(decision: str) -> Person:
    """A person who gave the answer beforehand, as the parameter `decision`; empty is no answer."""

    def answer(judgement: Judgement) -> Answer:
        if decision == "go":
            return "go"
        if decision == "stop":
            return "stop"
        raise GateRefused(
            f"gate {judgement.gate}",
            f"it can't tell whether {judgement.condition}: {judgement.found}",
            "look for yourself, then set decision to go or stop (headless: -p decision=go)",
        )

    return answer
