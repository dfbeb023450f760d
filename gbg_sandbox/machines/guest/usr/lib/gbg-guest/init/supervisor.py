"""pid 1: boots, reaps, keeps services, answers systemctl and the sandbox.

Two sockets lead here: `/run/systemd/private` for the machine's own programs, and descriptor 3, over which the
sandbox runs commands, opens files and says when to power off.
"""

from __future__ import annotations

import itertools
import json
import os
import signal
import socket
import sys
import time

from init import processes, unitfiles
from init.journal import Journal
from init.loop import Loop
from init.queue import Queue
from init.service import SETTLED, Service

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from typing import Any

    Answer = Callable[[dict[str, Any]], None]

PRIVATE = "/run/systemd/private"
NOTIFY = "/run/systemd/notify"
LARGEST = 128 * 1024
POWER_OFF_SECONDS = 10.0


class Supervisor:
    notify_path = NOTIFY

    def __init__(
        self, control: socket.socket, proc: int, environment: Mapping[str, str], *, boots: bool
    ) -> None:
        self.environment = dict(environment)
        self.journal = Journal(_boot_id())
        self.services: dict[str, Service] = {}
        self._control = control
        self._boots = boots
        self._processes = processes.Processes(proc)
        self.loop = Loop(self._complain)
        self.queue = Queue(self.services, self.service)
        self._numbers = itertools.count(1)
        self._commands: dict[int, int] = {}
        self._package_clients: dict[int, socket.socket] = {}
        self._ending = ""

    # From boot to end

    def run(self) -> str:
        """Until the machine is told to end; "poweroff" or "reboot"."""
        self._listen()
        if self._boots:
            self.journal.write("kernel", "kernel", "Linux version 6.1 (machine of the sandbox)")
            self.queue.add(["default.target"])
        self._say({"event": "ready"})
        while self._ending not in ("poweroff now", "reboot now"):
            self.loop.turn()
        return self._ending.split()[0]

    def _complain(self, message: str) -> None:
        self.journal.write("init.scope", "systemd[1]", message)
        self._console(message)

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
        self.loop.watch(self._control, self._from_sandbox)
        private = _socket(socket.SOCK_SEQPACKET, PRIVATE)
        private.listen(64)
        self.loop.watch(private, lambda: self._accept(private))
        self._notify = _socket(socket.SOCK_DGRAM, NOTIFY)
        self.loop.watch(self._notify, self._notified)

    def _reap(self, wake: socket.socket) -> None:
        wake.recv(4096)
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            if self._command_over(pid, status):
                continue
            for service in self.services.values():
                if service.owns(pid):
                    service.exited(pid, status)
                    break

    def _command_over(self, pid: int, status: int) -> bool:
        """Tell the sandbox that one of its commands has ended; False when it was none."""
        number = self._commands.pop(pid, None)
        if number is None:
            return False
        code = os.waitstatus_to_exitcode(status)
        self._say({"event": "done", "id": number, "status": code if code >= 0 else 128 - code})
        return True

    # What services ask for

    def log(self, service: Service, message: str) -> None:
        self.journal.write(service.unit.name, "systemd[1]", message)
        self._console(message)

    def _console(self, line: str) -> None:
        os.write(2, f"{line}\n".encode(errors="replace"))

    def members(self, service: Service) -> set[int]:
        found = self._processes.carrying(f"INVOCATION_ID={service.invocation}")
        return found | self._processes.descendants(service.main) if service.main else found

    def remove_tree(self, path: str) -> None:
        remove_tree(path)

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
            self._console(text.rstrip("\n"))

    def _notified(self) -> None:
        text = self._notify.recv(65536).decode(errors="replace")
        values = dict(line.partition("=")[::2] for line in text.splitlines())
        for service in self.services.values():
            if values.get("READY") == "1" and service.state == "activating":
                service.main = int(values.get("MAINPID", service.main))
                service.ready()

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

    # systemctl

    def _accept(self, private: socket.socket) -> None:
        client, _address = private.accept()
        self.loop.watch(client, lambda: self._from_client(client))

    def _from_client(self, client: socket.socket) -> None:
        packet = client.recv(LARGEST)
        if not packet:
            self.loop.forget(client)
            client.close()
            return
        request = json.loads(packet)

        def answer(message: dict[str, Any]) -> None:
            try:
                client.send(json.dumps(message).encode())
            except OSError as error:
                self._console(f"systemd: a client left before its answer: {error}")

        if request["do"] == "package":
            number = next(self._numbers)
            self._package_clients[number] = client
            self._say({"ask": "package", "id": number, "name": request["name"]})
            return
        try:
            self._act(request, answer)
        except unitfiles.UnitError as error:
            answer({"error": type(error).__name__, "message": str(error)})

    def _act(self, request: dict[str, Any], answer: Answer) -> None:
        verb = request["do"]
        if verb in ("poweroff", "reboot"):
            answer({})
            self.end(verb)
            return
        if verb == "list":
            answer({"units": [self._describe(service) for service in self.services.values()]})
            return
        service = self.service(request["unit"])
        if verb == "show":
            answer(self._describe(service))
        elif verb == "start":
            self.queue.add([service.unit.name])
            self._answer_when_settled(service, answer)
        elif verb == "stop":
            service.stop()
            self._answer_when_settled(service, answer)
        elif verb == "restart":
            self._restart(service, answer)
        elif verb == "reload":
            service.reload(
                lambda ok: answer({} if ok else {"error": "Reload", "message": "Job type reload failed"})
            )
        elif verb == "kill":
            processes.kill(self.members(service), request["signal"])
            answer({})
        elif verb == "reset-failed":
            if service.state == "failed":
                service.state, service.sub = "inactive", "dead"
            answer({})
        else:
            answer({"error": "Verb", "message": f"Unknown operation {verb}"})

    def _restart(self, service: Service, answer: Answer) -> None:
        def start(_stopped: Service) -> None:
            fresh = self.service(service.unit.name)
            self.loop.after(0, lambda: self._start_and_answer(fresh, answer))

        service.stop()
        service.when_settled(start)

    def _start_and_answer(self, service: Service, answer: Answer) -> None:
        self.queue.add([service.unit.name])
        self._answer_when_settled(service, answer)

    def _answer_when_settled(self, service: Service, answer: Answer) -> None:
        if service.unit.name in self.queue:
            self.loop.after(0.01, lambda: self._answer_when_settled(service, answer))
        else:
            service.when_settled(lambda settled: answer(self._describe(settled)))

    def _describe(self, service: Service) -> dict[str, Any]:
        unit = service.unit
        return {
            "unit": unit.name,
            "description": unit.description,
            "path": unit.path,
            "drop_ins": unit.drop_ins,
            "state": service.state,
            "sub": service.sub,
            "result": service.result,
            "status": service.status,
            "main": service.main,
            "kind": service.kind,
            "since": service.since,
            "enabled": unitfiles.enabled_state(unit.name),
            "restart": unit.service("Restart", "no"),
            "restarts": len(service.restarts),
            "pids": sorted(self.members(service)) if service.state in ("active", "deactivating") else [],
        }

    # The sandbox

    def _say(self, message: dict[str, Any], descriptors: Sequence[int] = ()) -> None:
        socket.send_fds(self._control, [json.dumps(message).encode()], list(descriptors))

    def _from_sandbox(self) -> None:
        packet, descriptors, _flags, _address = socket.recv_fds(self._control, LARGEST, 4)
        for descriptor in descriptors:
            os.set_inheritable(descriptor, False)
        if not packet:
            self._kill_everything()
            os._exit(1)
        request = json.loads(packet)
        try:
            getattr(self, f"_do_{request['do']}")(request, descriptors)
        finally:
            for descriptor in descriptors:
                os.close(descriptor)

    def _do_run(self, request: dict[str, Any], descriptors: Sequence[int]) -> None:
        user = request["user"]
        try:
            environment = {"PATH": processes.PATH, "LANG": "C.UTF-8", **self.environment}
            environment |= processes.user_environment(user) | request["environment"]
        except KeyError:
            os.write(descriptors[0], f"user {user} does not exist\n".encode())
            self._say({"event": "done", "id": request["id"], "status": processes.USER_FAILED})
            return
        pid = processes.spawn(
            request["argv"], environment, output=descriptors[0], directory=request["directory"], user=user
        )
        self._commands[pid] = request["id"]

    def _do_kill(self, request: dict[str, Any], _descriptors: Sequence[int]) -> None:
        for pid, number in self._commands.items():
            if number == request["id"]:
                processes.kill(self._processes.descendants(pid), signal.SIGKILL)

    def _do_open(self, request: dict[str, Any], _descriptors: Sequence[int]) -> None:
        try:
            if request["flags"] & os.O_CREAT:
                os.makedirs(os.path.dirname(request["path"]) or "/", exist_ok=True)
            descriptor = os.open(request["path"], request["flags"], request["mode"])
            if request["flags"] & os.O_CREAT:
                os.fchmod(descriptor, request["mode"])
        except OSError as error:
            self._say({"event": "opened", "id": request["id"], "error": error.errno})
            return
        self._say({"event": "opened", "id": request["id"]}, [descriptor])
        os.close(descriptor)

    def _do_package(self, request: dict[str, Any], descriptors: Sequence[int]) -> None:
        client = self._package_clients.pop(request["id"])
        message = json.dumps({"error": request["error"]} if request.get("error") else {}).encode()
        socket.send_fds(client, [message], list(descriptors))

    def _do_poweroff(self, _request: dict[str, Any], _descriptors: Sequence[int]) -> None:
        self.end("poweroff")

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
        self._kill_everything()
        while self._commands:
            pid, status = os.waitpid(-1, 0)
            self._command_over(pid, status)
        self._ending = f"{self._ending} now"

    def _kill_everything(self) -> None:
        own = os.getpid()
        processes.kill(self._processes.descendants(own) - {own}, signal.SIGKILL)


