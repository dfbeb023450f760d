"""What the sandbox asks of a machine over descriptor 3 (commands, files, its end), and what it is told."""

from __future__ import annotations

import json
import os
import socket

from init import processes
from init.sockets import LARGEST

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from init.supervisor import Supervisor


class Sandbox:
    def __init__(self, supervisor: Supervisor, line: socket.socket) -> None:
        self._host = supervisor
        self._line = line
        self._commands: dict[int, int] = {}

    def listen(self) -> None:
        self._host.loop.watch(self._line, self._hear)
        self._say({"event": "ready"})

    def ask_for_package(self, number: int, name: str) -> None:
        self._say({"ask": "package", "id": number, "name": name})

    def command_over(self, pid: int, status: int) -> bool:
        """Tell that one of its commands has ended; False when it was none."""
        number = self._commands.pop(pid, None)
        if number is None:
            return False
        code = os.waitstatus_to_exitcode(status)
        self._say({"event": "done", "id": number, "status": code if code >= 0 else 128 - code})
        return True

    def await_commands(self) -> None:
        """They are killed already."""
        while self._commands:
            self.command_over(*os.waitpid(-1, 0))

    def _say(self, message: dict[str, Any], descriptors: Sequence[int] = ()) -> None:
        socket.send_fds(self._line, [json.dumps(message).encode()], list(descriptors))

    def _hear(self) -> None:
        packet, descriptors, _flags, _address = socket.recv_fds(self._line, LARGEST, 4)
        for descriptor in descriptors:
            os.set_inheritable(descriptor, False)
        if not packet:
            self._host.kill_everything()
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
            environment = {"PATH": processes.PATH, "LANG": "C.UTF-8", **self._host.environment}
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
                self._host.kill_family(pid)

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
        self._host.orders.package_came(request["id"], request.get("error", ""), descriptors)

    def _do_poweroff(self, _request: dict[str, Any], _descriptors: Sequence[int]) -> None:
        self._host.end("poweroff")
