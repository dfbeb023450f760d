"""Actions that call any AWS API: run it, wait for a property, assert a property, invoke a function."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

from botocore import xform_name
from botocore.exceptions import BotoCoreError, ClientError

from gbg_sandbox.services.ssm.automation.actions.work import EXECUTING, Outcome, StepFailed, Work
from gbg_sandbox.services.ssm.automation.selector import NothingSelected, select
from gbg_sandbox.services.ssm.automation.values import plain, text, typed

Inputs = Mapping[str, Any]
OWN = frozenset({"Service", "Api", "PropertySelector", "DesiredValues"})
POLL_AWS_SECONDS = 5


def execute_aws_api(work: Work, inputs: Inputs) -> Outcome:
    return Outcome(response=_response(work, inputs))


def wait_for_property(work: Work, inputs: Inputs) -> Outcome:
    desired = _desired(inputs)
    seen: Any = None

    def reached() -> bool:
        nonlocal seen
        response = _response(work, inputs)
        try:
            seen = select(inputs["PropertySelector"], response)
        except NothingSelected:
            seen = None
        return _matches(seen, desired)

    work.wait(
        reached,
        doing=f"waiting for {inputs['PropertySelector']} to be {' or '.join(desired)}",
        poll=max(0.1, min(1.0, work.cloud.clock.real_seconds(POLL_AWS_SECONDS))),
    )
    return Outcome(response=_response(work, inputs))


def assert_property(work: Work, inputs: Inputs) -> Outcome:
    response = _response(work, inputs)
    desired = _desired(inputs)
    try:
        found = select(inputs["PropertySelector"], response)
    except NothingSelected:
        found = None
    if not _matches(found, desired):
        raise StepFailed(
            f"Property value of {inputs['PropertySelector']} is {text(found)}, which is none of the desired "
            f"values [{', '.join(desired)}].",
            kind="Verification",
        )
    return Outcome(response=response)


def _desired(inputs: Inputs) -> list[str]:
    return [
        one.lower() if one in ("True", "False") else one
        for one in typed("StringList", inputs["DesiredValues"])
    ]


def _matches(found: Any, desired: list[str]) -> bool:
    """A selector that meets several values needs all of them to be desired ones."""
    if isinstance(found, list):
        return bool(found) and all(text(one) in desired for one in found)
    return found is not None and text(found) in desired


def _response(work: Work, inputs: Inputs) -> dict[str, Any]:
    service = str(inputs["Service"]).lower()
    api = str(inputs["Api"])
    operation = xform_name(api[0].upper() + api[1:])
    params = {name: value for name, value in inputs.items() if name not in OWN}
    try:
        client = work.client(service)
        method = getattr(client, operation, None)
        if method is None:
            raise StepFailed(f"Service {service} has no API {api}.", stage="InputValidation")
        response: dict[str, Any] = plain(_read(method(**params)))
    except (ClientError, BotoCoreError) as error:
        raise StepFailed(f"{error}.") from error
    return response


def _read(response: dict[str, Any]) -> dict[str, Any]:
    """A response with its streams read."""
    return {name: value.read() if hasattr(value, "read") else value for name, value in response.items()}


def invoke_lambda(work: Work, inputs: Inputs) -> Outcome:
    """An error in the function fails the step."""
    request = {name: inputs[name] for name in ("FunctionName", "Qualifier", "InvocationType", "ClientContext")
               if inputs.get(name)}  # fmt: skip
    request["LogType"] = inputs.get("LogType", "Tail")
    payload = inputs.get("InputPayload", inputs.get("Payload"))
    if payload is not None:
        request["Payload"] = (payload if isinstance(payload, str) else json.dumps(payload)).encode()
    try:
        answer = work.client("lambda").invoke(**request)
    except (ClientError, BotoCoreError) as error:
        raise StepFailed(f"{error}.") from error
    body = answer["Payload"].read().decode(errors="replace")
    outputs = {
        "StatusCode": answer["StatusCode"],
        "Payload": body,
        "OutputPayload": body,
        **{name: answer[name] for name in ("FunctionError", "LogResult") if name in answer},
    }
    if "FunctionError" in answer:
        raise StepFailed(
            f"Lambda function returned error {answer['FunctionError']}: {body}.",
            doing=EXECUTING,
            outputs=outputs,
        )
    return Outcome(outputs, response={**outputs, "Payload": _json(body)})


def _json(body: str) -> Any:
    try:
        return json.loads(body)
    except ValueError:
        return body


ACTIONS: dict[str, Callable[[Work, Inputs], Outcome]] = {
    "aws:executeAwsApi": execute_aws_api,
    "aws:waitForAwsResourceProperty": wait_for_property,
    "aws:assertAwsResourceProperty": assert_property,
    "aws:invokeLambdaFunction": invoke_lambda,
}
