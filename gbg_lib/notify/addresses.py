"""Where notifications go: `arn:aws:sns:…`, `https://…`, or `ssm:/name`, which holds one of the two.

A webhook's address is its password: it is never told to anyone but its host, and a parameters file that many
read holds `ssm:/name` in its place (a SecureString of Systems Manager's Parameter Store).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import urlsplit

from gbg_lib.errors import ParameterError

TOPIC = re.compile(r"arn:aws[a-z-]*:sns:(?P<region>[a-z0-9-]+):\d{12}:[A-Za-z0-9_-]{1,256}")
KEPT = re.compile(r"ssm:(?P<name>/[A-Za-z0-9_./-]+)")
LOOPBACK = ("127.0.0.1", "localhost", "::1")
FORM = "a topic's ARN, an https:// address, or ssm:/name of a parameter that holds one; several with a comma"


@dataclass(frozen=True)
class Topic:
    arn: str
    region: str

    @property
    def shown(self) -> str:
        return self.arn


@dataclass(frozen=True)
class Webhook:
    url: str

    @property
    def shown(self) -> str:
        """Without what makes it a password."""
        parts = urlsplit(self.url)
        return f"{parts.scheme}://{parts.hostname}/…"


@dataclass(frozen=True)
class Kept:
    """In Parameter Store, under this name."""

    name: str

    @property
    def shown(self) -> str:
        return f"ssm:{self.name}"


Address = Topic | Webhook | Kept


def parse(text: str) -> list[Address]:
    """The addresses of a `notify` parameter. Raises ParameterError, which tells no webhook's address."""
    return [_parsed(word) for word in (part.strip() for part in text.split(",")) if word]


def _parsed(word: str) -> Address:
    if found := TOPIC.fullmatch(word):
        return Topic(word, found["region"])
    if found := KEPT.fullmatch(word):
        return Kept(found["name"])
    if word.startswith(("https://", "http://")):
        return _webhook(word)
    raise ParameterError("notify", f"{word.split(':')[0]}:… is no address", FORM)


def _webhook(word: str) -> Webhook:
    try:
        parts = urlsplit(word)
        host, _ = parts.hostname, parts.port
    except ValueError as error:
        raise ParameterError("notify", f"a webhook's address can't be read: {error}", FORM) from error
    if not host or re.search(r"\s", word):
        raise ParameterError("notify", "a webhook's address has no host, or a blank in it", FORM)
    if parts.scheme == "http" and host not in LOOPBACK:
        raise ParameterError("notify", f"{host} would be told over plain http", "write https://")
    return Webhook(word)
