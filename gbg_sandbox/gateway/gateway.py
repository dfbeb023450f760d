"""The way of a request through the sandbox."""

from __future__ import annotations

import functools
import json
import logging
import re
import uuid
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from xml.sax.saxutils import escape

from werkzeug import Request, Response

from gbg_sandbox.authorisation import authorise, check_request
from gbg_sandbox.gateway import models, signature
from gbg_sandbox.gateway.trail import ApiCall
from gbg_sandbox.service import AwsError, Call, Principal, Route, Service

if TYPE_CHECKING:
    from gbg_sandbox.cloud import Cloud

log = logging.getLogger(__name__)

GLOBAL_SERVICES = frozenset({"iam", "sts", "s3"})


class Gateway:
    """A WSGI application; engines call `handle` directly with the principal they act as."""

    def __init__(self, cloud: Cloud) -> None:
        self.cloud = cloud

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Any:
        return self.handle(models.MotoRequest(environ))(environ, start_response)

    def handle(self, request: Request, principal: Principal | None = None, service: str = "") -> Response:
        """Answer one request. With `principal` and `service` the caller is inside and needs no signature."""
        request_id = str(uuid.uuid4())
        try:
            if principal is None:
                if self.cloud.page.wants(request):
                    return self.cloud.page.answer(request)
                route = self._route(request)
                if route is not None:
                    return route.handler(request)
            return self._answer(request, request_id, principal, service)
        except AwsError as error:
            return self._refuse(request, error, request_id)
        except Exception as error:
            if self.cloud.clock.stopped:
                return _plain_error(
                    AwsError("ServiceUnavailable", "the sandbox is stopping", 503), request_id
                )
            log.exception("%s %s", request.method, request.path)
            return _plain_error(
                AwsError("InternalFailure", f"gbg_sandbox failed: {error!r}", 500), request_id
            )

    def authorise(
        self, principal: Principal, action: str, resource: str = "*", context: Mapping[str, Any] | None = None
    ) -> None:
        authorise(self.cloud, principal, action, resource, context or {})

    @functools.cached_property
    def _routes(self) -> list[Route]:
        return [route for service in self.cloud.services.values() for route in service.routes()]

    @functools.cached_property
    def _signing_names(self) -> dict[str, list[str]]:
        return models.signing_names(self.cloud.services)

    def _refuse(self, request: Request, error: AwsError, request_id: str) -> Response:
        """A refusal before the caller is known, in the protocol of what was asked where that can be told."""
        try:
            scope = signature.read_scope(request)
            candidates = self._signing_names.get(scope.service, []) if scope else []
            if candidates:
                operation = models.find_operation(self._among(candidates, request), request)
                return models.serialize(operation, error, request_id)
        except (AwsError, models.UnknownOperation) as unknown:
            log.debug("answering in plain form: %s", unknown)
        form = (request.content_type or "").startswith("application/x-www-form-urlencoded")
        return _plain_error(error, request_id, form)

    def _route(self, request: Request) -> Route | None:
        host = request.host.partition(":")[0]
        for route in self._routes:
            if re.fullmatch(route.host, host) and re.fullmatch(route.path, request.path):
                return route
        return None

    def _answer(
        self, request: Request, request_id: str, principal: Principal | None, service: str
    ) -> Response:
        begun = datetime.now(UTC)
        request.get_data(cache=True)  # before any form is parsed, or the body is gone for moto
        if principal is None:
            principal, service = self._who(request)
        operation = self._operation(request, service)
        params: dict[str, Any] = {}
        failure: AwsError | None = None
        try:
            params = models.parse(operation, request)
            response = self._perform(
                operation, params, Call(request_id, principal, self.cloud.region, request)
            )
        except AwsError as error:
            failure = error
            response = models.serialize(operation, error, request_id)
        except Exception as error:
            if self.cloud.clock.stopped:
                failure = AwsError("ServiceUnavailable", "the sandbox is stopping", 503)
            else:
                log.exception("%s:%s", operation.service, operation.name)
                failure = AwsError("InternalFailure", f"gbg_sandbox failed: {error!r}", 500)
            response = models.serialize(operation, failure, request_id)
        self._remember(operation, params, request_id, principal, request, response, failure, begun)
        return response

    def _who(self, request: Request) -> tuple[Principal, str]:
        """The signer and the service that the signature names."""
        scope = signature.read_scope(request)
        if scope is None:
            raise AwsError("MissingAuthenticationToken", "Request is missing Authentication Token", 403)
        credential = signature.verify(request, scope, self.cloud.credentials)
        candidates = self._signing_names.get(scope.service, [])
        if not candidates:
            raise AwsError(
                "UnknownService",
                f"gbg_sandbox has no service {scope.service!r}; what it has is listed in docs/sandbox.md",
                501,
            )
        if scope.region != self.cloud.region and not GLOBAL_SERVICES.intersection(candidates):
            raise AwsError(
                "InvalidRegion",
                f"this sandbox is {self.cloud.region}, not {scope.region}; set AWS_REGION to it",
            )
        return credential.principal, self._among(candidates, request)

    @staticmethod
    def _among(candidates: list[str], request: Request) -> str:
        """Of services that sign alike, the one that knows the operation."""
        for candidate in candidates[:-1]:
            try:
                models.find_operation(candidate, request)
                return candidate
            except models.UnknownOperation:
                continue
        return candidates[-1]

    @staticmethod
    def _operation(request: Request, service: str) -> models.Operation:
        try:
            return models.find_operation(service, request)
        except models.UnknownOperation as error:
            raise AwsError("UnknownOperationException", f"{service} has no operation {error}", 400) from error

    def _perform(self, operation: models.Operation, params: dict[str, Any], call: Call) -> Response:
        service: Service | None = self.cloud.services.get(operation.service)
        if service is None:
            raise _refusal(operation)
        handler = service.handler(operation.name)
        if handler is None and operation.name not in service.forwards:
            raise _refusal(operation)
        models.validate(operation, params)
        check_request(self.cloud, call, operation.service, operation.name, params)
        if handler is not None:
            return models.serialize(operation, handler(call, params), call.request_id)
        assert call.request is not None
        return self.cloud.moto.forward(call.request, operation.service)

    def _remember(
        self,
        operation: models.Operation,
        params: dict[str, Any],
        request_id: str,
        principal: Principal,
        request: Request,
        response: Response,
        failure: AwsError | None,
        begun: datetime,
    ) -> None:
        """What services look up for themselves stands in no history: on AWS that is no call at all."""
        entry = ApiCall(
            request_id,
            operation.service,
            operation.name,
            principal,
            params,
            source_address=request.remote_addr or "",
            user_agent=request.headers.get("User-Agent", ""),
            time=begun,
        )
        if failure is not None:
            entry = replace(entry, error_code=failure.code, error_message=failure.message)
        elif response.status_code >= 400:
            entry = replace(entry, error_code=str(response.status_code))
        if principal.kind != "aws" or not entry.reads:
            self.cloud.trail.append(entry)


def _refusal(operation: models.Operation) -> AwsError:
    """An operation that AWS has and this sandbox has not."""
    message = (
        f"gbg_sandbox does not have {operation.service}:{operation.name}; "
        "docs/sandbox.md lists what it runs, models and stores"
    )
    code = {"ec2": "UnsupportedOperation", "query": "InvalidAction", "rest-xml": "NotImplemented"}
    return AwsError(code.get(operation.protocol, "UnknownOperationException"), message, 501)


def _plain_error(error: AwsError, request_id: str, form: bool = False) -> Response:
    """An error before the operation is known: JSON, or XML for a client that sent a form."""
    if form:
        content = f"<Code>{escape(error.code)}</Code><Message>{escape(error.message)}</Message>"
        body = f"<ErrorResponse><Error>{content}</Error><RequestId>{request_id}</RequestId></ErrorResponse>"
    else:
        body = json.dumps({"__type": error.code, "message": error.message, "Code": error.code})
    kind = "text/xml" if form else "application/x-amz-json-1.1"
    response = Response(body, status=error.status, content_type=kind)
    response.headers["x-amzn-RequestId"] = request_id
    response.headers["x-amzn-ErrorType"] = error.code
    return response
