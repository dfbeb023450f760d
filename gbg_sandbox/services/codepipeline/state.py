"""What CodePipeline remembers: pipelines, their executions, and in those the runs of stages and actions."""

from __future__ import annotations

import copy
import threading
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from gbg_sandbox.service import AwsError

IN_PROGRESS, SUCCEEDED, FAILED = "InProgress", "Succeeded", "Failed"
STOPPING, STOPPED, SUPERSEDED, ABANDONED = "Stopping", "Stopped", "Superseded", "Abandoned"
CANCELLED = "Cancelled"
STANDARD, ROLLBACK = "STANDARD", "ROLLBACK"


def now() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True)
class Artifact:
    name: str
    bucket: str
    key: str
    revision: str = ""


@dataclass(frozen=True)
class Revision:
    """What a source action found."""

    action: str
    artifact: str
    id: str
    summary: str = ""
    url: str = ""
    created: datetime = field(default_factory=now)


@dataclass(frozen=True)
class Trigger:
    type: str
    detail: str = ""


@dataclass
class ActionRun:
    """One attempt of one action."""

    stage: str
    action: Mapping[str, Any]
    """the action's declaration"""
    execution_id: str
    pipeline_version: int
    id: str = field(default_factory=lambda: str(uuid.uuid4()))
    started: datetime = field(default_factory=now)
    updated: datetime = field(default_factory=now)
    updated_by: str = ""
    status: str = IN_PROGRESS
    configuration: dict[str, str] = field(default_factory=dict)
    """resolved"""
    inputs: tuple[Artifact, ...] = ()
    outputs: tuple[Artifact, ...] = ()
    variables: dict[str, str] = field(default_factory=dict)
    external_id: str = ""
    external_url: str = ""
    summary: str = ""
    percent: int | None = None
    error: tuple[str, str] | None = None
    """code and message"""
    approval_token: str = ""
    approval: tuple[str, str] | None = None
    """status and summary"""

    @property
    def name(self) -> str:
        return str(self.action["name"])


@dataclass
class StageRun:
    name: str
    status: str = IN_PROGRESS
    actions: dict[str, ActionRun] = field(default_factory=dict)
    """the latest attempt of each action"""
    automatic_retries: int = 0
    manual_retries: int = 0
    last_retry: str = ""


@dataclass
class Execution:
    pipeline: str
    version: int
    declaration: Mapping[str, Any]
    trigger: Trigger
    variables: dict[str, str] = field(default_factory=dict)
    source_overrides: dict[str, dict[str, str]] = field(default_factory=dict)
    """source action → its entry of sourceRevisions"""
    type: str = STANDARD
    rollback_target: str = ""
    only_stage: str = ""
    id: str = field(default_factory=lambda: str(uuid.uuid4()))
    started: datetime = field(default_factory=now)
    updated: datetime = field(default_factory=now)
    status: str = IN_PROGRESS
    status_summary: str = ""
    attempt: int = 1
    revisions: list[Revision] = field(default_factory=list)
    artifacts: dict[str, Artifact] = field(default_factory=dict)
    namespaces: dict[str, dict[str, str]] = field(default_factory=dict)
    stages: dict[str, StageRun] = field(default_factory=dict)
    actions: list[ActionRun] = field(default_factory=list)
    """all attempts, oldest first"""
    stop_reason: str = ""
    stop: threading.Event = field(default_factory=threading.Event)
    abandon: threading.Event = field(default_factory=threading.Event)

    @property
    def mode(self) -> str:
        return str(self.declaration["executionMode"])

    def values(self) -> dict[str, dict[str, str]]:
        """Everything that `#{...}` may name."""
        own = {"PipelineExecutionId": self.id}
        return {**self.namespaces, "codepipeline": own, "variables": self.variables}


@dataclass
class Transition:
    enabled: bool = True
    reason: str = ""
    by: str = ""
    at: datetime | None = None


@dataclass
class Pipeline:
    name: str
    arn: str
    declarations: list[dict[str, Any]]
    """version n stands at n - 1"""
    tags: dict[str, str] = field(default_factory=dict)
    created: datetime = field(default_factory=now)
    updated: datetime = field(default_factory=now)
    executions: dict[str, Execution] = field(default_factory=dict)
    transitions: dict[str, Transition] = field(default_factory=dict)
    latest_actions: dict[tuple[str, str], ActionRun] = field(default_factory=dict)
    latest_in_stage: dict[str, str] = field(default_factory=dict)
    """stage → the execution that entered it last"""
    occupants: dict[str, str] = field(default_factory=dict)
    """stage → the execution that holds it"""
    waiting: dict[str, list[str]] = field(default_factory=dict)
    """stage → executions before it, first come first"""
    tokens: dict[str, str] = field(default_factory=dict)
    changed: threading.Condition = field(default_factory=threading.Condition)
    """guards all of the above"""

    @property
    def version(self) -> int:
        return len(self.declarations)

    @property
    def declaration(self) -> dict[str, Any]:
        return self.declarations[-1]

    def told(self, version: int) -> dict[str, Any]:
        return {**copy.deepcopy(self.declarations[version - 1]), "version": version}

    def stage(self, name: str) -> Mapping[str, Any]:
        for stage in self.declaration["stages"]:
            if stage["name"] == name:
                found: Mapping[str, Any] = stage
                return found
        raise AwsError("StageNotFoundException", f"Pipeline {self.name} has no stage {name}")

    def execution(self, execution_id: str) -> Execution:
        found = self.executions.get(execution_id)
        if found is None:
            raise AwsError(
                "PipelineExecutionNotFoundException",
                f"Pipeline {self.name} does not have an execution with id {execution_id}",
            )
        return found

    def transition(self, stage: str) -> Transition:
        return self.transitions.setdefault(stage, Transition())


class Pipelines:
    def __init__(self, account: str) -> None:
        self._account = account
        self._known: dict[str, Pipeline] = {}
        self._lock = threading.Lock()

    def add(self, pipeline: Pipeline) -> None:
        with self._lock:
            if pipeline.name in self._known:
                raise AwsError(
                    "PipelineNameInUseException",
                    f"A pipeline with the name '{pipeline.name}' already exists in account '{self._account}'",
                )
            self._known[pipeline.name] = pipeline

    def get(self, name: str) -> Pipeline:
        with self._lock:
            if name not in self._known:
                raise AwsError(
                    "PipelineNotFoundException",
                    f"Account '{self._account}' does not have a pipeline with name '{name}'",
                )
            return self._known[name]

    def by_arn(self, arn: str) -> Pipeline:
        try:
            return self.get(arn.rpartition(":")[2])
        except AwsError as error:
            raise AwsError("ResourceNotFoundException", error.message) from error

    def remove(self, name: str) -> Pipeline | None:
        with self._lock:
            return self._known.pop(name, None)

    def all(self) -> list[Pipeline]:
        with self._lock:
            return sorted(self._known.values(), key=lambda pipeline: pipeline.name)
