"""One connection carries many requests: of clients on the host, and of agents in machines."""

from __future__ import annotations

import http.client
import importlib.util
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError
from werkzeug import Request, Response

import gbg_sandbox
from gbg_sandbox.cloud import Cloud
from gbg_sandbox.gateway.server import Listener
from gbg_sandbox.gateway.tls import Authority

GUEST = Path(gbg_sandbox.__file__).parent / "machines/guest/usr/lib/gbg-guest"


class Door:
    """A listener that can be closed and opened again on its port; answers with what it was told."""

    def __init__(self, tls: Authority | None = None) -> None:
        self._tls = tls
        self.port = 0
        self.callers: list[int] = []
        """each request's port on the other side"""
        self.open()

    def open(self) -> None:
        listening = socket.create_server(("127.0.0.1", self.port))
        self.port = listening.getsockname()[1]
        self._listener = Listener(self._answer, listening, self._tls)
        self._listener.start()

    def close(self) -> None:
        self._listener.stop()

    def _answer(self, environ: Any, start_response: Any) -> Any:
        request = Request(environ)
        self.callers.append(environ["REMOTE_PORT"])
        if request.path == "/endless":
            return Response(part for part in ("one", "two"))(environ, start_response)
        if request.path == "/refused":
            return Response("refused", status=403)(environ, start_response)
        if request.path == "/untyped":
            start_response("200 OK", [("Content-Length", "0")])
            return []
        content = b"" if request.path == "/unread" else request.get_data()
        return Response(request.path.encode() + content)(environ, start_response)


@pytest.fixture
def door() -> Iterator[Door]:
    made = Door()
    yield made
    made.close()


def ask(line: http.client.HTTPConnection, path: str, body: Any = None, **headers: str) -> tuple[str, bool]:
    """What was answered, and whether the connection ends with it."""
    line.request("POST" if body else "GET", path, body=body, headers=headers)
    answer = line.getresponse()
    return answer.read().decode(), answer.will_close


def test_requests_follow_each_other_on_one_connection(door: Door) -> None:
    line = http.client.HTTPConnection("127.0.0.1", door.port)
    assert ask(line, "/a") == ("/a", False)
    assert ask(line, "/unread", b"x" * 100_000) == ("/unread", False), (
        "the next request begins after the body"
    )
    assert ask(line, "/c", b"body", Expect="100-continue") == ("/cbody", False)
    line.request("GET", "/untyped")
    answer = line.getresponse()
    assert answer.read() == b"" and answer.getheader("Content-Type") is None
    assert len(set(door.callers)) == 1
    line.close()


def test_a_connection_ends_where_an_end_can_not_be_told_otherwise(door: Door) -> None:
    line = http.client.HTTPConnection("127.0.0.1", door.port)
    assert ask(line, "/endless") == ("onetwo", True)
    assert ask(line, "/a", iter([b"in ", b"chunks"])) == ("/ain chunks", True)
    assert ask(line, "/b", Connection="close") == ("/b", True)
    line.close()


def test_half_a_request_is_no_request(door: Door) -> None:
    with socket.create_connection(("127.0.0.1", door.port)) as line:
        line.sendall(b"POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nhalf")
        line.shutdown(socket.SHUT_WR)
        assert line.recv(1) == b""
    assert door.callers == []


def test_a_refusal_reaches_a_client_that_sends_in_chunks(door: Door) -> None:
    """What lies unread when a connection is closed resets it, and takes the answer along."""
    line = http.client.HTTPConnection("127.0.0.1", door.port)
    assert ask(line, "/refused", iter([b"x" * 65536] * 200)) == ("refused", True)
    line.close()


@pytest.mark.parametrize(
    ("headers", "told"),
    [
        ("Content-Length: 4\r\nContent-Length: 5", "Content-Length 4, 5 is not one number"),
        ("Content-Length: -4", "Content-Length -4 is not one number"),
        ("Transfer-Encoding: gzip", "Transfer-Encoding gzip is not known here; chunked is"),
        ("Transfer-Encoding: gzip, chunked", "Transfer-Encoding gzip, chunked is not known here; chunked is"),
        ("Transfer-Encoding: chunked", "Invalid chunk header"),
    ],
)
def test_a_request_whose_end_can_not_be_told_is_refused(door: Door, headers: str, told: str) -> None:
    with socket.create_connection(("127.0.0.1", door.port)) as line:
        line.sendall(f"POST /a HTTP/1.1\r\nHost: x\r\n{headers}\r\n\r\n".encode())
        line.shutdown(socket.SHUT_WR)
        answer = line.makefile("rb").read().decode()
    assert answer.startswith("HTTP/1.1 400 BAD REQUEST\r\n") and answer.endswith(f"\r\n\r\n{told}"), answer
    assert door.callers == []


def test_closing_the_door_ends_the_connections_that_wait(door: Door) -> None:
    line = http.client.HTTPConnection("127.0.0.1", door.port)
    assert ask(line, "/a") == ("/a", False)
    door.close()
    line.sock.settimeout(5)
    assert line.sock.recv(1) == b""
    line.close()
    door.open()


def test_an_agent_keeps_its_connection_and_makes_a_new_one_when_it_was_closed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    authority = Authority()
    (tmp_path / "ca.pem").write_bytes(authority.certificate_pem)
    keys = {"AWS_ACCESS_KEY_ID": "key", "AWS_SECRET_ACCESS_KEY": "secret", "AWS_REGION": "us-east-1"}
    for name, value in {**keys, "SSL_CERT_FILE": str(tmp_path / "ca.pem")}.items():
        monkeypatch.setenv(name, value)
    spec = importlib.util.spec_from_file_location("instance_aws", GUEST / "instance_aws.py")
    assert spec is not None and spec.loader is not None
    agent = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(agent)
    door = Door(authority)
    host = f"localhost:{door.port}"
    for number in range(3):
        assert agent.request("ssm", "POST", "/a", body=b"b", host=host).body == b"/ab"
        assert len(set(door.callers)) == (2 if number == 2 else 1)
        if number == 1:
            door.close()
            door.open()
    door.close()


@pytest.mark.parametrize(
    ("service", "operation"),
    [("redshift", "describe_clusters"), ("dynamodb", "list_tables"), ("apigateway", "get_rest_apis")],
)
def test_a_service_that_is_not_there_is_named_in_a_form_that_its_client_reads(
    cloud: Cloud, service: Any, operation: str
) -> None:
    keys = cloud.credentials.issue(cloud.aws, real_seconds=60)
    client = boto3.client(
        service,
        region_name=cloud.region,
        endpoint_url=cloud.endpoint_url,
        aws_access_key_id=keys.access_key,
        aws_secret_access_key=keys.secret_key,
        aws_session_token=keys.token,
        config=Config(retries={"total_max_attempts": 1}),
    )
    with pytest.raises(ClientError) as refused:
        getattr(client, operation)()
    error = refused.value.response["Error"]
    assert error["Code"] == "UnknownService" and f"has no service '{service}'" in error["Message"]
