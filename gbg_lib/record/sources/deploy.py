"""Deployments: every machine with every lifecycle event and the end of its log."""

from __future__ import annotations

from gbg_lib.deployments import BATCH_TARGETS
from gbg_lib.record.gathering import Gathering, Subject


def deployments(subject: Subject, found: Gathering) -> None:
    """With the rollbacks that they caused: CodeDeploy makes those deployments of their own."""
    wanted = list(subject.deployments)
    for deployment in wanted:
        told = subject.aws.call("codedeploy", "get_deployment", deploymentId=deployment)["deploymentInfo"]
        at = told.get("startTime", told["createTime"])
        until = told.get("completeTime")
        found.add("deployment", deployment, "codedeploy:get_deployment", told, at=at, until=until)
        rollback = told.get("rollbackInfo", {}).get("rollbackDeploymentId")
        if rollback and rollback not in wanted:
            wanted.append(rollback)
        _machines(subject, found, deployment)


def _machines(subject: Subject, found: Gathering, deployment: str) -> None:
    ids = list(
        subject.aws.pages("codedeploy", "list_deployment_targets", "targetIds", deploymentId=deployment)
    )
    for first in range(0, len(ids), BATCH_TARGETS):
        answer = subject.aws.call(
            "codedeploy",
            "batch_get_deployment_targets",
            deploymentId=deployment,
            targetIds=ids[first : first + BATCH_TARGETS],
        )
        for item in answer["deploymentTargets"]:
            _machine(found, item["instanceTarget"])


def _machine(found: Gathering, target: dict[str, object]) -> None:
    source = "codedeploy:batch_get_deployment_targets"
    events = target.pop("lifecycleEvents", [])
    assert isinstance(events, list)
    key = f"{target['deploymentId']}:{target['targetId']}"
    times = [event[end] for event in events for end in ("startTime", "endTime") if end in event]
    found.add(
        "machine",
        key,
        source,
        target,
        at=min(times, default=None),
        until=max(times, default=None),
    )
    for event in events:
        told = {"machine": target["targetId"], "side": target.get("instanceLabel", ""), **event}
        found.add(
            "machine.event",
            f"{key}:{event['lifecycleEventName']}",
            source,
            told,
            at=event.get("startTime"),
            until=event.get("endTime"),
        )


def group(subject: Subject, found: Gathering) -> None:
    told = subject.aws.call(
        "codedeploy",
        "get_deployment_group",
        applicationName=subject.base["ApplicationName"],
        deploymentGroupName=subject.base["DeploymentGroupName"],
    )["deploymentGroupInfo"]
    found.add("deployment.group", "after", "codedeploy:get_deployment_group", told)
