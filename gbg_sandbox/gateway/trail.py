"""What was called, by whom, with which result: the source of CloudTrail look-ups and of denials."""

from __future__ import annotations

import heapq
import threading
from bisect import bisect_left
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from gbg_sandbox.service import Principal

READS = ("Describe", "Get", "List", "BatchGet", "Head", "Lookup", "Poll", "Filter")
KEPT_CHANGES = 50_000
KEPT_READS = 20_000
"""engines and pages look all the time: what they read must not push out what was changed"""
SLICE = 100
"""calls that a look-up takes at a time"""
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


class Kept:
    """The last numbered calls, oldest first: `most`, and at times a tenth more. Not locked."""

    def __init__(self, most: int) -> None:
        self._most = most
        self.all: list[Numbered] = []

    def append(self, one: Numbered) -> None:
        self.all.append(one)
        if len(self.all) * 10 > self._most * 11:
            del self.all[: -self._most]

    def before(self, limit: int) -> list[Numbered]:
        """The last few whose number is below."""
        end = bisect_left(self.all, limit, key=_number)
        return self.all[max(end - SLICE, 0) : end]


class Trail:
    """The last calls, oldest first."""

    def __init__(self) -> None:
        self._changes, self._reads = Kept(KEPT_CHANGES), Kept(KEPT_READS)
        self._appended = 0
        self._lock = threading.Lock()

    def append(self, call: ApiCall) -> None:
        with self._lock:
            (self._reads if call.reads else self._changes).append((self._appended, call))
            self._appended += 1

    def calls(self) -> list[ApiCall]:
        with self._lock:
            return [call for _, call in heapq.merge(self._changes.all, self._reads.all, key=_number)]

    def before(self, number: int | None) -> Iterator[Numbered]:
        """Newest first, each with its number, which stays; those before `number`, or all until now.

        A few are taken at a time, so that whoever stops early holds nobody up.
        """
        with self._lock:
            limit = self._appended if number is None else number
        both = (self._back(kept, limit) for kept in (self._changes, self._reads))
        yield from heapq.merge(*both, key=_number, reverse=True)

    def _back(self, kept: Kept, limit: int) -> Iterator[Numbered]:
        while True:
            with self._lock:
                found = kept.before(limit)
            if not found:
                return
            yield from reversed(found)
            limit = found[0][0]


def _number(numbered: Numbered) -> int:
    return numbered[0]
