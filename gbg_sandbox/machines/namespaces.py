"""Machines as sets of Linux namespaces, for root and for an ordinary user.

The sandbox talks to one fork server (host.py); a machine's disk is an overlay of its own folder on the
image's layers, the sandbox's site files, our guest files and the base system.
"""

from __future__ import annotations

import contextlib
import ipaddress
import itertools
import logging
import os
import shutil
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from gbg_sandbox.machines import base, catalogue, store, wire
from gbg_sandbox.machines.dns import NameServer
from gbg_sandbox.machines.interface import (
    DNS_ADDRESS,
    ENDPOINT_ADDRESS,
    METADATA_ADDRESS,
    Machine,
    MachineError,
    MachineSpec,
)
from gbg_sandbox.machines.machine import RunningMachine
from gbg_sandbox.machines.pid1 import Pid1

log = logging.getLogger(__name__)
CONTAINER_ADDRESS = "169.254.170.2"
"""where a build container finds its credentials"""
LINK_LOCAL = (DNS_ADDRESS, METADATA_ADDRESS, ENDPOINT_ADDRESS, CONTAINER_ADDRESS)


class HostLine:
    """Requests to the fork server; each waits for its own answer."""

    def __init__(self) -> None:
        self._line, theirs = wire.pair()
        self._numbers = itertools.count(1)
        self._answers: dict[int, tuple[dict[str, Any], list[int]]] = {}
        self._arrived = threading.Condition()
        self._over = False
        self._process = subprocess.Popen(
            [sys.executable, "-m", "gbg_sandbox.machines.host", str(theirs.fileno())],
            pass_fds=[theirs.fileno()],
            stdin=subprocess.DEVNULL,
            cwd=Path(__file__).parents[2],
            start_new_session=True,
        )
        theirs.close()
        first = wire.receive(self._line)
        if first is None or first[0]["event"] != "up":
            self._process.wait()
            reason = first[0]["message"] if first else "the fork server ended at once"
            raise MachineError(f"machines: no namespaces here: {reason}")
        self.many_users: bool = first[0]["many_users"]
        self._reader = threading.Thread(target=self._read, name="machines", daemon=True)
        self._reader.start()

    def ask(self, order: dict[str, Any], descriptors: Sequence[int] = ()) -> tuple[dict[str, Any], list[int]]:
        """The answer and its descriptors. Raises OSError with the fork server's error."""
        number = next(self._numbers)
        wire.send(self._line, {**order, "id": number}, descriptors)
        with self._arrived:
            self._arrived.wait_for(lambda: number in self._answers or self._over)
            if number not in self._answers:
                raise MachineError("machines: the fork server is gone")
            answer, passed = self._answers.pop(number)
        if "error" in answer:
            raise OSError(answer.get("errno") or 0, answer["error"])
        return answer, passed

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self._line.shutdown(socket.SHUT_RDWR)
        self._process.wait(timeout=10)
        self._reader.join(timeout=5)
        self._line.close()

    def _read(self) -> None:
        while (received := wire.receive(self._line)) is not None:
            message, descriptors = received
            if message.get("event") == "exited":
                continue
            with self._arrived:
                self._answers[message["id"]] = (message, descriptors)
                self._arrived.notify_all()
        with self._arrived:
            self._over = True
            self._arrived.notify_all()


