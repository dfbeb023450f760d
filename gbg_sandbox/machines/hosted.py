"""The host of all machines of one sandbox: what does not depend on their kind."""

from __future__ import annotations

import contextlib
import ipaddress
import itertools
import os
import shutil
import socket
import subprocess
import sys
import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

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

CONTAINER_ADDRESS = "169.254.170.2"
"""where a build container finds its credentials"""
LINK_LOCAL = (DNS_ADDRESS, METADATA_ADDRESS, ENDPOINT_ADDRESS, CONTAINER_ADDRESS)


class HostLine:
    """Requests to the fork server; each waits for its own answer."""

    def __init__(self, module: str) -> None:
        self._line, theirs = wire.pair()
        self._numbers = itertools.count(1)
        self._answers: dict[int, tuple[dict[str, Any], list[int]]] = {}
        self._arrived = threading.Condition()
        self._over = False
        self._process = subprocess.Popen(
            [sys.executable, "-m", module, str(theirs.fileno())],
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
            raise MachineError(f"machines: {reason}")
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
            with self._arrived:
                self._answers[message["id"]] = (message, descriptors)
                self._arrived.notify_all()
        with self._arrived:
            self._over = True
            self._arrived.notify_all()


class HostedMachines(ABC):
    """Subclasses say how networks, disks and pid 1 are made; `fork_server` is the module that makes them."""

    kind: ClassVar[str]
    fork_server: ClassVar[str]

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
        self._host = HostLine(self.fork_server)

    # Networks

    @abstractmethod
    def make_network(self, name: str, network: ipaddress.IPv4Network) -> None: ...

    @abstractmethod
    def drop_network(self, name: str) -> None: ...

    @abstractmethod
    def listen(
        self, network: str, address: str, port: int, kind: int = socket.SOCK_STREAM
    ) -> socket.socket: ...

    def add_network(self, name: str, cidr: str) -> None:
        with self._lock:
            if name in self._networks:
                return
            network = ipaddress.IPv4Network(cidr)
            self.make_network(name, network)
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
        self.drop_network(name)

    def check_network(self, name: str) -> None:
        if name not in self._networks:
            raise MachineError(f"machines: there is no network {name}")

    # Machines

    @abstractmethod
    def make_disk(self, machine: RunningMachine, layers: Sequence[Path]) -> None:
        """Prepare the machine's folder; `layers` are all of them, topmost first."""

    @abstractmethod
    def boot_order(self, machine: RunningMachine) -> dict[str, Any]:
        """What the fork server must know besides the common fields."""

    def start(self, spec: MachineSpec) -> Machine:
        self.check_network(spec.network)
        folder = self._state / "machines" / spec.name
        with self._lock:
            if spec.name in self._machines or folder.exists():
                raise MachineError(f"machine {spec.name}: the name is taken")
            machine = self._machines[spec.name] = RunningMachine(spec, folder, self)
        try:
            layers = (*spec.layers, *self._system)
            for layer in layers:
                if not layer.is_dir():
                    raise MachineError(f"machine {spec.name}: the image layer {layer} is gone")
            folder.mkdir(parents=True)
            self.make_disk(machine, [layer.absolute() for layer in layers])
            machine.start()
        except BaseException:
            machine.terminate()
            raise
        return machine

    def get(self, name: str) -> Machine | None:
        return self._machines.get(name)

    def on_exit(self, reader: Callable[[str], None]) -> None:
        self._readers.append(reader)

    def power_on(self, machine: RunningMachine) -> Pid1:
        spec = machine.spec
        ours, theirs = wire.pair()
        order = {
            "do": "start",
            "network": spec.network,
            "folder": str(machine.folder.absolute()),
            "address": spec.address,
            "hostname": spec.hostname,
            "environment": dict(spec.environment),
            "boot": spec.boot,
            **self.boot_order(machine),
        }
        console = machine.console_file()
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
            self.remove(aside)

    @abstractmethod
    def copy_disk(self, machine: RunningMachine, into: Path) -> None: ...

    def ended(self, machine: RunningMachine, *, asked: bool) -> None:
        if not asked and not self._closing:
            for reader in self._readers:
                reader(machine.spec.name)

    def program(self, argv: Sequence[str], failure: str) -> None:
        """Run a program with the fork server's rights. Raises MachineError with `failure`."""
        answer, _none = self._host.ask({"do": "program", "argv": list(argv)})
        if answer["status"]:
            raise MachineError(failure)

    def remove(self, folder: Path) -> None:
        """By the fork server: an ordinary user has no right over what overlayfs made."""
        self.program(["rm", "-rf", str(folder)], f"machines: could not remove {folder}")

    def _package(self, name: str) -> Path:
        return store.package_tree(catalogue.load().package(name))

    def package_layers(self, names: Sequence[str]) -> tuple[Path, ...]:
        return store.layers(names)

    # Programs

    def spawn(
        self, network: str, argv: Sequence[str], *, sockets: Sequence[socket.socket] = (), log: Path
    ) -> int:
        self.check_network(network)
        output = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
        try:
            order = {"do": "spawn", "network": network, "argv": list(argv)}
            answer, _none = self._host.ask(order, [output, *(given.fileno() for given in sockets)])
        finally:
            os.close(output)
        return int(answer["pid"])

    def close(self) -> None:
        self._closing = True
        for server in self._name_servers.values():
            server.close()
        for machine in list(self._machines.values()):
            machine.kill()
        with contextlib.suppress(MachineError):
            self.remove(self._state / "machines")
        self._host.close()
        shutil.rmtree(self._state / "site", ignore_errors=True)
