"""What a schedule calls, always under its own role: a few services by the ARN of their resource, all others
by the name of an operation.

https://docs.aws.amazon.com/scheduler/latest/UserGuide/managing-targets.html
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from botocore import xform_name
from botocore.exceptions import ParamValidationError
from botocore.model import ListShape, MapShape, Shape, StructureShape

from gbg_sandbox.service import AwsError
from gbg_sandbox.services.scheduler.state import Schedule

if TYPE_CHECKING:
    from gbg_sandbox.cloud import Cloud

PRINCIPAL = "scheduler.amazonaws.com"
RUN_PARTS = frozenset({"Arn", "RoleArn", "Input", "RetryPolicy"})
UNIVERSAL = re.compile(r"arn:aws:scheduler:::aws-sdk:(?P<service>[a-z0-9-]+):(?P<operation>[A-Za-z0-9]+)")
READ_ONLY = (
    *("get", "describe", "list", "poll", "receive", "search", "scan", "query", "select", "read", "lookup"),
    *("discover", "validate", "batchGet", "batchDescribe", "batchRead", "transactGet", "retrieve"),
)

Request = tuple[str, str, dict[str, Any]]
"""service, boto3's name of the operation, parameters"""


def check_target(cloud: Cloud, target: Mapping[str, Any]) -> None:
    """Refuse what would not be called. Raises AwsError."""
    unknown = sorted(set(target) - RUN_PARTS)
    if unknown:
        raise _invalid(f"gbg_sandbox does not run targets with {', '.join(unknown)}")
    _own_input(target)
    if target["Arn"].startswith("arn:aws:scheduler:::aws-sdk:"):
        _universal(cloud, target)
    else:
        _templated(target)


def call(cloud: Cloud, schedule: Schedule) -> None:
    """One invocation. Raises AwsError or botocore's ClientError."""
    target = schedule.target
    universal = target["Arn"].startswith("arn:aws:scheduler:::aws-sdk:")
    service, operation, parameters = _universal(cloud, target) if universal else _templated(target)
    client = cloud.client(
        service, role=target["RoleArn"], acting=PRINCIPAL, session=schedule.name, source_arn=schedule.arn
    )
    try:
        getattr(client, operation)(**parameters)
    except ParamValidationError as error:
        raise _invalid(f"the target's input: {error}") from error


def _templated(target: Mapping[str, Any]) -> Request:
    for pattern, made in TEMPLATED.items():
        if re.fullmatch(pattern, target["Arn"]):
            return made(target["Arn"], target)
    raise _invalid(f"gbg_sandbox does not call {target['Arn']}")


def _codebuild(arn: str, target: Mapping[str, Any]) -> Request:
    return "codebuild", "start_build", {"projectName": arn.rpartition("/")[2]}


def _codepipeline(arn: str, target: Mapping[str, Any]) -> Request:
    return "codepipeline", "start_pipeline_execution", {"name": arn.rpartition(":")[2]}


def _lambda(arn: str, target: Mapping[str, Any]) -> Request:
    payload = target.get("Input", "{}").encode()
    return "lambda", "invoke", {"FunctionName": arn, "InvocationType": "Event", "Payload": payload}


def _sns(arn: str, target: Mapping[str, Any]) -> Request:
    return "sns", "publish", {"TopicArn": arn, "Message": target.get("Input", "{}")}


TEMPLATED: dict[str, Callable[[str, Mapping[str, Any]], Request]] = {
    r"arn:aws:codebuild:[^:]+:\d+:project/.+": _codebuild,
    r"arn:aws:codepipeline:[^:]+:\d+:[^:/]+": _codepipeline,
    r"arn:aws:lambda:[^:]+:\d+:function:[^:]+(:[^:]+)?": _lambda,
    r"arn:aws:sns:[^:]+:\d+:[^:]+": _sns,
}


def _universal(cloud: Cloud, target: Mapping[str, Any]) -> Request:
    found = UNIVERSAL.fullmatch(target["Arn"])
    if found is None:
        raise _invalid(f"Provided Arn is not in correct format: {target['Arn']}")
    service, operation = found["service"], found["operation"]
    if service not in cloud.services:
        raise _invalid(f"gbg_sandbox has no service {service}")
    if operation.startswith(READ_ONLY):
        raise _invalid(f"{operation} is a read-only operation, which EventBridge Scheduler does not call.")
    model = cloud.client(service).meta.service_model
    named = {name.lower(): name for name in model.operation_names}.get(operation.lower())
    if named is None:
        raise _invalid(f"{service} has no operation {operation}")
    shape = model.operation_model(named).input_shape
    return service, xform_name(named), _spelled(shape, _own_input(target)) if shape else {}


def _own_input(target: Mapping[str, Any]) -> dict[str, Any]:
    if "Input" not in target or not target["Arn"].startswith("arn:aws:scheduler:::"):
        return {}
    try:
        parameters = json.loads(target["Input"])
    except json.JSONDecodeError as error:
        raise _invalid("Invalid Request Payload: Input is not valid JSON.") from error
    if not isinstance(parameters, dict):
        raise _invalid("Invalid Request Payload: Input is not a JSON object.")
    return parameters


def _spelled(shape: Shape, value: Any) -> Any:
    """Names as the service's model spells them; Scheduler's input begins each with a capital letter."""
    if isinstance(shape, StructureShape) and isinstance(value, dict):
        own = {name.lower(): name for name in shape.members}
        return {
            (name := own.get(key.lower(), key)): _spelled(shape.members[name], item)
            if name in shape.members
            else item
            for key, item in value.items()
        }
    if isinstance(shape, ListShape) and isinstance(value, list):
        return [_spelled(shape.member, item) for item in value]
    if isinstance(shape, MapShape) and isinstance(value, dict):
        return {key: _spelled(shape.value, item) for key, item in value.items()}
    return value


def _invalid(message: str) -> AwsError:
    return AwsError("ValidationException", message)
