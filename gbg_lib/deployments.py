"""A deployment's machines and the lifecycle events that ran on them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from gbg_lib.aws import Aws

BATCH_TARGETS = 25
ACTIVE = ("Created", "Queued", "InProgress", "Baking", "Ready")
"""statuses of a deployment that is not over; a deployment group takes one such at a time"""


@dataclass(frozen=True)
class LifecycleEvent:
    name: str
    status: str
    started: datetime | None
    ended: datetime | None
    error_code: str = ""
    script: str = ""
    message: str = ""
    log_tail: str = ""

    @property
    def seconds(self) -> float:
        if self.started is None or self.ended is None:
            return 0.0
        return max((self.ended - self.started).total_seconds(), 0.0)


@dataclass(frozen=True)
class Target:
    """One machine of a deployment."""

    instance: str
    side: str
    """Blue | Green"""
    status: str
    events: tuple[LifecycleEvent, ...]


def targets(aws: Aws, deployment_id: str) -> list[Target]:
    """Every machine of a deployment with its lifecycle events, green before blue."""
    ids = target_ids(aws, deployment_id)
    found: list[Target] = []
    for first in range(0, len(ids), BATCH_TARGETS):
        found.extend(read_targets(aws, deployment_id, ids[first : first + BATCH_TARGETS]))
    return sorted(found, key=lambda target: (target.side != "Green", target.instance))


def target_ids(aws: Aws, deployment_id: str) -> list[str]:
    """Of the machines that the deployment knows so far."""
    found = aws.pages("codedeploy", "list_deployment_targets", "targetIds", deploymentId=deployment_id)
    return [str(one) for one in found]


def read_targets(aws: Aws, deployment_id: str, ids: list[str]) -> list[Target]:
    """At most `BATCH_TARGETS` machines in one request."""
    answer = aws.call("codedeploy", "batch_get_deployment_targets", deploymentId=deployment_id, targetIds=ids)
    return [_target(item["instanceTarget"]) for item in answer["deploymentTargets"]]


def _target(item: Mapping[str, Any]) -> Target:
    return Target(
        instance=item["targetId"],
        side=item.get("instanceLabel", "").title(),
        status=item["status"],
        events=tuple(_event(event) for event in item.get("lifecycleEvents", [])),
    )


def _event(item: Mapping[str, Any]) -> LifecycleEvent:
    diagnostics = item.get("diagnostics", {})
    return LifecycleEvent(
        item["lifecycleEventName"],
        item["status"],
        item.get("startTime"),
        item.get("endTime"),
        diagnostics.get("errorCode", ""),
        diagnostics.get("scriptName", ""),
        diagnostics.get("message", ""),
        diagnostics.get("logTail", ""),
    )


def active_deployments(aws: Aws, application: str, group: str) -> list[str]:
    """Ids of those that are not over, rollbacks included."""
    found = aws.pages(
        "codedeploy",
        "list_deployments",
        "deployments",
        applicationName=application,
        deploymentGroupName=group,
        includeOnlyStatuses=list(ACTIVE),
    )
    return [str(one) for one in found]
