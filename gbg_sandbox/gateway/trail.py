"""What was called, by whom, with which result: the source of CloudTrail look-ups and of denials."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from gbg_sandbox.service import Principal

KEPT_CALLS = 50_000


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


class Trail:
    """The last calls, oldest first."""

    def __init__(self) -> None:
        self._calls: deque[ApiCall] = deque(maxlen=KEPT_CALLS)
        self._appended = 0
        self._lock = threading.Lock()

    def append(self, call: ApiCall) -> None:
        with self._lock:
            self._calls.append(call)
            self._appended += 1

    def calls(self) -> list[ApiCall]:
        with self._lock:
            return list(self._calls)

    def before(self, number: int | None) -> Iterator[tuple[int, ApiCall]]:
        """Newest first, each with its number, which stays; those before `number`, or all."""
        with self._lock:
            calls, first = list(self._calls), self._appended - len(self._calls)
        end = len(calls) if number is None else min(max(number - first, 0), len(calls))
        for index in range(end - 1, -1, -1):
            yield first + index, calls[index]
