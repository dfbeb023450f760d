"""The fork server of the chroot kind: machines in a default container, where namespaces are forbidden.

Started as `python -m gbg_sandbox.machines.chroot_host DESCRIPTOR`. It supervises the machines' network calls
(translation.py) and, having no process namespaces, finds a machine's processes by their parents.
"""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NoReturn

from gbg_sandbox.machines import birth, linux, seccomp, translation, wire
from gbg_sandbox.machines.forkserver import ForkServer, Reply
from gbg_sandbox.machines.seccomp import Listener
from gbg_sandbox.machines.translation import Resident, Translator

KEPT_CAPABILITIES = (0, 1, 3, 4, 5, 6, 7, 8, 10, 18)
"""chown, dac_override, fowner, fsetid, kill, setgid, setuid, setpcap, net_bind_service, sys_chroot"""
LAST_CAPABILITY = 40
PROC_DESCRIPTOR = 4


def _children() -> dict[int, list[int]]:
    """parent → children, of every process that can be seen."""
    found: dict[int, list[int]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError):
                fields = (entry / "stat").read_bytes().rpartition(b")")[2].split()
                if fields[0] != b"Z":
                    found.setdefault(int(fields[1]), []).append(int(entry.name))
    return found


def descendants(root: int) -> list[int]:
    children, found, waiting = _children(), [], [root]
    while waiting:
        below = children.get(waiting.pop(), [])
        found += below
        waiting += below
    return found


def _kill(pid: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)


class ChrootHost(ForkServer):
    def __init__(self, control: socket.socket) -> None:
        super().__init__(control)
        self._tables: dict[str, dict[str, str]] = {}
        self._machines: dict[int, Translator] = {}
        self._spawned: set[int] = set()
        linux.prctl(linux.PR_SET_CHILD_SUBREAPER, 1)
        self.tell({"event": "up"})

    def watched(self) -> Sequence[Any]:
        return [machine.listener for machine in self._machines.values()]

    def attend(self, source: Any) -> None:
        for machine in self._machines.values():
            if machine.listener is source:
                machine.serve()

    def _do_table(self, order: dict[str, Any], _given: Sequence[int]) -> Reply:
        """The addresses of a network as they are now."""
        table = self._tables.setdefault(order["network"], {})
        table.clear()
        table.update(order["table"])
        return {}, []

    def _do_start(self, order: dict[str, Any], given: Sequence[int]) -> Reply:
        ours, theirs = socket.socketpair()
        pid = os.fork()
        if pid == 0:
            _become_machine(order, theirs, *given)
        theirs.close()
        _byte, descriptors = wire.receive_descriptors(ours, 1)
        ours.close()
        if descriptors:
            table = self._tables[order["network"]]
            resident = Resident(order["loopback"], order["address"], order["hostname"], table)
            self._machines[pid] = Translator(Listener(descriptors[0]), resident)
        return {"pid": pid}, []

    def _do_spawn(self, order: dict[str, Any], given: Sequence[int]) -> Reply:
        answer, passed = super()._do_spawn(order, given)
        self._spawned.add(answer["pid"])
        return answer, passed

    def _do_kill(self, order: dict[str, Any], _given: Sequence[int]) -> Reply:
        self._kill_tree(order["pid"])
        return {}, []

    def _kill_tree(self, pid: int) -> None:
        """pid 1 last, so that no orphan escapes to another parent meanwhile."""
        while below := descendants(pid):
            for process in below:
                _kill(process)
            self._serve_waiting()
        _kill(pid)

    def _serve_waiting(self) -> None:
        """A process that waits for our answer can still be killed; nothing to do but not to spin."""
        os.sched_yield()

    def ended(self, pid: int) -> None:
        machine = self._machines.pop(pid, None)
        self._spawned.discard(pid)
        if machine is not None:
            os.close(machine.listener.descriptor)
            self._sweep()

    def _sweep(self) -> None:
        """Processes whose pid 1 died under them have become our children."""
        known = {*self._machines, *self._spawned, *self._programs}
        for pid in _children().get(os.getpid(), []):
            if pid not in known:
                self._kill_tree(pid)

    def clean_up(self) -> None:
        for pid in list(self._machines):
            self._kill_tree(pid)
        for pid in descendants(os.getpid()):
            _kill(pid)


def _become_machine(order: dict[str, Any], host: socket.socket, control: int, console: int) -> NoReturn:
    try:
        linux.die_with_parent()
        os.setsid()
        linux.reset_signals()
        linux.prctl(linux.PR_SET_CHILD_SUBREAPER, 1)
        birth.standard_streams(control, console)
        proc = os.open("/proc", os.O_RDONLY | os.O_DIRECTORY)
        _drop_capabilities()
        linux.prctl(linux.PR_SET_NO_NEW_PRIVS, 1)
        listener = seccomp.install(translation.RULES, listener=True)
        socket.send_fds(host, [b"x"], [listener])
        os.close(listener)
        os.chroot(f"{order['folder']}/root")
        os.chdir("/")
        if proc != PROC_DESCRIPTOR:
            os.dup2(proc, PROC_DESCRIPTOR)
        os.set_inheritable(PROC_DESCRIPTOR, True)
        argv = [birth.PID1, "--boot" if order["boot"] else "--no-boot", "--proc-descriptor"]
        environment = {"PATH": "/usr/sbin:/usr/bin", "HOME": "/root", **order["environment"]}
        os.execve(birth.PID1, argv, environment)
    except BaseException as error:
        with contextlib.suppress(OSError), socket.socket(fileno=os.dup(3)) as line:
            wire.send(line, {"event": "failed", "message": f"{type(error).__name__}: {error}"})
    finally:
        os._exit(1)


def _drop_capabilities() -> None:
    for capability in range(LAST_CAPABILITY + 1):
        if capability not in KEPT_CAPABILITIES:
            with contextlib.suppress(OSError):
                linux.prctl(linux.PR_CAPBSET_DROP, capability)


def main() -> None:
    control = socket.socket(fileno=int(sys.argv[1]))
    control.set_inheritable(False)
    if os.geteuid() != 0:
        wire.send(control, {"event": "failed", "message": "chroot needs root"})
        return
    ChrootHost(control).serve()


if __name__ == "__main__":
    main()
