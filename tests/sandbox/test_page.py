"""The sandbox's page over HTTP: its stream tells what happens, lets go, and refuses other pages."""

from __future__ import annotations

import itertools
import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import requests

from gbg_sandbox.cloud import Cloud
from gbg_sandbox.page.feed import HEARTBEAT_SECONDS, Feed, TooMany
from gbg_sandbox.service import AwsError, Principal
from tests.sandbox.places import eventually, make_place

SECONDS = 30


def address(cloud: Cloud, path: str = "/") -> str:
    return cloud.endpoint_url.replace("127.0.0.1", "localhost") + path


@contextmanager
def stream(cloud: Cloud) -> Iterator[Iterator[tuple[str, Any]]]:
    """Messages of the page's stream: name and content."""
    with requests.get(address(cloud, "/_gbg/page/stream"), stream=True, timeout=SECONDS) as answer:
        assert answer.status_code == 200
        assert answer.headers["Content-Type"] == "text/event-stream"
        yield _messages(answer.iter_lines(chunk_size=1))


def _messages(lines: Iterator[bytes]) -> Iterator[tuple[str, Any]]:
    name = ""
    for line in lines:
        if line.startswith(b"event: "):
            name = line[7:].decode()
        elif line.startswith(b"data: "):
            yield name, json.loads(line[6:])


def events(messages: Iterator[tuple[str, Any]]) -> Iterator[dict[str, Any]]:
    for name, content in messages:
        if name == "events":
            yield from content


def test_an_event_reaches_who_watches(cloud: Cloud) -> None:
    with stream(cloud) as messages:
        assert next(messages)[0] == "about"
        cloud.events.publish("test", "Something Happened", {"what": "this"})
        found = next(one for one in events(messages) if one["type"] == "Something Happened")
    assert found["detail"] == {"what": "this"}


def test_a_machine_that_starts_shows_among_the_machines(cloud: Cloud) -> None:
    place = make_place(cloud)
    with stream(cloud) as messages:
        [made] = place.launch()
        for name, content in messages:
            if name == "machines" and made in [one["id"] for one in content["items"]]:
                break
    console = requests.get(address(cloud, f"/_gbg/page/text/console/{made}"), timeout=SECONDS)
    assert console.status_code == 200
    again = requests.get(console.url, headers={"If-None-Match": console.headers["ETag"]}, timeout=SECONDS)
    assert again.status_code == 304


def test_a_denial_of_long_ago_is_told_to_who_comes_later(cloud: Cloud) -> None:
    nobody = Principal("user", f"arn:aws:iam::{cloud.account}:user/nobody", cloud.account, user_name="nobody")
    with pytest.raises(AwsError):
        cloud.authorise(nobody, "s3:GetObject", "arn:aws:s3:::secret/x")
    for number in range(500):
        cloud.events.publish("test", "Noise", {"number": number})
    with stream(cloud) as messages:
        denial = next(one for one in events(messages) if one["type"] == "IAM Denial")
    assert denial["detail"]["action"] == "s3:GetObject"


def test_the_page_leaves_no_trace_in_the_trail(cloud: Cloud) -> None:
    with stream(cloud) as messages:
        for name, _ in messages:
            if name == "alarms":
                break
    assert cloud.trail.calls() == []


class Stumbling:
    """The load balancers, which can't be read at the first time."""

    def __init__(self, service: Any) -> None:
        self._service = service
        self.stumbled = False

    def describe_load_balancers(self, call: Any, params: dict[str, Any]) -> Any:
        if call is None and not self.stumbled:
            self.stumbled = True
            raise RuntimeError("not now")
        return self._service.describe_load_balancers(call, params)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._service, name)


def test_a_round_that_fails_does_not_stop_the_page(cloud: Cloud) -> None:
    stumbling: Any = Stumbling(cloud.services["elbv2"])
    cloud.services["elbv2"] = stumbling
    until = time.monotonic() + SECONDS
    with stream(cloud) as messages:
        names = (name for name, _ in messages)
        assert "alarms" in itertools.takewhile(lambda _: time.monotonic() < until, names)
    assert stumbling.stumbled


def test_who_leaves_is_let_go_and_reading_ends_with_the_last(cloud: Cloud) -> None:
    with stream(cloud) as messages:
        next(messages)
        eventually(lambda: cloud.page.feed.watchers == 1)
    eventually(lambda: cloud.page.feed.watchers == 0, 4 * HEARTBEAT_SECONDS)
    eventually(lambda: not _readers())


def _readers() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "page"]


def test_a_stream_ends_with_the_sandbox(cloud: Cloud) -> None:
    ended = threading.Event()

    def watch() -> None:
        for _ in cloud.page.feed.messages():
            pass
        ended.set()

    threading.Thread(target=watch, daemon=True).start()
    eventually(lambda: cloud.page.feed.watchers == 1)
    cloud.clock.stop()
    assert ended.wait(SECONDS)
    assert cloud.page.feed.watchers == 0


def test_more_tabs_than_there_is_room_for_are_told_so(cloud: Cloud) -> None:
    feed = Feed(cloud)
    watching = []
    with pytest.raises(TooMany):
        for _ in range(100):
            watching.append(feed.messages())
            next(watching[-1])
    for one in watching:
        one.close()  # type: ignore[attr-defined]
    assert feed.watchers == 0


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 200),
        ({"Host": "evil.example"}, 403),
        ({"Origin": "http://evil.example"}, 403),
        ({"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Dest": "iframe"}, 403),
    ],
)
def test_only_its_own_tab_is_answered(cloud: Cloud, headers: dict[str, str], status: int) -> None:
    assert requests.get(address(cloud), headers=headers, timeout=SECONDS).status_code == status
    page = requests.get(address(cloud, "/_gbg/page/logs"), headers=headers, timeout=SECONDS)
    assert page.status_code == status


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE"])
def test_nothing_can_be_written(cloud: Cloud, method: str) -> None:
    answer = requests.request(method, address(cloud, "/_gbg/page/stream"), timeout=SECONDS)
    assert answer.status_code == 405


def test_paths_outside_its_files_are_not_found(cloud: Cloud) -> None:
    for path in ("web.py", "%2e%2e/web.py", "..%2fweb.py", "views/", "nothing"):
        assert requests.get(address(cloud, f"/_gbg/page/{path}"), timeout=SECONDS).status_code == 404


def test_aws_requests_at_the_same_address_are_still_aws_requests(cloud: Cloud) -> None:
    cloud.client("s3").create_bucket(Bucket="kept")
    assert requests.post(address(cloud), timeout=SECONDS).status_code == 403
    signed = requests.get(address(cloud), headers={"Authorization": "AWS4-HMAC-SHA256 x"}, timeout=SECONDS)
    assert signed.status_code in (400, 403)
    assert "<!doctype html>" not in signed.text
