"""pid 1: brings services up, reaps, hears what they print and notify, and ends the machine.

It is spoken to by the machine's own programs (orders.py) and by the sandbox (sandbox.py).
"""

from __future__ import annotations

import os
import signal
import socket
import struct
import time

from init import processes, unitfiles
from init.journal import Journal
from init.loop import Loop
from init.orders import Orders
from init.queue import Queue
from init.sandbox import Sandbox
from init.service import SETTLED, Service
from init.sockets import NOTIFY, bind

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

CREDENTIALS = struct.Struct("3i")
"""pid, uid and gid of who sent a message: unix(7), SCM_CREDENTIALS"""
POWER_OFF_SECONDS = 10.0


class Supervisor:
    notify_path = NOTIFY

    def __init__(
        self, control: socket.socket, proc: int, environment: Mapping[str, str], *, boots: bool
    ) -> None:
        self.environment = dict(environment)
        self.journal = Journal(_boot_id())
        self.services: dict[str, Service] = {}
        self.orders = Orders(self)
        self.sandbox = Sandbox(self, control)
        self._boots = boots
        self._processes = processes.Processes(proc)
        self.loop = Loop(self._complain)
        self.queue = Queue(self.services, self.service)
        self._ending = ""

    # From boot to end

    def run(self) -> str:
        """Until the machine is told to end; "poweroff" or "reboot"."""
        self._listen()
        if self._boots:
            self.journal.write("kernel", "kernel", "Linux version 6.1 (machine of the sandbox)")
            self.queue.add(["default.target"])
        self.sandbox.listen()
        while self._ending not in ("poweroff now", "reboot now"):
            self.loop.turn()
        return self._ending.split()[0]

    def _complain(self, message: str) -> None:
        self.journal.write("init.scope", "systemd[1]", message)
        self.console(message)

    def _listen(self) -> None:
        os.makedirs("/run/systemd", exist_ok=True)
        wake, wakeup = socket.socketpair()
        for end in (wake, wakeup):
            end.setblocking(False)
        self._wake = (wake, wakeup)
        signal.set_wakeup_fd(wakeup.fileno())
        signal.signal(signal.SIGCHLD, lambda _number, _frame: None)
        for ignored in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGPIPE):
            signal.signal(ignored, signal.SIG_IGN)
        self.loop.watch(wake, lambda: self._reap(wake))
        self.orders.listen()
        notify = bind(socket.SOCK_DGRAM, NOTIFY, 0o666)
        notify.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
        self.loop.watch(notify, lambda: self._notified(notify))

    def _reap(self, wake: socket.socket) -> None:
        wake.recv(4096)
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            if self.sandbox.command_over(pid, status):
                continue
            for service in self.services.values():
                if service.owns(pid):
                    service.exited(pid, status)
                    break

    # What services ask for

    def log(self, service: Service, message: str) -> None:
        self.journal.write(service.unit.name, "systemd[1]", message)
        self.console(message)

    def console(self, line: str) -> None:
        os.write(2, f"{line}\n".encode(errors="replace"))

    def members(self, service: Service) -> set[int]:
        found = self._processes.carrying(f"INVOCATION_ID={service.invocation}")
        return found | self._processes.descendants(service.main) if service.main else found

    def spawn_for(
        self,
        service: Service,
        argv: Sequence[str],
        environment: Mapping[str, str],
        directory: str,
        user: str,
        group: str,
        umask: int,
    ) -> int:
        output = self._output_of(service, os.path.basename(argv[0]))
        try:
            return processes.spawn(
                argv, environment, output=output, directory=directory, user=user, group=group, umask=umask
            )
        finally:
            os.close(output)

    def _output_of(self, service: Service, name: str) -> int:
        target = service.unit.service("StandardOutput", "journal")
        if target == "null":
            return os.open("/dev/null", os.O_WRONLY)
        if target.startswith(("append:", "file:", "truncate:")):
            how, _colon, path = target.partition(":")
            mode = os.O_APPEND if how == "append" else os.O_TRUNC
            return os.open(path, os.O_WRONLY | os.O_CREAT | mode, 0o644)
        reader, writer = os.pipe()
        os.set_blocking(reader, False)
        identifier = service.unit.service("SyslogIdentifier", name)
        to_console = "console" in target
        self.loop.watch(reader, lambda: self._output(reader, service.unit.name, identifier, to_console))
        return writer

    def _output(self, reader: int, unit: str, identifier: str, to_console: bool) -> None:
        content = os.read(reader, 65536)
        if not content:
            self.loop.forget(reader)
            os.close(reader)
            return
        text = content.decode(errors="replace")
        self.journal.write(unit, identifier, text)
        if to_console:
            self.console(text.rstrip("\n"))

    def _notified(self, notify: socket.socket) -> None:
        content, ancillary, _flags, _address = notify.recvmsg(65536, socket.CMSG_SPACE(CREDENTIALS.size))
        [(_level, _kind, credentials)] = ancillary
        sender, _uid, _gid = CREDENTIALS.unpack(credentials)
        values = dict(line.partition("=")[::2] for line in content.decode(errors="replace").splitlines())
        if values.get("READY") != "1":
            return
        for service in self.services.values():
            if service.state == "activating" and self._may_notify(service, sender):
                service.main = int(values.get("MAINPID", service.main))
                service.ready()
                return
        message = f"Got READY=1 from PID {sender}, which may speak for no service that starts."
        self.journal.write("init.scope", "systemd[1]", message)

    def _may_notify(self, service: Service, pid: int) -> bool:
        """systemd.service(5), NotifyAccess=: the main process alone, where nothing is said."""
        access = service.unit.service("NotifyAccess", "main")
        if access == "all":
            return pid in self.members(service)
        return pid == service.main or (access == "exec" and service.owns(pid))

    # Services

    def service(self, name: str) -> Service:
        """Loaded anew when its files may have changed and it does not run. Raises UnitError."""
        name = unitfiles.full_name(name)
        known = self.services.get(name)
        if known is not None and known.state in ("active", "activating", "deactivating"):
            return known
        unit = unitfiles.Unit(name)
        if known is None:
            known = self.services.setdefault(unit.name, Service(unit, self))
        else:
            known.unit = unit
        return known

    def end(self, how: str) -> None:
        """Stop what runs, in no more than POWER_OFF_SECONDS, then power off or reboot."""
        if self._ending:
            return
        self._ending = how
        self.queue.clear()
        self.journal.write("init.scope", "systemd[1]", f"System is going down ({how}).")
        for service in list(self.services.values()):
            if service.state in ("active", "activating"):
                service.stop()
        self._await_the_end(time.monotonic() + POWER_OFF_SECONDS)

    def _await_the_end(self, deadline: float) -> None:
        busy = any(service.state not in SETTLED for service in self.services.values())
        if busy and time.monotonic() < deadline:
            self.loop.after(0.02, lambda: self._await_the_end(deadline))
            return
        self.kill_everything()
        self.sandbox.await_commands()
        self._ending = f"{self._ending} now"

    def kill_family(self, pid: int) -> None:
        processes.kill(self._processes.descendants(pid), signal.SIGKILL)

    def kill_everything(self) -> None:
        own = os.getpid()
        processes.kill(self._processes.descendants(own) - {own}, signal.SIGKILL)


def _boot_id() -> str:
    return os.urandom(16).hex()
