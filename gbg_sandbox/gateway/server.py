"""Sockets in front of the gateway: the host's port, and one pair in each network of machines."""

from __future__ import annotations

import logging
import socket
import threading
from typing import Any

from werkzeug.serving import ThreadedWSGIServer, WSGIRequestHandler

from gbg_sandbox.gateway.tls import Authority

log = logging.getLogger(__name__)


class _Handler(WSGIRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    timeout = 120

    def make_environ(self) -> dict[str, Any]:
        environ = super().make_environ()
        environ["RAW_URI"] = self.path
        return environ

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
        super().__init__("127.0.0.1", 0, application, handler=_Handler, fd=listening.fileno())

    def finish_request(self, request: Any, client_address: Any) -> None:
        """The TLS handshake belongs into the connection's own thread."""
        if self._tls is not None:
            request = self._tls.wrap_socket(request, server_side=True)
        super().finish_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        try:
            super().shutdown_request(request)
        except OSError as error:
            log.debug("closing a connection: %s", error)

    def handle_error(self, request: Any, client_address: Any) -> None:
        log.debug("a connection failed", exc_info=True)


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
        self._server.server_close()
        self._socket.close()
