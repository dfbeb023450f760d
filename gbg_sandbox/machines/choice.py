"""Which kind of machine works here: found out by really making one."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from gbg_sandbox.machines import base
from gbg_sandbox.machines.chroot import ChrootMachines
from gbg_sandbox.machines.interface import MachineError, Machines, MachineSpec
from gbg_sandbox.machines.namespaces import NamespaceMachines

KINDS: dict[str, Callable[[Path, Mapping[str, bytes]], Machines]] = {
    "namespaces": NamespaceMachines,
    "chroot": ChrootMachines,
}
WAYS_OUT = {
    "namespaces": (
        "allow unprivileged user namespaces (sysctl kernel.unprivileged_userns_clone=1, on Ubuntu also "
        "kernel.apparmor_restrict_unprivileged_userns=0), or start the container with "
        "--security-opt seccomp=unconfined --security-opt systempaths=unconfined --cap-add SYS_ADMIN"
    ),
    "chroot": "run as root on Linux 5.5 or newer, as in a default Docker container",
}
FAILURES = (MachineError, OSError, TimeoutError)


class UnfitPlaceError(MachineError):
    """Disks of this kind can't lie there; the message says where else."""


@dataclass(frozen=True)
class Finding:
    kind: str
    works: bool
    reason: str
    """what was seen; empty when it works"""
    way_out: str
    """what to try; empty when it works, or when the reason says it"""

    def __str__(self) -> str:
        way_out = f" (try: {self.way_out})" if self.way_out else ""
        return f"{self.kind}: {self.reason}{way_out}"


def file_system_of(path: Path) -> str:
    """The type of the file system that holds a path (`ext4`, `overlay`)."""
    best, kind = "", "unknown"
    for line in Path("/proc/self/mountinfo").read_text(encoding="utf-8").splitlines():
        fields = line.split()
        point = fields[4]
        holds = str(path) == point or str(path).startswith(point.rstrip("/") + "/")
        if holds and len(point) >= len(best):
            best, kind = point, fields[fields.index("-") + 1]
    return kind


def _open(kind: str, state: Path, site_files: Mapping[str, bytes]) -> Machines:
    """Machines of a kind that made one, ran a command in it and threw it away. Raises what went wrong."""
    machines = KINDS[kind](state, site_files)
    try:
        machines.add_network("probe", "10.255.0.0/24")
        machine = machines.start(
            MachineSpec("probe", "probe", "10.255.0.10", "ip-10-255-0-10.ec2.internal", boot=False)
        )
        status = machine.run(["/usr/bin/true"], real_seconds=20)
        if status:
            raise MachineError(f"a command ended with status {status}")
        machine.terminate()
        machines.remove_network("probe")
    except BaseException:
        machines.close()
        raise
    return machines


def _try(kind: str, state: Path) -> Finding:
    folder = Path(tempfile.mkdtemp(prefix="probe-", dir=state))
    try:
        _open(kind, folder, {}).close()
    except FAILURES as error:
        return _failed(kind, error)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return Finding(kind, True, "", "")


def _failed(kind: str, error: Exception) -> Finding:
    return Finding(kind, False, str(error) or type(error).__name__, WAYS_OUT[kind])


def probe(state_dir: Path | None = None) -> list[Finding]:
    """What works on this host, each kind tried for real where its disks would lie; for `gbg doctor`."""
    state = state_dir or Path(tempfile.gettempdir())
    state.mkdir(parents=True, exist_ok=True)
    missing = base.missing_programs()
    if missing:
        reason = f"this host lacks {', '.join(missing)}"
        return [Finding(kind, False, reason, "install them with the package tool") for kind in KINDS]
    return [_probe(kind, state) for kind in KINDS]


def _probe(kind: str, state: Path) -> Finding:
    try:
        _check_state(state, kind)
    except UnfitPlaceError as error:
        return Finding(kind, False, str(error), "")
    return _try(kind, state)


def _check_state(state: Path, kind: str) -> None:
    if kind == "namespaces" and file_system_of(state.resolve()) in ("overlay", "overlayfs"):
        raise UnfitPlaceError(
            f"machines: {state} lies on an overlay file system, on which no further overlay can be stacked. "
            "Try a directory on ext4, xfs or tmpfs (in a container: a volume, or /dev/shm)."
        )


def open_machines(
    state_dir: Path, *, kind: str | None = None, site_files: Mapping[str, bytes] | None = None
) -> Machines:
    """The machines of one sandbox, under `state_dir`; `kind` forces one, else the first that works is taken.

    `site_files` (path in a machine → content) lie above the base system and below every image.
    Raises MachineError with what to try.
    """
    state_dir.mkdir(parents=True, exist_ok=True)
    if kind is not None and kind not in KINDS:
        raise MachineError(f"machines: unknown kind {kind!r}; there are {' and '.join(KINDS)}")
    findings = []
    for name in [kind] if kind else list(KINDS):
        try:
            _check_state(state_dir, name)
            return _open(name, state_dir, site_files or {})
        except UnfitPlaceError as error:
            findings.append(Finding(name, False, str(error), ""))
        except FAILURES as error:
            findings.append(_failed(name, error))
    told = "; ".join(map(str, findings))
    raise MachineError(f"machines: none of the kinds works here as user {os.geteuid()}. {told}")
