"""Runs executions: one thread each, step after step, with attempts, jumps and cancelling as AWS has them.

onFailure, isCritical, isEnd: https://docs.aws.amazon.com/systems-manager/latest/userguide/automation-actions.html
"""

from __future__ import annotations

import logging
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError, ClientError

from gbg_sandbox.clock import ShuttingDown
from gbg_sandbox.service import AwsError
from gbg_sandbox.services.ssm.automation.actions import api_calls, command, ec2, flow, script
from gbg_sandbox.services.ssm.automation.actions.work import (
    EXECUTING,
    Outcome,
    StepCancelled,
    StepFailed,
    StepTimedOut,
    Work,
    deadline,
)
from gbg_sandbox.services.ssm.automation.announce import execution_changed, step_changed
from gbg_sandbox.services.ssm.automation.document import Output, Step
from gbg_sandbox.services.ssm.automation.selector import NothingSelected, select
from gbg_sandbox.services.ssm.automation.state import Execution, Executions, StepExecution
from gbg_sandbox.services.ssm.automation.values import WrongValue, plain, text, typed
from gbg_sandbox.services.ssm.automation.variables import Unresolved

if TYPE_CHECKING:
    from gbg_sandbox.cloud import Cloud

log = logging.getLogger(__name__)

ACTIONS = ec2.ACTIONS | api_calls.ACTIONS | flow.ACTIONS | command.ACTIONS | script.ACTIONS
CANCEL_PATH_SECONDS = 120
"""what AWS gives the steps after onCancel"""
RESOLVING = "validating and resolving the step inputs"
RESPONSE_LIMIT = 2500


