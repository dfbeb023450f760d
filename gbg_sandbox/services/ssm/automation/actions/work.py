"""What an action sees of its execution: clients under the role, time limits, cancelling; and how it fails.

Failure messages follow AWS's: https://docs.aws.amazon.com/systems-manager/latest/userguide/automation-troubleshooting.html
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from gbg_sandbox.services.ssm.automation.actions.specs import SPECS
from gbg_sandbox.services.ssm.automation.state import Execution, Signal, StepExecution

if TYPE_CHECKING:
    from gbg_sandbox.cloud import Cloud

SERVICE_PRINCIPAL = "ssm.amazonaws.com"
GUIDE = "Please refer to Automation Service Troubleshooting Guide for more diagnosis details."
REAL_FLOOR_SECONDS = 60
"""scaled limits are not cut below this (or below what the document says): a machine boots in real seconds"""
POLL_SECONDS = 0.03
FIRST_POLL_SECONDS = 0.01
QUIET_SECONDS = 0.25
"""real seconds until the next look at what an event tells, when none comes: someone may cancel meanwhile"""
EXECUTING = "Execute/Cancelling action"


class StepFailed(Exception):
    """The step fails; `doing` completes the sentence "Step fails when it is …"."""

    def __init__(
        self,
        message: str,
        *,
        doing: str = EXECUTING,
        stage: str = "Invocation",
        kind: str = "Action",
        outputs: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(f"Step fails when it is {doing}. {message} {GUIDE}")
        self.message = message
        self.stage = stage
        self.kind = kind
        self.outputs = outputs or {}


class StepTimedOut(Exception):
    def __init__(self, doing: str) -> None:
        super().__init__(f"Step timed out while step is {doing}. {GUIDE}")


class StepCancelled(Exception):
    """Someone stopped the execution."""


@dataclass(frozen=True)
class Outcome:
    outputs: Mapping[str, Any] = field(default_factory=dict)
    response: Any = None
    """the raw answer, on which declared outputs are selected"""
    response_code: str = "0"
    next_step: str = ""
    """where a branch goes"""


@dataclass
class Work:
    """One attempt of one step."""

    cloud: Cloud
    execution: Execution
    step: StepExecution
    cancellable: bool
    """False on the way that a cancelled execution takes to clean up"""
    set_status: Callable[[str], None]
    deadline: float
    """monotonic real seconds"""

    def client(self, service: str) -> Any:
        """A client under the document's role, or with the rights of who started it."""
        role = self.execution.role
        if not role:
            return self.cloud.client(service, principal=self.execution.caller)
        return self.cloud.client(
            service,
            role=role,
            acting=SERVICE_PRINCIPAL,
            session=self.session,
            source_arn=self.cloud.arn("ssm", f"automation-execution/{self.execution.id}"),
        )

    @property
    def session(self) -> str:
        return f"Automation-{self.execution.id}"

    def check(self, doing: str = EXECUTING) -> None:
        """Raises StepCancelled or StepTimedOut."""
        if self.cancellable and self.execution.stopping.is_set() and self.execution.stop_type == "Cancel":
            raise StepCancelled
        if time.monotonic() >= self.deadline:
            raise StepTimedOut(doing)

    def wait(
        self,
        look: Callable[[], bool],
        *,
        doing: str,
        aws_seconds: float | None = None,
        told_by: str = "",
        poll: float = POLL_SECONDS,
    ) -> None:
        """Look until it is true: at every event of the source `told_by`, else first often, then every `poll`.

        `aws_seconds` limits the wait where AWS has a limit of its own.
        """
        pause = min(FIRST_POLL_SECONDS, poll)
        news = self.cloud.events.watch(told_by)
        limit = time.monotonic() + self.cloud.clock.real_seconds(aws_seconds) if aws_seconds else None
        while not look():
            self.check(doing)
            if limit is not None and time.monotonic() >= limit:
                raise StepTimedOut(doing)
            news.wait(QUIET_SECONDS if told_by else pause)
            self.cloud.clock.pause(0)
            pause = min(2 * pause, poll)

    def signals(self) -> list[Signal]:
        return list(self.execution.signals)


def deadline(cloud: Cloud, step: StepExecution) -> float:
    """When an attempt of this step that begins now is out of time."""
    spec = SPECS[step.step.action]
    seconds = step.step.timeout_seconds or spec.default_timeout
    if seconds is None:
        return float("inf")
    if not spec.scaled:
        return time.monotonic() + seconds
    floor = 0 if step.step.action in ("aws:approve", "aws:pause", "aws:sleep") else REAL_FLOOR_SECONDS
    return time.monotonic() + max(cloud.clock.real_seconds(seconds), min(seconds, floor))


def api_failure(error: ClientError, service: str, doing: str = EXECUTING) -> StepFailed:
    """What a refused API call makes of a step, in the words of the EC2 actions."""
    code = error.response["Error"].get("Code", "Unknown")
    kind = "Throttling" if code in ("Throttling", "ThrottlingException", "RequestLimitExceeded") else "Action"
    metadata = error.response.get("ResponseMetadata", {})
    return StepFailed(
        f"Get Exception from {error.operation_name} API of {service} Service. Exception Message from "
        f"{error.operation_name} API: [{error.response['Error'].get('Message', '')} (Service: {service}; "
        f"Status Code: {metadata.get('HTTPStatusCode', '')}; Error Code: {code}; "
        f"Request ID: {metadata.get('RequestId', '')})].",
        doing=doing,
        kind=kind,
    )
