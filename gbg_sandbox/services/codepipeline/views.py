"""Pipelines and executions in the shapes of the API."""

from __future__ import annotations

from typing import Any

from gbg_sandbox.services.codepipeline.state import ActionRun, Artifact, Execution, Pipeline, StageRun


def _without_empty(members: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in members.items() if value not in (None, "", {})}


def execution(one: Execution) -> dict[str, Any]:
    """PipelineExecution of GetPipelineExecution."""
    return {
        "pipelineName": one.pipeline,
        "pipelineVersion": one.version,
        "pipelineExecutionId": one.id,
        "status": one.status,
        "artifactRevisions": [
            {
                "name": revision.artifact,
                "revisionId": revision.id,
                "revisionSummary": revision.summary,
                "created": revision.created,
                "revisionUrl": revision.url,
            }
            for revision in one.revisions
        ],
        "variables": [{"name": name, "resolvedValue": value} for name, value in one.variables.items()],
        **_kind(one),
    } | _without_empty({"statusSummary": one.status_summary})


def execution_summary(one: Execution) -> dict[str, Any]:
    """PipelineExecutionSummary of ListPipelineExecutions."""
    return {
        "pipelineExecutionId": one.id,
        "status": one.status,
        "startTime": one.started,
        "lastUpdateTime": one.updated,
        "sourceRevisions": [
            _without_empty(
                {
                    "actionName": revision.action,
                    "revisionId": revision.id,
                    "revisionSummary": revision.summary,
                    "revisionUrl": revision.url,
                }
            )
            for revision in one.revisions
        ],
        **_kind(one),
    } | _without_empty(
        {
            "statusSummary": one.status_summary,
            "stopTrigger": {"reason": one.stop_reason} if one.stop.is_set() else None,
        }
    )


def _kind(one: Execution) -> dict[str, Any]:
    found: dict[str, Any] = {
        "trigger": {"triggerType": one.trigger.type, "triggerDetail": one.trigger.detail},
        "executionMode": one.mode,
        "executionType": one.type,
    }
    if one.rollback_target:
        found["rollbackMetadata"] = {"rollbackTargetPipelineExecutionId": one.rollback_target}
    return found


def action_detail(run: ActionRun) -> dict[str, Any]:
    """ActionExecutionDetail of ListActionExecutions."""
    declared = run.action
    result = _without_empty(
        {
            "externalExecutionId": run.external_id,
            "externalExecutionSummary": run.summary,
            "externalExecutionUrl": run.external_url,
            "errorDetails": _error(run),
        }
    )
    return {
        "pipelineExecutionId": run.execution_id,
        "actionExecutionId": run.id,
        "pipelineVersion": run.pipeline_version,
        "stageName": run.stage,
        "actionName": run.name,
        "startTime": run.started,
        "lastUpdateTime": run.updated,
        "updatedBy": run.updated_by,
        "status": run.status,
        "input": _without_empty(
            {
                "actionTypeId": dict(declared["actionTypeId"]),
                "configuration": dict(declared["configuration"]),
                "resolvedConfiguration": dict(run.configuration),
                "roleArn": declared.get("roleArn"),
                "region": declared.get("region"),
                "namespace": declared.get("namespace"),
            }
        )
        | {"inputArtifacts": [_artifact(one) for one in run.inputs]},
        "output": {
            "outputArtifacts": [_artifact(one) for one in run.outputs if run.status == "Succeeded"],
            "executionResult": result,
            "outputVariables": dict(run.variables),
        },
    }


def _artifact(one: Artifact) -> dict[str, Any]:
    return {"name": one.name, "s3location": {"bucket": one.bucket, "key": one.key}}


def _error(run: ActionRun) -> dict[str, str] | None:
    return {"code": run.error[0], "message": run.error[1]} if run.error else None


def stage_state(pipeline: Pipeline, stage: dict[str, Any]) -> dict[str, Any]:
    """StageState of GetPipelineState; the pipeline's lock is held."""
    name = stage["name"]
    state: dict[str, Any] = {
        "stageName": name,
        "actionStates": [_action_state(pipeline, name, action) for action in stage["actions"]],
    }
    if stage is not pipeline.declaration["stages"][0]:
        transition = pipeline.transition(name)
        state["inboundTransitionState"] = {"enabled": transition.enabled} | _without_empty(
            {
                "lastChangedBy": transition.by,
                "lastChangedAt": transition.at,
                "disabledReason": "" if transition.enabled else transition.reason,
            }
        )
    waiting = [_stage_execution(pipeline.executions[one], None) for one in pipeline.waiting.get(name, [])]
    if waiting:
        state |= {"inboundExecution": waiting[0], "inboundExecutions": waiting}
    latest = pipeline.executions.get(pipeline.latest_in_stage.get(name, ""))
    if latest is not None and name in latest.stages:
        run = latest.stages[name]
        state["latestExecution"] = _stage_execution(latest, run)
        if run.last_retry:
            state["retryStageMetadata"] = {
                "autoStageRetryAttempt": run.automatic_retries,
                "manualStageRetryAttempt": run.manual_retries,
                "latestRetryTrigger": run.last_retry,
            }
    return state


def _stage_execution(one: Execution, run: StageRun | None) -> dict[str, Any]:
    stopping = run is not None and run.status == "InProgress" and one.stop.is_set()
    status = "Stopping" if stopping else run.status if run else "InProgress"
    return {"pipelineExecutionId": one.id, "status": status, "type": one.type}


def _action_state(pipeline: Pipeline, stage: str, action: dict[str, Any]) -> dict[str, Any]:
    state: dict[str, Any] = {"actionName": action["name"]}
    run = pipeline.latest_actions.get((stage, action["name"]))
    if run is None:
        return state
    state["latestExecution"] = _without_empty(
        {
            "actionExecutionId": run.id,
            "status": run.status,
            "summary": run.summary,
            "lastStatusChange": run.updated,
            "token": run.approval_token,
            "lastUpdatedBy": run.updated_by,
            "externalExecutionId": run.external_id,
            "externalExecutionUrl": run.external_url,
            "percentComplete": run.percent,
            "errorDetails": _error(run),
        }
    )
    execution = pipeline.executions[run.execution_id]
    for revision in execution.revisions:
        if revision.action == action["name"] and action["actionTypeId"]["category"] == "Source":
            state["currentRevision"] = {
                "revisionId": revision.id,
                "revisionChangeId": revision.id,
                "created": revision.created,
            }
            state["revisionUrl"] = revision.url
    return _without_empty(state)
