"""The page's HTTP: its files, the stream of what changes, and lists that are asked for when opened."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from werkzeug import Request, Response

from gbg_sandbox.page import texts
from gbg_sandbox.page.feed import Feed, Message, TooMany, as_json
from gbg_sandbox.page.guard import guarded, is_ours, refusal

if TYPE_CHECKING:
    from gbg_sandbox.cloud import Cloud

PREFIX = "/_gbg/page/"
STATIC = Path(__file__).parent / "static"
TYPES = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}
PLAIN = "text/plain; charset=utf-8"
READING = ("GET", "HEAD")


class Page:
    def __init__(self, cloud: Cloud) -> None:
        self._cloud = cloud
        self.feed = Feed(cloud)
        self._files = {
            path.relative_to(STATIC).as_posix(): path for path in STATIC.rglob("*") if path.suffix in TYPES
        }

    def wants(self, request: Request) -> bool:
        """Whether the page is meant: its own paths, or `/` unsigned, without query, on this machine's name.

        Everything else at `/` is an AWS request (S3's ListBuckets, every query and JSON service).
        """
        if request.path.startswith(PREFIX):
            return True
        return (
            request.path == "/"
            and request.method in READING
            and not request.query_string
            and "Authorization" not in request.headers
            and is_ours(request)
        )

    def answer(self, request: Request) -> Response:
        why = refusal(request)
        if why:
            return guarded(Response(f"refused: {why}\n", 403, content_type=PLAIN))
        streaming = request.path == PREFIX + "stream"
        if request.method not in READING or (streaming and request.method == "HEAD"):
            return guarded(Response("the page only shows\n", 405, headers={"Allow": "GET, HEAD"}))
        return guarded(self._found(request))

    def _found(self, request: Request) -> Response:
        name = request.path.removeprefix(PREFIX) if request.path != "/" else "index.html"
        if name in self._files:
            path = self._files[name]
            return Response(path.read_bytes(), content_type=TYPES[path.suffix])
        if name == "stream":
            return self._stream()
        if name == "logs":
            return _json(as_json(texts.log_streams(self.feed.ask)))
        kind, _, rest = name.partition("/")
        if kind == "commands":
            return _json(as_json(texts.commands(self.feed.ask, rest)))
        if kind == "text":
            return self._text(request, rest)
        return Response("not found\n", 404, content_type=PLAIN)

    def _text(self, request: Request, name: str) -> Response:
        """304 while it reads as the tab knows it."""
        try:
            response = Response(texts.read(self.feed.ask, name), content_type=PLAIN)
        except texts.NoSuchText as error:
            return Response(f"{error}\n", 404, content_type=PLAIN)
        response.add_etag()
        response.make_conditional(request)
        return response

    def _stream(self) -> Response:
        """Server-sent events: https://html.spec.whatwg.org/multipage/server-sent-events.html"""
        try:
            messages = self.feed.messages()
        except TooMany:
            return Response(
                "too many tabs look already\n", 503, headers={"Retry-After": "5"}, content_type=PLAIN
            )
        return Response(_sent(_about(self._cloud), messages), content_type="text/event-stream")


def _sent(about: str, messages: Iterator[Message]) -> Iterator[bytes]:
    yield f"retry: 1000\nevent: about\ndata: {about}\n\n".encode()
    for name, text in messages:
        yield f"event: {name}\ndata: {text}\n\n".encode()


def _json(text: str) -> Response:
    return Response(text, content_type="application/json")


def _about(cloud: Cloud) -> str:
    return as_json(
        {
            "account": cloud.account,
            "region": cloud.region,
            "machines": cloud.machines.kind,
            "scale": cloud.clock.scale,
            "endpoint": cloud.endpoint_url,
            "now": cloud.clock.now(),
        }
    )
