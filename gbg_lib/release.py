"""A release: one pipeline execution, with everything that it made, under one roof."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from gbg_lib.aws import Aws
from gbg_lib.errors import NotThere, ReleaseFailed
from gbg_lib.pipeline import Action, Pipeline

SOURCE, BAKE, BUILD, DEPLOY = "Source", "BuildGoldenAMI", "Build", "Deploy"
FAILED_HOOK = frozenset({"Failed", "Unknown"})
BATCH_TARGETS = 25


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


@dataclass(frozen=True)
class Release:
    execution_id: str
    status: str
    commit: str
    message: str
    image: str
    template_version: str
    automation_id: str
    build_id: str
    deployment_id: str
    actions: tuple[Action, ...]

    @property
    def started(self) -> datetime | None:
        return min((action.started for action in self.actions), default=None)

    @property
    def seconds(self) -> float:
        """From the first action's start to the last one's latest news."""
        if self.started is None:
            return 0.0
        ended = max(action.updated for action in self.actions)
        return max((ended - self.started).total_seconds(), 0.0)


def read_release(pipeline: Pipeline, execution_id: str) -> Release:
    """The release as AWS tells it now. Raises NotThere."""
    execution = pipeline.execution(execution_id)
    actions = pipeline.actions(execution_id)
    by_stage = {action.stage: action for action in actions}
    bake = by_stage.get(BAKE)
    outputs: Mapping[str, str] = bake.outputs if bake else {}
    return Release(
        execution_id=execution_id,
        status=execution.status,
        commit=execution.commit,
        message=execution.message,
        image=outputs.get("ImageId", ""),
        template_version=outputs.get("LaunchTemplateVersion", ""),
        automation_id=outputs.get("AutomationExecutionId", bake.external_id if bake else ""),
        build_id=by_stage[BUILD].external_id if BUILD in by_stage else "",
        deployment_id=by_stage[DEPLOY].external_id if DEPLOY in by_stage else "",
        actions=tuple(actions),
    )


def targets(aws: Aws, deployment_id: str) -> list[Target]:
    """Every machine of a deployment with its lifecycle events, green before blue."""
    ids = list(aws.pages("codedeploy", "list_deployment_targets", "targetIds", deploymentId=deployment_id))
    found: list[Target] = []
    for first in range(0, len(ids), BATCH_TARGETS):
        answer = aws.call(
            "codedeploy",
            "batch_get_deployment_targets",
            deploymentId=deployment_id,
            targetIds=ids[first : first + BATCH_TARGETS],
        )
        found.extend(_target(item["instanceTarget"]) for item in answer["deploymentTargets"])
    return sorted(found, key=lambda target: (target.side != "Green", target.instance))


def require_succeeded(aws: Aws, release: Release) -> Release:
    """The release, when it succeeded. Raises ReleaseFailed: machine, event, script, log."""
    if release.status == "Succeeded":
        return release
    failed = next((action for action in release.actions if action.status == "Failed"), None)
    where = f"release {release.execution_id[:8]}"
    if failed is None:
        raise ReleaseFailed(
            where,
            f"its status is {release.status}, and no stage failed",
            "start it again when the reason is gone",
        )
    what = f"{failed.stage}/{failed.name} failed: {failed.error or failed.summary or 'no message'}"
    if failed.stage == DEPLOY and release.deployment_id:
        what += _failed_hook(aws, release.deployment_id)
    raise ReleaseFailed(where, what, TRY.get(failed.stage, "mend the cause and push again"))


TRY = {
    BAKE: "`aws ssm get-automation-execution` shows the step that failed and its output",
    BUILD: "read the build's log; mend the application and push again",
    DEPLOY: "mend the hook or the application and push again; blue still serves",
}


def _failed_hook(aws: Aws, deployment_id: str) -> str:
    try:
        machines = targets(aws, deployment_id)
    except NotThere:
        return ""
    for target in machines:
        for event in target.events:
            if event.status in FAILED_HOOK:
                tail = "\n    ".join(event.log_tail.strip().splitlines()[-5:])
                return (
                    f"\n  {target.instance} ({target.side}), {event.name}, {event.script or 'no script'}: "
                    f"{event.message or event.error_code}\n    {tail}"
                )
    return ""


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
