"""Events of executions and steps, in the form that EventBridge rules match.

https://docs.aws.amazon.com/systems-manager/latest/userguide/monitoring-systems-manager-event-examples.html
"""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

from gbg_sandbox.services.ssm.automation.state import Execution, StepExecution

if TYPE_CHECKING:
    from gbg_sandbox.cloud import Cloud

SOURCE = "aws.ssm"
STEP_CHANGED = "EC2 Automation Step Status-change Notification"
EXECUTION_CHANGED = "EC2 Automation Execution Status-change Notification"


def step_changed(cloud: Cloud, execution: Execution, record: StepExecution) -> None:
    detail = {
        **_common(execution, record.status, record.started, record.ended),
        "StepName": record.step.name,
        "Action": record.step.action,
    }
    cloud.events.publish(SOURCE, STEP_CHANGED, detail, _resources(cloud, execution))


def execution_changed(cloud: Cloud, execution: Execution) -> None:
    detail = {
        **_common(execution, execution.status, execution.started, execution.ended),
        "ExecutedBy": execution.caller.arn,
    }
    cloud.events.publish(SOURCE, EXECUTION_CHANGED, detail, _resources(cloud, execution))


def _common(
    execution: Execution, status: str, started: datetime | None, ended: datetime | None
) -> dict[str, Any]:
    detail: dict[str, Any] = {
        "ExecutionId": execution.id,
        "Definition": execution.document_name,
        "DefinitionVersion": float(execution.document_version),
        "Status": status,
    }
    if started:
        detail["StartTime"] = _time(started)
    if ended:
        detail["EndTime"] = _time(ended)
    if started and ended:
        detail["Time"] = round((ended - started).total_seconds() * 1000, 1)
    return detail


def _time(moment: datetime) -> str:
    return moment.strftime("%b %-d, %Y %-I:%M:%S %p")


def _resources(cloud: Cloud, execution: Execution) -> tuple[str, str]:
    definition = f"automation-definition/{execution.document_name}:{execution.document_version}"
    return cloud.arn("ssm", f"automation-execution/{execution.id}"), cloud.arn("ssm", definition)
