"""The pipeline: start, find and follow its executions.

https://docs.aws.amazon.com/codepipeline/latest/userguide/concepts-how-it-works.html
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from gbg_lib.aws import Aws
from gbg_lib.replay import clock
from gbg_lib.waiting import rounds, wait_until

OVER = frozenset({"Succeeded", "Failed", "Stopped", "Superseded", "Cancelled"})
TRIGGER_SECONDS = 120
MOST_REASON = 200
ASK_ANYWAY = 8
"""looks, after which the execution is asked for though one of its actions seems to go on"""
LEFT_BY = frozenset({"Failed", "Stopped", "Cancelled", "Superseded"})
"""how a release ends whose makings nobody wants; one that is not known any more may have been good"""
RETRIED = ("Failed", "Stopped")
"""how a stage stands that can be tried again"""
ROLLBACK_TARGET = "rollbackTargetPipelineExecutionId"
STAGES = SOURCE, BAKE, BUILD, DEPLOY = "Source", "BuildGoldenAMI", "Build", "Deploy"
"""each has one action of the same name, but for what `PIN` says"""
PIN = "PinFleet"
"""the first action of stage Deploy"""


@dataclass(frozen=True)
class Execution:
    id: str
    status: str
    """InProgress | Succeeded | Failed | Stopping | Stopped | Superseded | Cancelled"""
    commit: str
    message: str
    trigger: str
    started: datetime
    rolls_back_to: str = ""
    """the execution whose stage this one only runs again; empty for a whole release"""

    @property
    def over(self) -> bool:
        return self.status in OVER


@dataclass(frozen=True)
class Action:
    """One action of one execution, as it stands."""

    id: str
    stage: str
    name: str
    status: str
    """InProgress | Succeeded | Failed | Abandoned"""
    started: datetime
    updated: datetime
    external_id: str = ""
    """automation execution, build or deployment behind it"""
    summary: str = ""
    error: str = ""
    outputs: Mapping[str, str] = field(default_factory=dict)
    configuration: Mapping[str, str] = field(default_factory=dict)

    @property
    def label(self) -> str:
        """The stage; with the action's name where that is another."""
        return self.stage if self.name == self.stage else f"{self.stage} / {self.name}"

    @property
    def seconds(self) -> float:
        end = clock.now() if self.status == "InProgress" else self.updated
        return max((end - self.started).total_seconds(), 0.0)


Beside = Callable[[list[Action]], list[Action]]


def nothing_beside(actions: list[Action]) -> list[Action]:
    return []


