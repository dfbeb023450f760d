"""A chat's webhook on this machine: a real HTTP server that keeps what it was sent."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any


@dataclass
class Chat:
    answers: list[int] = field(default_factory=list)
    """statuses of the next answers; then it is 200"""
    requests: list[tuple[str, str, str]] = field(default_factory=list)
    """method, path, content type"""
    said: list[dict[str, Any]] = field(default_factory=list)
    port: int = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/services/T0/secret-path"


@contextmanager
def chat(*answers: int) -> Iterator[Chat]:
    """Listens on 127.0.0.1 until the end of the block."""
    room = Chat(list(answers))

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            room.requests.append(("POST", self.path, self.headers["Content-Type"]))
            room.said.append(json.loads(body))
            self._answer()

        def do_GET(self) -> None:
            room.requests.append(("GET", self.path, ""))
            self._answer()

        def _answer(self) -> None:
            status = room.answers.pop(0) if room.answers else 200
            self.send_response(status)
            if 300 <= status < 400:
                self.send_header("Location", "/elsewhere")
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    room.port = server.server_address[1]
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield room
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
