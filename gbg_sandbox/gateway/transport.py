"""botocore clients whose requests never leave the process."""

from __future__ import annotations

import io
import threading
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import urlsplit

import botocore.session
from botocore.awsrequest import AWSPreparedRequest, AWSResponse
from botocore.client import BaseClient
from botocore.compat import HTTPHeaders
from botocore.config import Config
from moto.core.request import Request as MotoRequest
from werkzeug import Request, Response

_lock = threading.Lock()
_session: botocore.session.Session | None = None

CONFIG = Config(
    retries={"total_max_attempts": 1},
    s3={"addressing_style": "path"},
    request_checksum_calculation="when_required",
    response_checksum_validation="when_required",
)


def session() -> botocore.session.Session:
    """The one of this process: what it has read of botocore's models is read once."""
    global _session
    with _lock:
        if _session is None:
            _session = botocore.session.Session(
                session_vars={
                    "config_file": (None, None, "/dev/null", None),
                    "profile": (None, None, None, None),
                }
            )
        return _session


def botocore_client(service: str, region: str, endpoint_url: str) -> BaseClient:
    """A client with placeholder keys; `attach` gives it its transport."""
    shared = session()
    with _lock:
        return shared.create_client(
            service,
            region_name=region,
            endpoint_url=endpoint_url,
            aws_access_key_id="in-process",
            aws_secret_access_key="in-process",
            config=CONFIG,
        )


def attach(client: BaseClient, handle: Callable[[Request], Response]) -> None:
    """Let `handle` answer every request of the client."""

    def before_send(request: AWSPreparedRequest, **_: Any) -> AWSResponse:
        response = handle(to_werkzeug(request))
        headers = HTTPHeaders.from_dict(dict(response.headers))
        return AWSResponse(request.url, response.status_code, headers, _Raw(response.get_data()))

    client.meta.events.register("before-send.*.*", before_send)  # type: ignore[arg-type]


def to_werkzeug(request: AWSPreparedRequest) -> Request:
    body: Any = request.body
    if hasattr(body, "read"):
        body = body.read()
    made: Request = MotoRequest.from_primitives(request.method, request.url, request.headers, body)
    parts = urlsplit(request.url)
    made.environ["RAW_URI"] = parts.path + (f"?{parts.query}" if parts.query else "")
    made.environ["REMOTE_ADDR"] = "127.0.0.1"
    return made


class _Raw(io.BytesIO):
    """What AWSResponse expects of a body."""

    def stream(self, **_: Any) -> Iterator[bytes]:
        content = self.read()
        while content:
            yield content
            content = self.read()
