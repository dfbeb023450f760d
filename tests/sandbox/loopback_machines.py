"""Machines on loopback addresses whose web servers and host programs are real: for tests of load balancing.

A machine still runs no commands; a test opens `Site`s on a machine's address and lets them answer.
"""

from __future__ import annotations

import errno
import http.server
import os
import random
import signal
import socket
import threading
from collections.abc import Sequence
from pathlib import Path

from tests.sandbox.fakes import FakeMachines

CLAIM_PORT = 8079


class LoopbackMachines(FakeMachines):
    def __init__(self, directory: Path) -> None:
        super().__init__(directory)
        self.pids: list[int] = []
        self.instead: list[str] = []
        """what is started in place of every host program, if set"""
        self._prefix, self._claim = claimed()
        """of its own, as other tests run beside this one"""

    def reach(self, network: str, address: str) -> str:
        with self._lock:
            return self._loopback.setdefault((network, address), f"{self._prefix}.{len(self._loopback) + 1}")

    def connect(self, network: str, address: str, port: int, real_seconds: float) -> socket.socket:
        return socket.create_connection((self.reach(network, address), port), real_seconds)

    def spawn(
        self, network: str, argv: Sequence[str], *, sockets: Sequence[socket.socket] = (), log: Path
    ) -> int:
        actions = [
            (os.POSIX_SPAWN_OPEN, 1, str(log), os.O_WRONLY | os.O_CREAT, 0o644),
            (os.POSIX_SPAWN_DUP2, 1, 2),
            *((os.POSIX_SPAWN_DUP2, given.fileno(), 100 + n) for n, given in enumerate(sockets)),
            *((os.POSIX_SPAWN_DUP2, 100 + n, 3 + n) for n in range(len(sockets))),
        ]
        argv = self.instead or argv
        pid = os.posix_spawn(argv[0], list(argv), os.environ, file_actions=actions)
        self.pids.append(pid)
        return pid

    def alive(self, pid: int) -> bool:
        try:
            return os.waitpid(pid, os.WNOHANG) == (0, 0)
        except ChildProcessError:  # asked before
            return False

    def close(self) -> None:
        super().close()
        self._claim.close()
        for pid in self.pids:
            try:
                os.kill(pid, signal.SIGKILL)
                os.waitpid(pid, 0)
            except (ProcessLookupError, ChildProcessError):
                continue


def claimed() -> tuple[str, socket.socket]:
    """A network that no other test on this machine has, and the socket that says so until it is closed."""
    while True:
        prefix = f"127.{random.randrange(128, 255)}.{random.randrange(256)}"
        claim = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        try:
            claim.bind((f"{prefix}.254", CLAIM_PORT))
            return prefix, claim
        except OSError as error:
            claim.close()
            if error.errno != errno.EADDRINUSE:
                raise


class _Server(http.server.ThreadingHTTPServer):
    def handle_error(self, request: object, client_address: object) -> None:
        """Say nothing: a proxy may break off a connection that it doesn't need."""


class Site:
    """A web server that counts. `status` is what it answers, once `answers` is set."""

    def __init__(self, address: str, port: int, name: str) -> None:
        self.name = name
        self.status = 200
        self.answers = threading.Event()
        self.answers.set()
        self.served = 0
        self.headers: dict[str, str] = {}
        site = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True

            def do_POST(self) -> None:
                self.do_GET()

            def do_GET(self) -> None:
                checked = self.headers.get("User-Agent", "").startswith("ELB-HealthChecker")
                body = site.name.encode()
                if not checked:
                    site.answers.wait(60)
                    site.served += 1
                    site.headers = {name.lower(): value for name, value in self.headers.items()}
                self.send_response(site.status)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *args: object) -> None:
                """Say nothing."""

        self._server = _Server((address, port), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
