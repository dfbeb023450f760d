"""A process with one thread that forks: the part that both kinds of machines share.

It ends with everything it made when the sandbox's end of its socket closes.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import select
import signal
import socket
from collections.abc import Sequence
from typing import Any, NoReturn

from gbg_sandbox.machines import linux, wire

Reply = tuple[dict[str, Any], list[int]]


class ForkServer:
    """An order is a message `{"do": name, "id": …}` for the method `_do_<name>`, which returns the reply."""

    def __init__(self, control: socket.socket) -> None:
        self._control = control
        self._programs: dict[int, int] = {}
        self._wake, wakeup = socket.socketpair()
        for end in (self._wake, wakeup):
            end.setblocking(False)
        self._wakeup = wakeup
        signal.signal(signal.SIGCHLD, lambda _number, _frame: None)
        signal.set_wakeup_fd(wakeup.fileno())

    def serve(self) -> None:
        """Until the sandbox goes away."""
        while True:
            readable, _w, _x = select.select([self._control, self._wake, *self.watched()], [], [])
            for source in readable:
                if source is self._wake:
                    self._wake.recv(4096)
                    self._reap()
                elif source is self._control:
                    received = wire.receive(self._control)
                    if received is None:
                        self.clean_up()
                        return
                    self._obey(*received)
                else:
                    self.attend(source)

    def watched(self) -> Sequence[Any]:
        """More to wait for; `attend` is called with what became readable."""
        return ()

    def attend(self, source: Any) -> None:
        raise NotImplementedError

    def ended(self, pid: int) -> None:
        """A child that was no program has ended."""

    def clean_up(self) -> None:
        """The sandbox is gone: end what would outlive this process."""

    def _reap(self) -> None:
        with contextlib.suppress(ChildProcessError):
            while (over := os.waitpid(-1, os.WNOHANG))[0]:
                pid, status = over
                request = self._programs.pop(pid, None)
                if request is None:
                    self.ended(pid)
                else:
                    self.tell({"id": request, "status": os.waitstatus_to_exitcode(status)})

    def tell(self, message: dict[str, Any], descriptors: Sequence[int] = ()) -> None:
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            wire.send(self._control, message, descriptors)

    def _obey(self, order: dict[str, Any], descriptors: Sequence[int]) -> None:
        try:
            reply: Reply | None = getattr(self, f"_do_{order['do']}")(order, descriptors)
        except Exception as error:  # all machines hang on this process
            reply = {"error": str(error), "errno": getattr(error, "errno", None)}, []
        finally:
            for descriptor in descriptors:
                os.close(descriptor)
        if reply is not None:
            answer, passed = reply
            self.tell({"id": order["id"], **answer}, passed)
            for descriptor in passed:
                os.close(descriptor)

    def enter_network(self, name: str) -> None:
        """Called in a program's process, before it is executed."""

    def _do_spawn(self, order: dict[str, Any], given: Sequence[int]) -> Reply:
        log, *passed = given
        pid = os.fork()
        if pid == 0:
            self._become_program(order["network"], order["argv"], log, passed)
        return {"pid": pid}, []

    def _become_program(self, network: str, argv: list[str], log: int, passed: Sequence[int]) -> NoReturn:
        try:
            linux.die_with_parent()
            os.setsid()
            linux.reset_signals()
            self.enter_network(network)
            high = [fcntl.fcntl(descriptor, fcntl.F_DUPFD, 100) for descriptor in (log, *passed)]
            os.dup2(os.open("/dev/null", os.O_RDONLY), 0)
            for target in (1, 2):
                os.dup2(high[0], target)
            for target, source in enumerate(high[1:], 3):
                os.dup2(source, target)
            for source in high:
                os.close(source)
            os.execvp(argv[0], argv)
        except OSError as error:
            os.write(log, f"{argv[0]}: {error}\n".encode())
        finally:
            os._exit(127)

    def _do_program(self, order: dict[str, Any], _given: Sequence[int]) -> None:
        """A short-lived program with rights over the machines' files; answered when it ends."""
        pid = os.posix_spawnp(order["argv"][0], order["argv"], os.environ)
        self._programs[pid] = order["id"]
