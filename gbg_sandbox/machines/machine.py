"""What both kinds of machine have in common: everything that goes through pid 1."""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Protocol

from gbg_sandbox.machines.interface import MachineError, MachineSpec, Output
from gbg_sandbox.machines.pid1 import Pid1

CONSOLE_BYTES = 64 * 1024
STOP_SECONDS = 15.0


class Hardware(Protocol):
    """What a kind of machines does for one machine."""

    def power_on(self, machine: RunningMachine) -> Pid1:
        """Make the machine's pid 1 and wait until it answers. Raises MachineError."""

    def power_off(self, machine: RunningMachine) -> None:
        """Kill whatever runs in it, at once."""

    def discard(self, machine: RunningMachine) -> None:
        """Remove the disk."""

    def copy_disk(self, machine: RunningMachine, into: Path) -> None:
        """Copy what the disk adds to its layers."""

    def ended(self, machine: RunningMachine, *, asked: bool) -> None:
        """pid 1 is gone; `asked` when the sandbox wanted it."""


class RunningMachine:
    """A machine of either kind; `hardware` does what differs."""

    def __init__(self, spec: MachineSpec, folder: Path, hardware: Hardware) -> None:
        self._spec = spec
        self.folder = folder
        self.pid = 0
        self._hardware = hardware
        self._pid1: Pid1 | None = None
        self._asked = False
        self._terminated = False
        self._lock = threading.RLock()

    @property
    def spec(self) -> MachineSpec:
        return self._spec

    def alive(self) -> bool:
        return self._pid1 is not None and self._pid1.alive

    def _line(self) -> Pid1:
        line = self._pid1
        if line is None or not line.alive:
            raise MachineError(f"machine {self._spec.name} is not running")
        return line

    def run(
        self,
        argv: Sequence[str],
        *,
        environment: Mapping[str, str] | None = None,
        directory: str = "/",
        user: str = "root",
        real_seconds: float | None = None,
        output: Output | None = None,
    ) -> int:
        return self._line().run(argv, environment or {}, directory, user, real_seconds, output)

    def write(self, path: str, content: bytes, mode: int = 0o644) -> None:
        descriptor = self._line().open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode)
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)

    def read(self, path: str) -> bytes:
        with os.fdopen(self._line().open(path, os.O_RDONLY), "rb") as file:
            return file.read()

    def console(self) -> str:
        path = self.folder / "console.log"
        if not path.exists():
            return ""
        with path.open("rb") as file:
            file.seek(max(0, path.stat().st_size - CONSOLE_BYTES))
            return file.read().decode(errors="replace")

    def start(self) -> None:
        with self._lock:
            if self._terminated:
                raise MachineError(f"machine {self._spec.name} is terminated")
            if self.alive():
                return
            self._asked = False
            self._pid1 = self._hardware.power_on(self)

    def stop(self) -> None:
        with self._lock:
            self._asked = True
            if self._pid1 is None:
                return
            self._pid1.poweroff()
            if not self._pid1.wait_gone(STOP_SECONDS):
                self.kill()

    def kill(self) -> None:
        with self._lock:
            self._asked = True
            if self._pid1 is None:
                return
            self._hardware.power_off(self)
            self._pid1.close()
            self._pid1.wait_gone(5)

    def terminate(self) -> None:
        with self._lock:
            if self._terminated:
                return
            self.kill()
            self._terminated = True
            self._hardware.discard(self)

    def snapshot(self, into: Path) -> Path:
        with self._lock:
            if self._terminated:
                raise MachineError(f"machine {self._spec.name} is terminated: it has no disk")
            if into.exists():
                raise FileExistsError(f"{into} is there already")
            into.parent.mkdir(parents=True, exist_ok=True)
            self._hardware.copy_disk(self, into)
        return into

    def gone(self) -> None:
        """Called by the line when pid 1 has ended."""
        self._hardware.ended(self, asked=self._asked)

    def console_file(self) -> int:
        """A descriptor for pid 1's console; a new boot starts a new console."""
        with contextlib.suppress(FileNotFoundError):
            (self.folder / "console.log").unlink()
        return os.open(self.folder / "console.log", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