class Pipeline:
    def __init__(self, aws: Aws, name: str) -> None:
        self.aws = aws
        self.name = name

    def start(self, commit: str = "") -> str:
        """Release this commit, or the branch as it is now; the new execution's id."""
        source = {"actionName": SOURCE, "revisionType": "COMMIT_ID", "revisionValue": commit}
        asked = {"sourceRevisions": [source]} if commit else {}
        answer = self.aws.call("codepipeline", "start_pipeline_execution", name=self.name, **asked)
        return str(answer["pipelineExecutionId"])

    def stop(self, execution_id: str, reason: str) -> None:
        """After the action that is going on, which ends by itself."""
        self.aws.call(
            "codepipeline",
            "stop_pipeline_execution",
            pipelineName=self.name,
            pipelineExecutionId=execution_id,
            abandon=False,
            reason=reason[:MOST_REASON],
        )

    def executions(self) -> list[Execution]:
        """Newest first, at most the last 100."""
        found = self.aws.call(
            "codepipeline", "list_pipeline_executions", pipelineName=self.name, maxResults=100
        )
        return [_execution(item) for item in found["pipelineExecutionSummaries"]]

    def all_executions(self) -> Iterator[Execution]:
        """Newest first, all that AWS keeps: twelve months."""
        found = self.aws.pages(
            "codepipeline",
            "list_pipeline_executions",
            "pipelineExecutionSummaries",
            pipelineName=self.name,
        )
        return map(_execution, found)

    def retriable(self) -> dict[str, str]:
        """Execution → its stage that can be tried again: it is the last one that has been in it.

        https://docs.aws.amazon.com/codepipeline/latest/userguide/stage-retry.html
        """
        found = self.aws.call("codepipeline", "get_pipeline_state", name=self.name)["stageStates"]
        last = {one["stageName"]: one["latestExecution"] for one in found if "latestExecution" in one}
        return {one["pipelineExecutionId"]: stage for stage, one in last.items() if one["status"] in RETRIED}

    def execution(self, execution_id: str) -> Execution:
        """Raises NotThere."""
        for execution in self.executions():
            if execution.id == execution_id:
                return execution
        found = self.aws.call(
            "codepipeline",
            "get_pipeline_execution",
            pipelineName=self.name,
            pipelineExecutionId=execution_id,
        )["pipelineExecution"]
        revision = (found.get("artifactRevisions") or [{}])[0]
        return Execution(
            execution_id,
            found["status"],
            revision.get("revisionId", ""),
            revision.get("revisionSummary", ""),
            "",
            revision.get("created", clock.now()),
            found.get("rollbackMetadata", {}).get(ROLLBACK_TARGET, ""),
        )

    def execution_for(self, commit: str, *, limit_seconds: float = TRIGGER_SECONDS) -> Execution:
        """The execution that a push of this commit triggers. Raises TimedOut."""

        def look() -> Execution | None:
            return next((execution for execution in self.executions() if execution.commit == commit), None)

        return wait_until(
            self.aws,
            look,
            limit_seconds=limit_seconds,
            what=f"a release of commit {commit[:8]}",
            try_this=f"is the EventBridge rule of {self.name} enabled, may its role start the pipeline, "
            "and was the right branch pushed?",
        )

    def actions(self, execution_id: str) -> list[Action]:
        """The newest try of every action, oldest first."""
        details = self.aws.pages(
            "codepipeline",
            "list_action_executions",
            "actionExecutionDetails",
            pipelineName=self.name,
            filter={"pipelineExecutionId": execution_id},
        )
        tries = sorted(map(_action, details), key=lambda action: (action.started, action.updated))
        newest = {(action.stage, action.name): action for action in tries}
        return sorted(newest.values(), key=lambda action: action.started)

    def follow(
        self, execution_id: str, *, limit_seconds: float, beside: Beside = nothing_beside
    ) -> Iterator[list[Action]]:
        """All actions each time one of them changed; ends when the execution is over. Raises TimedOut.

        `beside` is called each time they were looked at; what it returns is shown with them.
        """
        before: list[tuple[str, ...]] = []
        looks = rounds(
            self.aws,
            limit_seconds=limit_seconds,
            what=f"release {execution_id}",
            try_this="it goes on by itself: run this again to follow it, or stop it in the console",
        )
        for look, _ in enumerate(looks):
            actions = self.actions(execution_id)
            asks = not _going_on(actions) or look % ASK_ANYWAY == 0
            over = asks and self.execution(execution_id).over
            if over:
                actions = self.actions(execution_id)
            actions += beside(actions)
            now = [_told(action) for action in actions]
            if now != before or over:
                before = now
                yield actions
            if over:
                return


def _told(action: Action) -> tuple[str, ...]:
    """What is news of it. What is behind it is known some time after it has begun."""
    return action.id, action.status, action.external_id, action.summary


def _going_on(actions: Sequence[Action]) -> bool:
    """An execution is not over as long as one of its actions goes on, so one request a look is enough."""
    return any(action.status == "InProgress" for action in actions)


def _execution(item: Mapping[str, Any]) -> Execution:
    revision = (item.get("sourceRevisions") or [{}])[0]
    return Execution(
        id=item["pipelineExecutionId"],
        status=item["status"],
        commit=revision.get("revisionId", ""),
        message=revision.get("revisionSummary", ""),
        trigger=item.get("trigger", {}).get("triggerType", ""),
        started=item["startTime"],
        rolls_back_to=item.get("rollbackMetadata", {}).get(ROLLBACK_TARGET, ""),
    )


def _action(item: Mapping[str, Any]) -> Action:
    output = item.get("output", {})
    result = output.get("executionResult", {})
    error = result.get("errorDetails", {})
    return Action(
        id=item["actionExecutionId"],
        stage=item["stageName"],
        name=item["actionName"],
        status=item["status"],
        started=item["startTime"],
        updated=item["lastUpdateTime"],
        external_id=result.get("externalExecutionId", ""),
        summary=result.get("externalExecutionSummary", ""),
        error=error.get("message", ""),
        outputs=output.get("outputVariables", {}),
        configuration=item.get("input", {}).get("configuration", {}),
    )
