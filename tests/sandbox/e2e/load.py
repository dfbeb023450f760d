"""Visitors: clients that ask for the page at a steady pace, each answer kept.

Half of them keep their connection, half make a new one for each request. Nothing is asked twice: a request
that fails is lost.
"""

from __future__ import annotations

import http.client
import re
import threading
import time
from dataclasses import dataclass
from types import TracebackType
from urllib.parse import urlsplit

ANSWER_SECONDS = 30
FACT = re.compile(r'<dd id="(\w+)">([^<]*)</dd>')
FACTS = {"version", "commit", "image", "instance", "zone", "deployment"}


@dataclass(frozen=True)
class Answer:
    status: int
    """0 when no answer came"""
    deployment: str
    commit: str
    image: str
    error: str = ""
    """why it is no whole page"""


class Load:
    """Asks until it is left, `most` requests at most."""

    def __init__(self, url: str, *, clients: int = 8, per_second: float = 100, most: int = 100_000) -> None:
        self._address = urlsplit(url).netloc
        self._pause = clients / per_second
        self._most = most // clients
        self._stop = threading.Event()
        self._lock = threading.Lock()
        self.answers: list[Answer] = []
        """in the order in which they came"""
        self.kept_connections: list[int] = []
        """how many connections each of the clients needed that keep theirs"""
        self._threads = [
            threading.Thread(target=self._visit, args=(number % 2 == 0,), daemon=True)
            for number in range(clients)
        ]

    def __enter__(self) -> Load:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()

    @property
    def lost(self) -> list[Answer]:
        return [answer for answer in self.answers if answer.status != 200 or answer.error]

    def _visit(self, keeps: bool) -> None:
        client = Client(self._address)
        for _ in range(self._most):
            begun = time.monotonic()
            answer = client.ask()
            with self._lock:
                self.answers.append(answer)
            if not keeps:
                client.hang_up()
            if self._stop.wait(max(begun + self._pause - time.monotonic(), 0)):
                break
        client.hang_up()
        if keeps:
            self.kept_connections.append(client.connections)


class Client:
    def __init__(self, address: str) -> None:
        self._connection = http.client.HTTPConnection(address, timeout=ANSWER_SECONDS)
        self.connections = 0

    def ask(self) -> Answer:
        if self._connection.sock is None:
            self.connections += 1
        try:
            self._connection.request("GET", "/")
            response = self._connection.getresponse()
            return read(response.status, response.read().decode())
        except (OSError, http.client.HTTPException, UnicodeDecodeError) as error:
            self.hang_up()
            return Answer(0, "", "", "", repr(error))

    def hang_up(self) -> None:
        self._connection.close()


def read(status: int, body: str) -> Answer:
    """What a body says of the release that it comes from."""
    facts = dict(FACT.findall(body))
    whole = body.startswith("<!doctype html>") and body.rstrip().endswith("</html>") and set(facts) == FACTS
    error = "" if whole else f"not a whole page: {body[:80]!r}"
    return Answer(status, facts.get("deployment", ""), facts.get("commit", ""), facts.get("image", ""), error)
