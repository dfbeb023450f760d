"""Drift detection's operations.

https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/detect-drift-stack.html
"""

from __future__ import annotations

from typing import Any

from botocore.exceptions import ClientError

from gbg_sandbox.service import AwsError, Call, runs
from gbg_sandbox.services.cloudformation import stack_api
from gbg_sandbox.services.cloudformation.change_sets import ChangeSetOperations
from gbg_sandbox.services.cloudformation.drift import Drift, look
from gbg_sandbox.services.cloudformation.errors import TemplateError
from gbg_sandbox.services.cloudformation.operation import Operation
from gbg_sandbox.services.cloudformation.resources import provider_of
from gbg_sandbox.services.cloudformation.resources.base import Task
from gbg_sandbox.services.cloudformation.state import (
    Authority,
    DriftDetection,
    Stack,
    StackResource,
    new_id,
)

DETECTABLE = frozenset(
    f"{verb}_COMPLETE" for verb in ("CREATE", "UPDATE", "UPDATE_ROLLBACK", "IMPORT", "IMPORT_ROLLBACK")
) | {"UPDATE_ROLLBACK_FAILED"}


class DriftOperations(ChangeSetOperations):
    @runs
    def detect_stack_drift(self, call: Call, params: dict[str, Any]) -> dict[str, Any]:
        stack = self._checkable(params)
        wanted = params.get("LogicalResourceIds") or list(stack.resources)
        chosen = [self._resource(stack, name) for name in wanted]
        detection = DriftDetection(new_id(), self.cloud.clock.now())
        with stack.lock:
            stack.detections[detection.id] = detection
        operation = self._reading(stack, call)

        def detect() -> None:
            refused = [why for one in chosen if (why := self._detect(stack, one, operation))]
            if refused:
                detection.reason = "Failed to detect drift on resources. " + "; ".join(refused)
            detection.drifted = sum(
                one.drift is not None and one.drift.status != "IN_SYNC" for one in stack.resources.values()
            )
            stack.drift_status = "DRIFTED" if detection.drifted else "IN_SYNC"
            stack.drift_checked = self.cloud.clock.now()
            detection.drift_status = stack.drift_status
            detection.status = "DETECTION_FAILED" if refused else "DETECTION_COMPLETE"

        self.cloud.spawn(f"cloudformation drift of {stack.name}", detect)
        return {"StackDriftDetectionId": detection.id}

    @runs
    def detect_stack_resource_drift(self, call: Call, params: dict[str, Any]) -> dict[str, Any]:
        stack = self._checkable(params)
        resource = self._resource(stack, params["LogicalResourceId"])
        if not provider_of(resource.type).drifts:
            raise TemplateError(f"Drift detection is not supported for the resource type {resource.type}")
        why = self._detect(stack, resource, self._reading(stack, call))
        if why or resource.drift is None:
            raise TemplateError(why)
        return {"StackResourceDrift": resource_drift(stack, resource, resource.drift)}

    @runs
    def describe_stack_drift_detection_status(self, call: Call, params: dict[str, Any]) -> dict[str, Any]:
        wanted = params["StackDriftDetectionId"]
        for stack in self.stacks.all():
            if wanted in stack.detections:
                return detection_status(stack, stack.detections[wanted])
        raise TemplateError(f"Stack drift detection with id {wanted} does not exist")

    @runs
    def describe_stack_resource_drifts(self, call: Call, params: dict[str, Any]) -> dict[str, Any]:
        stack = self.find(params["StackName"])
        wanted = params.get("StackResourceDriftStatusFilters")
        checked = [
            resource_drift(stack, one, one.drift)
            for one in stack.resources.values()
            if one.drift is not None and (not wanted or one.drift.status in wanted)
        ]
        found, more = stack_api.page(checked, params.get("NextToken", ""), params.get("MaxResults", 100))
        return {"StackResourceDrifts": found, **more}

    def _checkable(self, params: dict[str, Any]) -> Stack:
        stack = self.find(params["StackName"], f"Stack [{params['StackName']}] does not exist")
        if stack.status not in DETECTABLE:
            raise TemplateError(
                f"Drift detection cannot be performed on stack [{stack.id}] in {stack.status} state"
            )
        if any(one.status == "DETECTION_IN_PROGRESS" for one in stack.detections.values()):
            raise TemplateError(f"Drift detection is already in progress for stack [{stack.id}]")
        return stack

    def _reading(self, stack: Stack, call: Call) -> Operation:
        """AWS reads the resources with the rights of whoever asks, not of the stack's role."""
        return self._operation(stack, Authority(call.principal))

    def _detect(self, stack: Stack, resource: StackResource, operation: Operation) -> str:
        """Keeps what was found; returns why it could not be, or empty. Some types are never checked."""
        if not provider_of(resource.type).drifts:
            return ""
        task = Task(operation, resource.logical_id, resource.type)
        try:
            resource.drift = look(task, resource, self.cloud.clock.now())
        except (ClientError, AwsError) as error:
            return f"[{resource.logical_id}] {error}"
        return ""

    @staticmethod
    def _resource(stack: Stack, logical_id: str) -> StackResource:
        found = stack.resources.get(logical_id)
        if found is None:
            raise TemplateError(f"Resource {logical_id} does not exist for stack {stack.name}")
        return found


def detection_status(stack: Stack, detection: DriftDetection) -> dict[str, Any]:
    over = detection.status != "DETECTION_IN_PROGRESS"
    optional = {
        "StackDriftStatus": detection.drift_status if detection.status == "DETECTION_COMPLETE" else "",
        "DetectionStatusReason": detection.reason,
        "DriftedStackResourceCount": detection.drifted if over else None,
    }
    return {
        "StackId": stack.id,
        "StackDriftDetectionId": detection.id,
        "DetectionStatus": detection.status,
        "Timestamp": detection.started,
        **stack_api.present(optional),
    }


def resource_drift(stack: Stack, resource: StackResource, drift: Drift) -> dict[str, Any]:
    described = {
        "StackId": stack.id,
        "LogicalResourceId": resource.logical_id,
        "PhysicalResourceId": resource.physical_id,
        "ResourceType": resource.type,
        "ExpectedProperties": stack_api.as_json(drift.expected),
        "StackResourceDriftStatus": drift.status,
        "Timestamp": drift.checked,
        "PropertyDifferences": [
            {
                "PropertyPath": one.path,
                "ExpectedValue": one.expected,
                "ActualValue": one.actual,
                "DifferenceType": one.kind,
            }
            for one in drift.differences
        ],
    }
    if drift.actual is not None:
        described["ActualProperties"] = stack_api.as_json(drift.actual)
    return described
