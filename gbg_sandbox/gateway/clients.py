"""Clients of the gateway for engines: the principal is known, so nothing is signed."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from gbg_sandbox.gateway.transport import attach, botocore_client
from gbg_sandbox.service import Principal

if TYPE_CHECKING:
    from botocore.client import BaseClient

    from gbg_sandbox.cloud import Cloud


class Clients:
    """One client a service and principal, kept."""

    def __init__(self, cloud: Cloud) -> None:
        self._cloud = cloud
        self._kept: dict[tuple[str, Principal], BaseClient] = {}
        self._lock = threading.Lock()

    def client(self, service: str, principal: Principal) -> BaseClient:
        key = (service, principal)
        with self._lock:
            if key not in self._kept:
                made = botocore_client(service, self._cloud.region, self._cloud.endpoint_url)
                attach(made, lambda request: self._cloud.gateway.handle(request, principal, service))
                self._kept[key] = made
            return self._kept[key]
