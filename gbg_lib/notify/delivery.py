"""Brings a message to its addresses; one that can't be reached is told, and keeps nobody else from hearing.

A webhook is tried again when it is busy or can't be reached, never after an answer that another try can't
change. A redirect is such an answer: following it would turn the message into an empty GET.
"""

from __future__ import annotations

import json
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from http.client import HTTPException
from queue import Empty, SimpleQueue
from threading import Thread
from typing import TYPE_CHECKING, Any

from gbg_lib.errors import GbgError, NotDelivered, ParameterError
from gbg_lib.notify.addresses import Address, Kept, Topic, Webhook, parse
from gbg_lib.notify.message import Message

if TYPE_CHECKING:
    from gbg_lib.aws import Aws

SECONDS = 10
"""a webhook's longest answer"""
WAITS = (1.0, 4.0)
"""seconds before the second and the third try"""
BUSY = frozenset({429, 500, 502, 503, 504})


@dataclass(frozen=True)
class Delivery:
    to: str
    what: str = ""
    """why it did not arrive; empty when it did"""

    @property
    def arrived(self) -> bool:
        return not self.what


def deliver(
    message: Message,
    addresses: Iterable[Address],
    open_door: Callable[[], Aws],
    sleep: Callable[[float], None] = time.sleep,
) -> list[Delivery]:
    """One delivery an address. The door is opened only where an address needs AWS."""
    return [_delivery(message, address, open_door, sleep) for address in addresses]


def _delivery(
    message: Message, address: Address, open_door: Callable[[], Aws], sleep: Callable[[float], None]
) -> Delivery:
    try:
        found = _looked_up(open_door(), address) if isinstance(address, Kept) else address
        if isinstance(found, Topic):
            publish(open_door(), found, message)
        else:
            post(found, message, sleep)
    except GbgError as error:
        return Delivery(address.shown, f"{error.where}: {error.what}")
    return Delivery(address.shown)


def publish(aws: Aws, topic: Topic, message: Message) -> None:
    """Raises NotDelivered, AwsError, AccessRefused, NotThere."""
    if topic.region != aws.region:
        raise NotDelivered(
            "sns",
            f"the topic is in {topic.region}, the run in {aws.region}",
            "name a topic of the run's region",
        )
    aws.call("sns", "publish", TopicArn=topic.arn, Subject=message.subject, Message=message.text)


def post(
    webhook: Webhook,
    message: Message,
    sleep: Callable[[float], None] = time.sleep,
    seconds: float = SECONDS,
) -> None:
    """Raises NotDelivered, at the latest after three times so many seconds and what is slept between."""
    for wait in WAITS:
        if not _busy_in_time(webhook, message, seconds):
            return
        sleep(wait)
    if reason := _busy_in_time(webhook, message, seconds):
        raise NotDelivered("webhook", f"{reason}, three times", "is its host reachable from here?")


def _busy_in_time(webhook: Webhook, message: Message, seconds: float) -> str:
    """As `_busy`; a socket's own limit is for each byte, and an answer may come byte by byte for ever."""
    heard: SimpleQueue[str | Exception] = SimpleQueue()

    def ask() -> None:
        try:
            heard.put(_busy(webhook, message))
        except Exception as error:
            heard.put(error)

    Thread(target=ask, daemon=True, name="webhook").start()
    try:
        said = heard.get(timeout=seconds)
    except Empty:
        return f"it has not answered after {seconds:g} s"
    if isinstance(said, Exception):
        raise said
    return said


def _busy(webhook: Webhook, message: Message) -> str:
    """Why to try again; empty when it is delivered. Raises NotDelivered for what stays as it is."""
    request = urllib.request.Request(
        webhook.url,
        data=json.dumps(message.slack).encode(),
        headers={"Content-Type": "application/json", "User-Agent": "golden-blue-green"},
        method="POST",
    )
    try:
        with _opener.open(request, timeout=SECONDS):
            return ""
    except urllib.error.HTTPError as error:
        with error:
            if error.code in BUSY:
                return f"it answers {error.code}"
            raise NotDelivered("webhook", f"it answers {error.code}", "check its address") from error
    except (OSError, HTTPException) as error:
        reason = error.reason if isinstance(error, urllib.error.URLError) else error
        return f"it can't be reached: {reason}"


def _looked_up(aws: Aws, kept: Kept) -> Topic | Webhook:
    """Raises NotDelivered, ParameterError, AwsError, AccessRefused, NotThere."""
    answer = aws.call("ssm", "get_parameter", Name=kept.name, WithDecryption=True)
    match parse(answer["Parameter"]["Value"]):
        case [Topic() | Webhook() as found]:
            return found
    raise ParameterError(kept.shown, "it doesn't hold one topic or webhook", "put one address into it")


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_: Any) -> None:
        return None


_opener = urllib.request.build_opener(_NoRedirect)
