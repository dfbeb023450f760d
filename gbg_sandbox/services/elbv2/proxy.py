"""One HAProxy process: started in the VPC's network, told of its targets through its admin socket.

The process is never reloaded. Targets come and go by its runtime API; when rules change, a successor takes
over the same listening socket, and this one answers what its connections still ask, closing each after that.
"""

from __future__ import annotations

import contextlib
import csv
import logging
import os
import shutil
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from gbg_sandbox.service import AwsError
from gbg_sandbox.services.elbv2.proxy_config import FRONTEND, SWITCH, Plan, Server, configuration

if TYPE_CHECKING:
    from gbg_sandbox.cloud import Cloud

log = logging.getLogger(__name__)

PLACES = f"{os.environ.get('PATH', os.defpath)}:/usr/sbin:/usr/local/sbin"
"""an ordinary user's path often lacks sbin"""
ANSWER_SECONDS = 5.0
LAST_ANSWER_SECONDS = 0.5
Name = tuple[str, str]
"""backend, server"""
Row = dict[str, str]


@dataclass(frozen=True)
class Counted:
    deleted: list[Row]
    """the last rows of servers that are no more"""
    rows: list[Row]

    def each(self) -> Iterator[tuple[Row, bool]]:
        """Every row, and whether it is its server's last."""
        yield from ((row, True) for row in self.deleted)
        yield from ((row, False) for row in self.rows)


def find_haproxy(places: str = PLACES) -> str:
    """The program's path. Raises AwsError that says what to install."""
    found = shutil.which("haproxy", path=places)
    if found is None:
        raise AwsError(
            "OperationNotPermitted",
            "gbg_sandbox runs load balancers with HAProxy, which is not on this machine: "
            "install the package haproxy (apt-get install haproxy)",
        )
    return found