class AutomationEngine:
    def __init__(self, cloud: Cloud, executions: Executions) -> None:
        self._cloud = cloud
        self._executions = executions

    def start(self, execution: Execution) -> None:
        self._cloud.spawn(f"automation-{execution.id}", self._run, execution)

    def _run(self, execution: Execution) -> None:
        self._set_status(execution, "InProgress")
        try:
            status, message = self._follow(execution, execution.document.steps[0].name, cancellable=True)
        except StepCancelled:
            self._clean_up_after_cancel(execution)
            status, message = "Cancelled", ""
        self._finish(execution, status, message)

    def _follow(
        self, execution: Execution, first: str, *, cancellable: bool, until: float | None = None
    ) -> tuple[str, str]:
        """Run from a step to an end; the execution's status and failure message. Raises StepCancelled."""
        failed_critical = ""
        name = first
        while name:
            if cancellable and execution.stopping.is_set():
                raise StepCancelled
            record = execution.step(name)
            jump = self._perform(execution, record, cancellable, until)
            step = record.step
            if record.status != "Success":
                if step.is_critical:
                    failed_critical = record.failure_message
                if step.on_failure == "Abort":
                    return record.status, record.failure_message
                jump = step.failure_target
            if step.is_end or (until is not None and time.monotonic() >= until):
                break
            name = jump or execution.document.following(step)
        return ("Failed", failed_critical) if failed_critical else ("Success", "")

    def _clean_up_after_cancel(self, execution: Execution) -> None:
        """The way from the cancelled step's onCancel, for at most two minutes."""
        self._set_status(execution, "Cancelling")
        if not execution.current or execution.stop_type != "Cancel":
            return
        target = execution.step(execution.current).step.cancel_target
        if target:
            self._follow(execution, target, cancellable=False, until=time.monotonic() + CANCEL_PATH_SECONDS)

    def _perform(
        self, execution: Execution, record: StepExecution, cancellable: bool, until: float | None
    ) -> str:
        """One step to its end, with its attempts. Returns where a branch goes. Raises StepCancelled."""
        with self._executions.lock:
            execution.current = record.step.name
            record.started = self._cloud.clock.now()
        self._set_step_status(execution, record, "InProgress")
        jump = ""
        for attempt in range(1, record.step.max_attempts + 1):
            last = attempt == record.step.max_attempts
            try:
                jump = self._attempt(execution, record, cancellable, until)
                break
            except StepFailed as error:
                if last:
                    self._failed(execution, record, error)
            except StepTimedOut as error:
                if last:
                    self._end_step(execution, record, "TimedOut", failure_message=str(error))
            except StepCancelled:
                self._end_step(execution, record, "Cancelled")
                raise
            except ShuttingDown:
                raise
            except Exception as error:
                log.exception("automation %s: step %s failed", execution.id, record.step.name)
                if last:
                    self._failed(execution, record, StepFailed(f"gbg_sandbox failed: {error!r}."))
        return jump

    def _attempt(
        self, execution: Execution, record: StepExecution, cancellable: bool, until: float | None
    ) -> str:
        limit = deadline(self._cloud, record)
        work = Work(
            cloud=self._cloud,
            execution=execution,
            step=record,
            cancellable=cancellable,
            set_status=lambda status: self._waiting(execution, record, status),
            deadline=limit if until is None else min(limit, until),
        )
        inputs = self._resolve(execution, record)
        outcome = _act(work, inputs)
        outputs = {**outcome.outputs, **_selected(record.step, outcome)}
        with self._executions.lock:
            record.outputs = outputs
            execution.scope.outputs.update(
                {f"{record.step.name}.{name}": one for name, one in outputs.items()}
            )
        self._end_step(
            execution,
            record,
            "Success",
            response=text(plain(outcome.response))[:RESPONSE_LIMIT] if outcome.response is not None else "",
            response_code=outcome.response_code,
        )
        return outcome.next_step

    def _resolve(self, execution: Execution, record: StepExecution) -> dict[str, Any]:
        try:
            inputs: dict[str, Any] = execution.scope.resolve(dict(record.step.inputs))
        except Unresolved as error:
            raise StepFailed(
                f"Failed to resolve input: {error.reference} has no value, as its step did not succeed.",
                doing=RESOLVING,
                stage="InputValidation",
            ) from error
        with self._executions.lock:
            record.inputs = inputs
        return inputs

    def _failed(self, execution: Execution, record: StepExecution, error: StepFailed) -> None:
        """Outputs of a failed step are shown but can't be referred to."""
        details = {"ErrorMessage": [error.message]}
        with self._executions.lock:
            record.outputs = error.outputs
        self._end_step(
            execution,
            record,
            "Failed",
            failure_message=str(error),
            failure_details={"FailureStage": error.stage, "FailureType": error.kind, "Details": details},
            response_code=text(error.outputs.get("ResponseCode", "")),
        )

    def _waiting(self, execution: Execution, record: StepExecution, status: str) -> None:
        self._set_step_status(execution, record, status)
        self._set_status(execution, status)

    def _end_step(self, execution: Execution, record: StepExecution, status: str, **fields: Any) -> None:
        with self._executions.lock:
            for name, value in fields.items():
                setattr(record, name, value)
            record.ended = self._cloud.clock.now()
            resumes = execution.status == "Waiting"
        self._set_step_status(execution, record, status)
        if resumes:
            self._set_status(execution, "InProgress")

    def _set_step_status(self, execution: Execution, record: StepExecution, status: str) -> None:
        with self._executions.lock:
            record.status = status
        step_changed(self._cloud, execution, record)

    def _set_status(self, execution: Execution, status: str) -> None:
        with self._executions.lock:
            execution.status = status
        execution_changed(self._cloud, execution)

    def _finish(self, execution: Execution, status: str, message: str) -> None:
        with self._executions.lock:
            execution.failure_message = message
            execution.ended = self._cloud.clock.now()
        self._set_status(execution, status)


def _act(work: Work, inputs: dict[str, Any]) -> Outcome:
    """Run the action; whatever AWS would show as a failed step becomes StepFailed."""
    try:
        outcome = ACTIONS[work.step.step.action](work, inputs)
    except (ClientError, BotoCoreError, AwsError) as error:
        raise StepFailed(f"{error}.") from error
    except WrongValue as error:
        raise StepFailed(f"{error}.", doing=RESOLVING, stage="InputValidation") from error
    return replace(
        outcome, response=outcome.response if outcome.response is not None else dict(outcome.outputs)
    )


def _selected(step: Step, outcome: Outcome) -> dict[str, Any]:
    return {output.name: _select(output, outcome.response) for output in step.outputs}


def _select(output: Output, response: Any) -> Any:
    try:
        return typed(output.type, select(output.selector, response))
    except (NothingSelected, WrongValue) as error:
        raise StepFailed(
            f"Output {output.name} of type {output.type} can't be taken from the response: {error}.",
            doing=EXECUTING,
            stage="PostVerification",
            kind="Verification",
        ) from error
