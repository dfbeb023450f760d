"""The operator's own calls to AWS, hindered: throttled, or with credentials that expire midway.

It sits where the request would leave the process, below botocore's signing and inside its retries.
"""

from __future__ import annotations

import io
import json
import threading
from collections.abc import Callable, Iterator
from typing import Any, cast

import boto3
from botocore.awsrequest import AWSPreparedRequest, AWSResponse
from botocore.compat import HTTPHeaders

from gbg_lib.aws import Aws

Answer = tuple[int, str, str]
"""HTTP status, AWS's error code and message"""
THROTTLED: Answer = (400, "ThrottlingException", "Rate exceeded")
EXPIRED: Answer = (400, "ExpiredTokenException", "The security token included in the request is expired")


class HinderedSession:
    """A boto3 session of whose clients' requests `decide` sees each first, and may answer instead of AWS."""

    def __init__(self, session: boto3.session.Session, decide: Callable[[str], Answer | None]) -> None:
        self._session: Any = session
        self.region_name = session.region_name
        self._decide = decide

    def client(self, service: str, **given: Any) -> Any:
        made = self._session.client(service, **given)
        made.meta.events.register_first("before-send.*.*", self._before_send)
        return made

    def get_credentials(self) -> Any:
        return self._session.get_credentials()

    def _before_send(self, request: AWSPreparedRequest, event_name: str, **_: Any) -> AWSResponse | None:
        answer = self._decide(event_name.removeprefix("before-send."))
        return None if answer is None else refused(request, answer)


def hindered(aws: Aws, decide: Callable[[str], Answer | None]) -> Aws:
    """A door like `aws`."""
    return Aws(
        cast(boto3.session.Session, HinderedSession(aws.session, decide)),
        poll_seconds=aws.poll_seconds,
        minute_seconds=aws.minute_seconds,
        profile=aws.profile,
        endpoint_url=aws.endpoint_url,
        environment=aws.environment,
    )


class Throttle:
    """Refuses every call the first time that it is made."""

    def __init__(self) -> None:
        self.refused = 0
        self._turn: dict[str, bool] = {}
        self._lock = threading.Lock()

    def __call__(self, operation: str) -> Answer | None:
        with self._lock:
            again = self._turn[operation] = not self._turn.get(operation, False)
            self.refused += again
            return THROTTLED if again else None


class Expiry:
    """Lets a number of calls pass, then refuses until the credentials are new."""

    def __init__(self, calls: int) -> None:
        self.left = calls
        self.renewed = False

    def __call__(self, operation: str) -> Answer | None:
        self.left -= 1
        return EXPIRED if self.left < 0 and not self.renewed else None


def refused(request: AWSPreparedRequest, answer: Answer) -> AWSResponse:
    """In the protocol of the request: JSON services say it in JSON, the others in XML."""
    status, code, message = answer
    kind = str(request.headers.get("Content-Type", b""))
    headers = {"x-amzn-ErrorType": code}
    if "json" in kind:
        body = json.dumps({"__type": code, "message": message})
    else:
        error = f"<Error><Code>{code}</Code><Message>{message}</Message></Error>"
        ec2 = "ec2/" in str(request.headers.get("Authorization", b""))
        body = (
            f"<Response><Errors>{error}</Errors></Response>"
            if ec2
            else f"<ErrorResponse>{error}</ErrorResponse>"
        )
    return AWSResponse(request.url, status, HTTPHeaders.from_dict(headers), _Raw(body.encode()))


class _Raw(io.BytesIO):
    """What AWSResponse expects of a body."""

    def stream(self, **_: Any) -> Iterator[bytes]:
        yield self.read()
