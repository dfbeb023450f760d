"""Who answers visitors: one visit a look, as anybody would make it.

CloudWatch knows a target group's requests, not a fleet's; the application says which deployment put it on its
machine, so an answer tells blue from green. A visit is no request to AWS's API.
"""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Literal

from gbg_lib.replay.clock import monotonic
from gbg_lib.replay.tape import asked

Who = Literal["blue", "green", "nobody"]
COLOURS: tuple[Who, ...] = ("blue", "green", "nobody")
VISIT_SECONDS = 1.0
"""that a visitor of ours waits"""
REST_SECONDS = 10.0
"""after a visit that found no way there: a firewall may lie between"""


@dataclass(frozen=True)
class Visit:
    at: float
    """seconds since the first visit"""
    who: Who


@dataclass
class Traffic:
    """Visits to a site while `green` (a deployment's id, empty before it is known) comes up."""

    site: str
    clock: Callable[[], float] = monotonic
    visit_seconds: float = VISIT_SECONDS
    visits: list[Visit] = field(default_factory=list)
    _began: float | None = None
    _rests_until: float = 0.0

    def visit(self, green: str) -> None:
        now = self.clock()
        if now < self._rests_until:
            return
        if self._began is None:
            self._began = now
        who = answered(self.site, green, self.visit_seconds)
        if who == "nobody" and not any(one.who != "nobody" for one in self.visits):
            self._rests_until = now + REST_SECONDS
        self.visits.append(Visit(now - self._began, who))


def answered(site: str, green: str, seconds: float) -> Who:
    """Whose machine answered; nobody's where there was no good answer in so many seconds."""
    status, told = asked("site", {"visit": site + "health"}, lambda: _visited(site + "health", seconds))
    if status == 200:
        return "green" if green and _deployment(told) == green else "blue"
    return "blue" if status == 404 else "nobody"  # the base page of a first fleet tells no facts


def _visited(url: str, seconds: float) -> tuple[int, bytes]:
    """Status and body; 0 where nobody answered."""
    request = urllib.request.Request(url, headers={"Connection": "close"})
    try:
        with urllib.request.urlopen(request, timeout=seconds) as answer:
            return 200, answer.read(10_000)
    except urllib.error.HTTPError as error:
        return error.code, b""
    except (urllib.error.URLError, OSError):
        return 0, b""


def counts(visits: Sequence[Visit]) -> dict[Who, int]:
    """Of each colour, also those that nobody was answered by."""
    found = Counter(one.who for one in visits)
    return {who: found[who] for who in COLOURS}


def _deployment(told: bytes) -> str:
    try:
        found = json.loads(told)
    except ValueError:
        return ""
    return str(found.get("deployment", "")) if isinstance(found, dict) else ""
