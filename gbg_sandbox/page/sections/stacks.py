"""Stacks with their resources and their newest events."""

from __future__ import annotations

from typing import Any

from gbg_sandbox.page.asking import Asking

EVENTS = 60


def read(ask: Asking) -> list[dict[str, Any]]:
    found = ask("cloudformation", "describe_stacks")["Stacks"]
    return sorted((_stack(ask, one) for one in found), key=lambda stack: str(stack["created"]))


def _stack(ask: Asking, one: dict[str, Any]) -> dict[str, Any]:
    stack = one["StackId"]
    resources = ask.maybe("cloudformation", "describe_stack_resources", StackName=stack)
    events = ask.maybe("cloudformation", "describe_stack_events", StackName=stack).get("StackEvents", [])
    return {
        "name": one["StackName"],
        "status": one["StackStatus"],
        "why": one.get("StackStatusReason", ""),
        "about": one.get("Description", ""),
        "created": one["CreationTime"],
        "outputs": {output["OutputKey"]: output["OutputValue"] for output in one.get("Outputs", [])},
        "resources": [
            {
                "name": resource["LogicalResourceId"],
                "type": resource["ResourceType"],
                "id": resource.get("PhysicalResourceId", ""),
                "status": resource["ResourceStatus"],
                "why": resource.get("ResourceStatusReason", ""),
                "time": resource["Timestamp"],
            }
            for resource in resources.get("StackResources", [])
        ],
        "events": [
            {
                "name": event["LogicalResourceId"],
                "type": event["ResourceType"],
                "status": event["ResourceStatus"],
                "why": event.get("ResourceStatusReason", ""),
                "time": event["Timestamp"],
            }
            for event in events[:EVENTS]
        ],
        "going_on": one["StackStatus"].endswith("_IN_PROGRESS"),
    }
