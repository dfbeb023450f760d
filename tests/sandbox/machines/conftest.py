"""Machines of both kinds, each test module with its own host."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from gbg_sandbox.machines import Machine, Machines, MachineSpec, open_machines
from gbg_sandbox.machines.interface import METADATA_ADDRESS
from tests.sandbox.host import skip_unless_allowed

Boot = Callable[..., Machine]


class Metadata:
    """Just enough of IMDSv2 for a boot: `documents` maps paths under /latest to what they say."""

    def __init__(self, machines: Machines, network: str) -> None:
        self.documents = {
            "meta-data/instance-id": "i-0123456789abcdef0",
            "meta-data/local-hostname": "ip-10-0-1-5.ec2.internal",
            "dynamic/instance-identity/document": json.dumps({"region": "us-east-1", "instanceId": "i-0123"}),
        }
        documents = self.documents

        class Handler(BaseHTTPRequestHandler):
            def do_PUT(self) -> None:
                self._say(200, "token")

            def do_GET(self) -> None:
                found = documents.get(self.path.removeprefix("/latest/"))
                if self.headers.get("X-aws-ec2-metadata-token") != "token":
                    self._say(401, "")
                else:
                    self._say(200 if found is not None else 404, found or "")

            def _say(self, status: int, text: str) -> None:
                body = text.encode()
                self.send_response(status)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *arguments: Any) -> None:
                return

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler, bind_and_activate=False)
        self._server.socket.close()
        self._server.socket = machines.listen(network, METADATA_ADDRESS, 80)
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


@pytest.fixture(scope="module", params=["namespaces", "chroot"])
def machines(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machines]:
    folder = tmp_path_factory.mktemp("machines")
    skip_unless_allowed(request.param, folder)
    opened = open_machines(folder, kind=request.param)
    opened.add_network("vpc-1", "10.0.0.0/16")
    yield opened
    opened.close()


@pytest.fixture
def boot(machines: Machines, request: pytest.FixtureRequest) -> Iterator[Boot]:
    """`boot(address="10.0.1.5", boot=False, …)`: a machine that is terminated after the test."""
    made: list[Machine] = []

    def start(address: str = "10.0.1.5", **fields: Any) -> Machine:
        name = f"i-{len(made)}-{abs(hash(request.node.nodeid)):x}"
        hostname = f"ip-{address.replace('.', '-')}.ec2.internal"
        spec = MachineSpec(
            name, fields.pop("network", "vpc-1"), address, hostname, **{"boot": False, **fields}
        )
        made.append(machines.start(spec))
        return made[-1]

    yield start
    for machine in made:
        machine.terminate()


@pytest.fixture
def metadata(machines: Machines) -> Iterator[Metadata]:
    service = Metadata(machines, "vpc-1")
    yield service
    service.close()


@pytest.fixture
def shell() -> Callable[..., tuple[int, str]]:
    """`shell(machine, "commands")`: exit status and output."""

    def run(machine: Machine, commands: str, **how: Any) -> tuple[int, str]:
        written: list[bytes] = []
        status = machine.run(["bash", "-c", commands], output=written.append, **{"real_seconds": 60, **how})
        return status, b"".join(written).decode()

    return run


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path
