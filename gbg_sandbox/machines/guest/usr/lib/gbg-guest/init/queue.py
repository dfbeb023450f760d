"""Units that wait for their turn: each starts when those before it have settled.

https://www.freedesktop.org/software/systemd/man/latest/systemd.unit.html#Before=
"""

from __future__ import annotations

from init import unitfiles
from init.service import SETTLED, Service

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence


class Queue:
    def __init__(self, services: Mapping[str, Service], load: Callable[[str], Service]) -> None:
        self._services = services
        self._load = load
        self._names: list[str] = []

    def __contains__(self, name: str) -> bool:
        return name in self._names

    def clear(self) -> None:
        self._names.clear()

    def add(self, names: Sequence[str]) -> None:
        """Queue units with everything they want; what is missing is skipped, as systemd does for Wants=."""
        waiting = [unitfiles.full_name(name) for name in names]
        while waiting:
            name = waiting.pop()
            if name in self._names:
                continue
            try:
                service = self._load(name)
            except unitfiles.UnitError:
                continue
            self._names.append(service.unit.name)
            waiting += service.unit.wanted()
        self.advance()

    def advance(self) -> None:
        """Start every queued unit whose predecessors have settled."""
        for name in list(self._names):
            service = self._services[name]
            if name not in self._names or any(
                self._unsettled(other, name) for other in self._before(service)
            ):
                continue
            self._names.remove(name)
            service.start()

    def _before(self, service: Service) -> set[str]:
        earlier = set(service.unit.related("After"))
        if service.unit.name.endswith(".target"):
            earlier |= set(service.unit.wanted()) - set(service.unit.related("Before"))
        for name, other in self._services.items():
            if service.unit.name in other.unit.related("Before"):
                earlier.add(name)
        return earlier

    def _unsettled(self, name: str, waiter: str) -> bool:
        other = self._services.get(name)
        if other is None or name == waiter:
            return False
        if waiter in other.unit.related("After"):
            return False
        return name in self._names or other.state not in SETTLED
