"""The network of the chroot kind: private addresses translated to 127.0.x.y at the system call.

Each machine has one loopback address. What it binds or calls its own is that address; what it calls another
machine's or AWS's is theirs; everything else is unreachable, as in a VPC without a way out.
"""

from __future__ import annotations

import errno
import ipaddress
import os
import socket
import struct
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from gbg_sandbox.machines import seccomp
from gbg_sandbox.machines.seccomp import NOTIFY, Listener, Notification, Rule

IP_BIND_ADDRESS_NO_PORT = 24
ANY_SOCKET_FLAG = socket.SOCK_CLOEXEC | socket.SOCK_NONBLOCK
IPV4_AT, IPV6_AT = 4, 8
UTS_FIELD = 65
MAPPED = b"\0" * 10 + b"\xff\xff"
RULES = (
    Rule("socket", NOTIFY, 0, (socket.AF_INET, socket.AF_INET6)),
    Rule("bind", NOTIFY),
    Rule("connect", NOTIFY),
    Rule("sendto", NOTIFY, 4, (0,), unless=True),
    Rule("uname", NOTIFY),
    Rule("sethostname", NOTIFY),
    Rule("kill", seccomp.ERRNO | errno.EPERM, 0, (-1,)),
)


@dataclass
class Resident:
    """One machine on the loopback device."""

    loopback: str
    private: str
    hostname: str
    table: dict[str, str] = field(default_factory=dict)
    """private and link-local addresses of its network → loopback addresses, shared by the network"""

    def translate(self, address: str) -> str | None:
        """The loopback address to use instead; None when the address can't be reached.

        One that was translated before stays: a translation is written into the caller's memory, and a program
        such as the resolver calls with the same memory again.
        """
        if address in self.table.values():
            return address
        known = ipaddress.IPv4Address(address)
        if known.is_loopback or known.is_unspecified or address == self.private:
            return self.loopback
        return self.table.get(address)


class Memory:
    """A process's memory, opened with the process's own user id where root may not trace others."""

    def __init__(self, pid: int) -> None:
        path = f"/proc/{pid}/mem"
        try:
            self._descriptor = os.open(path, os.O_RDWR)
        except PermissionError:
            owner = Path(f"/proc/{pid}").stat()
            os.setresgid(owner.st_gid, owner.st_gid, 0)
            os.setresuid(owner.st_uid, owner.st_uid, 0)
            try:
                self._descriptor = os.open(path, os.O_RDWR)
            finally:
                os.setresuid(0, 0, 0)
                os.setresgid(0, 0, 0)

    def read(self, address: int, size: int) -> bytes:
        return os.pread(self._descriptor, size, address)

    def write(self, address: int, content: bytes) -> None:
        os.pwrite(self._descriptor, content, address)

    def close(self) -> None:
        os.close(self._descriptor)


def _addressed(raw: bytes, resident: Resident) -> tuple[int, bytes] | None:
    """Where in a socket address to write what; None to leave it. Raises OSError when it is unreachable."""
    family = struct.unpack_from("H", raw)[0] if len(raw) >= 2 else 0
    if family == socket.AF_INET and len(raw) >= IPV4_AT + 4:
        position, wanted = IPV4_AT, socket.inet_ntoa(raw[IPV4_AT : IPV4_AT + 4])
        prefix = b""
    elif family == socket.AF_INET6 and len(raw) >= IPV6_AT + 16:
        position, packed, prefix = IPV6_AT, raw[IPV6_AT : IPV6_AT + 16], MAPPED
        own = packed in (b"\0" * 16, b"\0" * 15 + b"\1")
        if not own and not packed.startswith(MAPPED):
            raise OSError(errno.ENETUNREACH, os.strerror(errno.ENETUNREACH))
        wanted = "127.0.0.1" if own else socket.inet_ntoa(packed[12:])
    else:
        return None
    found = resident.translate(wanted)
    if found is None:
        raise OSError(errno.ENETUNREACH, os.strerror(errno.ENETUNREACH))
    return position, prefix + socket.inet_aton(found)


class Translator:
    """Answers the waiting system calls of one machine."""

    def __init__(self, listener: Listener, resident: Resident) -> None:
        self.listener = listener
        self.resident = resident
        self._handlers: dict[int | None, Callable[[Notification], None]] = {
            seccomp.number("socket"): self._socket,
            seccomp.number("bind"): lambda call: self._address(call, 1, 2),
            seccomp.number("connect"): lambda call: self._address(call, 1, 2),
            seccomp.number("sendto"): lambda call: self._address(call, 4, 5),
            seccomp.number("uname"): self._uname,
            seccomp.number("sethostname"): self._sethostname,
        }

    def serve(self) -> None:
        """Answer one call."""
        call = self.listener.receive()
        if call is None:
            return
        try:
            self._handlers[call.number](call)
        except OSError as error:
            self.listener.fail(call, error.errno or errno.EIO)
        except (ValueError, OverflowError, KeyError):  # an odd call must not end all machines
            self.listener.fail(call, errno.EINVAL)

    def _socket(self, call: Notification) -> None:
        """Make the socket here, its source address set, so that the other side sees which machine calls."""
        family, kind, protocol = (argument & 0xFFFFFFFF for argument in call.arguments[:3])
        made = socket.socket(family, kind & ~ANY_SOCKET_FLAG, protocol)
        try:
            made.setblocking(not kind & socket.SOCK_NONBLOCK)
            if kind & ~ANY_SOCKET_FLAG in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
                made.setsockopt(socket.IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, 1)
                mapped = family == socket.AF_INET6
                made.bind((f"::ffff:{self.resident.loopback}" if mapped else self.resident.loopback, 0))
            close_on_exec = bool(kind & socket.SOCK_CLOEXEC)
            number = self.listener.give(call, made.fileno(), close_on_exec=close_on_exec)
        finally:
            made.close()
        self.listener.succeed(call, number)

    def _address(self, call: Notification, pointer_index: int, length_index: int) -> None:
        pointer, length = call.arguments[pointer_index], call.arguments[length_index] & 0xFFFFFFFF
        memory = Memory(call.pid)
        try:
            change = _addressed(memory.read(pointer, min(length, 128)), self.resident)
            if change is not None:
                memory.write(pointer + change[0], change[1])
        finally:
            memory.close()
        self.listener.proceed(call)

    def _uname(self, call: Notification) -> None:
        told = os.uname()
        fields = (told.sysname, self.resident.hostname, told.release, told.version, told.machine, "(none)")
        memory = Memory(call.pid)
        try:
            memory.write(
                call.arguments[0],
                b"".join(os.fsencode(text)[:64].ljust(UTS_FIELD, b"\0") for text in fields),
            )
        finally:
            memory.close()
        self.listener.succeed(call)

    def _sethostname(self, call: Notification) -> None:
        memory = Memory(call.pid)
        try:
            name = memory.read(call.arguments[0], min(call.arguments[1], 64))
            self.resident.hostname = os.fsdecode(name)
        finally:
            memory.close()
        self.listener.succeed(call)
