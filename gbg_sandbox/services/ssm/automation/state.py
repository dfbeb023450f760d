"""Executions of Automation documents: what they were given, how far they are, what came out.

The engine writes under the store's lock; the API reads under the same one.
"""

from __future__ import annotations

import threading
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from gbg_sandbox.service import Principal
from gbg_sandbox.services.ssm.automation.document import AutomationDocument, Step
from gbg_sandbox.services.ssm.automation.variables import Scope

NO_OUTPUT = "No output available yet because the step is not successfully executed"
ENDED = frozenset({"Success", "Failed", "TimedOut", "Cancelled"})


@dataclass
class StepExecution:
    step: Step
    id: str = field(default_factory=lambda: str(uuid.uuid4()))
    status: str = "Pending"
    started: datetime | None = None
    ended: datetime | None = None
    inputs: Mapping[str, Any] = field(default_factory=dict)
    outputs: Mapping[str, Any] = field(default_factory=dict)
    response: str = ""
    response_code: str = ""
    failure_message: str = ""
    failure_details: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Signal:
    """What SendAutomationSignal brought: Approve, Reject or Resume."""

    type: str
    principal: Principal
    comment: str


@dataclass
class Execution:
    id: str
    document_name: str
    document_version: str
    document: AutomationDocument
    caller: Principal
    role: str
    """ARN of the assume role; empty when the caller's own rights count"""
    parameters: Mapping[str, Any]
    scope: Scope
    started: datetime
    client_token: str
    tags: dict[str, str]
    steps: list[StepExecution]
    status: str = "Pending"
    ended: datetime | None = None
    current: str = ""
    failure_message: str = ""
    stop_type: str = ""
    """Cancel or Complete once StopAutomationExecution was called"""
    stopping: threading.Event = field(default_factory=threading.Event)
    signals: list[Signal] = field(default_factory=list)

    def step(self, name: str) -> StepExecution:
        return next(step for step in self.steps if step.step.name == name)

    @property
    def outputs(self) -> dict[str, Any]:
        """The document's outputs; AWS puts a sentence where a step has not succeeded."""
        return {name: self._output(name) for name in self.document.outputs}

    def _output(self, name: str) -> Any:
        if name in self.scope.outputs:
            return self.scope.outputs[name]
        if name in self.scope.fixed:
            return self.scope.fixed[name]
        variable = name.removeprefix("variable:")
        return self.scope.variables.get(variable, NO_OUTPUT) if variable != name else NO_OUTPUT


class Executions:
    def __init__(self) -> None:
        self.lock = threading.RLock()
        self._executions: dict[str, Execution] = {}

    def add(self, execution: Execution) -> None:
        with self.lock:
            self._executions[execution.id] = execution

    def find(self, execution_id: str) -> Execution | None:
        with self.lock:
            return self._executions.get(execution_id)

    def by_token(self, client_token: str) -> Execution | None:
        with self.lock:
            return next(
                (
                    one
                    for one in self._executions.values()
                    if client_token and one.client_token == client_token
                ),
                None,
            )

    def newest_first(self) -> list[Execution]:
        with self.lock:
            return sorted(self._executions.values(), key=lambda one: one.started, reverse=True)
