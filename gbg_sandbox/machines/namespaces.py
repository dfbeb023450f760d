"""Machines as sets of Linux namespaces, for root and for an ordinary user.

The sandbox talks to one fork server (host.py); a machine's disk is an overlay of its own folder on the
image's layers, the sandbox's site files, our guest files and the base system.
"""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from gbg_sandbox.machines.hosted import LINK_LOCAL, HostedMachines
from gbg_sandbox.machines.machine import RunningMachine


class NamespaceMachines(HostedMachines):
    kind = "namespaces"
    fork_server = "gbg_sandbox.machines.host"

    def make_network(self, name: str, network: ipaddress.IPv4Network) -> None:
        order = {"do": "add_network", "name": name, "router": str(network[1]), "prefix": network.prefixlen}
        self._host.ask({**order, "addresses": LINK_LOCAL})

    def drop_network(self, name: str) -> None:
        self._host.ask({"do": "remove_network", "name": name})

    def make_disk(self, machine: RunningMachine, layers: Sequence[Path]) -> None:
        for name in ("upper", "root", "layers"):
            (machine.folder / name).mkdir()
        (machine.folder / "upper").chmod(0o755)
        for number, layer in enumerate(layers):
            (machine.folder / "layers" / str(number)).symlink_to(layer)

    def boot_order(self, machine: RunningMachine) -> dict[str, Any]:
        work = machine.folder / "work"
        if work.exists():
            self.remove(work)
        work.mkdir()
        return {
            "layers": len(list((machine.folder / "layers").iterdir())),
            "prefix": self._networks[machine.spec.network].prefixlen,
        }

    def copy_disk(self, machine: RunningMachine, into: Path) -> None:
        """A stopped machine's disk becomes a layer shared with the image; a running one's is copied."""
        upper = machine.folder / "upper"
        how = "-a"
        if not machine.alive():
            upper, how = self._freeze(machine), "-al"
        failure = f"machine {machine.spec.name}: its disk could not be copied to {into}"
        self.program(["cp", how, str(upper), str(into)], failure)

    def _freeze(self, machine: RunningMachine) -> Path:
        layers = machine.folder / "layers"
        frozen = machine.folder / f"frozen-{len(list(machine.folder.glob('frozen-*')))}"
        (machine.folder / "upper").rename(frozen)
        (machine.folder / "upper").mkdir(mode=0o755)
        for link in sorted(layers.iterdir(), key=lambda entry: -int(entry.name)):
            link.rename(layers / str(int(link.name) + 1))
        (layers / "0").symlink_to(frozen.absolute())
        return frozen

    def listen(self, network: str, address: str, port: int, kind: int = socket.SOCK_STREAM) -> socket.socket:
        return self._socket(network, kind, address, port)

    def _socket(self, network: str, kind: int, address: str, port: int) -> socket.socket:
        self.check_network(network)
        order = {"do": "socket", "network": network, "kind": kind, "address": address, "port": port}
        _answer, (descriptor,) = self._host.ask(order)
        return socket.socket(socket.AF_INET, kind, fileno=descriptor)

    def connect(self, network: str, address: str, port: int, real_seconds: float) -> socket.socket:
        made = self._socket(network, socket.SOCK_STREAM, "", 0)
        made.settimeout(real_seconds)
        try:
            made.connect((address, port))
        except OSError:
            made.close()
            raise
        return made

    def reach(self, network: str, address: str) -> str:
        return address

    def peer(self, network: str, address: str) -> str:
        return address