def _socket(kind: int, path: str) -> socket.socket:
    if os.path.exists(path):
        os.unlink(path)
    bound = socket.socket(socket.AF_UNIX, kind)
    bound.bind(path)
    os.chmod(path, 0o600 if path == PRIVATE else 0o666)
    return bound


def remove_tree(path: str) -> None:
    for directory, folders, files in os.walk(path, topdown=False):
        for name in files:
            os.unlink(f"{directory}/{name}")
        for name in folders:
            entry = f"{directory}/{name}"
            if os.path.islink(entry):
                os.unlink(entry)
            else:
                os.rmdir(entry)
    if os.path.isdir(path):
        os.rmdir(path)


def _boot_id() -> str:
    return os.urandom(16).hex()


def fresh_machine_id() -> None:
    """systemd writes /etc/machine-id at the first boot, when an image left it empty."""
    path = "/etc/machine-id"
    with open(path, "a+", encoding="ascii") as file:
        file.seek(0)
        if not file.read().strip().replace("uninitialized", ""):
            file.truncate(0)
            file.write(os.urandom(16).hex() + "\n")


def main() -> None:
    boots = "--boot" in sys.argv
    control = socket.socket(fileno=3)
    control.set_inheritable(False)
    proc = 4 if "--proc-descriptor" in sys.argv else os.open("/proc", os.O_RDONLY | os.O_DIRECTORY)
    os.set_inheritable(proc, False)
    os.umask(0o022)
    os.makedirs("/run/systemd/resolve", exist_ok=True)
    nameserver = os.environ.pop("GBG_NAMESERVER", "169.254.169.253")
    with open("/run/systemd/resolve/resolv.conf", "w", encoding="ascii") as file:
        file.write(f"nameserver {nameserver}\nsearch ec2.internal\noptions timeout:2 attempts:2\n")
    if boots:
        fresh_machine_id()
    environment = {name: value for name, value in os.environ.items() if name not in ("PATH", "LANG", "HOME")}
    how = Supervisor(control, proc, environment, boots=boots).run()
    if how == "reboot":
        for volatile in ("/run", "/tmp"):
            for name in os.listdir(volatile):
                path = f"{volatile}/{name}"
                if os.path.isdir(path) and not os.path.islink(path):
                    remove_tree(path)
                else:
                    os.unlink(path)
        control.set_inheritable(True)
        if "--proc-descriptor" in sys.argv:
            os.set_inheritable(proc, True)
        os.environ["GBG_NAMESERVER"] = nameserver
        os.execv(sys.argv[0], sys.argv)
    os._exit(0)