class NamespaceMachines:
    kind = "namespaces"

    def __init__(self, state: Path, site_files: Mapping[str, bytes]) -> None:
        self._state = state
        (state / "machines").mkdir(parents=True, exist_ok=True)
        self._system = (base.site_tree(state, site_files), base.guest_tree(), base.base_tree())
        self._networks: dict[str, ipaddress.IPv4Network] = {}
        self._name_servers: dict[str, NameServer] = {}
        self._machines: dict[str, RunningMachine] = {}
        self._readers: list[Callable[[str], None]] = []
        self._lock = threading.Lock()
        self._trash = itertools.count(1)
        self._closing = False
        self._host = HostLine()

    def add_network(self, name: str, cidr: str) -> None:
        with self._lock:
            if name in self._networks:
                return
            network = ipaddress.IPv4Network(cidr)
            order = {
                "do": "add_network",
                "name": name,
                "router": str(network[1]),
                "prefix": network.prefixlen,
            }
            self._host.ask({**order, "addresses": LINK_LOCAL})
            self._networks[name] = network
        resolver = self.listen(name, DNS_ADDRESS, 53, socket.SOCK_DGRAM)
        self._name_servers[name] = NameServer(
            resolver, lambda host: self._address_of(name, host), ENDPOINT_ADDRESS
        )

    def _address_of(self, network: str, hostname: str) -> str | None:
        for machine in list(self._machines.values()):
            spec = machine.spec
            if spec.network == network and hostname in (spec.hostname, spec.hostname.partition(".")[0]):
                return spec.address
        return None

    def remove_network(self, name: str) -> None:
        with self._lock:
            if self._networks.pop(name, None) is None:
                return
        self._name_servers.pop(name).close()
        self._host.ask({"do": "remove_network", "name": name})

    def start(self, spec: MachineSpec) -> Machine:
        if spec.network not in self._networks:
            raise MachineError(f"machine {spec.name}: there is no network {spec.network}")
        folder = self._state / "machines" / spec.name
        with self._lock:
            if spec.name in self._machines or folder.exists():
                raise MachineError(f"machine {spec.name}: the name is taken")
            machine = self._machines[spec.name] = RunningMachine(spec, folder, self)
        try:
            self._prepare_disk(machine)
            machine.start()
        except BaseException:
            machine.terminate()
            raise
        return machine

    def _prepare_disk(self, machine: RunningMachine) -> None:
        for name in ("upper", "root", "layers"):
            (machine.folder / name).mkdir(parents=True)
        (machine.folder / "upper").chmod(0o755)
        for number, layer in enumerate((*machine.spec.layers, *self._system)):
            if not layer.is_dir():
                raise MachineError(f"machine {machine.spec.name}: the image layer {layer} is gone")
            (machine.folder / "layers" / str(number)).symlink_to(layer.absolute())

    def get(self, name: str) -> Machine | None:
        return self._machines.get(name)

    def on_exit(self, reader: Callable[[str], None]) -> None:
        self._readers.append(reader)

    # Hardware

    def power_on(self, machine: RunningMachine) -> Pid1:
        spec, folder = machine.spec, machine.folder
        if (folder / "work").exists():
            self._remove(folder / "work")
        (folder / "work").mkdir()
        ours, theirs = wire.pair()
        console = machine.console_file()
        order = {
            "do": "start",
            "network": spec.network,
            "folder": str(folder.absolute()),
            "layers": len(list((folder / "layers").iterdir())),
            "address": spec.address,
            "prefix": self._networks[spec.network].prefixlen,
            "hostname": spec.hostname,
            "environment": dict(spec.environment),
            "boot": spec.boot,
        }
        try:
            answer, _none = self._host.ask(order, [theirs.fileno(), console])
        finally:
            theirs.close()
            os.close(console)
        machine.pid = answer["pid"]
        line = Pid1(spec.name, ours, self._package, machine.gone)
        line.wait_ready()
        return line

    def power_off(self, machine: RunningMachine) -> None:
        if machine.alive():
            self._host.ask({"do": "kill", "pid": machine.pid})

    def discard(self, machine: RunningMachine) -> None:
        with self._lock:
            self._machines.pop(machine.spec.name, None)
        if machine.folder.exists():
            aside = self._state / "machines" / f".gone-{next(self._trash)}-{machine.spec.name}"
            machine.folder.rename(aside)
            self._remove(aside)

    def _remove(self, folder: Path) -> None:
        """By the fork server: an ordinary user has no right over what overlayfs made."""
        answer, _none = self._host.ask({"do": "program", "argv": ["rm", "-rf", str(folder)]})
        if answer["status"]:
            raise MachineError(f"machines: could not remove {folder}")

    def copy_disk(self, machine: RunningMachine, into: Path) -> None:
        """A stopped machine's disk becomes a layer shared with the image; a running one's is copied."""
        upper = machine.folder / "upper"
        how = "-a" if machine.alive() else "-al"
        if how == "-al":
            layers = machine.folder / "layers"
            frozen = machine.folder / f"frozen-{len(list(machine.folder.glob('frozen-*')))}"
            upper.rename(frozen)
            upper.mkdir(mode=0o755)
            for link in sorted(layers.iterdir(), key=lambda entry: -int(entry.name)):
                link.rename(layers / str(int(link.name) + 1))
            (layers / "0").symlink_to(frozen.absolute())
            upper = frozen
        answer, _none = self._host.ask({"do": "program", "argv": ["cp", how, str(upper), str(into)]})
        if answer["status"]:
            raise MachineError(f"machine {machine.spec.name}: its disk could not be copied to {into}")

    def ended(self, machine: RunningMachine, *, asked: bool) -> None:
        if not asked and not self._closing:
            for reader in self._readers:
                reader(machine.spec.name)

    def _package(self, name: str) -> Path:
        return store.package_tree(catalogue.load().package(name))

    def package_layers(self, names: Sequence[str]) -> tuple[Path, ...]:
        return store.layers(names)

    # Network

    def listen(self, network: str, address: str, port: int, kind: int = socket.SOCK_STREAM) -> socket.socket:
        return self._socket(network, kind, address, port)

    def _socket(self, network: str, kind: int, address: str, port: int) -> socket.socket:
        if network not in self._networks:
            raise MachineError(f"machines: there is no network {network}")
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

    def spawn(
        self, network: str, argv: Sequence[str], *, sockets: Sequence[socket.socket] = (), log: Path
    ) -> int:
        output = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
        try:
            order = {"do": "spawn", "network": network, "argv": list(argv)}
            answer, _none = self._host.ask(order, [output, *(given.fileno() for given in sockets)])
        finally:
            os.close(output)
        return int(answer["pid"])

    def reach(self, network: str, address: str) -> str:
        return address

    def peer(self, network: str, address: str) -> str:
        return address

    def close(self) -> None:
        self._closing = True
        for server in self._name_servers.values():
            server.close()
        for machine in list(self._machines.values()):
            machine.kill()
        with contextlib.suppress(MachineError):
            self._remove(self._state / "machines")
        self._host.close()
        shutil.rmtree(self._state / "site", ignore_errors=True)
