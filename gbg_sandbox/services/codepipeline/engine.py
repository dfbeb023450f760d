"""Executions: through the stages in order, each action under the pipeline's role, each ending told truly."""

from __future__ import annotations

import logging
import secrets
import string
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from gbg_sandbox.clock import ShuttingDown
from gbg_sandbox.services.codepipeline import gate, notices
from gbg_sandbox.services.codepipeline.actions import PERFORM, ActionAbandoned, ActionContext, ActionFailed
from gbg_sandbox.services.codepipeline.gate import ExecutionStopped, ExecutionSuperseded
from gbg_sandbox.services.codepipeline.state import (
    ABANDONED,
    FAILED,
    IN_PROGRESS,
    ROLLBACK,
    STANDARD,
    STOPPED,
    SUCCEEDED,
    SUPERSEDED,
    ActionRun,
    Artifact,
    Execution,
    Pipeline,
    StageRun,
    Trigger,
)
from gbg_sandbox.services.codepipeline.structure import groups
from gbg_sandbox.services.codepipeline.variables import UnresolvedVariableError, resolve

if TYPE_CHECKING:
    from gbg_sandbox.services.codepipeline.api import CodePipeline

log = logging.getLogger(__name__)

KEY_LETTERS = string.ascii_letters + string.digits
FAILED_ONLY = "FAILED_ACTIONS"


class StageFailed(Exception):
    """An action of the stage failed."""


