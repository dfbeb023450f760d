"""What CloudFormation remembers: stacks, their resources, events and change sets."""

from __future__ import annotations

import secrets
import string
import threading
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from gbg_sandbox.service import Principal
from gbg_sandbox.services.cloudformation.errors import TemplateError
from gbg_sandbox.services.cloudformation.parameters import ParameterValue
from gbg_sandbox.services.cloudformation.plan import Change, Deployed
from gbg_sandbox.services.cloudformation.template import ResourceDefinition, Template

if TYPE_CHECKING:
    from gbg_sandbox.services.cloudformation.drift import Drift
    from gbg_sandbox.services.cloudformation.engine import StackOperation

STACK_TYPE = "AWS::CloudFormation::Stack"
SUFFIX = string.ascii_letters + string.digits


def random_suffix() -> str:
    """The 12 characters that CloudFormation appends to names it makes up."""
    return "".join(secrets.choice(SUFFIX) for _ in range(12))


@dataclass(frozen=True)
class Revision:
    """What a stack operation deploys."""

    template: Template
    parameters: Mapping[str, ParameterValue]
    tags: Mapping[str, str] = field(default_factory=dict)
    capabilities: tuple[str, ...] = ()


@dataclass(frozen=True)
class Authority:
    """Whose rights the stack's calls have: the caller's, or its service role's."""

    principal: Principal
    role_arn: str = ""


@dataclass
class StackResource:
    definition: ResourceDefinition
    physical_id: str = ""
    status: str = ""
    reason: str = ""
    updated: datetime = field(default_factory=lambda: datetime.now(UTC))
    properties: Mapping[str, Any] = field(default_factory=dict)
    attributes: Mapping[str, Any] = field(default_factory=dict)
    needs: frozenset[str] = frozenset()
    drift: Drift | None = None
    """what the last drift detection found; None where there was none"""

    @property
    def logical_id(self) -> str:
        return self.definition.logical_id

    @property
    def type(self) -> str:
        return self.definition.type

    def deployed(self) -> Deployed:
        return Deployed(self.definition, self.physical_id, self.properties, self.attributes)


@dataclass(frozen=True)
class StackEvent:
    id: str
    logical_id: str
    physical_id: str
    type: str
    status: str
    reason: str
    properties: str
    token: str
    time: datetime


@dataclass(frozen=True)
class Output:
    name: str
    value: str
    description: str = ""
    export: str = ""


@dataclass
class ChangeSet:
    name: str
    id: str
    kind: str
    """CREATE, UPDATE or IMPORT"""
    revision: Revision
    authority: Authority
    description: str = ""
    created: datetime = field(default_factory=lambda: datetime.now(UTC))
    status: str = "CREATE_COMPLETE"
    reason: str = ""
    execution: str = "AVAILABLE"
    changes: list[Change] = field(default_factory=list)
    on_failure: str = ""
    notifications: tuple[str, ...] = ()
    imports: Mapping[str, str] = field(default_factory=dict)
    """logical id → primary identifier of what exists already"""


@dataclass
class DriftDetection:
    id: str
    started: datetime
    status: str = "DETECTION_IN_PROGRESS"
    """DETECTION_IN_PROGRESS | DETECTION_COMPLETE | DETECTION_FAILED"""
    reason: str = ""
    drift_status: str = ""
    drifted: int = 0
    """resources that differ or are gone"""


@dataclass
class Undo:
    """What an update has to return to when it is rolled back."""

    revision: Revision
    resources: dict[str, StackResource]
    outputs: list[Output]
    touched: set[str] = field(default_factory=set)
    """resources whose update in place was begun"""
    stale: list[StackResource] = field(default_factory=list)
    """physical resources that their replacement has put aside"""
    leftovers: list[StackResource] = field(default_factory=list)
    """replacements that a rollback has put aside in turn"""


@dataclass
class Stack:
    name: str
    id: str
    created: datetime = field(default_factory=lambda: datetime.now(UTC))
    updated: datetime | None = None
    deleted: datetime | None = None
    status: str = ""
    reason: str = ""
    revision: Revision | None = None
    role_arn: str = ""
    on_failure: str = "ROLLBACK"
    """ROLLBACK, DELETE or DO_NOTHING"""
    retain_except_on_create: bool = False
    timeout_minutes: int | None = None
    protected: bool = False
    change_set_id: str = ""
    resources: dict[str, StackResource] = field(default_factory=dict)
    outputs: list[Output] = field(default_factory=list)
    imports: set[str] = field(default_factory=set)
    events: list[StackEvent] = field(default_factory=list)
    change_sets: dict[str, ChangeSet] = field(default_factory=dict)
    signals: dict[str, dict[str, str]] = field(default_factory=dict)
    """logical id → unique id → SUCCESS or FAILURE"""
    detections: dict[str, DriftDetection] = field(default_factory=dict)
    drift_status: str = "NOT_CHECKED"
    drift_checked: datetime | None = None
    operation: StackOperation | None = None
    undo: Undo | None = None
    lock: threading.RLock = field(default_factory=threading.RLock)

    @property
    def busy(self) -> bool:
        return self.status.endswith("_IN_PROGRESS") and self.status != "REVIEW_IN_PROGRESS"

    @property
    def gone(self) -> bool:
        return self.status == "DELETE_COMPLETE"

    def physical_id(self, logical_id: str) -> str | None:
        resource = self.resources.get(logical_id)
        return resource.physical_id if resource else None

    def attribute(self, logical_id: str, attribute: str) -> Any:
        found = self.resources[logical_id]
        if attribute not in found.attributes:
            raise TemplateError(
                f"{found.type} {logical_id} has no attribute {attribute} ({found.physical_id})"
            )
        return found.attributes[attribute]


class Stacks:
    """Every stack of the account, deleted ones too."""

    def __init__(self) -> None:
        self._stacks: dict[str, Stack] = {}
        self._lock = threading.Lock()

    def add(self, stack: Stack) -> None:
        with self._lock:
            self._stacks[stack.id] = stack

    def remove(self, stack: Stack) -> None:
        with self._lock:
            self._stacks.pop(stack.id, None)

    def all(self) -> list[Stack]:
        """Newest first."""
        with self._lock:
            return sorted(self._stacks.values(), key=lambda stack: stack.created, reverse=True)

    def find(self, name_or_id: str) -> Stack | None:
        """By id, deleted ones too; by name only a living one."""
        with self._lock:
            if name_or_id in self._stacks:
                return self._stacks[name_or_id]
            return next((s for s in self._stacks.values() if s.name == name_or_id and not s.gone), None)

    def exports(self) -> dict[str, tuple[Stack, str]]:
        """Export name → the stack that exports it, and its value."""
        return {
            output.export: (stack, output.value)
            for stack in self.all()
            if not stack.gone
            for output in stack.outputs
            if output.export
        }

    def importers(self, export: str) -> list[str]:
        """Names of the stacks that import this export."""
        return [stack.name for stack in self.all() if not stack.gone and export in stack.imports]


def new_id() -> str:
    return str(uuid.uuid1())
