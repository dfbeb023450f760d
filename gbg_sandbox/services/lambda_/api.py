"""Lambda: functions in Python from a zip file. Versions, aliases, layers and event sources are not there."""

from __future__ import annotations

import json
from typing import Any

from gbg_sandbox.authorisation import authorise_service
from gbg_sandbox.service import AwsError, Call, runs
from gbg_sandbox.services.lambda_.permissions_api import PermissionsApi
from gbg_sandbox.services.lambda_.state import Function

MOST_PAYLOAD = {"RequestResponse": 6 * 1024 * 1024, "Event": 1024 * 1024, "DryRun": 6 * 1024 * 1024}


class Lambda(PermissionsApi):
    def start(self) -> None:
        self.engine.start()

    def stop(self) -> None:
        self.engine.stop()

    @runs
    def invoke(self, call: Call, params: dict[str, Any]) -> dict[str, Any]:
        kind = params.get("InvocationType", "RequestResponse")
        for name in ("DurableExecutionName", "TenantId"):
            if params.get(name):
                raise AwsError(
                    "InvalidParameterValueException", f"gbg_sandbox does not run invocations with {name}"
                )
        payload = _payload(params.get("Payload") or b"{}", kind)
        with self.lock:
            function = self.functions.get(params["FunctionName"], params.get("Qualifier", ""))
        if kind == "DryRun":
            return {"StatusCode": 204}
        if kind == "Event":
            self.engine.invoke_later(function, payload)
            return {"StatusCode": 202}
        self._check_active(function)
        done = self.engine.invoke(function, payload, call.request_id)
        return {
            "StatusCode": 200,
            "ExecutedVersion": "$LATEST",
            "Payload": done.outcome.payload,
            **({"FunctionError": "Unhandled"} if done.outcome.failed else {}),
            **({"LogResult": done.log_result} if params.get("LogType") == "Tail" else {}),
        }

    def invoke_for_service(self, function_arn: str, payload: bytes, *, acting: str, source_arn: str) -> str:
        """Queue an event for an AWS service, if the function's own policy lets it in; returns the request id.

        Raises AwsError.
        """
        with self.lock:
            function = self.functions.get(function_arn)
        authorise_service(
            self.cloud, acting, "lambda:InvokeFunction", function.arn, {"aws:SourceArn": source_arn}
        )
        return self.engine.invoke_later(function, _payload(payload, "Event"))

    def _check_active(self, function: Function) -> None:
        if function.state == "Pending":
            raise AwsError(
                "ResourceConflictException",
                "The operation cannot be performed at this time. "
                "The function is currently in the following state: Pending",
                409,
            )


def _payload(payload: bytes, kind: str) -> bytes:
    if len(payload) > MOST_PAYLOAD[kind]:
        raise AwsError(
            "RequestTooLargeException",
            f"Request must be smaller than {MOST_PAYLOAD[kind]} bytes for {kind}",
            413,
        )
    try:
        json.loads(payload)
    except ValueError as error:
        raise AwsError(
            "InvalidRequestContentException", f"Could not parse request body into json: {error}"
        ) from error
    return payload


SERVICE = Lambda
