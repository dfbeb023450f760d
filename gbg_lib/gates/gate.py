"""A gate: a condition, how long it may take to find out, and what was found.

Judging changes nothing. What can't be read in time is never taken for a pass.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Literal

from gbg_lib.aws import Aws
from gbg_lib.errors import AccessRefused, GateRefused, GbgError
from gbg_lib.replay import clock

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


class Watch:
    """One gate from its first look to its last word."""

    def __init__(self, gate: Gate) -> None:
        self.gate = gate
        self.final = False
        self._begun = clock.monotonic()

    def look(self) -> Judgement:
        """One look. `final` says whether it was the last: pass, fail, no right to look, or time is up."""
        try:
            finding = self.gate.look()
        except AccessRefused as error:
            self.final = True
            finding = Finding("can't tell", f"{error.where}: {error.what}", error.try_this)
        except GbgError as error:
            finding = Finding("can't tell", f"{error.where}: {error.what}", error.try_this)
        seconds = clock.monotonic() - self._begun
        if finding.verdict != "can't tell":
            self.final = True
        elif not self.final and seconds >= self.gate.limit_seconds:
            self.final = True
            found = f"{finding.found}; not known after {self.gate.limit_seconds:.0f} s"
            finding = replace(finding, found=found)
        gate = self.gate
        return Judgement(gate.name, gate.condition, finding.verdict, finding.found, finding.try_this, seconds)


def watch(aws: Aws, gate: Gate) -> Iterator[Judgement]:
    """A judgement each time what is found changes; the last one is final."""
    watching, before = Watch(gate), ""
    while True:
        judgement = watching.look()
        if judgement.found != before or watching.final:
            before = judgement.found
            yield judgement
        if watching.final:
            return
        aws.pause()


def judge(aws: Aws, gate: Gate) -> Judgement:
    """The gate's last word."""
    *_, last = watch(aws, gate)
    return last


def require_open(
    judgements: Iterable[Judgement], person: Person, *, always_ask: bool = False
) -> list[Judgement]:
    """The judgements, each a pass or a person's go. Raises GateRefused at the first that is neither.

    With `always_ask` a pass needs a person's go as well.
    """
    return [_decided(judgement, person, always_ask) for judgement in judgements]


def _decided(judgement: Judgement, person: Person, always_ask: bool) -> Judgement:
    if judgement.open and not always_ask:
        return judgement
    if judgement.verdict != "fail" and person(judgement) == "go":
        return replace(judgement, verdict="pass", decided_by="a person")
    raise refused(judgement)


def refused(judgement: Judgement) -> GateRefused:
    said = {
        "pass": "stays shut: a person said stop",
        "fail": "is shut",
        "can't tell": "stays shut: it can't tell",
    }[judgement.verdict]
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
            f"{_asked(judgement)} {judgement.condition}: {judgement.found}",
            "look for yourself, then set decision to go or stop (headless: -p decision=go)",
        )

    return answer


def _asked(judgement: Judgement) -> str:
    return "a person is to say whether" if judgement.open else "it can't tell whether"
