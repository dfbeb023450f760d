"""Which processes a sandbox has started, and which of them still live."""

from __future__ import annotations

import os
import threading
import time
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Process:
    pid: int
    started: str
    """in ticks since the machine's start: a number that is given out again gets another one"""


def below(pid: int) -> set[Process]:
    """A process and all its descendants."""
    family = {pid}
    found = _all()
    while more := {one.pid for one, parent in found.items() if parent in family} - family:
        family |= more
    return {one for one in found if one.pid in family}


def outliving(processes: set[Process], seconds: float = 10) -> set[Process]:
    """Those that still live after so long: the kernel takes its time over the last of a family."""
    deadline = time.monotonic() + seconds
    while (found := processes & _all().keys()) and time.monotonic() < deadline:
        threading.Event().wait(0.05)
    return found


def running_with(mark: str) -> list[int]:
    """The other processes with this in their command line (arguments are parted by a zero byte)."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and int(entry.name) != os.getpid():
            try:
                if mark.encode() in (entry / "cmdline").read_bytes():
                    found.append(int(entry.name))
            except OSError:
                continue
    return found


def _all() -> dict[Process, int]:
    """Every process with its parent's number; not those that have ended and wait for their parent."""
    found: dict[Process, int] = {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = path.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if fields[0] != "Z":
            found[Process(int(path.parent.name), fields[19])] = int(fields[1])
    return found
