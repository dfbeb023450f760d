"""A release: one pipeline execution, with everything that it made, under one roof."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from gbg_lib.pipeline import BAKE, BUILD, DEPLOY, PIN, Action, Execution, Pipeline


@dataclass(frozen=True)
class Release:
    execution_id: str
    status: str
    commit: str
    message: str
    image: str
    template_version: str
    """that the fleet was pinned to right before it was copied; empty until then"""
    automation_id: str
    build_id: str
    deployment_id: str
    actions: tuple[Action, ...]
    rolls_back_to: str = ""
    """the execution whose application and image this one brought again"""

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
    return _release(pipeline, pipeline.execution(execution_id))


def read_releases(pipeline: Pipeline, most: int) -> list[Release]:
    """The newest ones, newest first."""
    return [_release(pipeline, execution) for execution in pipeline.executions()[:most]]


def _release(pipeline: Pipeline, execution: Execution) -> Release:
    """A stage rollback brings the image of the execution that it goes back to, and bakes none itself."""
    actions = pipeline.actions(execution.id)
    by_stage = {action.stage: action for action in actions if action.name != PIN}
    pinned = next((action.outputs for action in actions if action.name == PIN), {})
    baked = actions if not execution.rolls_back_to else pipeline.actions(execution.rolls_back_to)
    bake = {action.stage: action for action in baked}.get(BAKE)
    outputs: Mapping[str, str] = bake.outputs if bake else {}
    return Release(
        execution_id=execution.id,
        status=execution.status,
        commit=execution.commit,
        message=execution.message,
        image=outputs.get("ImageId", ""),
        template_version=pinned.get("LaunchTemplateVersion", ""),
        automation_id=outputs.get("AutomationExecutionId", bake.external_id if bake else ""),
        build_id=by_stage[BUILD].external_id if BUILD in by_stage else "",
        deployment_id=by_stage[DEPLOY].external_id if DEPLOY in by_stage else "",
        actions=tuple(actions),
        rolls_back_to=execution.rolls_back_to,
    )
