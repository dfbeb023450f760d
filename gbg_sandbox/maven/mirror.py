"""The HTTP server in front of a repository, one folder of addresses a build.

`http://HOST:PORT/<build>/org/...`: the first part says which build is asking, so that what was
substituted for it stands in its log. Answers go out in one write: Maven asks for hundreds of small files.
"""

from __future__ import annotations

import logging
import socket
import threading
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import unquote, urlsplit

from gbg_sandbox.maven.repository import Notice, Repository

log = logging.getLogger(__name__)


class Mirror:
    def __init__(self, repository: Repository, listening: socket.socket) -> None:
        self.repository = repository
        self._readers: dict[str, Notice] = {}
        self._fetched: dict[str, set[str]] = {}
        self._server = _Server(self, listening)
        self._thread = threading.Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": 0.2}, name="maven mirror", daemon=True
        )
        self._thread.start()

    def open(self, build: str, notice: Notice) -> None:
        """Let a build ask, and tell `notice` of what it is given in place of what it wanted."""
        self._readers[build] = notice
        self._fetched[build] = set()

    def close(self, build: str) -> set[str]:
        """No more answers for this build; the paths of what it was given."""
        self._readers.pop(build, None)
        return self._fetched.pop(build, set())

    def stop(self) -> None:
        self._server.shutdown()
        self._thread.join(timeout=2)
        self._server.server_close()

    def answer(self, path: str) -> tuple[HTTPStatus, bytes]:
        build, _, wanted = unquote(urlsplit(path).path).lstrip("/").partition("/")
        notice = self._readers.get(build)
        if notice is None:
            return HTTPStatus.FORBIDDEN, b"no such build"
        if not all(part.strip(".") for part in wanted.split("/")):
            return HTTPStatus.BAD_REQUEST, b"not a path in a repository"
        try:
            content = self.repository.fetch(wanted, notice)
        except OSError as error:
            log.warning("maven: %s: %s", wanted, error)
            return HTTPStatus.BAD_GATEWAY, str(error).encode()
        if content is None:
            return HTTPStatus.NOT_FOUND, b""
        if build in self._fetched:
            self._fetched[build].add(wanted)
        return HTTPStatus.OK, content


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False

    def __init__(self, mirror: Mirror, listening: socket.socket) -> None:
        super().__init__(("127.0.0.1", 0), _Handler, bind_and_activate=False)
        self.socket.close()
        self.socket = listening
        self.mirror = mirror


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1
    timeout = 120
    server: _Server

    def do_GET(self) -> None:
        self._reply(with_body=True)

    def do_HEAD(self) -> None:
        self._reply(with_body=False)

    def _reply(self, *, with_body: bool) -> None:
        status, content = self.server.mirror.answer(self.path)
        self.send_response(status)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if with_body:
            self.wfile.write(content)

    def log_message(self, format: str, *args: object) -> None:
        log.debug(format, *args)
