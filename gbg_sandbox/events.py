"""The one stream of everything that happens.

EventBridge rules, CloudTrail look-ups, scaling activities and the sandbox's page all read it.
An event has the shape of an EventBridge event:
https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-events-structure.html
"""

from __future__ import annotations

import logging
import queue
import threading
import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Event:
    source: str
    detail_type: str
    detail: Mapping[str, Any]
    resources: tuple[str, ...] = ()
    number: int = 0
    time: datetime = field(default_factory=lambda: datetime.now(UTC))
    id: str = field(default_factory=lambda: str(uuid.uuid4()))


Reader = Callable[[Event], None]


class EventStream:
    """Numbered events in order. Readers are called one event at a time on the stream's own thread."""

    def __init__(self) -> None:
        self._events: list[Event] = []
        self._changed = threading.Condition()
        self._readers: list[Reader] = []
        self._queue: queue.SimpleQueue[Event | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._deliver, name="events", daemon=True)
        self._thread.start()

    def publish(
        self,
        source: str,
        detail_type: str,
        detail: Mapping[str, Any],
        resources: Sequence[str] = (),
    ) -> Event:
        with self._changed:
            event = Event(source, detail_type, detail, tuple(resources), len(self._events) + 1)
            self._events.append(event)
            self._queue.put(event)
            self._changed.notify_all()
        return event

    def subscribe(self, reader: Reader) -> None:
        self._readers.append(reader)

    def since(self, number: int) -> list[Event]:
        """Events after the one with this number, oldest first."""
        with self._changed:
            return self._events[number:]

    def wait(self, number: int, real_seconds: float) -> list[Event]:
        """Like `since`, but waits for at least one event or the time limit."""
        with self._changed:
            self._changed.wait_for(lambda: len(self._events) > number, timeout=real_seconds)
            return self._events[number:]

    def watch(self, *sources: str) -> Watch:
        """What comes from these sources from now on, for who waits for something to become true."""
        return Watch(self, sources)

    def close(self) -> None:
        self._queue.put(None)
        self._thread.join(timeout=2)

    def _deliver(self) -> None:
        while (event := self._queue.get()) is not None:
            for reader in self._readers:
                try:
                    reader(event)
                except Exception:
                    log.exception("a reader of the event stream failed on %s", event.detail_type)


class Watch:
    """Not to be used by two threads at once."""

    def __init__(self, stream: EventStream, sources: tuple[str, ...]) -> None:
        self._stream = stream
        self._sources = sources
        self._read = len(stream.since(0))

    def wait(self, real_seconds: float) -> bool:
        """Wait for an event that came since the last wait; False when there was none within the time."""
        deadline = time.monotonic() + real_seconds
        while True:
            found = self._stream.wait(self._read, deadline - time.monotonic())
            self._read += len(found)
            if any(event.source in self._sources for event in found):
                return True
            if time.monotonic() >= deadline:
                return False
