"""What the machine's own programs order over `/run/systemd/private`: systemctl's verbs, and packages."""

from __future__ import annotations

import itertools
import json
import socket

from init import processes, unitfiles
from init.sockets import LARGEST, PRIVATE, bind

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Any

    from init.service import Service
    from init.supervisor import Supervisor

    Answer = Callable[[dict[str, Any]], None]


class Orders:
    def __init__(self, supervisor: Supervisor) -> None:
        self._host = supervisor
        self._numbers = itertools.count(1)
        self._package_clients: dict[int, socket.socket] = {}

    def listen(self) -> None:
        private = bind(socket.SOCK_SEQPACKET, PRIVATE, 0o600)
        private.listen(64)
        self._host.loop.watch(private, lambda: self._accept(private))

    def package_came(self, number: int, error: str, descriptors: Sequence[int]) -> None:
        """The sandbox's answer to who asked for a package."""
        message = json.dumps({"error": error} if error else {}).encode()
        socket.send_fds(self._package_clients.pop(number), [message], list(descriptors))

    def _accept(self, private: socket.socket) -> None:
        client, _address = private.accept()
        self._host.loop.watch(client, lambda: self._hear(client))

    def _hear(self, client: socket.socket) -> None:
        packet = client.recv(LARGEST)
        if not packet:
            self._host.loop.forget(client)
            client.close()
            return
        request = json.loads(packet)

        def answer(message: dict[str, Any]) -> None:
            try:
                client.send(json.dumps(message).encode())
            except OSError as error:
                self._host.console(f"systemd: a client left before its answer: {error}")

        if request["do"] == "package":
            number = next(self._numbers)
            self._package_clients[number] = client
            self._host.sandbox.ask_for_package(number, request["name"])
            return
        try:
            self._act(request, answer)
        except unitfiles.UnitError as error:
            answer({"error": type(error).__name__, "message": str(error)})

    def _act(self, request: dict[str, Any], answer: Answer) -> None:
        verb = request["do"]
        if verb in ("poweroff", "reboot"):
            answer({})
            self._host.end(verb)
        elif verb == "list":
            answer({"units": [self._describe(service) for service in self._host.services.values()]})
        else:
            self._act_on(self._host.service(request["unit"]), request, answer)

    def _act_on(self, service: Service, request: dict[str, Any], answer: Answer) -> None:
        verb = request["do"]
        if verb == "show":
            answer(self._describe(service))
        elif verb == "start":
            self._start(service, answer)
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
            processes.kill(self._host.members(service), request["signal"])
            answer({})
        elif verb == "reset-failed":
            if service.state == "failed":
                service.state, service.sub = "inactive", "dead"
            answer({})
        else:
            answer({"error": "Verb", "message": f"Unknown operation {verb}"})

    def _start(self, service: Service, answer: Answer) -> None:
        self._host.queue.add([service.unit.name])
        self._answer_when_settled(service, answer)

    def _restart(self, service: Service, answer: Answer) -> None:
        def start(_stopped: Service) -> None:
            fresh = self._host.service(service.unit.name)
            self._host.loop.after(0, lambda: self._start(fresh, answer))

        service.stop()
        service.when_settled(start)

    def _answer_when_settled(self, service: Service, answer: Answer) -> None:
        if service.unit.name in self._host.queue:
            self._host.loop.after(0.01, lambda: self._answer_when_settled(service, answer))
        else:
            service.when_settled(lambda settled: answer(self._describe(settled)))

    def _describe(self, service: Service) -> dict[str, Any]:
        unit = service.unit
        alive = service.state in ("active", "deactivating")
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
            "pids": sorted(self._host.members(service)) if alive else [],
        }
