"""moto as the keeper of state: reached only from here, one call at a time.

moto answers concurrent calls wrongly now and then, so a lock stands around each call and nothing else.
"""

from __future__ import annotations

import io
import os
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from moto.core.base_backend import BackendDict
from moto.core.model_instances import reset_model_data
from werkzeug import Request, Response

from gbg_sandbox import authorisation
from gbg_sandbox.gateway.moto_imports import import_ec2
from gbg_sandbox.gateway.transport import attach, botocore_client

if TYPE_CHECKING:
    from botocore.client import BaseClient

READING = (b"Action=Get", b"Action=List")
NEEDS_EC2 = ("ec2", "ssm")
ENVIRONMENT = {
    "MOTO_EC2_LOAD_DEFAULT_AMIS": "false",
    "MOTO_ALLOW_NONEXISTENT_REGION": "false",
    "MOTO_IAM_LOAD_MANAGED_POLICIES": "true",
}


class MotoBackend:
    def __init__(self, account: str, region: str) -> None:
        self.account = account
        self.region = region
        self.lock = threading.RLock()
        self._applications: dict[str, Callable[..., Any]] = {}
        self._clients: dict[str, BaseClient] = {}

    def forward(self, request: Request, service: str) -> Response:
        """moto's own answer to a request that has passed the gateway."""
        environ = dict(request.environ)
        body = request.get_data(cache=True)
        environ["wsgi.input"] = io.BytesIO(body)
        environ["CONTENT_LENGTH"] = str(len(body))
        environ["HTTP_X_MOTO_ACCOUNT_ID"] = self.account  # else moto makes IAM's records for each partition
        environ.pop("HTTP_TRANSFER_ENCODING", None)
        environ.pop("wsgi.input_terminated", None)
        for key in [key for key in environ if key.startswith("werkzeug.") or key.startswith("flask.")]:
            del environ[key]
        if not environ.get("HTTP_HOST", "").endswith("amazonaws.com"):
            environ["HTTP_HOST"] = f"{service}.{self.region}.amazonaws.com"
        with self.lock:
            response = Response.from_app(self._application(service), environ, buffered=True)
        if service == "iam" and not body.startswith(READING):
            authorisation.changed()
        return response

    def close(self) -> None:
        """Forget everything: moto keeps its records in the process, beyond any one sandbox."""
        with self.lock:
            BackendDict.reset()
            reset_model_data()

    def client(self, service: str) -> BaseClient:
        with self.lock:
            if service not in self._clients:
                client = botocore_client(
                    service, self.region, f"https://{service}.{self.region}.amazonaws.com"
                )
                attach(client, lambda request: self.forward(request, service))
                self._clients[service] = client
            return self._clients[service]

    def load(self, service: str) -> None:
        with self.lock:
            self._application(service)

    def _application(self, service: str) -> Callable[..., Any]:
        """moto's application for one service. Its dispatcher would look for it by host in each request."""
        if service not in self._applications:
            os.environ.update(ENVIRONMENT)
            if service in NEEDS_EC2:
                import_ec2(self.region)
            from moto.moto_server.werkzeug_app import create_backend_app

            self._applications[service] = create_backend_app(service)  # type: ignore[arg-type]
        return self._applications[service]
