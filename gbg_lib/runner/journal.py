"""A run's journal: what its kernel tells the runner, a JSON line at a time, so that its death loses nothing.

Where there is no runner ($GBG_JOURNAL is not set) nothing is written.
"""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gbg_lib.secret.values import masking

if TYPE_CHECKING:
    from gbg_lib.exchange import Exchange

VARIABLE = "GBG_JOURNAL"
REQUEST, EVIDENCE, ERROR = "request", "evidence", "error"
"""kinds of lines"""


def kept() -> bool:
    """Whether there is a run that keeps one."""
    return VARIABLE in os.environ


def tell(kind: str, **facts: Any) -> None:
    path = os.environ.get(VARIABLE)
    if path:
        line = json.dumps({"kind": kind, **masking().value(facts)}, default=str)
        with Path(path).open("a") as file:
            file.write(line + "\n")


def heard(exchange: Exchange) -> None:
    """A request that went through the door."""
    tell(
        REQUEST,
        service=exchange.service,
        operation=exchange.operation,
        seconds=round(exchange.seconds, 3),
        **({"error": exchange.error} if exchange.error else {}),
    )


def read(path: Path) -> list[dict[str, Any]]:
    """Every whole line; a kernel that was killed may have left half a one, also before another's."""
    if not path.exists():
        return []
    return [entry for line in path.read_text(errors="replace").splitlines() if (entry := _entry(line))]


def _entry(line: str) -> dict[str, Any] | None:
    try:
        found = json.loads(line)
    except ValueError:
        return None
    return found if isinstance(found, dict) and "kind" in found else None


def requests(entries: Iterable[Mapping[str, Any]]) -> dict[str, int]:
    """How many requests each service got."""
    counted = Counter(entry["service"] for entry in entries if entry["kind"] == REQUEST)
    return dict(sorted(counted.items()))
