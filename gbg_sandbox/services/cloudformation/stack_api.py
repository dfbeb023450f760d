"""Stacks in the shapes of the API."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

from gbg_sandbox.services.cloudformation.errors import TemplateError
from gbg_sandbox.services.cloudformation.parameters import ParameterValue
from gbg_sandbox.services.cloudformation.state import (
    ChangeSet,
    Output,
    Stack,
    StackEvent,
    StackResource,
)
from gbg_sandbox.services.cloudformation.template import Template

T = TypeVar("T")


def page(items: Sequence[T], token: str, size: int = 100) -> tuple[list[T], dict[str, str]]:
    """One page and, when there is more, the NextToken entry."""
    start = 0
    if token:
        try:
            start = int(base64.urlsafe_b64decode(token.encode()).decode())
        except ValueError as error:
            raise TemplateError("Invalid NextToken") from error
    following = start + size
    more = {}
    if following < len(items):
        more["NextToken"] = base64.urlsafe_b64encode(str(following).encode()).decode()
    return list(items[start:following]), more


def present(values: dict[str, Any]) -> dict[str, Any]:
    """Without what is empty."""
    return {key: value for key, value in values.items() if value not in (None, "")}


def tags(values: dict[str, str]) -> list[dict[str, str]]:
    return [{"Key": key, "Value": value} for key, value in values.items()]


def parameter(value: ParameterValue) -> dict[str, Any]:
    return present(
        {
            "ParameterKey": value.declaration.name,
            "ParameterValue": value.shown or None,
            "ResolvedValue": "****" if value.declaration.no_echo and value.resolved else value.resolved,
        }
    ) | ({} if value.shown else {"ParameterValue": ""})


def output(value: Output) -> dict[str, Any]:
    return present(
        {"OutputKey": value.name, "Description": value.description, "ExportName": value.export}
    ) | {"OutputValue": value.value}


def as_json(properties: Mapping[str, Any]) -> str:
    return json.dumps(properties, default=str)


def stack_drift(value: Stack) -> dict[str, Any]:
    return present({"StackDriftStatus": value.drift_status, "LastCheckTimestamp": value.drift_checked})


def resource_drift(value: StackResource) -> dict[str, Any]:
    if value.drift is None:
        return {"StackResourceDriftStatus": "NOT_CHECKED"}
    return {"StackResourceDriftStatus": value.drift.status, "LastCheckTimestamp": value.drift.checked}


def stack(value: Stack) -> dict[str, Any]:
    revision = value.revision
    described: dict[str, Any] = present(
        {
            "StackId": value.id,
            "StackName": value.name,
            "ChangeSetId": value.change_set_id,
            "Description": revision.template.description if revision else "",
            "CreationTime": value.created,
            "DeletionTime": value.deleted,
            "LastUpdatedTime": value.updated,
            "StackStatus": value.status,
            "StackStatusReason": value.reason,
            "TimeoutInMinutes": value.timeout_minutes,
            "RoleARN": value.role_arn,
        }
    )
    return described | {
        "RollbackConfiguration": {},
        "DisableRollback": value.on_failure == "DO_NOTHING",
        "NotificationARNs": [],
        "Capabilities": list(revision.capabilities) if revision else [],
        "Parameters": [parameter(p) for p in revision.parameters.values()] if revision else [],
        "Outputs": [output(o) for o in value.outputs],
        "Tags": tags(dict(revision.tags)) if revision else [],
        "EnableTerminationProtection": value.protected,
        "DriftInformation": stack_drift(value),
    }


def stack_summary(value: Stack) -> dict[str, Any]:
    return present(
        {
            "StackId": value.id,
            "StackName": value.name,
            "TemplateDescription": value.revision.template.description if value.revision else "",
            "CreationTime": value.created,
            "LastUpdatedTime": value.updated,
            "DeletionTime": value.deleted,
            "StackStatus": value.status,
            "StackStatusReason": value.reason,
            "DriftInformation": stack_drift(value),
        }
    )


def stack_event(owner: Stack, value: StackEvent) -> dict[str, Any]:
    return present(
        {
            "StackId": owner.id,
            "EventId": value.id,
            "StackName": owner.name,
            "LogicalResourceId": value.logical_id,
            "PhysicalResourceId": value.physical_id,
            "ResourceType": value.type,
            "Timestamp": value.time,
            "ResourceStatus": value.status,
            "ResourceStatusReason": value.reason,
            "ResourceProperties": value.properties,
            "ClientRequestToken": value.token,
        }
    ) | {"PhysicalResourceId": value.physical_id}


def resource(owner: Stack, value: StackResource, *, stamp: str, summary: bool = False) -> dict[str, Any]:
    """A resource; `stamp` names the time's member (Timestamp or LastUpdatedTimestamp)."""
    described = present(
        {
            "LogicalResourceId": value.logical_id,
            "PhysicalResourceId": value.physical_id,
            "ResourceType": value.type,
            stamp: value.updated,
            "ResourceStatus": value.status,
            "ResourceStatusReason": value.reason,
            "DriftInformation": resource_drift(value),
        }
    )
    return described if summary else {"StackName": owner.name, "StackId": owner.id, **described}


def resource_detail(owner: Stack, value: StackResource) -> dict[str, Any]:
    described = resource(owner, value, stamp="LastUpdatedTimestamp")
    if value.definition.metadata is not None:
        described["Metadata"] = json.dumps(value.definition.metadata)
    return described


def capabilities(template: Template) -> dict[str, Any]:
    needed, types = template.capabilities()
    if not needed:
        return {}
    return {
        "Capabilities": needed,
        "CapabilitiesReason": f"The following resource(s) require capabilities: [{', '.join(types)}]",
    }


def change_set_summary(owner: Stack, value: ChangeSet) -> dict[str, Any]:
    return present(
        {
            "StackId": owner.id,
            "StackName": owner.name,
            "ChangeSetId": value.id,
            "ChangeSetName": value.name,
            "ExecutionStatus": value.execution,
            "Status": value.status,
            "StatusReason": value.reason,
            "CreationTime": value.created,
            "Description": value.description,
        }
    ) | {"IncludeNestedStacks": False}