class ExecutionRun:
    """One walk of an execution, from its first stage or from one that is retried."""

    def __init__(self, service: CodePipeline, pipeline: Pipeline, execution: Execution) -> None:
        self._service = service
        self._cloud = service.cloud
        self._pipeline = pipeline
        self._execution = execution

    def run(self, from_stage: str = "", retry_mode: str = "") -> None:
        execution = self._execution
        notices.execution_changed(self._cloud, execution, "RESUMED" if retry_mode else "")
        failed_stage: Mapping[str, Any] | None = None
        try:
            for stage in self._stages(from_stage):
                again = retry_mode if stage["name"] == from_stage else ""
                failed_stage = stage
                self._enter(stage, again)
            if execution.stop.is_set():
                raise ExecutionStopped
            self._end(SUCCEEDED)
        except StageFailed:
            self._end(FAILED)
            if failed_stage is not None:
                self._after_failure(failed_stage)
        except ExecutionStopped:
            self._end(STOPPED, execution.stop_reason)
        except ExecutionSuperseded:
            self._end(SUPERSEDED)

    def _stages(self, from_stage: str) -> Sequence[Mapping[str, Any]]:
        stages: list[Mapping[str, Any]] = self._execution.declaration["stages"]
        if self._execution.only_stage:
            return [stage for stage in stages if stage["name"] == self._execution.only_stage]
        names = [stage["name"] for stage in stages]
        return stages[names.index(from_stage) if from_stage else 0 :]

    def _end(self, status: str, summary: str = "") -> None:
        with self._pipeline.changed:
            self._execution.status = status
            self._execution.status_summary = summary
            self._execution.updated = self._cloud.clock.now()
        notices.execution_changed(self._cloud, self._execution)

    # -- stages

    def _enter(self, stage: Mapping[str, Any], retry_mode: str) -> None:
        """Wait for the stage, go through it, retry it once by itself where it says so, leave it."""
        name = stage["name"]
        execution, pipeline = self._execution, self._pipeline
        gate.enter(pipeline, execution, name, self._cloud.clock, first=bool(retry_mode))
        try:
            self._attempt(stage, retry_mode)
        except StageFailed:
            run = execution.stages[name]
            on_failure = stage.get("onFailure", {})
            if on_failure.get("result") != "RETRY" or run.automatic_retries:
                raise
            run.automatic_retries += 1
            run.last_retry = "AutomatedStageRetry"
            self._attempt(stage, on_failure.get("retryConfiguration", {}).get("retryMode", FAILED_ONLY))
        finally:
            gate.leave(pipeline, execution, name)

    def _attempt(self, stage: Mapping[str, Any], retry_mode: str) -> None:
        name = stage["name"]
        execution = self._execution
        with self._pipeline.changed:
            run = execution.stages.setdefault(name, StageRun(name))
            run.status = IN_PROGRESS
        notices.stage_changed(self._cloud, execution, name, "RESUMED" if retry_mode else "STARTED")
        try:
            for group in groups(stage["actions"]):
                if execution.stop.is_set():
                    raise ExecutionStopped
                self._perform_group(run, self._to_do(run, group, retry_mode))
            run.status = SUCCEEDED
        except StageFailed:
            run.status = FAILED
            raise
        except ExecutionStopped:
            run.status = STOPPED
            raise
        finally:
            notices.stage_changed(self._cloud, execution, name, notices.STATES[run.status])

    @staticmethod
    def _to_do(run: StageRun, group: list[Mapping[str, Any]], retry_mode: str) -> list[Mapping[str, Any]]:
        if retry_mode != FAILED_ONLY:
            return group
        done = {name for name, action in run.actions.items() if action.status == SUCCEEDED}
        return [action for action in group if action["name"] not in done]

    def _perform_group(self, stage: StageRun, actions: list[Mapping[str, Any]]) -> None:
        """All actions of one runOrder at once; the others end before a failure counts."""
        if not actions:
            return
        with ThreadPoolExecutor(
            len(actions), thread_name_prefix=f"{self._pipeline.name} {stage.name}"
        ) as pool:
            runs = list(pool.map(lambda action: self._perform(stage, action), actions))
        if any(run.status == ABANDONED for run in runs):
            raise ExecutionStopped
        if any(run.status == FAILED for run in runs):
            raise ExecutionStopped if self._execution.stop.is_set() else StageFailed

    # -- actions

    def _perform(self, stage: StageRun, action: Mapping[str, Any]) -> ActionRun:
        execution = self._execution
        run = ActionRun(stage.name, action, execution.id, execution.version)
        run.updated_by = self._service.updated_by(execution)
        with self._pipeline.changed:
            execution.actions.append(run)
            stage.actions[run.name] = run
            self._pipeline.latest_actions[stage.name, run.name] = run
        try:
            self._prepare(run)
            notices.action_changed(self._cloud, execution, run)
            type_id = action["actionTypeId"]
            PERFORM[type_id["category"], type_id["provider"]](
                ActionContext(self._service, self._pipeline, execution, run)
            )
            self._close(run, SUCCEEDED)
        except ActionFailed as error:
            self._close(run, FAILED, (error.code, error.message))
        except ActionAbandoned:
            self._close(run, ABANDONED)
        except ClientError as error:
            self._close(run, FAILED, _told(error))
        except ShuttingDown:
            raise
        except Exception as error:
            log.exception("%s: action %s failed", self._pipeline.name, run.name)
            self._close(run, FAILED, ("InternalError", f"gbg_sandbox failed: {error!r}"))
        return run

    def _prepare(self, run: ActionRun) -> None:
        execution = self._execution
        try:
            run.configuration = {
                key: resolve(value, execution.values()) for key, value in run.action["configuration"].items()
            }
        except UnresolvedVariableError as error:
            raise ActionFailed("ConfigurationError", str(error)) from error
        names = [one["name"] for one in run.action["inputArtifacts"]]
        missing = [name for name in names if name not in execution.artifacts]
        if missing:
            raise ActionFailed("ConfigurationError", f"The input artifact {missing[0]} has not been produced")
        run.inputs = tuple(execution.artifacts[name] for name in names)
        run.outputs = tuple(self._place(one["name"]) for one in run.action["outputArtifacts"])

    def _place(self, artifact: str) -> Artifact:
        """Where a new artifact goes: CodePipeline's own layout of keys."""
        bucket = self._execution.declaration["artifactStore"]["location"]
        word = "".join(secrets.choice(KEY_LETTERS) for _ in range(7))
        return Artifact(artifact, bucket, f"{self._pipeline.name[:20]}/{artifact[:10]}/{word}")

    def _close(self, run: ActionRun, status: str, error: tuple[str, str] | None = None) -> None:
        with self._pipeline.changed:
            run.status, run.error, run.updated = status, error, self._cloud.clock.now()
            self._execution.updated = run.updated
            if status == SUCCEEDED:
                self._execution.artifacts |= {one.name: one for one in run.outputs}
                namespace = run.action.get("namespace")
                if namespace:
                    self._execution.namespaces[namespace] = dict(run.variables)
        notices.action_changed(self._cloud, self._execution, run)

    def _after_failure(self, stage: Mapping[str, Any]) -> None:
        if stage.get("onFailure", {}).get("result") != "ROLLBACK" or self._execution.type == ROLLBACK:
            return
        target = rollback_target(self._pipeline, stage["name"], self._execution.version)
        if target is None:
            log.info("%s: stage %s has no success to go back to", self._pipeline.name, stage["name"])
            return
        self._service.roll_back(
            self._pipeline, stage["name"], target, Trigger("AutomatedRollback", self._execution.id)
        )


def rollback_target(pipeline: Pipeline, stage: str, version: int) -> Execution | None:
    """The latest execution of this structure that succeeded in the stage and was no rollback itself."""
    for execution in reversed(list(pipeline.executions.values())):
        run = execution.stages.get(stage)
        if execution.type == STANDARD and execution.version == version and run and run.status == SUCCEEDED:
            return execution
    return None


def _told(error: ClientError) -> tuple[str, str]:
    """A refusal as an action's errorDetails."""
    code, text = error.response["Error"]["Code"], error.response["Error"]["Message"]
    kind = "PermissionError" if code.startswith(("AccessDenied", "Unauthorized")) else "ConfigurationError"
    return kind, f"{text} (Error Code: {code})"
