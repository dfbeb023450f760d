"""A change that may have happened is not sent again; what surely did not happen is."""

from __future__ import annotations

import json
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

import boto3
import botocore.session
import pytest
from botocore.exceptions import ClientError, ConnectionClosedError, EndpointConnectionError

from gbg_lib.aws import Aws
from gbg_lib.errors import AwsError
from gbg_lib.retries import ATTEMPTS, WITH_TOKEN, repeatable, until_heard
from tests.unit.aws_fakes import refusal

TOKENED_BY = {"start_pipeline_execution": "codepipeline"}


class Answers:
    """Systems Manager on this machine: what it is to answer, and what it was asked for."""

    def __init__(self, *answers: tuple[int, str]) -> None:
        self.answers = list(answers)
        """status and error code of the next answers, status 0 for a connection that ends without one"""
        self.asked: list[str] = []

    def answer(self, handler: BaseHTTPRequestHandler) -> None:
        handler.rfile.read(int(handler.headers["Content-Length"]))
        target = handler.headers["X-Amz-Target"]
        self.asked.append(target.partition(".")[2] if target else handler.command)
        status, code = self.answers.pop(0) if self.answers else (200, "")
        if not status:
            handler.connection.shutdown(socket.SHUT_RDWR)
            return
        body = json.dumps({"__type": code} if code else {}).encode() if target else b""
        handler.send_response(status)
        handler.send_header("Content-Length", str(len(body)))
        handler.end_headers()
        handler.wfile.write(body)


@contextmanager
def door_to(service: Answers) -> Iterator[Aws]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            service.answer(self)

        def do_PUT(self) -> None:
            service.answer(self)

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
    session = boto3.session.Session("AKIAEXAMPLE", "secret", region_name="us-east-1")
    try:
        yield Aws(session, poll_seconds=0, endpoint_url=f"http://127.0.0.1:{server.server_address[1]}")
    finally:
        server.shutdown()
        server.server_close()


LOOKS: tuple[str, dict[str, str]] = ("describe_automation_executions", {})
STARTS = ("start_automation_execution", {"DocumentName": "gbg-bake"})
STOPS = ("stop_automation_execution", {"AutomationExecutionId": "b" * 36})
BROKEN, BUSY, LOST = (500, "InternalServerError"), (400, "ThrottlingException"), (0, "")


@pytest.mark.parametrize(
    ("request_", "answer", "times"),
    [
        (LOOKS, BROKEN, 2),
        (LOOKS, BUSY, 2),
        (LOOKS, LOST, 2),
        (STOPS, BROKEN, 2),
        (STARTS, BUSY, 2),
        (STARTS, BROKEN, 1),
        (STARTS, LOST, 1),
    ],
)
def test_over_the_wire_a_change_that_may_have_happened_is_sent_once(
    request_: tuple[str, dict[str, str]], answer: tuple[int, str], times: int
) -> None:
    operation, params = request_
    service = Answers(answer)
    with door_to(service) as aws, suppress(AwsError) if times == 1 else nullcontext():
        aws.call("ssm", operation, **params)
    assert len(service.asked) == times
    assert set(service.asked) == {operation.title().replace("_", "")}


@pytest.mark.parametrize(("condition", "times"), [({}, 2), ({"IfNoneMatch": "*"}, 1)])
def test_over_the_wire_what_a_run_made_is_written_again_and_a_lock_is_not(
    condition: dict[str, str], times: int
) -> None:
    service = Answers(LOST)
    with door_to(service) as aws, suppress(AwsError) if times == 1 else nullcontext():
        aws.call("s3", "put_object", Bucket="mine", Key="runs/x", Body=b"x", **condition)
    assert service.asked == ["PUT"] * times


def test_what_is_sent_again_slows_down_by_itself_when_aws_is_busy() -> None:
    with door_to(Answers()) as aws:
        aws.call("ssm", LOOKS[0])
    retries = aws._clients["ssm", True].meta.config.retries
    assert (retries["mode"], retries["total_max_attempts"]) == ("adaptive", ATTEMPTS + 1)


class Service:
    def __init__(self, *failures: Exception) -> None:
        self.failures = list(failures)
        self.asked = 0

    def ask(self) -> str:
        self.asked += 1
        if self.failures:
            raise self.failures.pop(0)
        return "done"


def without_sleep() -> tuple[list[float], Callable[[float], None]]:
    slept: list[float] = []
    return slept, slept.append


@pytest.mark.parametrize(
    "failure",
    [refusal("Throttling", "slowly"), EndpointConnectionError(endpoint_url="http://127.0.0.1:1")],
)
def test_what_surely_did_not_happen_is_sent_again(failure: Exception) -> None:
    service = Service(failure, failure)
    slept, sleep = without_sleep()
    assert until_heard(service.ask, sleep) == "done"
    assert (service.asked, len(slept)) == (3, 2)


@pytest.mark.parametrize(
    "failure",
    [refusal("InternalFailure", "perhaps"), ConnectionClosedError(endpoint_url="http://127.0.0.1:1")],
)
def test_what_may_have_happened_is_sent_once(failure: Exception) -> None:
    service = Service(failure)
    with pytest.raises((ClientError, ConnectionClosedError)):
        until_heard(service.ask, lambda _: None)
    assert service.asked == 1


def test_asking_ends() -> None:
    service = Service(*[refusal("Throttling", "slowly")] * (ATTEMPTS + 5))
    with pytest.raises(ClientError):
        until_heard(service.ask, lambda _: None)
    assert service.asked == ATTEMPTS


@pytest.mark.parametrize(
    ("operation", "again"),
    [
        ("describe_stacks", True),
        ("delete_change_set", True),
        ("start_pipeline_execution", True),
        ("execute_change_set", False),
        ("publish", False),
        ("start_automation_execution", False),
    ],
)
def test_reads_and_what_is_the_same_twice_are_repeatable(operation: str, again: bool) -> None:
    assert repeatable(operation) == again


@pytest.mark.parametrize(("condition", "again"), [([], True), (["IfMatch"], False), (["IfNoneMatch"], False)])
def test_an_object_is_written_again_unless_it_is_on_a_condition(condition: list[str], again: bool) -> None:
    assert repeatable("put_object", ["Bucket", "Key", "Body", *condition]) == again


@pytest.mark.parametrize("operation", sorted(WITH_TOKEN))
def test_botocore_gives_a_token_to_those_that_are_repeated_for_it(operation: str) -> None:
    service = TOKENED_BY.get(operation, "ec2")
    session: Any = botocore.session.get_session()
    model = session.get_service_model(service)
    [name] = [one for one in model.operation_names if botocore.xform_name(one) == operation]
    assert model.operation_model(name).idempotent_members
