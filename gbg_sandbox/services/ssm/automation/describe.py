"""Executions and steps in the shape of the API.

https://docs.aws.amazon.com/systems-manager/latest/APIReference/API_AutomationExecution.html
"""

from __future__ import annotations

from typing import Any

from gbg_sandbox.services.ssm.automation.state import Execution, StepExecution
from gbg_sandbox.services.ssm.automation.values import strings, text


def execution_shape(execution: Execution) -> dict[str, Any]:
    return {
        **_common(execution),
        "StepExecutions": [step_shape(execution, record) for record in execution.steps],
        "StepExecutionsTruncated": False,
        "Parameters": {name: strings(value) for name, value in execution.parameters.items()},
        "ResolvedTargets": {"ParameterValues": [], "Truncated": False},
        "ProgressCounters": _counters(execution),
        "Variables": {name: strings(value) for name, value in execution.scope.variables.items()},
    }


def metadata_shape(execution: Execution) -> dict[str, Any]:
    return {**_common(execution), "AutomationType": "Local", "LogFile": ""}


def _common(execution: Execution) -> dict[str, Any]:
    shape = {
        "AutomationExecutionId": execution.id,
        "DocumentName": execution.document_name,
        "DocumentVersion": execution.document_version,
        "ExecutionStartTime": execution.started,
        "AutomationExecutionStatus": execution.status,
        "Outputs": {name: strings(value) for name, value in execution.outputs.items()},
        "Mode": "Auto",
        "ExecutedBy": execution.caller.arn,
        "Targets": [],
    }
    if execution.ended:
        shape["ExecutionEndTime"] = execution.ended
    elif execution.current:
        shape["CurrentStepName"] = execution.current
        shape["CurrentAction"] = execution.step(execution.current).step.action
    if execution.failure_message:
        shape["FailureMessage"] = execution.failure_message
    return shape


def _counters(execution: Execution) -> dict[str, int]:
    statuses = [record.status for record in execution.steps]
    return {
        "TotalSteps": len(statuses),
        "SuccessSteps": statuses.count("Success"),
        "FailedSteps": statuses.count("Failed"),
        "CancelledSteps": statuses.count("Cancelled"),
        "TimedOutSteps": statuses.count("TimedOut"),
    }


def step_shape(execution: Execution, record: StepExecution) -> dict[str, Any]:
    step = record.step
    following = execution.document.following(step)
    shape: dict[str, Any] = {
        "StepName": step.name,
        "Action": step.action,
        "OnFailure": step.on_failure,
        "MaxAttempts": step.max_attempts,
        "StepStatus": record.status,
        "Inputs": {name: text(_quoted(value)) for name, value in record.inputs.items()},
        "Outputs": {name: strings(value) for name, value in record.outputs.items()},
        "StepExecutionId": record.id,
        "IsEnd": step.is_end,
        "IsCritical": step.is_critical if step.is_critical is not None else step.on_failure != "Continue",
        "ValidNextSteps": [following] if following and not step.is_end else [],
        "OverriddenParameters": {},
    }
    optional = {
        "TimeoutSeconds": step.timeout_seconds,
        "ExecutionStartTime": record.started,
        "ExecutionEndTime": record.ended,
        "ResponseCode": record.response_code,
        "Response": record.response,
        "FailureMessage": record.failure_message,
        "FailureDetails": dict(record.failure_details),
        "NextStep": following if not step.is_end else "",
    }
    return shape | {name: value for name, value in optional.items() if value not in (None, "", {})}


def _quoted(value: Any) -> Any:
    """AWS shows inputs as JSON, so that a text stands in quotes."""
    return f'"{value}"' if isinstance(value, str) else value
