"""Machines as chroot trees on addresses 127.0.x.y, for root in a container that forbids namespaces.

Nothing but the file system separates them: they share the host's processes and network device. What they say
and hear in the network is translated (translation.py), so that no program inside needs to know.
"""

from __future__ import annotations

import ipaddress
import os
import shutil
import socket
import stat
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from gbg_sandbox.machines import trees
from gbg_sandbox.machines.hosted import LINK_LOCAL, HostedMachines
from gbg_sandbox.machines.interface import MachineError
from gbg_sandbox.machines.machine import RunningMachine

BLOCKS = range(1, 255)
CLAIM = 255
"""a socket bound to 127.0.x.255 says that block x is taken, whichever sandbox took it"""
CLAIM_PORT = 9
FIRST_SERVICE = 250
DEVICES = {"null": (1, 3), "zero": (1, 5), "full": (1, 7), "random": (1, 8), "urandom": (1, 9), "tty": (5, 0)}
NOT_ON_DISK = ("dev", "proc", "run", "sys", "tmp")


class _Block:
    """127.0.x.0/24 for one network: machines from .1, AWS's own addresses from .250."""

    def __init__(self) -> None:
        self.claim = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        for number in BLOCKS:
            try:
                self.claim.bind((f"127.0.{number}.{CLAIM}", CLAIM_PORT))
            except OSError:
                continue
            self.number = number
            break
        else:
            raise MachineError("machines: all blocks 127.0.x.0/24 are taken by other sandboxes")
        self.table = {
            address: self._loopback(FIRST_SERVICE + place) for place, address in enumerate(LINK_LOCAL)
        }

    def _loopback(self, last: int) -> str:
        return f"127.0.{self.number}.{last}"

    def place(self, address: str) -> str:
        """The loopback address of a private address, chosen at its first use."""
        if address not in self.table:
            taken = set(self.table.values())
            free = (self._loopback(last) for last in range(1, FIRST_SERVICE))
            chosen = next((loopback for loopback in free if loopback not in taken), None)
            if chosen is None:
                raise MachineError(
                    f"machines: a network of the chroot kind holds {FIRST_SERVICE - 1} machines"
                )
            self.table[address] = chosen
        return self.table[address]

    def private(self, loopback: str) -> str:
        return next((address for address, known in self.table.items() if known == loopback), loopback)


class ChrootMachines(HostedMachines):
    kind = "chroot"
    fork_server = "gbg_sandbox.machines.chroot_host"

    def __init__(self, state: Path, site_files: Mapping[str, bytes]) -> None:
        self._template_lock = threading.Lock()
        self._blocks: dict[str, _Block] = {}
        self._manifests: dict[str, trees.Manifest] = {}
        super().__init__(state, site_files)

    def make_network(self, name: str, network: ipaddress.IPv4Network) -> None:
        self._blocks[name] = _Block()
        self._tell(name)

    def drop_network(self, name: str) -> None:
        self._blocks.pop(name).claim.close()

    def _tell(self, network: str) -> None:
        self._host.ask({"do": "table", "network": network, "table": self._blocks[network].table})

    def make_disk(self, machine: RunningMachine, layers: Sequence[Path]) -> None:
        root = machine.folder / "root"
        root.mkdir(mode=0o755)
        trees.clone(self._template(), root)
        trees.merge(layers[: -len(self._system)], root)
        self._manifests[machine.spec.name] = trees.manifest(root)
        for name, (major, minor) in DEVICES.items():
            os.mknod(root / "dev" / name, stat.S_IFCHR | 0o666, os.makedev(major, minor))
            (root / "dev" / name).chmod(0o666)
        (root / "dev/shm").mkdir()
        (root / "dev/shm").chmod(0o1777)

    def _template(self) -> Path:
        """The system without any image, made at the first start."""
        template = self._state / "template"
        with self._template_lock:
            if not template.exists():
                aside = self._state / ".template"
                aside.mkdir(mode=0o755)
                trees.merge(self._system, aside)
                aside.rename(template)
        return template

    def boot_order(self, machine: RunningMachine) -> dict[str, Any]:
        root = machine.folder / "root"
        for name in ("run", "tmp"):
            for entry in (root / name).iterdir():
                if entry.is_dir() and not entry.is_symlink():
                    shutil.rmtree(entry)
                else:
                    entry.unlink()
        loopback = self._blocks[machine.spec.network].place(machine.spec.address)
        self._tell(machine.spec.network)
        return {"loopback": loopback}

    def discard(self, machine: RunningMachine) -> None:
        super().discard(machine)
        self._manifests.pop(machine.spec.name, None)
        block = self._blocks.get(machine.spec.network)
        if block is not None:
            block.table.pop(machine.spec.address, None)
            self._tell(machine.spec.network)

    def copy_disk(self, machine: RunningMachine, into: Path) -> None:
        before = self._manifests[machine.spec.name]
        trees.difference(machine.folder / "root", before, into, NOT_ON_DISK)

    def listen(self, network: str, address: str, port: int, kind: int = socket.SOCK_STREAM) -> socket.socket:
        self.check_listening(network)
        made = socket.socket(socket.AF_INET, kind)
        try:
            made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            made.bind((self.reach(network, address), port))
            if kind == socket.SOCK_STREAM:
                made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                made.listen(1024)
        except OSError:
            made.close()
            raise
        return made

    def check_listening(self, network: str) -> None:
        if network not in self._blocks:
            raise MachineError(f"machines: there is no network {network}")

    def connect(self, network: str, address: str, port: int, real_seconds: float) -> socket.socket:
        return socket.create_connection((self.reach(network, address), port), timeout=real_seconds)

    def close(self) -> None:
        super().close()
        shutil.rmtree(self._state / "template", ignore_errors=True)
        for block in self._blocks.values():
            block.claim.close()

    def reach(self, network: str, address: str) -> str:
        block = self._blocks[network]
        known = block.table.get(address)
        if known is None:
            known = block.place(address)
            self._tell(network)
        return known

    def peer(self, network: str, address: str) -> str:
        return self._blocks[network].private(address)
