"""The name server inside a network, as Route 53 Resolver is inside a VPC.

It knows AWS's own names, the machines' private names, and nothing else: there is no internet behind it.
"""

from __future__ import annotations

import ipaddress
import re
import select
import socket
import struct
import threading
from collections.abc import Callable

TYPE_A, CLASS_IN = 1, 1
RESPONSE, RECURSION, AUTHORITATIVE = 0x8000, 0x0080, 0x0400
NAME_ERROR, NOT_IMPLEMENTED, FORMAT_ERROR = 3, 4, 1
SECONDS_TO_LIVE = 60
PRIVATE_NAME = re.compile(r"ip-(\d+)-(\d+)-(\d+)-(\d+)(\.ec2\.internal|\.[a-z0-9-]+\.compute\.internal)?")
Lookup = Callable[[str], str | None]


def resolve(name: str, hosts: Lookup, endpoint: str) -> str | None:
    """The address of a name: AWS's endpoints, `ip-10-0-1-5.ec2.internal`, the machines' own names."""
    name = name.rstrip(".").lower()
    if name == "localhost":
        return "127.0.0.1"
    if name.endswith(".amazonaws.com"):
        return endpoint
    match = PRIVATE_NAME.fullmatch(name)
    if match:
        address = ".".join(match.groups()[:4])
        return address if _valid(address) else None
    return hosts(name)


def _valid(address: str) -> bool:
    try:
        ipaddress.IPv4Address(address)
    except ValueError:
        return False
    return True


def _question(packet: bytes) -> tuple[str, int, int]:
    """Name, type and end of the first question. Raises ValueError."""
    labels, position = [], 12
    while (length := packet[position]) != 0:
        if length > 63:
            raise ValueError("a compressed name in a question")
        labels.append(packet[position + 1 : position + 1 + length].decode("ascii"))
        position += 1 + length
    kind, _class = struct.unpack_from("!HH", packet, position + 1)
    return ".".join(labels), kind, position + 5


def answer(packet: bytes, hosts: Lookup, endpoint: str) -> bytes:
    """The reply to a query (RFC 1035): an A record, an empty answer, or NXDOMAIN."""
    number, flags = struct.unpack_from("!HH", packet)
    kept = RESPONSE | RECURSION | AUTHORITATIVE | (flags & 0x0100)
    if (flags >> 11) & 0xF:
        return struct.pack("!HHHHHH", number, kept | NOT_IMPLEMENTED, 0, 0, 0, 0)
    try:
        name, kind, end = _question(packet)
    except (ValueError, IndexError, struct.error):
        return struct.pack("!HHHHHH", number, kept | FORMAT_ERROR, 0, 0, 0, 0)
    address = resolve(name, hosts, endpoint)
    if address is None:
        return struct.pack("!HHHHHH", number, kept | NAME_ERROR, 1, 0, 0, 0) + packet[12:end]
    records = b""
    if kind == TYPE_A:
        pointer_to_question = b"\xc0\x0c"
        records = pointer_to_question + struct.pack("!HHIH", TYPE_A, CLASS_IN, SECONDS_TO_LIVE, 4)
        records += socket.inet_aton(address)
    header = struct.pack("!HHHHHH", number, kept, 1, 1 if records else 0, 0, 0)
    return header + packet[12:end] + records


class NameServer:
    """Answers on a bound UDP socket until closed."""

    def __init__(self, bound: socket.socket, hosts: Lookup, endpoint: str) -> None:
        self._socket = bound
        self._hosts = hosts
        self._endpoint = endpoint
        self._stop, self._stopped = socket.socketpair()
        self._thread = threading.Thread(target=self._serve, name="dns", daemon=True)
        self._thread.start()

    def _serve(self) -> None:
        while True:
            readable, _w, _x = select.select([self._socket, self._stopped], [], [])
            if self._stopped in readable:
                return
            packet, client = self._socket.recvfrom(4096)
            if len(packet) >= 12:
                self._socket.sendto(answer(packet, self._hosts, self._endpoint), client)

    def close(self) -> None:
        self._stop.close()
        self._thread.join(timeout=5)
        self._stopped.close()
        self._socket.close()
