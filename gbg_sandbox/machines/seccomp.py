"""Seccomp: answering a system call without running it, or handing it to a supervisor.

Page: https://man7.org/linux/man-pages/man2/seccomp_unotify.2.html
"""

from __future__ import annotations

import ctypes
import fcntl
import os
import platform
import struct
from collections.abc import Sequence
from dataclasses import dataclass

from gbg_sandbox.machines import linux

SET_MODE_FILTER = 1
FLAG_NEW_LISTENER = 1 << 3
ALLOW, ERRNO, NOTIFY = 0x7FFF0000, 0x00050000, 0x7FC00000
LOAD, JUMP_IF_EQUAL, RETURN = 0x20, 0x15, 0x06
NUMBER_AT, ARCHITECTURE_AT, ARGUMENTS_AT = 0, 4, 16
ARCHITECTURES = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
NUMBERS = {
    "x86_64": {
        "socket": 41, "connect": 42, "sendto": 44, "bind": 49, "kill": 62, "uname": 63, "chown": 92,
        "fchown": 93, "lchown": 94, "setuid": 105, "setgid": 106, "setreuid": 113, "setregid": 114,
        "setgroups": 116, "setresuid": 117, "setresgid": 119, "setfsuid": 122, "setfsgid": 123,
        "sethostname": 170, "fchownat": 260,
    },
    "aarch64": {
        "fchownat": 54, "fchown": 55, "kill": 129, "setregid": 143, "setgid": 144, "setreuid": 145,
        "setuid": 146, "setresuid": 147, "setresgid": 149, "setfsuid": 151, "setfsgid": 152,
        "setgroups": 159, "uname": 160, "sethostname": 161, "socket": 198, "bind": 200, "connect": 203,
        "sendto": 206,
    },
}  # fmt: skip
OWNERSHIP = (
    "chown", "fchown", "lchown", "fchownat", "setuid", "setgid", "setreuid", "setregid", "setgroups",
    "setresuid", "setresgid", "setfsuid", "setfsgid",
)  # fmt: skip

RECEIVE, SEND, ADD_DESCRIPTOR = 0xC0502100, 0xC0182101, 0x40182103
CONTINUE = 1
NOTIFICATION = struct.Struct("=QIIiIQ6Q")
RESPONSE = struct.Struct("=QqiI")
ADDITION = struct.Struct("=QIIII")


def number(name: str) -> int | None:
    """A system call's number on this processor; None where it doesn't exist."""
    return NUMBERS[platform.machine()].get(name)


@dataclass(frozen=True)
class Rule:
    """What to do at a system call; with an `index`, only when that argument is (not) one of `values`."""

    call: str
    action: int
    index: int = -1
    values: tuple[int, ...] = ()
    unless: bool = False


def _instruction(code: int, k: int, if_true: int = 0, if_false: int = 0) -> bytes:
    return struct.pack("HBBI", code, if_true, if_false, k)


def _block(rule: Rule, nr: int) -> list[bytes]:
    """Reached with the call's number loaded; leaves it loaded when the rule does not apply."""
    if rule.index < 0:
        return [_instruction(JUMP_IF_EQUAL, nr, 0, 1), _instruction(RETURN, rule.action)]
    tests = len(rule.values)
    body = [_instruction(LOAD, ARGUMENTS_AT + 8 * rule.index)]
    for position, value in enumerate(rule.values):
        to_end = tests - position - 1
        hit = to_end + (1 if rule.unless else 0)
        miss = 0 if to_end else (0 if rule.unless else 1)
        body.append(_instruction(JUMP_IF_EQUAL, value & 0xFFFFFFFF, hit, miss))
    body += [_instruction(RETURN, rule.action), _instruction(RETURN, ALLOW)]
    return [_instruction(JUMP_IF_EQUAL, nr, 0, len(body)), *body]


def _program(rules: Sequence[Rule]) -> bytes:
    steps = [
        _instruction(LOAD, ARCHITECTURE_AT),
        _instruction(JUMP_IF_EQUAL, ARCHITECTURES[platform.machine()], 1, 0),
        _instruction(RETURN, ALLOW),
        _instruction(LOAD, NUMBER_AT),
    ]
    for rule in rules:
        nr = number(rule.call)
        if nr is not None:
            steps += _block(rule, nr)
    steps.append(_instruction(RETURN, ALLOW))
    return b"".join(steps)


def install(rules: Sequence[Rule], *, listener: bool = False) -> int:
    """Bind this process and its children to the rules; with `listener` the supervisor's descriptor."""
    code = _program(rules)
    steps = ctypes.create_string_buffer(code)
    header = struct.pack("HxxxxxxP", len(code) // 8, ctypes.addressof(steps))
    program = ctypes.create_string_buffer(header)
    flags = FLAG_NEW_LISTENER if listener else 0
    return linux.syscall("seccomp", SET_MODE_FILTER, flags, ctypes.addressof(program))


def pretend_ownership() -> None:
    """Where a machine has one user id only, changes of owner and user succeed without effect."""
    install([Rule(name, ERRNO) for name in OWNERSHIP])


@dataclass(frozen=True)
class Notification:
    """A system call that waits for the supervisor."""

    id: int
    pid: int
    number: int
    arguments: tuple[int, ...]


class Listener:
    """The supervisor's end of a filter."""

    def __init__(self, descriptor: int) -> None:
        self.descriptor = descriptor

    def fileno(self) -> int:
        return self.descriptor

    def receive(self) -> Notification | None:
        """The next waiting call; None when its process has gone meanwhile."""
        buffer = bytearray(NOTIFICATION.size)
        try:
            fcntl.ioctl(self.descriptor, RECEIVE, buffer)
        except OSError:
            return None
        identity, pid, _flags, nr, _architecture, _pointer, *arguments = NOTIFICATION.unpack(buffer)
        return Notification(identity, pid, nr, tuple(arguments))

    def proceed(self, call: Notification) -> None:
        self._respond(call, 0, 0, CONTINUE)

    def succeed(self, call: Notification, value: int = 0) -> None:
        self._respond(call, value, 0, 0)

    def fail(self, call: Notification, errno: int) -> None:
        self._respond(call, 0, -errno, 0)

    def _respond(self, call: Notification, value: int, error: int, flags: int) -> None:
        buffer = bytearray(RESPONSE.pack(call.id, value, error, flags))
        try:
            fcntl.ioctl(self.descriptor, SEND, buffer)
        except FileNotFoundError:
            return

    def give(self, call: Notification, descriptor: int, *, close_on_exec: bool) -> int:
        """Install a descriptor of ours in the calling process; its number there. Raises OSError."""
        flags = os.O_CLOEXEC if close_on_exec else 0
        buffer = bytearray(ADDITION.pack(call.id, 0, descriptor, 0, flags))
        number_there: int = fcntl.ioctl(self.descriptor, ADD_DESCRIPTOR, buffer)
        return number_there
