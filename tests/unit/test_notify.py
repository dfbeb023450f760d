"""Notifications: reason first, each address on its own, and no webhook's address in anybody's sight."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from threading import Event, Thread
from typing import Any

import pytest

from gbg_lib.aws import Aws
from gbg_lib.errors import GbgError, NotDelivered, ParameterError
from gbg_lib.notify.addresses import Kept, Topic, Webhook, parse
from gbg_lib.notify.delivery import deliver, post
from gbg_lib.notify.message import Message
from gbg_lib.parameters import checked
from tests.ports import nobody
from tests.unit.aws_fakes import connected, refusal
from tests.webhooks import chat

ARN = "arn:aws:sns:us-east-1:123456789012:releases"
FAILED = Message("failed", "target group <blue> & green: 0 of 2 healthy", "04_release of shop", where="check")


class FakeSns:
    def __init__(self) -> None:
        self.published: list[dict[str, str]] = []

    def publish(self, **message: str) -> dict[str, str]:
        if message["TopicArn"] != ARN:
            raise refusal("NotFoundException", "Topic does not exist")
        self.published.append(message)
        return {"MessageId": "1"}


class FakeParameterStore:
    def __init__(self, value: str) -> None:
        self.value = value

    def get_parameter(self, *, Name: str, WithDecryption: bool) -> dict[str, Any]:  # noqa: N803
        return {"Parameter": {"Name": Name, "Value": self.value if WithDecryption else "AQIC…"}}


def no_door() -> Aws:
    raise AssertionError("nothing here needs AWS")


def test_addresses_are_told_apart() -> None:
    assert parse(f"{ARN}, https://hooks.example/T0/x,ssm:/gbg/chat") == [
        Topic(ARN, "us-east-1"),
        Webhook("https://hooks.example/T0/x"),
        Kept("/gbg/chat"),
    ]
    assert parse("") == []


@pytest.mark.parametrize(
    "text",
    [
        "http://hooks.example/secret-path",
        "https:///secret-path",
        "https://[secret-path",
        "https://hooks.example/secret path",
        f"{ARN}.fifo/secret-path",
        "mailto:secret-path@example.com",
    ],
)
def test_what_is_no_address_is_refused_and_not_repeated(text: str) -> None:
    with pytest.raises(ParameterError) as refused:
        checked({"notify": text}, "-p")
    assert "secret" not in str(refused.value)
    assert "secret" not in str(refused.value.__cause__)
    assert "topic's ARN" in refused.value.what or "https://" in refused.value.what


def test_the_reason_is_the_first_line() -> None:
    assert FAILED.text.splitlines() == [
        "failed: target group <blue> & green: 0 of 2 healthy",
        "where: check",
        "run: 04_release of shop",
    ]


def test_a_subject_fits_sns() -> None:
    subject = Message("failed", "zwölf\nlines " * 30, "x").subject
    assert len(subject) < 100
    assert all(" " <= letter <= "~" for letter in subject)


def test_a_chat_gets_slacks_form_with_its_signs_escaped() -> None:
    with chat() as room:
        [delivery] = deliver(FAILED, [Webhook(room.url)], no_door)
    assert delivery.arrived
    assert room.requests == [("POST", "/services/T0/secret-path", "application/json")]
    [said] = room.said
    assert list(said) == ["text"]
    assert said["text"].startswith("failed: target group &lt;blue&gt; &amp; green")


def test_a_busy_chat_is_tried_again() -> None:
    waits: list[float] = []
    with chat(503, 429) as room:
        [delivery] = deliver(FAILED, [Webhook(room.url)], no_door, waits.append)
    assert delivery.arrived
    assert (len(room.said), waits) == (3, [1.0, 4.0])


@pytest.mark.parametrize("status", [403, 404, 302, 307])
def test_a_chat_that_refuses_is_told_once_without_its_address(status: int) -> None:
    with chat(status) as room:
        [delivery] = deliver(FAILED, [Webhook(room.url)], no_door, lambda _: None)
    assert len(room.requests) == 1
    assert delivery.what == f"webhook: it answers {status}"
    assert delivery.to == "http://127.0.0.1/…"


def test_a_chat_that_answers_byte_by_byte_holds_nobody() -> None:
    with dripping() as port:
        webhook = Webhook(f"http://127.0.0.1:{port}/secret-path")
        with pytest.raises(NotDelivered, match=r"has not answered after 0\.3 s, three times") as told:
            post(webhook, FAILED, lambda _: None, seconds=0.3)
    assert "secret" not in str(told.value)


@contextmanager
def dripping() -> Iterator[int]:
    """The port of a server that sends each visitor a header without an end."""
    over = Event()

    def drip(visitor: socket.socket) -> None:
        with visitor, suppress(OSError):
            visitor.sendall(b"HTTP/1.1 200 OK\r\nX-Slow: ")
            while not over.wait(0.05):
                visitor.sendall(b"x")

    def listen() -> None:
        with suppress(OSError):
            while not over.is_set():
                Thread(target=drip, args=(server.accept()[0],), daemon=True).start()

    with socket.create_server(("127.0.0.1", 0)) as server:
        Thread(target=listen, daemon=True).start()
        yield server.getsockname()[1]
        over.set()
        server.shutdown(socket.SHUT_RDWR)


def test_an_unreachable_chat_keeps_no_topic_from_hearing() -> None:
    sns = FakeSns()
    with nobody() as port:
        gone = Webhook(f"http://127.0.0.1:{port}/services/T0/secret-path")
        gone_too, heard = deliver(
            FAILED, [gone, Topic(ARN, "us-east-1")], lambda: connected(sns=sns), lambda _: None
        )
    assert "can't be reached" in gone_too.what
    assert "secret" not in gone_too.what
    assert heard.arrived
    assert sns.published[0]["Subject"] == FAILED.subject
    assert sns.published[0]["Message"] == FAILED.text


def test_a_topic_that_is_gone_or_elsewhere_is_told() -> None:
    elsewhere = ARN.replace("us-east-1", "eu-west-1")
    gone, abroad = deliver(
        FAILED,
        [Topic(f"{ARN}-not", "us-east-1"), Topic(elsewhere, "eu-west-1")],
        lambda: connected(sns=FakeSns()),
    )
    assert "does not exist" in gone.what
    assert "the topic is in eu-west-1, the run in us-east-1" in abroad.what


def test_an_address_in_parameter_store_is_looked_up() -> None:
    with chat() as room:
        [delivery] = deliver(FAILED, [Kept("/gbg/chat")], lambda: connected(ssm=FakeParameterStore(room.url)))
    assert (delivery.arrived, delivery.to, len(room.said)) == (True, "ssm:/gbg/chat", 1)


@pytest.mark.parametrize("value", ["", "secret", "ssm:/another", f"{ARN},{ARN}"])
def test_a_parameter_that_holds_no_address_is_told_by_its_name(value: str) -> None:
    store = FakeParameterStore(value)
    [delivery] = deliver(FAILED, [Kept("/gbg/chat")], lambda: connected(ssm=store))
    assert not delivery.arrived
    assert delivery.to == "ssm:/gbg/chat"


def test_no_way_into_aws_is_told_like_any_other_reason() -> None:
    def shut() -> Aws:
        raise GbgError("sandbox", "it is not up", "gbg up")

    [delivery] = deliver(FAILED, [Topic(ARN, "us-east-1")], shut)
    assert delivery.what == "sandbox: it is not up"
