"""The network that all build containers share: role credentials and the Maven mirror live there.

A container finds its service role's keys at 169.254.170.2, as on AWS; the path, which only it knows, says
whose.
https://docs.aws.amazon.com/sdkref/latest/guide/feature-container-credentials.html
"""

from __future__ import annotations

import json
import logging
import secrets
import socket
import threading
from collections.abc import Callable
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING

from gbg_sandbox.credentials import Credential
from gbg_sandbox.maven.kept import KeptArtifacts
from gbg_sandbox.maven.mirror import Mirror
from gbg_sandbox.maven.repository import Notice
from gbg_sandbox.maven.upstream import open_repository

if TYPE_CHECKING:
    from gbg_sandbox.cloud import Cloud

log = logging.getLogger(__name__)

NETWORK = "codebuild"
CIDR = "172.30.0.0/16"
ADDRESS = "169.254.170.2"
MIRROR_PORT = 8081
CREDENTIALS_PATH = "/v2/credentials/"


class BuildNetwork:
    """Made with the first build, so that a sandbox without builds pays nothing."""

    def __init__(self, cloud: Cloud) -> None:
        self._cloud = cloud
        self._lock = threading.Lock()
        self._taken: set[int] = set()
        self._credentials: _CredentialServer | None = None
        self._mirror: Mirror | None = None
        self._kept: KeptArtifacts | None = None

    def open(self) -> Mirror:
        """The network with its servers; returns the Maven mirror."""
        with self._lock:
            if self._mirror is None:
                machines = self._cloud.machines
                machines.add_network(NETWORK, CIDR)
                self._cloud.network_added(NETWORK)
                self._credentials = _CredentialServer(machines.listen(NETWORK, ADDRESS, 80))
                repository = open_repository(self._cloud.state_dir / "maven")
                self._kept = KeptArtifacts(repository)
                self._mirror = Mirror(repository, machines.listen(NETWORK, ADDRESS, MIRROR_PORT))
            return self._mirror

    def take_address(self) -> str:
        """A private address that no running build has, to be given back with `free_address`."""
        with self._lock:
            number = next(free for free in range(10_000) if free not in self._taken)
            self._taken.add(number)
        third, fourth = divmod(number, 200)
        return f"172.30.{third}.{fourth + 10}"

    def free_address(self, address: str) -> None:
        third, fourth = address.split(".")[2:]
        with self._lock:
            self._taken.discard(int(third) * 200 + int(fourth) - 10)

    def offer(self, keys: Callable[[], Credential]) -> str:
        """Serve a role's keys; returns the path for AWS_CONTAINER_CREDENTIALS_RELATIVE_URI."""
        assert self._credentials is not None
        path = CREDENTIALS_PATH + secrets.token_urlsafe(16)
        self._credentials.offers[path] = keys
        return path

    def withdraw(self, path: str) -> None:
        if self._credentials is not None:
            self._credentials.offers.pop(path, None)

    def maven_layer(self, notice: Notice) -> list[Path]:
        """What builds fetched before, as a layer of the image."""
        assert self._kept is not None
        return self._kept.layer(notice)

    def close_build(self, build: str) -> None:
        """The image of later builds has what this one fetched."""
        if self._mirror is not None and self._kept is not None:
            self._kept.add(self._mirror.close(build))

    def close(self) -> None:
        with self._lock:
            if self._credentials is not None:
                self._credentials.close()
            if self._mirror is not None:
                self._mirror.stop()
            self._credentials = self._mirror = None


class _CredentialServer(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False

    def __init__(self, listening: socket.socket) -> None:
        super().__init__(("127.0.0.1", 0), _CredentialHandler, bind_and_activate=False)
        self.socket.close()
        self.socket = listening
        self.offers: dict[str, Callable[[], Credential]] = {}
        self._thread = threading.Thread(
            target=self.serve_forever, kwargs={"poll_interval": 0.2}, name="build credentials", daemon=True
        )
        self._thread.start()

    def close(self) -> None:
        self.shutdown()
        self._thread.join(timeout=2)
        self.server_close()


class _CredentialHandler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = -1
    timeout = 30
    server: _CredentialServer

    def do_GET(self) -> None:
        keys = self.server.offers.get(self.path)
        if keys is None:
            self._reply(
                HTTPStatus.NOT_FOUND, {"code": "InvalidIdException", "message": "no such credentials"}
            )
            return
        credential = keys()
        assert credential.expires is not None
        self._reply(
            HTTPStatus.OK,
            {
                "AccessKeyId": credential.access_key,
                "SecretAccessKey": credential.secret_key,
                "Token": credential.token,
                "Expiration": f"{credential.expires:%Y-%m-%dT%H:%M:%SZ}",
            },
        )

    def _reply(self, status: HTTPStatus, content: dict[str, str]) -> None:
        body = json.dumps(content).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        log.debug(format, *args)
