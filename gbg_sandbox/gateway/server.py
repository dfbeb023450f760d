"""Sockets in front of the gateway: the host's port, and one pair in each network of machines."""

from __future__ import annotations

import contextlib
import io
import logging
import socket
import ssl
import sys
import threading
from typing import Any

from werkzeug import Response
from werkzeug.serving import ThreadedWSGIServer, WSGIRequestHandler

from gbg_sandbox.gateway.tls import Authority

DROPPED = (ConnectionError, TimeoutError, ssl.SSLError)
"""a client that left, was silent too long, or does not trust us"""

log = logging.getLogger(__name__)


class _Answer(Response):
    """With no header that the service did not give."""

    default_mimetype = None


class _Unclear(Exception):
    """Where the request's body ends can't be told."""


class _Handler(WSGIRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    timeout = 120
    wbufsize = 1 << 16

    def make_environ(self) -> dict[str, Any]:
        """The body is read to its end, so that the next request on this connection begins where it should.

        Raises _Unclear. An answer that leaves a body unread would be lost with the connection's reset.
        """
        environ = super().make_environ()
        environ["RAW_URI"] = self.path
        encodings = self.headers.get_all("Transfer-Encoding", [])
        if encodings:
            body = self._chunks(encodings, environ["wsgi.input"])
        else:
            body = self._counted(self.headers.get_all("Content-Length", ["0"]))
        environ["wsgi.input"] = io.BytesIO(body)
        return environ

    def _chunks(self, encodings: list[str], given: io.RawIOBase) -> bytes:
        self.close_connection = True
        if [one.strip().lower() for one in encodings] != ["chunked"]:
            raise _Unclear(f"Transfer-Encoding {', '.join(encodings)} is not known here; chunked is")
        try:
            return given.read()
        except DROPPED:
            raise
        except OSError as error:
            raise _Unclear(str(error)) from error

    def _counted(self, lengths: list[str]) -> bytes:
        if len(lengths) > 1 or not lengths[0].isdecimal():
            raise _Unclear(f"Content-Length {', '.join(lengths)} is not one number")
        body = self.rfile.read(int(lengths[0]))
        if len(body) < int(lengths[0]):
            raise ConnectionAbortedError("the client left before the end of its request")
        return body

    def handle_expect_100(self) -> bool:
        going_on = super().handle_expect_100()
        self.wfile.flush()
        return going_on

    def run_wsgi(self) -> None:
        """Answer one request and, unlike werkzeug's own, leave the connection open for the next one."""
        try:
            try:
                answer = self._answer(self.make_environ())
            except _Unclear as error:
                self.close_connection = True
                answer = _Answer(str(error), status=400)
            try:
                self._send(answer)
            finally:
                answer.close()
        except DROPPED as error:
            self.close_connection = True
            self.connection_dropped(error)

    def _answer(self, environ: dict[str, Any]) -> Response:
        try:
            return _Answer.from_app(self.server.app, environ)
        except Exception:
            log.exception("%s %s", self.command, self.path)
            self.close_connection = True
            return Response("gbg_sandbox failed; its log says why", status=500)

    def _send(self, answer: Response) -> None:
        self.send_response(answer.status_code, answer.status.partition(" ")[2])
        for name, value in answer.headers:
            self.send_header(name, value)
        bodiless = self.command == "HEAD" or answer.status_code in (204, 304)
        in_chunks = "Content-Length" not in answer.headers and not bodiless
        if in_chunks:
            self.send_header("Transfer-Encoding", "chunked")
        if in_chunks or self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers()
        for part in answer.iter_encoded():
            if part:
                self.wfile.write(b"%x\r\n%b\r\n" % (len(part), part) if in_chunks else part)
                self.wfile.flush()
        self.wfile.write(b"0\r\n\r\n" if in_chunks else b"")
        self.wfile.flush()

    def log_request(self, *_: Any, **__: Any) -> None:
        pass

    def log_error(self, format: str, *args: Any) -> None:
        log.debug(format, *args)

    def connection_dropped(self, error: BaseException, environ: Any = None) -> None:
        log.debug("connection dropped: %s", error)


class _Server(ThreadedWSGIServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 256

    def __init__(self, application: Any, listening: socket.socket, tls: Authority | None) -> None:
        self._tls = tls.server_context() if tls else None
        self._open: set[socket.socket] = set()
        super().__init__("127.0.0.1", 0, application, handler=_Handler, fd=listening.fileno())

    def finish_request(self, request: Any, client_address: Any) -> None:
        """The TLS handshake belongs into the connection's own thread."""
        if self._tls is not None:
            request.settimeout(_Handler.timeout)
            request = self._tls.wrap_socket(request, server_side=True)
        self._open.add(request)
        try:
            super().finish_request(request, client_address)
        finally:
            self._open.discard(request)

    def hang_up(self) -> None:
        """End the connections that wait for a next request, or are still being answered."""
        for connection in list(self._open):
            with contextlib.suppress(OSError):
                socket.socket.shutdown(connection, socket.SHUT_RDWR)

    def shutdown_request(self, request: Any) -> None:
        try:
            super().shutdown_request(request)
        except OSError as error:
            log.debug("closing a connection: %s", error)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that left is its own affair; what broke an answer off in the middle is ours."""
        if isinstance(sys.exception(), DROPPED):
            log.debug("a connection failed", exc_info=True)
        else:
            log.exception("an answer broke off")


class Listener:
    """A listening socket and the thread that accepts on it."""

    def __init__(self, application: Any, listening: socket.socket, tls: Authority | None = None) -> None:
        self._server = _Server(application, listening, tls)
        self._socket = listening
        self._thread = threading.Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": 0.1}, name="listener", daemon=True
        )

    @classmethod
    def on_port(cls, application: Any, port: int) -> Listener:
        """A listener on 127.0.0.1; port 0 takes a free one. Raises OSError when the port is in use."""
        listening = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listening.bind(("127.0.0.1", port))
        except OSError:
            listening.close()
            raise
        listening.listen(256)
        return cls(application, listening)

    @property
    def port(self) -> int:
        return int(self._socket.getsockname()[1])

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        if self._thread.is_alive():
            self._server.shutdown()
            self._thread.join(timeout=2)
        self._server.hang_up()
        self._server.server_close()
        self._socket.close()
