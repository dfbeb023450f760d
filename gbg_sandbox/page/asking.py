"""The services' own answers, asked inside the process: AWS's shapes, no signature, no trail, no events.

The gateway would write every look into CloudTrail; who reads a release there must not find the page.
"""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Any

from botocore import xform_name

from gbg_sandbox.service import AwsError, Call, Service

if TYPE_CHECKING:
    from gbg_sandbox.cloud import Cloud

READS = ("describe_", "get_", "list_", "batch_get_")


class Asking:
    """Reads only: an operation of another kind is refused."""

    def __init__(self, cloud: Cloud) -> None:
        self._cloud = cloud

    def __call__(self, service: str, operation: str, /, **params: Any) -> dict[str, Any]:
        """One answer; with several pages, the first. Raises AwsError."""
        if not operation.startswith(READS):
            raise ValueError(f"the page only reads, {operation} is something else")
        asked: Service = self._cloud.service(service)
        handler = asked.handler(operation)
        if handler is not None:
            call = Call(str(uuid.uuid4()), self._cloud.aws, self._cloud.region)
            return dict(handler(call, params) or {})
        if operation not in {xform_name(name) for name in asked.forwards}:
            raise AwsError(
                "UnknownOperationException", f"gbg_sandbox does not have {service}:{operation}", 501
            )
        return self._cloud.ask_stored(service, operation, **params)

    def maybe(self, service: str, operation: str, /, **params: Any) -> dict[str, Any]:
        """The answer, or nothing where what was asked for is gone meanwhile."""
        try:
            return self(service, operation, **params)
        except AwsError:
            return {}
