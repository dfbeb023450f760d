"""The sandbox's line to a machine's pid 1: run commands, open files, hand over packages."""

from __future__ import annotations

import contextlib
import errno
import itertools
import logging
import os
import select
import socket
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from gbg_sandbox.machines import wire
from gbg_sandbox.machines.interface import MachineError, Output

log = logging.getLogger(__name__)
PackageSource = Callable[[str], Path]


class _Pending:
    """One request under way; its answer wakes whoever waits."""

    def __init__(self) -> None:
        self.answer: dict[str, Any] = {}
        self.descriptors: list[int] = []
        self.wake = os.eventfd(0, os.EFD_CLOEXEC)

    def finish(self, answer: dict[str, Any], descriptors: list[int]) -> None:
        """The first answer counts: the machine may go down right after it."""
        if self.answer:
            return
        self.answer, self.descriptors = answer, descriptors
        os.eventfd_write(self.wake, 1)

    def close(self) -> None:
        os.close(self.wake)


class Pid1:
    """`packages(name)` gives a package's tree; `gone()` is called once, when pid 1 has ended."""

    def __init__(
        self, name: str, line: socket.socket, packages: PackageSource, gone: Callable[[], None]
    ) -> None:
        self._name = name
        self._line = line
        self._packages = packages
        self._gone = gone
        self._numbers = itertools.count(1)
        self._pending: dict[int, _Pending] = {}
        self._lock = threading.Lock()
        self._ready = threading.Event()
        self._failure = ""
        self._over = threading.Event()
        threading.Thread(target=self._read, name=f"pid1 {name}", daemon=True).start()

    def wait_ready(self, real_seconds: float = 30.0) -> None:
        """Raises MachineError when the machine could not be made."""
        if not self._ready.wait(real_seconds):
            raise MachineError(f"machine {self._name}: pid 1 did not answer within {real_seconds:.0f} s")
        if self._failure:
            raise MachineError(f"machine {self._name}: could not start: {self._failure}")

    @property
    def alive(self) -> bool:
        return not self._over.is_set()

    def wait_gone(self, real_seconds: float) -> bool:
        return self._over.wait(real_seconds)

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self._line.shutdown(socket.SHUT_RDWR)

    def poweroff(self) -> None:
        with contextlib.suppress(OSError):
            wire.send(self._line, {"do": "poweroff"})

    def run(
        self,
        argv: Sequence[str],
        environment: Mapping[str, str],
        directory: str,
        user: str,
        real_seconds: float | None,
        output: Output | None,
    ) -> int:
        """See Machine.run."""
        reader, writer = os.pipe()
        os.set_blocking(reader, False)
        request = {
            "do": "run",
            "argv": list(argv),
            "environment": dict(environment),
            "directory": directory,
            "user": user,
        }
        with self._asking(request, [writer]) as (number, pending):
            os.close(writer)
            deadline = None if real_seconds is None else time.monotonic() + real_seconds
            try:
                if not self._pump(reader, pending, output, deadline):
                    wire.send(self._line, {"do": "kill", "id": number})
                    self._pump(reader, pending, output, time.monotonic() + 5)
                    raise TimeoutError(f"{argv[0]} on {self._name} did not end within {real_seconds} s")
            finally:
                os.close(reader)
        if "gone" in pending.answer:
            raise MachineError(f"machine {self._name} went down while {argv[0]} ran")
        return int(pending.answer["status"])

    def _pump(self, reader: int, pending: _Pending, output: Output | None, deadline: float | None) -> bool:
        """Pass output on until the command has ended; False when the deadline came first."""
        open_ends = [reader, pending.wake]
        while True:
            patience = None if deadline is None else max(0.0, deadline - time.monotonic())
            readable, _w, _x = select.select(open_ends, [], [], patience)
            if not readable:
                return False
            if reader in readable and not _pass_on(reader, output):
                open_ends = [pending.wake]
            elif pending.wake in readable:
                while reader in open_ends and _pass_on(reader, output):
                    pass
                return True

    def open(self, path: str, flags: int, mode: int = 0) -> int:
        """A descriptor of a file in the machine. Raises OSError."""
        with self._asking({"do": "open", "path": path, "flags": flags, "mode": mode}) as (_number, pending):
            select.select([pending.wake], [], [])
        if "gone" in pending.answer:
            raise MachineError(f"machine {self._name} is not running")
        if number := pending.answer.get("error"):
            raise OSError(number, os.strerror(number), path)
        (descriptor,) = pending.descriptors
        return descriptor

    @contextlib.contextmanager
    def _asking(
        self, request: dict[str, Any], descriptors: Sequence[int] = ()
    ) -> Iterator[tuple[int, _Pending]]:
        pending, number = _Pending(), next(self._numbers)
        with self._lock:
            self._pending[number] = pending
        try:
            try:
                wire.send(self._line, {**request, "id": number}, descriptors)
            except OSError as error:
                for descriptor in descriptors:
                    os.close(descriptor)
                raise MachineError(f"machine {self._name} is not running") from error
            if self._over.is_set():
                pending.finish({"gone": True}, [])
            yield number, pending
        finally:
            with self._lock:
                self._pending.pop(number, None)
            pending.close()

    def _read(self) -> None:
        try:
            while (received := wire.receive(self._line)) is not None:
                self._take(*received)
        except OSError as error:
            if error.errno != errno.EBADF:
                log.exception("the line to machine %s broke", self._name)
        finally:
            self._end()

    def _end(self) -> None:
        self._over.set()
        if not self._ready.is_set():
            self._failure = self._failure or "pid 1 ended at once; see its console"
            self._ready.set()
        with self._lock:
            for pending in self._pending.values():
                pending.finish({"gone": True}, [])
        self._line.close()
        self._gone()

    def _take(self, message: dict[str, Any], descriptors: list[int]) -> None:
        if message.get("ask") == "package":
            self._give_package(message)
        elif message["event"] == "ready":
            self._ready.set()
        elif message["event"] == "failed":
            self._failure = message["message"]
            self._ready.set()
        else:
            with self._lock:
                pending = self._pending.get(message["id"])
                if pending is not None:
                    pending.finish(message, descriptors)
                    return
            for descriptor in descriptors:
                os.close(descriptor)

    def _give_package(self, message: dict[str, Any]) -> None:
        try:
            tree = os.open(self._packages(message["name"]), os.O_RDONLY | os.O_DIRECTORY)
        except (MachineError, LookupError, OSError) as error:
            wire.send(self._line, {"do": "package", "id": message["id"], "error": str(error)})
            return
        wire.send(self._line, {"do": "package", "id": message["id"]}, [tree])
        os.close(tree)


def _pass_on(reader: int, output: Output | None) -> bool:
    """Read once; False at the end of the stream or when nothing is there."""
    try:
        content = os.read(reader, 65536)
    except BlockingIOError:
        return False
    if content and output is not None:
        output(content)
    return bool(content)
