"""Operations on what hangs on a function: its resource policy, its tags, how events are tried again."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from typing import Any

from gbg_sandbox.service import AwsError, Call, modelled, runs
from gbg_sandbox.services.lambda_.functions_api import FunctionsApi
from gbg_sandbox.services.lambda_.state import EventInvokeConfig, Function

ACCOUNT = re.compile(r"\d{12}")


class PermissionsApi(FunctionsApi):
    def resource_policy(self, arn: str) -> str | None:
        """The policy that hangs on the function of this ARN: read by the authorisation of every call."""
        with self.lock:
            function = self.functions.by_name.get(arn.split(":")[6] if arn.count(":") >= 6 else "")
            return function.policy if function else None

    @runs
    def add_permission(self, call: Call, params: dict[str, Any]) -> dict[str, Any]:
        for name in ("EventSourceToken", "PrincipalOrgID", "FunctionUrlAuthType", "InvokedViaFunctionUrl"):
            if params.get(name):
                raise AwsError(
                    "InvalidParameterValueException", f"gbg_sandbox does not run permissions with {name}"
                )
        with self.lock:
            function = self.functions.get(params["FunctionName"], params.get("Qualifier", ""))
            sid = params["StatementId"]
            if sid in function.statements:
                raise AwsError(
                    "ResourceConflictException",
                    f"The statement id ({sid}) provided already exists. "
                    "Please provide a new statement id, or remove the existing statement.",
                    409,
                )
            function.statements[sid] = statement = _statement(function, params)
            return {"Statement": json.dumps(statement)}

    @modelled
    def get_policy(self, call: Call, params: dict[str, Any]) -> dict[str, Any]:
        with self.lock:
            function = self.functions.get(params["FunctionName"], params.get("Qualifier", ""))
            if function.policy is None:
                raise AwsError("ResourceNotFoundException", "The resource you requested does not exist.", 404)
            return {"Policy": function.policy, "RevisionId": function.revision}

    @runs
    def remove_permission(self, call: Call, params: dict[str, Any]) -> None:
        with self.lock:
            function = self.functions.get(params["FunctionName"], params.get("Qualifier", ""))
            if function.statements.pop(params["StatementId"], None) is None:
                raise AwsError(
                    "ResourceNotFoundException",
                    f"Statement {params['StatementId']} is not found in resource policy.",
                    404,
                )

    @runs
    def put_function_event_invoke_config(self, call: Call, params: dict[str, Any]) -> dict[str, Any]:
        return self._configure_events(params, EventInvokeConfig())

    @runs
    def update_function_event_invoke_config(self, call: Call, params: dict[str, Any]) -> dict[str, Any]:
        return self._configure_events(params, self._event_config(params))

    def _configure_events(self, params: dict[str, Any], before: EventInvokeConfig) -> dict[str, Any]:
        if any(params.get("DestinationConfig", {}).values()):
            raise AwsError(
                "InvalidParameterValueException",
                "gbg_sandbox does not send events of functions to destinations",
            )
        retries = params.get("MaximumRetryAttempts", before.retries)
        oldest = params.get("MaximumEventAgeInSeconds", before.oldest_seconds)
        if not 0 <= retries <= 2 or not 60 <= oldest <= 21_600:
            raise AwsError(
                "InvalidParameterValueException",
                "0 to 2 retries of events that are 60 to 21600 seconds old at most",
            )
        with self.lock:
            function = self.functions.get(params["FunctionName"], params.get("Qualifier", ""))
            function.event_config = EventInvokeConfig(retries, oldest, datetime.now(UTC))
            return _described(function)

    @modelled
    def get_function_event_invoke_config(self, call: Call, params: dict[str, Any]) -> dict[str, Any]:
        self._event_config(params)
        with self.lock:
            return _described(self.functions.get(params["FunctionName"]))

    @runs
    def delete_function_event_invoke_config(self, call: Call, params: dict[str, Any]) -> None:
        self._event_config(params)
        with self.lock:
            self.functions.get(params["FunctionName"]).event_config = None

    def _event_config(self, params: dict[str, Any]) -> EventInvokeConfig:
        with self.lock:
            function = self.functions.get(params["FunctionName"], params.get("Qualifier", ""))
            if function.event_config is None:
                raise AwsError(
                    "ResourceNotFoundException",
                    f"The function {function.arn}:$LATEST doesn't have an EventInvokeConfig",
                    404,
                )
            return function.event_config

    @modelled
    def tag_resource(self, call: Call, params: dict[str, Any]) -> None:
        with self.lock:
            self.functions.get(params["Resource"]).tags.update(params["Tags"])

    @modelled
    def untag_resource(self, call: Call, params: dict[str, Any]) -> None:
        with self.lock:
            for key in params["TagKeys"]:
                self.functions.get(params["Resource"]).tags.pop(key, None)

    @modelled
    def list_tags(self, call: Call, params: dict[str, Any]) -> dict[str, Any]:
        with self.lock:
            return {"Tags": dict(self.functions.get(params["Resource"]).tags)}

    def tagged_resources(self) -> dict[str, dict[str, str]]:
        with self.lock:
            return {one.arn: dict(one.tags) for one in self.functions.by_name.values()}


def _statement(function: Function, params: dict[str, Any]) -> dict[str, Any]:
    principal = params["Principal"]
    if principal.endswith(".amazonaws.com"):
        who: Any = {"Service": principal}
    elif ACCOUNT.fullmatch(principal):
        who = {"AWS": f"arn:aws:iam::{principal}:root"}
    else:
        who = "*" if principal == "*" else {"AWS": principal}
    condition: dict[str, Any] = {}
    if params.get("SourceAccount"):
        condition["StringEquals"] = {"AWS:SourceAccount": params["SourceAccount"]}
    if params.get("SourceArn"):
        condition["ArnLike"] = {"AWS:SourceArn": params["SourceArn"]}
    return {
        "Sid": params["StatementId"],
        "Effect": "Allow",
        "Principal": who,
        "Action": params["Action"],
        "Resource": function.arn,
        **({"Condition": condition} if condition else {}),
    }


def _described(function: Function) -> dict[str, Any]:
    config = function.event_config or EventInvokeConfig()
    return {
        "LastModified": config.modified,
        "FunctionArn": f"{function.arn}:$LATEST",
        "MaximumRetryAttempts": config.retries,
        "MaximumEventAgeInSeconds": config.oldest_seconds,
        "DestinationConfig": {"OnSuccess": {}, "OnFailure": {}},
    }
