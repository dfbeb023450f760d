"""Clients of the gateway for engines: the principal is known, so nothing is signed."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

from gbg_sandbox.gateway.transport import attach, botocore_client
from gbg_sandbox.service import Principal

if TYPE_CHECKING:
    from botocore.client import BaseClient

    from gbg_sandbox.cloud import Cloud


class Clients:
    """One botocore client a service, and a light copy of it for each principal: making one takes 30 ms."""

    def __init__(self, cloud: Cloud) -> None:
        self._cloud = cloud
        self._kept: dict[str, BaseClient] = {}
        self._lock = threading.Lock()
        self._acting = threading.local()

    def client(self, service: str, principal: Principal) -> BaseClient:
        shared: Any = self._shared(service)
        bound: Any = object.__new__(type(shared))
        bound.__dict__.update(shared.__dict__, _endpoint=_Endpoint(shared._endpoint, principal, self._acting))
        found: BaseClient = bound
        return found

    def _shared(self, service: str) -> BaseClient:
        with self._lock:
            if service not in self._kept:
                made = botocore_client(service, self._cloud.region, self._cloud.endpoint_url)
                attach(
                    made,
                    lambda request: self._cloud.gateway.handle(request, self._acting.principal, service),
                )
                self._kept[service] = made
            return self._kept[service]


class _Endpoint:
    """A client's endpoint that says who is calling, to whatever sends the request in this thread."""

    def __init__(self, endpoint: Any, principal: Principal, acting: threading.local) -> None:
        self._endpoint = endpoint
        self._principal = principal
        self._acting = acting

    def make_request(self, *given: Any) -> Any:
        before = getattr(self._acting, "principal", None)
        self._acting.principal = self._principal
        try:
            return self._endpoint.make_request(*given)
        finally:
            self._acting.principal = before

    def __getattr__(self, name: str) -> Any:
        return getattr(self._endpoint, name)
