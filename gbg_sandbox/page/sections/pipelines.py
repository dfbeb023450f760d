"""Pipelines with their stages, their last executions and what each action did."""

from __future__ import annotations

from typing import Any

from gbg_sandbox.page.asking import Asking

EXECUTIONS = 12
ACTIONS = 60


def read(ask: Asking) -> list[dict[str, Any]]:
    return [_pipeline(ask, one["name"]) for one in ask("codepipeline", "list_pipelines")["pipelines"]]


def _pipeline(ask: Asking, name: str) -> dict[str, Any]:
    stages = ask.maybe("codepipeline", "get_pipeline_state", name=name).get("stageStates", [])
    declared = ask.maybe("codepipeline", "get_pipeline", name=name).get("pipeline", {}).get("stages", [])
    listed = ask.maybe(
        "codepipeline", "list_pipeline_executions", pipelineName=name, maxResults=EXECUTIONS
    ).get("pipelineExecutionSummaries", [])
    actions = ask.maybe("codepipeline", "list_action_executions", pipelineName=name, maxResults=ACTIONS).get(
        "actionExecutionDetails", []
    )
    return {
        "name": name,
        "stages": [
            {
                "name": stage["name"],
                "providers": [action["actionTypeId"]["provider"] for action in stage["actions"]],
                "open": state.get("inboundTransitionState", {}).get("enabled", True),
            }
            for stage, state in zip(declared, stages, strict=False)
        ],
        "executions": [_execution(one, actions) for one in listed],
        "going_on": any(one["status"] in ("InProgress", "Stopping") for one in listed),
    }


def _execution(one: dict[str, Any], actions: list[dict[str, Any]]) -> dict[str, Any]:
    revision: dict[str, Any] = next(iter(one.get("sourceRevisions", [])), {})
    return {
        "id": one["pipelineExecutionId"],
        "status": one["status"],
        "summary": one.get("statusSummary", ""),
        "started": one["startTime"],
        "updated": one["lastUpdateTime"],
        "commit": revision.get("revisionId", ""),
        "message": revision.get("revisionSummary", "").strip(),
        "trigger": one["trigger"]["triggerType"],
        "back_to": one.get("rollbackMetadata", {}).get("rollbackTargetPipelineExecutionId", ""),
        "actions": [
            _action(action)
            for action in reversed(actions)
            if action["pipelineExecutionId"] == one["pipelineExecutionId"]
        ],
    }


def _action(action: dict[str, Any]) -> dict[str, Any]:
    result = action["output"]["executionResult"]
    kind = action["input"]["actionTypeId"]
    return {
        "stage": action["stageName"],
        "name": action["actionName"],
        "category": kind["category"],
        "provider": kind["provider"],
        "status": action["status"],
        "started": action["startTime"],
        "updated": action["lastUpdateTime"],
        "summary": result.get("externalExecutionSummary", "").strip(),
        "error": result.get("errorDetails", {}).get("message", ""),
        "external": result.get("externalExecutionId", ""),
        "outputs": action["output"]["outputVariables"],
    }
