"""Automation executions step by step, with what each step's command printed."""

from __future__ import annotations

import json
from typing import Any

from gbg_sandbox.page.asking import Asking

BAKES = 6
OVER = frozenset({"Success", "Failed", "TimedOut", "Cancelled"})
TAIL = 3000
"""characters of a step's output that the picture holds; the whole is a text of its own"""


def read(ask: Asking) -> list[dict[str, Any]]:
    listed = ask("ssm", "describe_automation_executions", MaxResults=BAKES)["AutomationExecutionMetadataList"]
    return [_bake(ask, one["AutomationExecutionId"]) for one in listed]


def _bake(ask: Asking, execution: str) -> dict[str, Any]:
    one = ask("ssm", "get_automation_execution", AutomationExecutionId=execution)["AutomationExecution"]
    status = one["AutomationExecutionStatus"]
    return {
        "id": execution,
        "document": one["DocumentName"],
        "status": status,
        "started": one["ExecutionStartTime"],
        "ended": one.get("ExecutionEndTime"),
        "failure": one.get("FailureMessage", ""),
        "parameters": {name: ", ".join(value) for name, value in one["Parameters"].items()},
        "outputs": {name: ", ".join(map(str, value)) for name, value in one["Outputs"].items()},
        "steps": [_step(ask, step) for step in one["StepExecutions"]],
        "going_on": status not in OVER,
    }


def _step(ask: Asking, step: dict[str, Any]) -> dict[str, Any]:
    return {
        "name": step["StepName"],
        "action": step["Action"],
        "status": step["StepStatus"],
        "started": step.get("ExecutionStartTime"),
        "ended": step.get("ExecutionEndTime"),
        "failure": step.get("FailureMessage", ""),
        "output": step_output(ask, step)[-TAIL:],
    }


def step_output(ask: Asking, step: dict[str, Any]) -> str:
    """What the step's command printed so far; for other steps what came out of them."""
    outputs = step["Outputs"]
    if step["Action"] != "aws:runCommand":
        return "\n".join(f"{name}: {', '.join(map(str, value))}" for name, value in outputs.items())
    if step["StepStatus"] == "InProgress" and "CommandId" not in outputs:
        return _running(ask, step)
    return "\n".join(outputs.get("Output", []))


def _running(ask: Asking, step: dict[str, Any]) -> str:
    """The newest command that went to the step's machine since the step began."""
    machines = json.loads(step["Inputs"].get("InstanceIds", "[]"))
    if not machines:
        return ""
    answer = ask("ssm", "list_command_invocations", InstanceId=machines[0], Details=True)
    for one in answer["CommandInvocations"]:
        if one["RequestedDateTime"] >= step["ExecutionStartTime"]:
            return "\n".join(plugin.get("Output", "") for plugin in one["CommandPlugins"])
    return ""
