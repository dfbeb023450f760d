"""Which operation a request means, by botocore's own models."""

from __future__ import annotations

import functools
import json
import warnings
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib import resources
from typing import Any

from botocore.loaders import ExtrasProcessor, Loader
from botocore.utils import parse_timestamp
from botocore.validate import ParamValidator
from moto.core.model import OperationModel, ServiceModel
from moto.core.parse import PROTOCOL_PARSERS, RequestParserError
from moto.core.request import Request as MotoRequest
from moto.core.request import determine_request_protocol
from moto.core.routing import get_router_class
from moto.core.serialize import SerializationContext, get_serializer_class
from moto.core.utils import get_service_model
from werkzeug import Request, Response
from werkzeug.exceptions import NotFound

from gbg_sandbox.service import AwsError

SIGNING_NAMES = {
    "cloudwatch": "monitoring",
    "elbv2": "elasticloadbalancing",
    "resourcegroupstaggingapi": "tagging",
}
"""where a service signs under another name than its own; told here, as reading all models takes a second"""

# The agents' and the refusals' codes are not in botocore's models, and need not be.
warnings.filterwarnings("ignore", message=r"Exception\(.*does not match an error shape")


class UnknownOperation(Exception):
    """The service has no such operation."""


@dataclass(frozen=True)
class Operation:
    """One operation of a service, in the protocol that the request came in."""

    service: str
    model: OperationModel
    protocol: str
    uri_params: dict[str, Any]

    @property
    def name(self) -> str:
        return str(self.model.name)


@functools.cache
def service_model(service: str) -> ServiceModel:
    """botocore's model, or the one in the service's own folder (the agents' private APIs).

    Operations that agents call on a public service are merged from `service-2.sdk-extras.json`.
    """
    folder = resources.files("gbg_sandbox.services") / service.replace("-", "_").replace("lambda", "lambda_")
    own = folder / "service-2.json"
    if own.is_file():
        return ServiceModel(json.loads(own.read_text()), service)
    extras = folder / "service-2.sdk-extras.json"
    if not extras.is_file():
        return get_service_model(service)
    description = Loader().load_service_model(service, "service-2")
    ExtrasProcessor().process(description, [json.loads(extras.read_text())])
    return ServiceModel(description, service)


@functools.cache
def _router(service: str, protocol: str) -> Any:
    router = get_router_class(service, protocol)
    if router is None:
        raise UnknownOperation(f"{service} does not speak {protocol}")
    return router(service_model(service))


def find_operation(service: str, request: Request) -> Operation:
    """Raises UnknownOperation."""
    model = service_model(service)
    try:
        protocol = determine_request_protocol(model, request.content_type)
        model_found, uri_params = _router(service, protocol).match(request)
    except (NotFound, NotImplementedError) as error:
        raise UnknownOperation(requested_name(request)) from error
    return Operation(service, model_found, protocol, uri_params)


def requested_name(request: Request) -> str:
    """What the caller asked for, as far as it can be read without a model."""
    target = request.headers.get("X-Amz-Target", "").rpartition(".")[2]
    return target or str(request.values.get("Action", "")) or f"{request.method} {request.path}"


def _timestamp(value: str) -> datetime:
    parsed: datetime = parse_timestamp(value)
    return parsed.astimezone(UTC)


def parse(operation: Operation, request: Request) -> dict[str, Any]:
    """The operation's parameters, typed by the model. Raises AwsError for what does not fit."""
    parser = PROTOCOL_PARSERS[operation.protocol](operation.model, timestamp_parser=_timestamp)
    try:
        params: dict[str, Any] = parser.parse(
            {
                "body": request.get_data(cache=True),
                "headers": request.headers,
                "method": request.method,
                "url_params": operation.uri_params,
                "url_path": request.path,
                "values": request.values,
            }
        )
    except (RequestParserError, ValueError, TypeError) as error:
        raise AwsError("SerializationException", f"the request can't be read: {error}") from error
    return params


def validate(operation: Operation, params: dict[str, Any]) -> None:
    """Raises AwsError in the protocol's words when a parameter is missing or of the wrong type or size."""
    shape = operation.model.input_shape
    if shape is None:
        return
    report = ParamValidator().validate(params, shape)
    if not report.has_errors():
        return
    code = {"ec2": "InvalidParameterValue", "query": "ValidationError"}.get(
        operation.protocol, "ValidationException"
    )
    raise AwsError(code, report.generate_report())


class _Raised(Exception):
    """An AwsError in the form that the serializers read."""

    def __init__(self, error: AwsError) -> None:
        super().__init__(error.message)
        self.code = error.code
        self.message = error.message
        self.__dict__.update(error.fields)


def serialize(operation: Operation, result: Any, request_id: str) -> Response:
    """A result (dict) or an AwsError as the response that AWS would send."""
    serializer_class = get_serializer_class(operation.service, operation.protocol)
    serializer = serializer_class(operation.model, context=SerializationContext(request_id))
    made = serializer.serialize(_Raised(result) if isinstance(result, AwsError) else (result or {}))
    status = (
        result.status if isinstance(result, AwsError) else _status(operation, result) or made["status_code"]
    )
    response = Response(made["body"], status=status, headers=made["headers"])
    response.headers["x-amzn-RequestId"] = request_id
    if operation.protocol == "json":  # which moto's serializer calls "text"
        version = operation.model.service_model.metadata["jsonVersion"]
        response.content_type = f"application/x-amz-json-{version}"
    return response


def _status(operation: Operation, result: Any) -> int | None:
    """The HTTP status that the result itself names, where the model has a member for it (Lambda's Invoke)."""
    shape = operation.model.output_shape
    for name, member in shape.members.items() if shape is not None else ():
        if member.serialization.get("location") == "statusCode" and name in (result or {}):
            return int(result[name])
    return None


def signing_names(services: Iterable[str]) -> dict[str, list[str]]:
    """signing name in a credential scope → services that use it."""
    names: dict[str, list[str]] = {}
    for service in services:
        names.setdefault(SIGNING_NAMES.get(service, service), []).append(service)
    return names


__all__ = [
    "MotoRequest",
    "Operation",
    "UnknownOperation",
    "find_operation",
    "parse",
    "requested_name",
    "serialize",
    "service_model",
    "signing_names",
    "validate",
]
