"""What the rest of the sandbox may ask of a machine, whichever kind stands behind it.

A machine is one EC2 instance or one build container: its own files, processes and address.
Two kinds exist, namespaces and chroot; `gbg_sandbox.machines.open_machines` probes and chooses.
"""

from __future__ import annotations

import socket
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

DNS_ADDRESS = "169.254.169.253"
"""Route 53 Resolver's address inside a machine (UDP 53)."""
METADATA_ADDRESS = "169.254.169.254"
"""IMDS's address inside a machine (TCP 80)."""
ENDPOINT_ADDRESS = "169.254.169.252"
"""What `*.amazonaws.com` resolves to inside a machine (TCP 443 and 80)."""


class MachineError(Exception):
    """A machine could not do what was asked; says where, what, and what to try."""


@dataclass(frozen=True)
class MachineSpec:
    name: str
    """unique: instance id or build id"""
    network: str
    """name of the network it is plugged into: the VPC's id"""
    address: str
    """private IPv4 address in that network"""
    hostname: str
    layers: tuple[Path, ...] = ()
    """image layers, topmost first, above the base system"""
    environment: Mapping[str, str] = field(default_factory=dict)
    """environment of pid 1, inherited by all"""
    boot: bool = True
    """start services and cloud-init as an instance does; False for a build container"""


Output = Callable[[bytes], None]


class Machine(Protocol):
    @property
    def spec(self) -> MachineSpec: ...

    def alive(self) -> bool:
        """Whether its pid 1 lives."""

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
        """Run a command to its end and return its exit status (128+n for signal n).

        stdout and stderr come together, as they are written, to `output`, called from one thread.
        After `real_seconds` the command and its children are killed and TimeoutError is raised.
        """

    def write(self, path: str, content: bytes, mode: int = 0o644) -> None: ...

    def read(self, path: str) -> bytes:
        """Raises FileNotFoundError."""

    def console(self) -> str:
        """What it wrote to its console since boot (cloud-init, pid 1), the last 64 KB."""

    def stop(self) -> None:
        """Stop services and processes; the disk stays. Idempotent."""

    def start(self) -> None:
        """Boot again from its own disk after `stop`."""

    def kill(self) -> None:
        """Power off at once, as when hardware dies; the disk stays."""

    def terminate(self) -> None:
        """Stop at once and remove the disk. Idempotent."""

    def snapshot(self, into: Path) -> Path:
        """Copy what this machine's disk adds to its layers to `into` (must not exist): a new image layer.

        On a running machine the copy is crash-consistent, like an image without reboot.
        """


class Machines(Protocol):
    """The host of all machines of one sandbox."""

    @property
    def kind(self) -> str:
        """ "namespaces" or "chroot"."""

    def add_network(self, name: str, cidr: str) -> None:
        """A VPC's network; two of the same range don't meet. Idempotent."""

    def remove_network(self, name: str) -> None: ...

    def start(self, spec: MachineSpec) -> Machine: ...

    def get(self, name: str) -> Machine | None: ...

    def on_exit(self, reader: Callable[[str], None]) -> None:
        """`reader(name)` is called when a machine's pid 1 ends without having been asked to."""

    def listen(self, network: str, address: str, port: int, kind: int = socket.SOCK_STREAM) -> socket.socket:
        """A bound (TCP: listening) socket that machines of this network reach at address:port."""

    def connect(self, network: str, address: str, port: int, real_seconds: float) -> socket.socket:
        """A TCP connection to a machine's address, as from inside the network. Raises OSError."""

    def spawn(
        self, network: str, argv: Sequence[str], *, sockets: Sequence[socket.socket] = (), log: Path
    ) -> int:
        """Run a host program (the load balancer) whose connections go out into `network`.

        `sockets` are inherited as file descriptors 3, 4, …; returns the pid as the host's process sees it.
        """

    def reach(self, network: str, address: str) -> str:
        """The address that a program started with `spawn` uses for a machine's private address."""

    def peer(self, network: str, address: str) -> str:
        """The private address of the machine behind a peer address seen on a `listen` socket."""

    def package_layers(self, names: Sequence[str]) -> tuple[Path, ...]:
        """Ready-made image layers of catalogue packages with all that they require, topmost first.

        Raises MachineError when this host lacks the software, LookupError for an unknown name.
        """

    def close(self) -> None:
        """End every machine, network and process."""
