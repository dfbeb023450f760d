"""Visitors of a rehearsal: they come to the sandbox's site as they came to the recorded release.

Each asks for the front page; what was asked for then, no load balancer tells. They come to this machine only,
and at most MOST_PER_SECOND: who came beyond that is counted and left out.
"""

from __future__ import annotations

import http.client
import threading
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from time import monotonic
from types import TracebackType
from urllib.parse import urlsplit

from gbg_lib.errors import MisuseError
from gbg_lib.rehearsal.timetable import START, Timetable

HOSTS = ("localhost", "127.0.0.1")
MOST_PER_SECOND = 40
"""of real time; with the alarms' threshold of 5 a minute, errors of one visitor in eight are noticed"""
CLIENTS = 8
MOST_WAITING = 4 * CLIENTS
"""for an answer"""
TICK_SECONDS = 0.05
ANSWER_SECONDS = 10


class Visitors:
    """Come until they are left. `pace` is how many recorded seconds pass in a real one.

    Raises MisuseError for a site that is not on this machine.
    """

    def __init__(
        self, site: str, timetable: Timetable, pace: float, clock: Callable[[], float] = monotonic
    ) -> None:
        self._address = _on_this_machine(site)
        self._timetable = timetable
        self._pace = pace
        self._clock = clock
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._passed = [START]
        self._began = clock()
        self._owed = 0.0
        self._waiting = 0
        self.answers: Counter[int] = Counter()
        """by status; 0 where none came"""
        self.left_out = 0
        self._thread = threading.Thread(target=self._come, name="visitors", daemon=True)

    def reached(self, moment: str) -> None:
        """The release has come to this moment: from now on they come as they came after it."""
        with self._lock:
            if moment not in self._passed and moment in self._timetable:
                self._passed.append(moment)
                self._began = self._clock()
                self._owed = 0.0

    def due(self) -> int:
        """How many have to come now, since this was asked before."""
        with self._lock:
            stretch = self._timetable.get(self._passed[-1])
            if stretch is None:
                return 0
            total = stretch.until((self._clock() - self._began) * self._pace)
            number = int(total - self._owed)
            self._owed += number
            return number

    def __enter__(self) -> Visitors:
        if self._timetable:
            self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        if self._timetable:
            self._thread.join()

    def _come(self) -> None:
        room = 0.0
        clients = ThreadPoolExecutor(CLIENTS, "visitor")
        while not self._stop.wait(TICK_SECONDS):
            room = min(room + MOST_PER_SECOND * TICK_SECONDS, CLIENTS)
            due = self.due()
            coming = min(due, int(room), MOST_WAITING - self._waiting)
            room -= coming
            self.left_out += due - coming
            with self._lock:
                self._waiting += coming
            for _ in range(coming):
                clients.submit(self._visit)
        clients.shutdown(cancel_futures=True)

    def _visit(self) -> None:
        status = _asked(self._address)
        with self._lock:
            self.answers[status] += 1
            self._waiting -= 1


def _asked(address: str) -> int:
    """The status of the front page; 0 where no answer came."""
    connection = http.client.HTTPConnection(address, timeout=ANSWER_SECONDS)
    try:
        connection.request("GET", "/", headers={"Connection": "close"})
        answer = connection.getresponse()
        answer.read()
        return answer.status
    except (OSError, http.client.HTTPException):
        return 0
    finally:
        connection.close()


def _on_this_machine(site: str) -> str:
    parts = urlsplit(site)
    if parts.scheme != "http" or parts.hostname not in HOSTS:
        raise MisuseError("visitors", f"{site} is not on this machine", "rehearse on a sandbox")
    return parts.netloc
