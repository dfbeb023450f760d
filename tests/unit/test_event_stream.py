"""Who waits for the stream is woken by what concerns it, and misses nothing."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator

import pytest

from gbg_sandbox.events import EventStream

LONG_SECONDS = 30


@pytest.fixture
def stream() -> Iterator[EventStream]:
    made = EventStream()
    yield made
    made.close()


def test_an_event_between_two_waits_is_not_missed(stream: EventStream) -> None:
    watch = stream.watch("aws.ec2", "aws.ssm")
    stream.publish("aws.ssm", "Something", {})
    assert watch.wait(LONG_SECONDS)
    assert not watch.wait(0), "it was told once"


def test_events_before_and_of_others_do_not_wake(stream: EventStream) -> None:
    stream.publish("aws.ec2", "Something", {})
    watch = stream.watch("aws.ec2")
    stream.publish("aws.s3", "Something", {})
    assert not watch.wait(0.01)


def test_an_event_ends_the_wait(stream: EventStream) -> None:
    watch = stream.watch("aws.ec2")
    later = threading.Timer(0.05, lambda: stream.publish("aws.ec2", "Something", {}))
    later.start()
    begun = time.monotonic()
    assert watch.wait(LONG_SECONDS)
    assert time.monotonic() - begun < LONG_SECONDS / 2
