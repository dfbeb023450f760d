"""A run's folder: `<runs>/<time>-<runbook>/`, and who is at work in it."""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from gbg_lib.errors import MisuseError
from gbg_lib.runner import whole_files
from gbg_lib.runs import result
from gbg_lib.runs.result import BrokenRun, Result, read_json

BEGUN = "run.json"
GIVEN, RESOLVED = "given.json", "parameters.json"
JOURNAL = "journal.jsonl"
ENVIRONMENT = "environment.txt"
KEYS = frozenset({"runbook", "source", "series", "plan", "values", "started", "host", "pid", "pid_started"})
"""what a run says of itself when it begins"""


@dataclass(frozen=True)
class Folder:
    path: Path
    runbook: str

    @property
    def notebook(self) -> Path:
        return self.path / f"{self.runbook}.ipynb"

    @property
    def page(self) -> Path:
        return self.path / f"{self.runbook}.html"

    @property
    def journal(self) -> Path:
        return self.path / JOURNAL


@dataclass(frozen=True)
class Asked:
    """What a run is a part of."""

    series: str = ""
    """name of the first run of several; empty for the first itself"""
    plan: tuple[Path, ...] = ()
    """every runbook of it; empty for one alone"""
    values: Mapping[str, Any] = field(default_factory=dict)
    """the parameters of all of them"""
    inputs: str = ""
    """digest of what decides this run besides AWS"""
    replays: str = ""
    """name of the run that is replayed; empty for one that asks AWS"""


def begin(
    runs: Path, source: Path, given: Mapping[str, Any], resolved: Mapping[str, Any], asked: Asked
) -> Folder:
    """A new folder that says who is at work in it, and in what."""
    runbook = source.stem
    path = _new(runs, runbook + ("-replay" if asked.replays else ""))
    whole_files.write_json(path / GIVEN, given)
    whole_files.write_json(path / RESOLVED, resolved)
    begun = {
        "runbook": runbook,
        "source": str(source),
        "series": asked.series or path.name,
        "plan": [str(one) for one in asked.plan or (source,)],
        "values": dict(asked.values or given),
        "inputs": asked.inputs,
        **({"replays": asked.replays} if asked.replays else {}),
        "started": now(),
        "host": socket.gethostname(),
        "pid": os.getpid(),
        "pid_started": process_started(os.getpid()),
        "machine": this_machine(),
        "machine_id": machine_id(),
    }
    whole_files.write_json(path / BEGUN, begun)
    return Folder(path, runbook)


def begun(path: Path) -> dict[str, Any] | None:
    """What `begin` wrote; None in a folder that is none of a run. Raises BrokenRun."""
    found = read_json(path / BEGUN)
    if found is not None and (missing := sorted(KEYS - found.keys())):
        raise BrokenRun(path / BEGUN, f"it lacks {', '.join(missing)}")
    return found


def abandoned(path: Path) -> bool:
    """Whether a run has no result and its process is gone, as far as this machine can tell. Raises BrokenRun.

    It is gone when this machine was started anew since; of another container nobody here can tell.
    """
    if (path / result.FILE).exists():
        return False
    told = begun(path)
    if told is None or told["host"] != socket.gethostname():
        return False
    there, here = str(told.get("machine", "")), this_machine()
    if there and there.partition(" ")[0] != here.partition(" ")[0]:
        return bool(machine_id()) and told.get("machine_id") == machine_id()
    if there and there != here:
        return False
    return process_started(int(told["pid"])) != str(told["pid_started"])


def close_abandoned(runs: Path) -> list[str]:
    """Gives every run that was killed its result, where one can be written; the names of their folders.

    Broken ones stay so.
    """
    closed = []
    for path in sorted(runs.glob("*/")) if runs.is_dir() else []:
        with suppress(BrokenRun, OSError):  # where nothing can be written it is listed as killed all the same
            if abandoned(path) and (told := begun(path)) is not None:
                _close_killed(path, told)
                closed.append(path.name)
    return closed


def this_machine() -> str:
    """What tells where a process id holds: this start of the kernel, and the namespace of its ids.

    Empty without a /proc. https://man7.org/linux/man-pages/man7/pid_namespaces.7.html
    """
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        return f"{boot} {Path('/proc/self/ns/pid').readlink()}"
    except OSError:
        return ""


def machine_id() -> str:
    """Of the installed system, the same after it was started anew; empty where there is none.

    https://www.freedesktop.org/software/systemd/man/latest/machine-id.html
    """
    try:
        return Path("/etc/machine-id").read_text().strip()
    except OSError:
        return ""


ZOMBIE = "Z"


def process_started(pid: int) -> str:
    """A number that no other process with this id has; empty when there is none, or a zombie.

    https://man7.org/linux/man-pages/man5/proc_pid_stat.5.html, fields 3 and 22. Without a /proc: whether it
    lives.
    """
    try:
        state, *fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        return "" if state == ZOMBIE else fields[18]
    except (FileNotFoundError, ProcessLookupError):
        if Path("/proc/self/stat").exists():
            return ""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return ""
    except PermissionError:
        pass
    return "lives"


def now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


def _close_killed(path: Path, told: Mapping[str, Any]) -> None:
    files = [file.stat().st_mtime for file in path.iterdir()]
    ended = datetime.fromtimestamp(max(files), UTC)
    started = datetime.fromisoformat(told["started"])
    Result(
        version=1,
        run=path.name,
        runbook=told["runbook"],
        status="killed",
        exit_status=1,
        error="",
        cell=0,
        where=f"runbook {told['runbook']}",
        what=f"its process {told['pid']} ended without closing it; found by a later run",
        try_this=f"gbg run --resume {path.name}",
        started=told["started"],
        ended=ended.isoformat(timespec="seconds"),
        seconds=round(max((ended - started).total_seconds(), 0.0), 1),
        requests={},
        going_on=[],
        replies="",
    ).write(path)


def _new(runs: Path, runbook: str) -> Path:
    stamp = datetime.now(UTC).strftime("%Y%m%d-%H%M%S")
    for attempt in range(100):
        path = runs / (f"{stamp}-{runbook}" + (f"-{attempt}" if attempt else ""))
        try:
            path.mkdir(parents=True)
            return path
        except FileExistsError:
            continue
    raise MisuseError("runs", f"no free folder name in {runs}", "remove old runs")
