"""Deployments with every machine's lifecycle events."""

from __future__ import annotations

from typing import Any

from gbg_sandbox.page.asking import Asking

DEPLOYMENTS = 6
OVER = frozenset({"Succeeded", "Failed", "Stopped"})


def read(ask: Asking) -> list[dict[str, Any]]:
    return [
        _deployment(ask, one) for one in ask("codedeploy", "list_deployments")["deployments"][:DEPLOYMENTS]
    ]


def _deployment(ask: Asking, deployment: str) -> dict[str, Any]:
    one = ask("codedeploy", "get_deployment", deploymentId=deployment)["deploymentInfo"]
    ids = ask("codedeploy", "list_deployment_targets", deploymentId=deployment)["targetIds"]
    targets: list[dict[str, Any]] = []
    if ids:
        answer = ask(
            "codedeploy", "batch_get_deployment_targets", deploymentId=deployment, targetIds=ids[:25]
        )
        targets = [_target(item["instanceTarget"]) for item in answer["deploymentTargets"]]
    error = one.get("errorInformation", {})
    return {
        "id": deployment,
        "application": one["applicationName"],
        "group": one["deploymentGroupName"],
        "status": one["status"],
        "created": one["createTime"],
        "ended": one.get("completeTime"),
        "blue_green": one["deploymentStyle"]["deploymentType"] == "BLUE_GREEN",
        "green_groups": one.get("targetInstances", {}).get("autoScalingGroups", []),
        "terminating_blue": one.get("instanceTerminationWaitTimeStarted", False),
        "error": f"{error['code']}: {error['message']}" if error else "",
        "messages": one.get("deploymentStatusMessages", []),
        "rollback": one.get("rollbackInfo", {}).get("rollbackMessage", ""),
        "targets": targets,
        "going_on": one["status"] not in OVER,
    }


def _target(target: dict[str, Any]) -> dict[str, Any]:
    return {
        "instance": target["targetId"],
        "side": target.get("instanceLabel", "").lower(),
        "status": target["status"],
        "events": [_event(event) for event in target.get("lifecycleEvents", [])],
    }


def _event(event: dict[str, Any]) -> dict[str, Any]:
    told = event.get("diagnostics", {})
    return {
        "name": event["lifecycleEventName"],
        "status": event["status"],
        "started": event.get("startTime"),
        "ended": event.get("endTime"),
        "code": told.get("errorCode", ""),
        "script": told.get("scriptName", ""),
        "message": told.get("message", ""),
        "log": told.get("logTail", ""),
    }
