"""Network devices, addresses and routes by rtnetlink, so that no `ip` program is needed.

A link acts in the network namespace in which it was opened, wherever its process goes later.
Page: https://docs.kernel.org/userspace-api/netlink/intro.html
"""

from __future__ import annotations

import errno
import ipaddress
import os
import socket
import struct
from types import TracebackType

NEW_LINK, NEW_ADDRESS, NEW_ROUTE = 16, 20, 24
REQUEST, ACK, REPLACE, EXCLUSIVE, CREATE = 0x1, 0x4, 0x100, 0x200, 0x400
ERROR = 2
IFF_UP = 1
IFLA_ADDRESS, IFLA_IFNAME, IFLA_MASTER, IFLA_LINKINFO, IFLA_NET_NS_FD = 1, 3, 10, 18, 28
IFLA_INFO_KIND, IFLA_INFO_DATA, VETH_INFO_PEER = 1, 2, 1
IFA_ADDRESS, IFA_LOCAL = 1, 2
RTA_DST, RTA_OIF = 1, 4
TABLE_MAIN, PROTOCOL_BOOT, SCOPE_UNIVERSE, SCOPE_LINK = 254, 3, 0, 253
UNICAST, UNREACHABLE = 1, 7


def _attribute(kind: int, content: bytes) -> bytes:
    padding = b"\0" * (-len(content) % 4)
    return struct.pack("HH", 4 + len(content), kind) + content + padding


def _text(kind: int, text: str) -> bytes:
    return _attribute(kind, text.encode() + b"\0")


def _number(kind: int, number: int) -> bytes:
    return _attribute(kind, struct.pack("I", number))


def _link_header(index: int = 0, *, up: bool = False) -> bytes:
    flags = IFF_UP if up else 0
    return struct.pack("BxHiII", socket.AF_UNSPEC, 0, index, flags, flags)


BRIDGE_HARDWARE = b"\x02\x00\xa9\xfe\xa9\xfd"
"""A bridge without one takes that of a plugged machine, and all neighbours lose it when that machine goes."""


class Netlink:
    def __init__(self) -> None:
        self._socket = socket.socket(
            socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, socket.NETLINK_ROUTE
        )
        self._sequence = 0

    def __enter__(self) -> Netlink:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._socket.close()

    def _ask(self, kind: int, flags: int, body: bytes) -> None:
        self._sequence += 1
        header = struct.pack("IHHII", 16 + len(body), kind, REQUEST | ACK | flags, self._sequence, 0)
        self._socket.send(header + body)
        answer = self._socket.recv(65536)
        answer_kind = struct.unpack_from("H", answer, 4)[0]
        code = struct.unpack_from("i", answer, 16)[0] if answer_kind == ERROR else -errno.EPROTO
        if code:
            raise OSError(-code, f"rtnetlink request {kind}: {os.strerror(-code)}")

    def bridge(self, name: str) -> None:
        info = _attribute(IFLA_LINKINFO, _text(IFLA_INFO_KIND, "bridge"))
        named = _text(IFLA_IFNAME, name) + _attribute(IFLA_ADDRESS, BRIDGE_HARDWARE)
        self._ask(NEW_LINK, CREATE | EXCLUSIVE, _link_header(up=True) + named + info)

    def cable(self, here: str, there: str, there_namespace: int, hardware: bytes, bridge: str) -> None:
        """A veth pair: `here` plugged into the bridge, `there` in the namespace of that descriptor."""
        peer = _link_header() + _text(IFLA_IFNAME, there) + _number(IFLA_NET_NS_FD, there_namespace)
        peer += _attribute(IFLA_ADDRESS, hardware)
        data = _attribute(IFLA_INFO_DATA, _attribute(VETH_INFO_PEER, peer))
        info = _attribute(IFLA_LINKINFO, _text(IFLA_INFO_KIND, "veth") + data)
        master = _number(IFLA_MASTER, self.index(bridge))
        body = _link_header(up=True) + _text(IFLA_IFNAME, here) + master + info
        self._ask(NEW_LINK, CREATE | EXCLUSIVE, body)

    def up(self, name: str) -> None:
        self._ask(NEW_LINK, 0, _link_header(self.index(name), up=True))

    def index(self, name: str) -> int:
        """The device's number in this link's own namespace."""
        self._sequence += 1
        body = _link_header() + _text(IFLA_IFNAME, name)
        get_link = 18
        self._socket.send(struct.pack("IHHII", 16 + len(body), get_link, REQUEST, self._sequence, 0) + body)
        answer = self._socket.recv(65536)
        kind, index = struct.unpack_from("H", answer, 4)[0], struct.unpack_from("i", answer, 20)[0]
        if kind == ERROR:
            raise OSError(errno.ENODEV, f"no network device {name}")
        return int(index)

    def address(self, device: str, address: str, prefix: int) -> None:
        packed = socket.inet_aton(address)
        header = struct.pack("BBBBI", socket.AF_INET, prefix, 0, 0, self.index(device))
        body = header + _attribute(IFA_LOCAL, packed) + _attribute(IFA_ADDRESS, packed)
        self._ask(NEW_ADDRESS, CREATE | REPLACE, body)

    def route(self, cidr: str, device: str) -> None:
        network = ipaddress.IPv4Network(cidr)
        self._route(network, UNICAST, SCOPE_LINK, _number(RTA_OIF, self.index(device)))

    def no_way_out(self) -> None:
        """An unreachable default route: connections elsewhere fail at once instead of hanging."""
        self._route(ipaddress.IPv4Network("0.0.0.0/0"), UNREACHABLE, SCOPE_UNIVERSE, b"")

    def _route(self, network: ipaddress.IPv4Network, kind: int, scope: int, more: bytes) -> None:
        header = struct.pack(
            "BBBBBBBBI", socket.AF_INET, network.prefixlen, 0, 0, TABLE_MAIN, PROTOCOL_BOOT, scope, kind, 0
        )
        destination = _attribute(RTA_DST, network.network_address.packed) if network.prefixlen else b""
        self._ask(NEW_ROUTE, CREATE | REPLACE, header + destination + more)
