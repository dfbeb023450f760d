"""A release at a set hour: of what is on the branch, inside the window that is allowed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from gbg_lib.aws import Aws
from gbg_lib.errors import RepositoryError
from gbg_lib.jobs.window import require_open
from gbg_lib.parameters import Parameters
from gbg_lib.pipeline import Execution
from gbg_lib.replay import clock
from gbg_lib.steps import ReleaseRun, SeedRepository

Clock = Callable[[], datetime]


def utc_now() -> datetime:
    return clock.now()


@dataclass(frozen=True)
class TimedPlan:
    action: str
    """start | follow | nothing"""
    reason: str
    commit: str
    execution_id: str
    """the execution to follow; empty before one is started"""
    window: str
    """why the time is right"""


class TimedRelease(ReleaseRun):
    """Starts a release of the branch's head, unless it is released already or on its way."""

    def __init__(self, parameters: Parameters, aws: Aws | None = None, now: Clock = utc_now) -> None:
        super().__init__(parameters, aws)
        self._now = now

    def decide(self) -> TimedPlan:
        """Raises GateRefused outside of the window, RepositoryError for an empty branch."""
        window = require_open(self.parameters.window, self._now())
        head = SeedRepository(self.parameters, self.aws).repository.head()
        if head is None:
            raise RepositoryError(
                f"branch {self.parameters.branch}", "it has no commit", "run runbook 02, or push"
            )
        for execution in self.pipeline.executions():
            if execution.commit == head.id and (decided := _decided(execution)):
                return TimedPlan(*decided, head.id, execution.id, window)
        return TimedPlan("start", "the branch's head is not released yet", head.id, "", window)

    def start(self, plan: TimedPlan) -> str:
        """The execution to follow. Raises Locked."""
        if plan.action != "start":
            return plan.execution_id
        return self.begin(f"a release of commit {plan.commit[:8]}", plan.commit)


def _decided(execution: Execution) -> tuple[str, str] | None:
    """What an execution of the head means for the plan; nothing when it ended without a release."""
    if execution.status == "Succeeded":
        return "nothing", "the branch's head is released already"
    if not execution.over:
        return "follow", "a release of the branch's head is going on"
    return None
