"""What chroot machines ask for is answered from outside: no odd request ends what all machines hang on."""

from __future__ import annotations

import ctypes
import errno
import os
import socket
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, cast

from gbg_sandbox.machines import seccomp
from gbg_sandbox.machines.forkserver import ForkServer, Reply
from gbg_sandbox.machines.seccomp import Listener, Notification
from gbg_sandbox.machines.translation import Resident, Translator


@dataclass
class Waiting:
    """A listener on which one system call waits; keeps how it was answered."""

    call: Notification
    failed: list[int] = field(default_factory=list)
    succeeded: int = 0

    def receive(self) -> Notification:
        return self.call

    def fail(self, call: Notification, number: int) -> None:
        self.failed.append(number)

    def succeed(self, call: Notification, value: int = 0) -> None:
        self.succeeded += 1


def waiting(name: str, *arguments: int) -> Waiting:
    number = seccomp.number(name)
    assert number is not None
    return Waiting(Notification(1, os.getpid(), number, (*arguments, *[0] * (6 - len(arguments)))))


def answer(call: Waiting) -> Resident:
    resident = Resident("127.77.0.2", "10.0.0.4", "machine")
    Translator(cast(Listener, call), resident).serve()
    return resident


def test_a_socket_of_a_kind_that_can_not_be_fails_for_who_asked() -> None:
    call = waiting("socket", socket.AF_INET, 0x80000001, 0)
    answer(call)
    assert (call.failed, call.succeeded) == ([errno.EINVAL], 0)


def test_a_hostname_is_any_bytes() -> None:
    name = ctypes.create_string_buffer(b"\xff\xfe", 2)
    call = waiting("sethostname", ctypes.addressof(name), 2)
    assert os.fsencode(answer(call).hostname) == b"\xff\xfe"
    assert (call.failed, call.succeeded) == ([], 1)


class Server(ForkServer):
    """One that keeps what it tells; it handles no signals."""

    def __init__(self) -> None:
        self.told: list[dict[str, Any]] = []

    def tell(self, message: dict[str, Any], descriptors: Sequence[int] = ()) -> None:
        self.told.append(message)

    def _do_odd(self, order: dict[str, Any], given: Sequence[int]) -> Reply:
        raise UnicodeError("nobody thought of that")


def test_an_order_that_can_not_be_obeyed_is_answered() -> None:
    server = Server()
    server._obey({"do": "odd", "id": 1}, [])
    server._obey({"do": "nothing", "id": 2}, [])
    assert [(one["id"], "error" in one) for one in server.told] == [(1, True), (2, True)]
