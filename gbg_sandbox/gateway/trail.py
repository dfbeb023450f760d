"""What was called, by whom, with which result: the source of CloudTrail look-ups and of denials."""

from __future__ import annotations

import heapq
import threading
from bisect import bisect_left
from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from gbg_sandbox.service import Principal

READS = ("Describe", "Get", "List", "BatchGet", "Head", "Lookup", "Poll", "Filter")
KEPT_CHANGES = 50_000
KEPT_READS = 20_000
"""engines and pages look all the time: what they read must not push out what was changed"""
Numbered = tuple[int, "ApiCall"]


@dataclass(frozen=True)
class ApiCall:
    request_id: str
    service: str
    operation: str
    principal: Principal
    params: Mapping[str, Any]
    error_code: str = ""
    error_message: str = ""
    source_address: str = ""
    user_agent: str = ""
    time: datetime = field(default_factory=lambda: datetime.now(UTC))

    @property
    def reads(self) -> bool:
        return self.operation.startswith(READS)


class Trail:
    """The last calls, oldest first."""

    def __init__(self) -> None:
        self._changes: deque[Numbered] = deque(maxlen=KEPT_CHANGES)
        self._reads: deque[Numbered] = deque(maxlen=KEPT_READS)
        self._appended = 0
        self._lock = threading.Lock()

    def append(self, call: ApiCall) -> None:
        with self._lock:
            (self._reads if call.reads else self._changes).append((self._appended, call))
            self._appended += 1

    def calls(self) -> list[ApiCall]:
        with self._lock:
            return [call for _, call in heapq.merge(self._changes, self._reads, key=_number)]

    def before(self, number: int | None) -> Iterator[Numbered]:
        """Newest first, each with its number, which stays; those before `number`, or all."""
        with self._lock:
            both, end = (list(self._changes), list(self._reads)), self._appended
        limit = end if number is None else number
        newest_first = (reversed(kept[: bisect_left(kept, limit, key=_number)]) for kept in both)
        yield from heapq.merge(*newest_first, key=_number, reverse=True)


def _number(numbered: Numbered) -> int:
    return numbered[0]
