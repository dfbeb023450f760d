"""CloudFormation's errors, in its own words."""

from __future__ import annotations

import uuid
from typing import Any

from botocore.exceptions import ClientError, ParamValidationError

from gbg_sandbox.service import AwsError


class TemplateError(AwsError):
    """The template, its parameters or the request can't be used: ValidationError, as AWS says it."""

    def __init__(self, message: str) -> None:
        super().__init__("ValidationError", message)


class ResourceFailed(Exception):
    """A resource could not be created, changed or deleted; the text is the event's reason."""


class Cancelled(Exception):
    """Another resource failed, or someone cancelled, while this one was being worked on."""


def no_stack(name: str) -> TemplateError:
    return TemplateError(f"Stack with id {name} does not exist")


def refuse(what: str) -> TemplateError:
    """What AWS has and this sandbox has not."""
    return TemplateError(f"gbg_sandbox does not run {what}")


DENIED = ("AccessDenied", "UnauthorizedOperation", "AccessDeniedException", "AuthorizationError")
HANDLER_CODES = (
    ("AlreadyExists", "AlreadyExists"),
    ("Duplicate", "AlreadyExists"),
    ("NotFound", "NotFound"),
    ("NoSuch", "NotFound"),
    ("DoesNotExist", "NotFound"),
    ("Throttling", "Throttling"),
    ("LimitExceeded", "ServiceLimitExceeded"),
)


def handler_code(code: str) -> str:
    """The registry's HandlerErrorCode that AWS's own handlers give for a service's error code."""
    if code in DENIED:
        return "AccessDenied"
    return next((known for part, known in HANDLER_CODES if part in code), "InvalidRequest")


def reason(error: BaseException) -> str:
    """An event's ResourceStatusReason for what a provider raised."""
    if isinstance(error, Cancelled):
        return str(error) or "Resource creation cancelled"
    if isinstance(error, ResourceFailed):
        return str(error)
    if isinstance(error, AwsError):
        return error.message
    if isinstance(error, ClientError):
        return _client_reason(error)
    if isinstance(error, ParamValidationError):
        return f"Properties validation failed: {error.kwargs['report']}"
    return f"Internal Failure: {error!r}"


def _client_reason(error: ClientError) -> str:
    answer: Any = error.response
    said, meta = answer.get("Error", {}), answer.get("ResponseMetadata", {})
    status = meta.get("HTTPStatusCode")
    text = (
        f"{said.get('Message', '')} (Operation: {error.operation_name}, Status Code: {status}, "
        f"Request ID: {meta.get('RequestId', '')})"
    )
    return (
        f'Resource handler returned message: "{text}" '
        f"(RequestToken: {uuid.uuid4()}, HandlerErrorCode: {handler_code(said.get('Code', ''))})"
    )
