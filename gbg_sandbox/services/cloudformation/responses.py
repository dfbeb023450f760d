"""Where custom resources put their answers: what stands behind the ResponseURL.

AWS gives a presigned S3 URL; this one is as good for a PUT, valid once, and known to nobody but the function.
"""

from __future__ import annotations

import json
import secrets
import threading
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

from werkzeug import Request, Response

from gbg_sandbox.service import Route
from gbg_sandbox.services.cloudformation.errors import ResourceFailed

STATUSES = ("SUCCESS", "FAILED")


@dataclass
class Pending:
    """One answer that is waited for."""

    url: str
    request_id: str
    signature: str
    answered: threading.Event = field(default_factory=threading.Event)
    body: bytes = b""

    def read(self) -> Mapping[str, Any]:
        """The answer. Raises ResourceFailed for what CloudFormation would not accept."""
        try:
            answer = json.loads(self.body)
        except ValueError as error:
            raise ResourceFailed(f"Invalid Response object: not JSON ({error})") from error
        if not isinstance(answer, dict) or answer.get("Status") not in STATUSES:
            raise ResourceFailed(
                "Invalid Response object: Value of property Status must be SUCCESS or FAILED"
            )
        if answer.get("Data") is not None and not isinstance(answer["Data"], dict):
            raise ResourceFailed("Invalid Response object: Value of property Data must be an object")
        return answer | {"RequestId": self.request_id}


class Responses:
    def __init__(self, endpoint_url: str, region: str) -> None:
        self._endpoint_url = endpoint_url
        self._bucket = f"cloudformation-custom-resource-response-{region.replace('-', '')}"
        self._pending: dict[str, Pending] = {}
        self._lock = threading.Lock()

    def expect(self, stack_id: str, logical_id: str) -> Pending:
        request_id, signature = str(uuid.uuid4()), secrets.token_urlsafe(32)
        key = quote(f"{stack_id}|{logical_id}|{request_id}", safe="")
        url = f"{self._endpoint_url}/{self._bucket}/{key}?Signature={signature}"
        pending = Pending(url, request_id, signature)
        with self._lock:
            self._pending[request_id] = pending
        return pending

    def forget(self, pending: Pending) -> None:
        with self._lock:
            self._pending.pop(pending.request_id, None)

    def route(self) -> Route:
        return Route(".*", f"/{self._bucket}/.+", self._take)

    def _take(self, request: Request) -> Response:
        with self._lock:
            pending = self._pending.get(request.path.rpartition("|")[2])
        given = request.args.get("Signature", "")
        if request.method != "PUT" or pending is None or not secrets.compare_digest(given, pending.signature):
            return Response("<Error><Code>AccessDenied</Code></Error>", 403, content_type="application/xml")
        pending.body = request.get_data()
        pending.answered.set()
        return Response("", 200)
