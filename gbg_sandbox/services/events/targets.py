"""What a rule can start, each in the way and under the rights that EventBridge has for it.

CodePipeline, CodeBuild and Automation are started under the target's role; Lambda and SNS by leave of their
own resource policies. https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-use-resource-based.html
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from gbg_sandbox.service import AwsError
from gbg_sandbox.services.events.state import Rule

if TYPE_CHECKING:
    from gbg_sandbox.cloud import Cloud

PRINCIPAL = "events.amazonaws.com"
RUN_PARTS = frozenset({"Id", "Arn", "RoleArn", "Input", "InputPath", "InputTransformer", "RetryPolicy"})

Delivery = Callable[["Cloud", Rule, Mapping[str, Any], str], None]


def check_target(target: Mapping[str, Any]) -> None:
    """Refuse what would not be delivered. Raises AwsError."""
    unknown = sorted(set(target) - RUN_PARTS)
    if unknown:
        raise AwsError("ValidationException", f"gbg_sandbox does not run targets with {', '.join(unknown)}")
    if sum(key in target for key in ("Input", "InputPath", "InputTransformer")) > 1:
        raise AwsError(
            "ValidationException",
            f"Only one of Input, InputPath, or InputTransformer must be provided for target {target['Id']}.",
        )
    kind = target_kind(target["Arn"])
    if kind in NEEDS_ROLE and not target.get("RoleArn"):
        raise AwsError("ValidationException", f"RoleArn is required for target {target['Arn']}.")


def target_kind(arn: str) -> str:
    """Which delivery an ARN asks for. Raises AwsError for one that the sandbox can't start."""
    for kind, pattern in KINDS.items():
        if re.fullmatch(pattern, arn):
            return kind
    raise AwsError(
        "ValidationException",
        f"gbg_sandbox does not deliver events to {arn}: it starts {', '.join(KINDS)}",
    )


def deliver(cloud: Cloud, rule: Rule, target: Mapping[str, Any], text: str) -> None:
    """Start the target with this input. Raises AwsError or botocore's ClientError."""
    DELIVERIES[target_kind(target["Arn"])](cloud, rule, target, text)


def _client(cloud: Cloud, rule: Rule, target: Mapping[str, Any], service: str) -> Any:
    return cloud.client(
        service, role=target["RoleArn"], acting=PRINCIPAL, session=rule.name, source_arn=rule.arn
    )


def _own_input(target: Mapping[str, Any], text: str) -> dict[str, Any]:
    """The target's parameters, which only an input made for it can carry."""
    if "Input" not in target and "InputTransformer" not in target:
        return {}
    try:
        parameters = json.loads(text)
    except json.JSONDecodeError as error:
        raise AwsError("ValidationException", f"the target's input is not JSON: {error}") from error
    if not isinstance(parameters, dict):
        raise AwsError("ValidationException", "the target's input is not a JSON object")
    return parameters


def _codepipeline(cloud: Cloud, rule: Rule, target: Mapping[str, Any], text: str) -> None:
    parameters = _own_input(target, text)
    revisions = parameters.get("sourceRevisions")
    if isinstance(revisions, dict):
        parameters["sourceRevisions"] = [revisions]
    _client(cloud, rule, target, "codepipeline").start_pipeline_execution(
        name=target["Arn"].rpartition(":")[2], **parameters
    )


def _codebuild(cloud: Cloud, rule: Rule, target: Mapping[str, Any], text: str) -> None:
    _client(cloud, rule, target, "codebuild").start_build(
        projectName=target["Arn"].rpartition("/")[2], **_own_input(target, text)
    )


def _automation(cloud: Cloud, rule: Rule, target: Mapping[str, Any], text: str) -> None:
    name, _, version = target["Arn"].rpartition("/")[2].partition(":")
    _client(cloud, rule, target, "ssm").start_automation_execution(
        DocumentName=name, DocumentVersion=version or "$DEFAULT", Parameters=_own_input(target, text)
    )


def _lambda(cloud: Cloud, rule: Rule, target: Mapping[str, Any], text: str) -> None:
    cloud.service("lambda").invoke_for_service(
        target["Arn"], text.encode(), acting=PRINCIPAL, source_arn=rule.arn
    )


def _sns(cloud: Cloud, rule: Rule, target: Mapping[str, Any], text: str) -> None:
    cloud.service("sns").publish_for_service(target["Arn"], text, acting=PRINCIPAL, source_arn=rule.arn)


KINDS = {
    "codepipeline": r"arn:aws:codepipeline:[^:]+:\d+:[^:/]+",
    "lambda": r"arn:aws:lambda:[^:]+:\d+:function:[^:]+(:[^:]+)?",
    "sns": r"arn:aws:sns:[^:]+:\d+:[^:]+",
    "ssm-automation": r"arn:aws:ssm:[^:]+:\d+:automation-definition/.+",
    "codebuild": r"arn:aws:codebuild:[^:]+:\d+:project/.+",
}
NEEDS_ROLE = frozenset({"codepipeline", "ssm-automation", "codebuild"})
DELIVERIES: dict[str, Delivery] = {
    "codepipeline": _codepipeline,
    "lambda": _lambda,
    "sns": _sns,
    "ssm-automation": _automation,
    "codebuild": _codebuild,
}
