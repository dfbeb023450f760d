"""What changed, for everyone who looks: the sections, the event stream, and the traffic second by second.

One thread reads while somebody looks and rests otherwise. A watcher that is slow misses no state: it gets the
newest version of each section, and every event since the last one it saw.
"""

from __future__ import annotations

import json
import logging
import threading
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any, NamedTuple

from gbg_sandbox.events import Event
from gbg_sandbox.page.asking import Asking
from gbg_sandbox.page.sections import GOING_ON_SECONDS, SECTIONS, Section, seconds_between_reads
from gbg_sandbox.page.traffic import second_by_second
from gbg_sandbox.service import AwsError

if TYPE_CHECKING:
    from gbg_sandbox.cloud import Cloud

log = logging.getLogger(__name__)

COALESCE_SECONDS = 0.05
"""events come in bursts; what they change is read once for all of them"""
LOOK_SECONDS = 0.25
HEARTBEAT_SECONDS = 5.0
"""how long it takes at most until a watcher that left is noticed"""
FIRST_EVENTS = 400
"""how many events of the past a new watcher gets, and every denial"""
FIRST_TRAFFIC_SECONDS = 180
MOST_WATCHERS = 24
DENIAL = "IAM Denial"


class TooMany(Exception):
    """More tabs look than this process has threads to spare for."""


class Message(NamedTuple):
    """One server-sent event."""

    name: str
    text: str
    """JSON"""


@dataclass
class Watcher:
    """How far one tab has been told."""

    events: int = -1
    versions: dict[str, int] = field(default_factory=dict)
    traffic_since: float = 0.0


@dataclass
class _Kept:
    """A section as it was read last."""

    section: Section
    text: str = ""
    version: int = 0
    due: float = 0.0

    def take(self, text: str) -> bool:
        """False when it was so already."""
        changed = text != self.text
        self.text = text
        return changed


def as_json(value: Any) -> str:
    return json.dumps(value, default=_plain, separators=(",", ":"))


def _plain(value: Any) -> str:
    return value.isoformat() if isinstance(value, datetime) else str(value)


def event_row(event: Event) -> dict[str, Any]:
    return {
        "number": event.number,
        "time": event.time,
        "source": event.source,
        "type": event.detail_type,
        "detail": event.detail,
        "resources": event.resources,
    }


class Feed:
    def __init__(self, cloud: Cloud) -> None:
        self._cloud = cloud
        self.ask = Asking(cloud)
        self._changed = threading.Condition()
        self._kept = {section.name: _Kept(section) for section in SECTIONS}
        self._watchers = 0
        self._traffic: list[dict[str, Any]] = []
        self._read_events = 0
        self._reading = threading.Lock()
        self.read_seconds = 0.0
        """processor time that reading has cost so far"""

    @property
    def watchers(self) -> int:
        with self._changed:
            return self._watchers

    def messages(self) -> Iterator[Message]:
        """One after the other until the sandbox stops; closing it lets the watcher go. Raises TooMany."""
        if self.watchers >= MOST_WATCHERS:
            raise TooMany
        return self._told(Watcher())

    def _told(self, watcher: Watcher) -> Iterator[Message]:
        with self._changed:
            self._watchers += 1
            first = self._watchers == 1
        try:
            if first:
                self._cloud.spawn("page", self._read_while_watched)
            while not self._cloud.clock.stopped:
                yield from list(self._news(watcher)) or [Message("rest", "null")]
                with self._changed:
                    self._changed.wait_for(lambda: self._has_news(watcher), timeout=HEARTBEAT_SECONDS)
        finally:
            with self._changed:
                self._watchers -= 1

    def _has_news(self, watcher: Watcher) -> bool:
        return (
            self._cloud.clock.stopped
            or self._read_events > watcher.events
            or any(kept.version > watcher.versions.get(name, 0) for name, kept in self._kept.items())
            or bool(self._traffic and self._traffic[-1]["time"] > watcher.traffic_since)
        )

    def _news(self, watcher: Watcher) -> Iterator[Message]:
        yield from self._news_of_sections(watcher)
        yield from self._news_of_events(watcher)
        with self._changed:
            seconds = [one for one in self._traffic if one["time"] > watcher.traffic_since]
        if seconds:
            watcher.traffic_since = seconds[-1]["time"]
            yield Message("traffic", as_json(seconds))

    def _news_of_sections(self, watcher: Watcher) -> Iterator[Message]:
        with self._changed:
            news = [
                (name, kept.version, kept.text)
                for name, kept in self._kept.items()
                if kept.version > watcher.versions.get(name, 0)
            ]
        for name, version, text in news:
            watcher.versions[name] = version
            yield Message(name, text)

    def _news_of_events(self, watcher: Watcher) -> Iterator[Message]:
        first = watcher.events < 0
        events = self._cloud.events.since(max(watcher.events, 0))
        if events or first:
            watcher.events = events[-1].number if events else 0
            if first:
                denials = [one for one in events[:-FIRST_EVENTS] if one.detail_type == DENIAL]
                events = [*denials, *events[-FIRST_EVENTS:]]
            yield Message("events", as_json([event_row(event) for event in events]))

    # --- the reading thread ---

    def _read_while_watched(self) -> None:
        with self._reading:  # a former thread may be in its last round
            for kept in self._kept.values():
                kept.due = 0.0
            try:
                while self.watchers and not self._cloud.clock.stopped:
                    news = self._cloud.events.wait(self._read_events, LOOK_SECONDS)
                    if news:
                        self._cloud.clock.pause(COALESCE_SECONDS)
                        news = self._cloud.events.since(self._read_events)
                    self._read_round(news)
            finally:
                with self._changed:
                    self._changed.notify_all()

    def _read_round(self, news: Sequence[Event]) -> None:
        began = time.thread_time()
        sources = {event.source for event in news}
        changed = [kept for kept in self._due(sources) if self._read(kept)]
        traffic = self._read_traffic()
        with self._changed:
            for kept in changed:
                kept.version += 1
            if news:
                self._read_events = news[-1].number
            self._traffic = traffic
            self._changed.notify_all()
        self.read_seconds += time.thread_time() - began

    def _read_traffic(self) -> list[dict[str, Any]]:
        """What was read before, where it can't be read now: that must not stop the rest of the page."""
        try:
            return second_by_second(self._cloud, FIRST_TRAFFIC_SECONDS)
        except Exception:
            log.exception("the page's traffic")
            return self._traffic

    def _due(self, sources: Iterable[str]) -> list[_Kept]:
        now = time.monotonic()
        return [
            kept
            for kept in self._kept.values()
            if kept.due <= now or not kept.section.sources.isdisjoint(sources)
        ]

    def _read(self, kept: _Kept) -> bool:
        """Whether it reads otherwise than before. What vanishes while it is read shows in the next round."""
        kept.due = time.monotonic() + GOING_ON_SECONDS
        try:
            items = kept.section.read(self.ask)
        except AwsError as error:
            log.debug("the page's section %s: %s", kept.section.name, error)
            return False
        except Exception as error:  # one section that can't be read must not stop the others
            log.exception("the page's section %s", kept.section.name)
            return kept.take(as_json({"items": [], "problem": repr(error)}))
        kept.due = time.monotonic() + seconds_between_reads(items)
        return kept.take(as_json({"items": items, "problem": ""}))
