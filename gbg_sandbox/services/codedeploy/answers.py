"""CodeDeploy's records in the shapes of its API."""

from __future__ import annotations

from collections import Counter
from typing import Any

from gbg_sandbox.services.codedeploy.state import Application, Config, Deployment, Group, Revision, Target


def without_none(fields: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if value is not None}


def application(found: Application) -> dict[str, Any]:
    return {
        "applicationId": found.id,
        "applicationName": found.name,
        "createTime": found.created,
        "linkedToGitHub": False,
        "computePlatform": found.compute_platform,
    }


def config(found: Config) -> dict[str, Any]:
    return {
        "deploymentConfigId": found.id,
        "deploymentConfigName": found.name,
        "minimumHealthyHosts": {"type": found.kind, "value": found.value},
        "createTime": found.created,
        "computePlatform": "Server",
    }


def revision(found: Revision) -> dict[str, Any]:
    return without_none(
        {
            "description": found.description,
            "deploymentGroups": sorted(found.groups),
            "firstUsedTime": found.first_used,
            "lastUsedTime": found.last_used,
            "registerTime": found.registered,
        }
    )


def _last(deployment: Deployment | None) -> dict[str, Any] | None:
    if deployment is None:
        return None
    return without_none(
        {
            "deploymentId": deployment.id,
            "status": deployment.status,
            "endTime": deployment.completed,
            "createTime": deployment.created,
        }
    )


def group(found: Group) -> dict[str, Any]:
    groups = [
        without_none({"name": name, "hook": found.hooks.get(name)})
        for name in found.settings.get("autoScalingGroups", [])
    ]
    return without_none(
        {
            **found.settings,
            "applicationName": found.application,
            "deploymentGroupId": found.id,
            "deploymentGroupName": found.name,
            "autoScalingGroups": groups,
            "deploymentStyle": found.style,
            "computePlatform": "Server",
            "targetRevision": found.target_revision,
            "lastSuccessfulDeployment": _last(found.last_successful),
            "lastAttemptedDeployment": _last(found.last_attempted),
        }
    )


def overview(found: Deployment) -> dict[str, int]:
    counted = Counter(target.status for target in found.targets if target.label != "Blue")
    return {
        state: counted.get(state, 0)
        for state in ("Pending", "InProgress", "Succeeded", "Failed", "Skipped", "Ready")
    }


def deployment(found: Deployment) -> dict[str, Any]:
    blue_green = found.style["deploymentType"] == "BLUE_GREEN"
    error = {"code": found.error[0], "message": found.error[1]} if found.error else None
    green = {"autoScalingGroups": [found.green_group]} if found.green_group else None
    return without_none(
        {
            "applicationName": found.group.application,
            "deploymentGroupName": found.group.name,
            "deploymentConfigName": found.config.name,
            "deploymentId": found.id,
            "previousRevision": found.previous_revision,
            "revision": found.revision,
            "status": found.status,
            "errorInformation": error,
            "createTime": found.created,
            "startTime": found.started,
            "completeTime": found.completed,
            "deploymentOverview": overview(found),
            "description": found.description or None,
            "creator": found.creator,
            "ignoreApplicationStopFailures": found.ignore_stop_failures,
            "autoRollbackConfiguration": found.rollback or None,
            "updateOutdatedInstancesOnly": False,
            "rollbackInfo": found.rollback_info,
            "deploymentStyle": found.style,
            "targetInstances": green,
            "instanceTerminationWaitTimeStarted": found.termination_wait_started,
            "blueGreenDeploymentConfiguration": found.settings.get("blueGreenDeploymentConfiguration")
            if blue_green
            else None,
            "loadBalancerInfo": found.settings.get("loadBalancerInfo"),
            "fileExistsBehavior": found.file_exists,
            "deploymentStatusMessages": list(found.messages),
            "computePlatform": "Server",
            "overrideAlarmConfiguration": found.override_alarms,
        }
    )


def _events(found: Target) -> list[dict[str, Any]]:
    return [
        without_none(
            {
                "lifecycleEventName": event.name,
                "status": event.status,
                "startTime": event.started,
                "endTime": event.ended,
                "diagnostics": event.diagnostics,
            }
        )
        for event in found.events
    ]


def target(of: Deployment, found: Target, arn: str) -> dict[str, Any]:
    return {
        "deploymentTargetType": "InstanceTarget",
        "instanceTarget": without_none(
            {
                "deploymentId": of.id,
                "targetId": found.instance_id,
                "targetArn": arn,
                "status": found.status,
                "lastUpdatedAt": found.updated,
                "lifecycleEvents": _events(found),
                "instanceLabel": found.label or None,
            }
        ),
    }


def instance(of: Deployment, found: Target, arn: str) -> dict[str, Any]:
    """The older form of a target."""
    return without_none(
        {
            "deploymentId": of.id,
            "instanceId": arn,
            "status": found.status,
            "lastUpdatedAt": found.updated,
            "lifecycleEvents": _events(found),
            "instanceType": found.label or None,
        }
    )
