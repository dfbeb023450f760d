"""Machines without processes, for tests of what stands above them.

They keep state like real ones: files are a tree per machine, a snapshot carries it into an image's layer,
a stopped machine refuses commands. Every machine owns an address in 127.0.0.0/8, so that a server on a
`listen` socket can tell which machine is asking.
"""

from __future__ import annotations

import shutil
import socket
import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from gbg_sandbox.machines.interface import MachineError, MachineSpec, Output

Program = Callable[["FakeMachine", Sequence[str], Mapping[str, str]], tuple[int, bytes]]
"""What a command does: machine, argv, environment → exit status, output."""


def succeed(machine: FakeMachine, argv: Sequence[str], environment: Mapping[str, str]) -> tuple[int, bytes]:
    return 0, b""


class FakeMachine:
    def __init__(self, host: FakeMachines, spec: MachineSpec, disk: Path) -> None:
        self._host = host
        self._spec = spec
        self._alive = True
        self.disk = disk
        self.commands: list[tuple[str, ...]] = []
        self.boots = 1
        disk.mkdir(parents=True)

    @property
    def spec(self) -> MachineSpec:
        return self._spec

    def alive(self) -> bool:
        return self._alive

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
        if not self._alive:
            raise MachineError(f"{self.spec.name}: the machine is off; start it first")
        self.commands.append(tuple(argv))
        status, text = self._host.program(self, argv, environment or {})
        if output is not None and text:
            output(text)
        return status

    def write(self, path: str, content: bytes, mode: int = 0o644) -> None:
        target = self.disk / path.lstrip("/")
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content)
        target.chmod(mode)

    def read(self, path: str) -> bytes:
        for layer in (self.disk, *self.spec.layers):
            found = layer / path.lstrip("/")
            if found.is_file():
                return found.read_bytes()
        raise FileNotFoundError(path)

    def console(self) -> str:
        return f"{self.spec.hostname} boot {self.boots}\n"

    def stop(self) -> None:
        self._alive = False

    def start(self) -> None:
        if not self._alive:
            self.boots += 1
        self._alive = True

    def kill(self) -> None:
        self._alive = False

    def terminate(self) -> None:
        self._host.ending.wait(60)
        self._alive = False
        shutil.rmtree(self.disk, ignore_errors=True)
        self._host.forget(self.spec.name)

    def snapshot(self, into: Path) -> Path:
        shutil.copytree(self.disk, into)
        return into

    def die(self) -> None:
        """Its pid 1 ends by itself, as after `poweroff`."""
        self._alive = False
        self._host.report_exit(self.spec.name)


class FakeMachines:
    kind = "fake"

    def __init__(self, directory: Path, program: Program = succeed) -> None:
        self.program = program
        self.networks: dict[str, str] = {}
        self.machines: dict[str, FakeMachine] = {}
        self.started: list[MachineSpec] = []
        self.failure: str = ""
        """when set, machines can't be started, with these words"""
        self.starting = threading.Event()
        """a machine's start waits for it"""
        self.starting.set()
        self.entered = threading.Event()
        """a start has begun to wait"""
        self.ending = threading.Event()
        """a machine's end waits for it"""
        self.ending.set()
        self._directory = directory
        self._readers: list[Callable[[str], None]] = []
        self._listeners: dict[tuple[str, str, int], socket.socket] = {}
        self._loopback: dict[tuple[str, str], str] = {}
        self._lock = threading.Lock()

    def add_network(self, name: str, cidr: str) -> None:
        self.networks[name] = cidr

    def remove_network(self, name: str) -> None:
        del self.networks[name]

    def start(self, spec: MachineSpec) -> FakeMachine:
        self.entered.set()
        if not self.starting.wait(60):
            raise MachineError(f"{spec.name}: nobody let it start")
        if self.failure:
            raise MachineError(self.failure)
        if spec.network not in self.networks:
            raise MachineError(f"{spec.name}: no network {spec.network}")
        for layer in spec.layers:
            if not layer.is_dir():
                raise MachineError(f"{spec.name}: its image layer {layer} is gone")
        with self._lock:
            if spec.name in self.machines:
                raise MachineError(f"{spec.name}: runs already")
            machine = FakeMachine(self, spec, self._directory / "machines" / spec.name)
            self.machines[spec.name] = machine
            self.started.append(spec)
        return machine

    def get(self, name: str) -> FakeMachine | None:
        return self.machines.get(name)

    def forget(self, name: str) -> None:
        self.machines.pop(name, None)

    def on_exit(self, reader: Callable[[str], None]) -> None:
        self._readers.append(reader)

    def report_exit(self, name: str) -> None:
        for reader in self._readers:
            reader(name)

    def listen(self, network: str, address: str, port: int, kind: int = socket.SOCK_STREAM) -> socket.socket:
        listener = socket.socket(socket.AF_INET, kind)
        listener.bind(("127.0.0.1", 0))
        if kind == socket.SOCK_STREAM:
            listener.listen(64)
        self._listeners[(network, address, port)] = listener
        return listener

    def connect(self, network: str, address: str, port: int, real_seconds: float) -> socket.socket:
        return self._connect(network, address, port, real_seconds, None)

    def connect_from(self, name: str, address: str, port: int) -> socket.socket:
        """A connection that the named machine makes inside its network."""
        spec = self.machines[name].spec
        return self._connect(spec.network, address, port, 5, self.reach(spec.network, spec.address))

    def _connect(
        self, network: str, address: str, port: int, real_seconds: float, source: str | None
    ) -> socket.socket:
        listener = self._listeners.get((network, address, port))
        if listener is None:
            raise ConnectionRefusedError(f"nothing listens on {address}:{port} in {network}")
        return socket.create_connection(
            listener.getsockname(), real_seconds, source_address=(source, 0) if source else None
        )

    def spawn(
        self, network: str, argv: Sequence[str], *, sockets: Sequence[socket.socket] = (), log: Path
    ) -> int:
        raise MachineError("machines without processes start no host program")

    def reach(self, network: str, address: str) -> str:
        with self._lock:
            number = len(self._loopback) + 2
            return self._loopback.setdefault((network, address), f"127.77.{number // 250}.{number % 250 + 1}")

    def peer(self, network: str, address: str) -> str:
        with self._lock:
            known = dict(self._loopback)
        for (where, private), loopback in known.items():
            if where == network and loopback == address:
                return private
        return address

    def package_layers(self, names: Sequence[str]) -> tuple[Path, ...]:
        """An empty layer for each name."""
        layers = tuple(self._directory / "packages" / name for name in names)
        for layer in layers:
            layer.mkdir(parents=True, exist_ok=True)
        return layers

    def close(self) -> None:
        self.ending.set()
        for machine in list(self.machines.values()):
            machine.terminate()
        for listener in self._listeners.values():
            listener.close()
