"""Managed instances: an agent that reports is Online as long as it goes on reporting."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

SILENCE_SECONDS = 15
"""real seconds without a word from the agent (it asks for messages every few) until ConnectionLost"""


@dataclass
class ManagedInstance:
    id: str
    registered: datetime
    agent_version: str = ""
    platform_name: str = ""
    platform_version: str = ""
    platform_type: str = "Linux"
    address: str = ""
    computer_name: str = ""
    last_ping: datetime | None = None
    heard: float = 0.0
    """monotonic time of the last sign of life"""
    switched_off: bool = False
    inventory: dict[str, dict[str, Any]] = field(default_factory=dict)
    """inventory type → the item as the agent sent it"""

    @property
    def online(self) -> bool:
        return not self.switched_off and time.monotonic() - self.heard < SILENCE_SECONDS

    @property
    def ping_status(self) -> str:
        return "Online" if self.online else "ConnectionLost"


class ManagedInstances:
    def __init__(self, now: Callable[[], datetime]) -> None:
        self.lock = threading.RLock()
        self._now = now
        self._instances: dict[str, ManagedInstance] = {}
        self._gone: dict[str, ManagedInstance] = {}

    def report(self, instance_id: str, **facts: str) -> ManagedInstance:
        """The agent has told about itself: it is managed from now on."""
        with self.lock:
            found = self._instances.get(instance_id)
            if found is None:
                found = self._instances[instance_id] = ManagedInstance(instance_id, self._now())
            for name, value in facts.items():
                setattr(found, name, value)
            found.switched_off = False
            self.heard(instance_id)
            return found

    def heard(self, instance_id: str) -> None:
        with self.lock:
            found = self._instances.get(instance_id)
            if found is not None:
                found.heard = time.monotonic()
                found.last_ping = self._now()

    def get(self, instance_id: str) -> ManagedInstance | None:
        with self.lock:
            return self._instances.get(instance_id)

    def with_inventory(self, instance_id: str) -> ManagedInstance | None:
        """Also one that was terminated: Systems Manager keeps its inventory for a while."""
        with self.lock:
            return self._instances.get(instance_id) or self._gone.get(instance_id)

    def all(self) -> list[ManagedInstance]:
        with self.lock:
            return sorted(self._instances.values(), key=lambda one: one.id)

    def switched_off(self, instance_id: str) -> None:
        with self.lock:
            found = self._instances.get(instance_id)
            if found is not None:
                found.switched_off = True

    def forget(self, instance_id: str) -> None:
        with self.lock:
            found = self._instances.pop(instance_id, None)
            if found is not None:
                self._gone[instance_id] = found
