"""Machines as chroot trees on loopback addresses: not there yet."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from gbg_sandbox.machines.interface import MachineError, Machines


def ChrootMachines(state: Path, site_files: Mapping[str, bytes]) -> Machines:  # noqa: N802
    raise MachineError("the chroot kind is not built yet")