class Proxy:
    """Its methods raise OSError once the process is gone."""

    def __init__(
        self,
        cloud: Cloud,
        folder: Path,
        listening: socket.socket,
        network: str,
        plan: Plan,
        *,
        start_seconds: float,
    ) -> None:
        self.folder = folder
        self._lock = threading.Lock()
        self._deleted: list[Row] = []
        self._backends = plan.backends
        self._servers = {(one.name, server.name): server for one in plan.backends for server in one.servers}
        self.idle_seconds = plan.idle_seconds
        self.retired_at: float | None = None
        folder.mkdir(parents=True)
        for path, text in configuration(plan, folder).items():
            path.write_text(text)
        with contextlib.closing(self._admin_socket()) as admin:
            self._pid = cloud.machines.spawn(
                network,
                [find_haproxy(), "-db", "-q", "-f", str(folder / "haproxy.cfg")],
                sockets=[listening, admin],
                log=folder / "log",
            )
        try:
            self._wait_until_it_answers(cloud, start_seconds)
        except BaseException:  # it has the listening socket, and would take visitors when it is late
            self.end()
            shutil.rmtree(folder, ignore_errors=True)
            raise

    def sync(self, servers: Callable[[str], Iterable[Server]]) -> None:
        """Bring each target group's targets to what `servers` says, asked once it is this call's turn.

        Targets are put in before others are taken out, so that a swap never leaves a group empty.
        """
        with self._lock:
            wanted = {
                (backend.name, server.name): server
                for backend in self._backends
                for server in servers(backend.group_arn)
            }
            for name, server in sorted(wanted.items(), key=lambda item: item[1].state != "ready"):
                self._bring(name, server)
            for name in sorted(set(self._servers) - set(wanted)):
                self._remove(name)

    def _bring(self, name: Name, server: Server) -> None:
        target = "/".join(name)
        if name not in self._servers:
            self._command(f"add server {target} {server.address}:{server.port}", "New server registered")
        if name not in self._servers or self._servers[name].state != server.state:
            self._command(f"set server {target} state {server.state}")
        self._servers[name] = server

    def _remove(self, name: Name) -> None:
        """Close what is left of a target's connections and forget it, at a later turn if some remain."""
        target = "/".join(name)
        server = self._servers[name]
        if server.state != "maint":
            self._command(f"set server {target} state maint")
            self._servers[name] = Server(server.name, server.address, server.port, "maint")
        self._command(f"shutdown sessions server {target}")
        counted = [row for row in self.rows() if (row["pxname"], row["svname"]) == name]
        if self.ask(f"del server {target}").startswith("Server deleted"):
            del self._servers[name]
            self._deleted += counted

    def serves(self, group_arn: str) -> bool:
        return any(backend.group_arn == group_arn for backend in self._backends)

    def counted(self) -> Counted:
        """The process's counters, with those of servers that were deleted since this was asked last."""
        with self._lock:
            deleted, self._deleted = self._deleted, []
            return Counted(deleted, self.rows())

    def rows(self) -> list[Row]:
        """The process's own counters, a row for each frontend, server and backend."""
        return list(csv.DictReader(self.ask("show stat").removeprefix("# ").splitlines()))

    def in_flight(self, backend: str, server: str) -> int:
        """Requests that a target is answering now."""
        sessions = {(row["pxname"], row["svname"]): row["scur"] for row in self.rows()}
        return int(sessions.get((backend, server), 0))

    def retire(self) -> None:
        """Take no new connection, and close each after its next answer."""
        self._command(f"set server {SWITCH} state ready")
        self._command(f"disable frontend {FRONTEND}")
        self.retired_at = time.monotonic()

    def finished(self) -> bool:
        """Whether a retired process has nothing left to do: no connection, or only ones idle for too long."""
        if self.retired_at is None:
            return False
        connections = {(row["pxname"], row["svname"]): row["scur"] for row in self.rows()}
        return (
            connections[(FRONTEND, "FRONTEND")] == "0"
            or time.monotonic() - self.retired_at > 2 * self.idle_seconds
        )

    def end(self) -> None:
        """Kill the process, if it lives: its admin socket can be connected to, even if it does not answer."""
        try:
            self.ask("show version", LAST_ANSWER_SECONDS)
        except TimeoutError:
            log.warning("a proxy does not answer and is killed: process %d", self._pid)
        except OSError:
            return
        with contextlib.suppress(ProcessLookupError):
            os.kill(self._pid, signal.SIGKILL)

    def ask(self, text: str, seconds: float = ANSWER_SECONDS) -> str:
        """One command to the process and its answer. Raises OSError."""
        with contextlib.closing(socket.socket(socket.AF_UNIX)) as admin, self._short_folder() as short:
            admin.settimeout(seconds)
            admin.connect(f"{short}/admin")
            admin.sendall(text.encode() + b"\n")
            answer = b"".join(iter(lambda: admin.recv(65536), b""))
        return answer.decode().strip()

    def _command(self, text: str, expected: str = "") -> None:
        answer = self.ask(text)
        if not answer.startswith(expected) or (answer and not expected):
            raise OSError(f"haproxy refused {text!r}: {answer}")

    def _wait_until_it_answers(self, cloud: Cloud, seconds: float) -> None:
        deadline = time.monotonic() + seconds
        while True:
            try:
                self.ask("show version", max(0.02, deadline - time.monotonic()))
                return
            except OSError as error:
                if time.monotonic() > deadline:
                    told = (self.folder / "log").read_text(errors="replace")[-1000:]
                    raise AwsError(
                        "InternalFailure", f"haproxy did not start ({error}): {told}", 500
                    ) from error
            cloud.clock.pause(0.02)

    def _admin_socket(self) -> socket.socket:
        made = socket.socket(socket.AF_UNIX)
        with self._short_folder() as short:
            made.bind(f"{short}/admin")
        made.listen()
        return made

    @contextlib.contextmanager
    def _short_folder(self) -> Iterator[str]:
        """A short name of the folder, as a unix socket's path has 107 bytes at most."""
        descriptor = os.open(self.folder, os.O_PATH | os.O_DIRECTORY)
        try:
            yield f"/proc/self/fd/{descriptor}"
        finally:
            os.close(descriptor)
