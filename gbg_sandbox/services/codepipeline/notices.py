"""What EventBridge hears of pipelines, stages and actions.

https://docs.aws.amazon.com/codepipeline/latest/userguide/detect-state-changes-cloudwatch-events.html
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from gbg_sandbox.services.codepipeline.state import ActionRun, Artifact, Execution

if TYPE_CHECKING:
    from gbg_sandbox.cloud import Cloud

SOURCE = "aws.codepipeline"
STATES = {
    "InProgress": "STARTED",
    "Succeeded": "SUCCEEDED",
    "Failed": "FAILED",
    "Stopping": "STOPPING",
    "Stopped": "STOPPED",
    "Superseded": "SUPERSEDED",
    "Cancelled": "CANCELED",
    "Abandoned": "ABANDONED",
}


def execution_changed(cloud: Cloud, execution: Execution, state: str = "") -> None:
    detail = {
        **_common(execution),
        "state": state or STATES[execution.status],
        "execution-trigger": {
            "trigger-type": execution.trigger.type,
            "trigger-detail": execution.trigger.detail,
        },
    }
    _publish(cloud, execution, "Pipeline", detail)


def stage_changed(cloud: Cloud, execution: Execution, stage: str, state: str) -> None:
    _publish(cloud, execution, "Stage", {**_common(execution), "stage": stage, "state": state})


def action_changed(cloud: Cloud, execution: Execution, run: ActionRun) -> None:
    detail = {
        **_common(execution),
        "stage": run.stage,
        "action": run.name,
        "action-execution-id": run.id,
        "state": STATES[run.status],
        "region": cloud.region,
        "type": dict(run.action["actionTypeId"]),
        "input-artifacts": [_artifact(one) for one in run.inputs],
        "output-artifacts": [_artifact(one) for one in run.outputs],
    }
    result = {
        "external-execution-id": run.external_id,
        "external-execution-url": run.external_url,
        "external-execution-summary": run.error[1] if run.error else run.summary,
        "error-code": run.error[0] if run.error else "",
    }
    if any(result.values()):
        detail["execution-result"] = {key: value for key, value in result.items() if value}
    _publish(cloud, execution, "Action", detail)


def _common(execution: Execution) -> dict[str, Any]:
    return {
        "pipeline": execution.pipeline,
        "execution-id": execution.id,
        "start-time": execution.started.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "version": float(execution.version),
        "pipeline-execution-attempt": float(execution.attempt),
    }


def _artifact(one: Artifact) -> dict[str, Any]:
    return {"name": one.name, "s3location": {"bucket": one.bucket, "key": one.key}}


def _publish(cloud: Cloud, execution: Execution, kind: str, detail: dict[str, Any]) -> None:
    arn = cloud.arn("codepipeline", execution.pipeline)
    cloud.events.publish(SOURCE, f"CodePipeline {kind} Execution State Change", detail, [arn])
