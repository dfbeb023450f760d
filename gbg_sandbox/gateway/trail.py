"""What was called, by whom, with which result: the source of CloudTrail look-ups and of denials."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Mapping
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
        self._lock = threading.Lock()

    def append(self, call: ApiCall) -> None:
        with self._lock:
            self._calls.append(call)

    def calls(self) -> list[ApiCall]:
        with self._lock:
            return list(self._calls)
