"""What a resource provider is, and what it may use.

A provider creates, changes and deletes one resource type through boto3 clients that have the stack's rights.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

from botocore.exceptions import ClientError

from gbg_sandbox.services.cloudformation.errors import Cancelled, ResourceFailed
from gbg_sandbox.services.cloudformation.schemas import ResourceSchema, schema_of
from gbg_sandbox.services.cloudformation.state import random_suffix

if TYPE_CHECKING:
    from gbg_sandbox.cloud import Cloud

Properties = Mapping[str, Any]
MISSING = ("NotFound", "NoSuch", "DoesNotExist", "InvalidDocument", "NonExistent")


class Host(Protocol):
    """The stack operation that a resource belongs to."""

    cloud: Cloud

    @property
    def stack_name(self) -> str: ...

    @property
    def stack_id(self) -> str: ...

    def client(self, service: str) -> Any: ...

    def cancelled(self) -> str:
        """Why work has to stop, or empty."""

    def signals(self, logical_id: str) -> Mapping[str, str]: ...


@dataclass
class Made:
    """A resource that exists."""

    physical_id: str
    attributes: dict[str, Any] = field(default_factory=dict)


@dataclass
class Task:
    """One resource being worked on."""

    host: Host
    logical_id: str
    type: str
    initiated: Callable[[str], None] = lambda physical_id: None
    """tell as soon as the resource has an id, before waiting for it to be ready"""
    cancellable: bool = True
    update_policy: Mapping[str, Any] = field(default_factory=dict)

    @property
    def cloud(self) -> Cloud:
        return self.host.cloud

    @property
    def schema(self) -> ResourceSchema:
        found = schema_of(self.type, self.cloud.region)
        assert found is not None, f"{self.type} was accepted without a schema"
        return found

    def client(self, service: str) -> Any:
        return self.host.client(service)

    def name(self, limit: int = 64, *, lower: bool = False) -> str:
        """A name as CloudFormation makes them: stack, logical id and twelve random characters."""
        suffix = random_suffix()
        room = limit - len(suffix) - 2
        stack, own = self.host.stack_name, self.logical_id
        if len(stack) + len(own) > room:
            stack = stack[: max(room // 2, room - len(own))]
            own = own[: room - len(stack)]
        name = f"{stack}-{own}-{suffix}"
        return name.lower() if lower else name

    def wait(
        self, condition: Callable[[], bool], what: str, *, aws_seconds: float = 600, real_floor: float = 60
    ) -> None:
        """Wait until `condition`. Raises ResourceFailed after the limit, Cancelled when the stack stops."""
        limit = max(self.cloud.clock.real_seconds(aws_seconds), real_floor)
        deadline = time.monotonic() + limit
        while not condition():
            self.check_cancelled()
            if time.monotonic() >= deadline:
                raise ResourceFailed(f"{what} (Exceeded attempts to wait)")
            self.cloud.clock.pause(0.05)

    def check_cancelled(self) -> None:
        if self.cancellable and (why := self.host.cancelled()):
            raise Cancelled(why)


class Provider:
    """One resource type. Subclasses name their type and what of it they run."""

    type: ClassVar[str]
    properties: ClassVar[frozenset[str]]
    """the properties it acts on; others are refused before anything is created"""
    attributes: ClassVar[frozenset[str]] = frozenset()
    """what Fn::GetAtt may ask of it"""
    volatile: ClassVar[frozenset[str]] = frozenset()
    """attributes that change when it is updated in place"""
    unread: ClassVar[frozenset[str]] = frozenset()
    """properties that `read` does not give though it has them"""
    partly: ClassVar[frozenset[str]] = frozenset()
    """lists of settings that hold more than a template gives; the rest are defaults and no drift"""
    name_property: ClassVar[str] = ""
    """the property that gives it a name of its own, which bars replacement"""

    def create(self, task: Task, new: Properties) -> Made:
        raise NotImplementedError

    def update(self, task: Task, made: Made, old: Properties, new: Properties) -> Made:
        """Change in place; raises ResourceFailed when a property can't be changed."""
        changed = sorted(name for name in {*old, *new} if old.get(name) != new.get(name))
        raise ResourceFailed(f"gbg_sandbox can't change {', '.join(changed)} of {self.type} in place")

    def delete(self, task: Task, made: Made, old: Properties) -> None:
        raise NotImplementedError

    def replaces(self, old: Properties, new: Properties) -> bool:
        """Whether a change that the registry calls conditional needs a new resource."""
        return False

    def find(self, task: Task, identifier: str) -> Made | None:
        """What exists under the primary identifier, or None. Only types that can be imported."""
        raise NotImplementedError

    def read(self, task: Task, made: Made) -> Properties | None:
        """The properties that it has now, or None. Only types whose drift can be detected."""
        raise NotImplementedError

    @property
    def imports(self) -> bool:
        return type(self).find is not Provider.find

    @property
    def drifts(self) -> bool:
        return type(self).read is not Provider.read


def names(*listed: str) -> frozenset[str]:
    return frozenset(listed)


def changed(old: Properties, new: Properties, *names: str) -> bool:
    """Whether any of the named properties (of all, when none is named) differs."""
    return any(old.get(name) != new.get(name) for name in names or {*old, *new})


def only_tags(old: Properties, new: Properties) -> bool:
    """Whether the two differ in nothing but tags."""
    return not any(old.get(name) != new.get(name) for name in {*old, *new} - {"Tags"})


def given(source: Properties, *names: str, **renamed: str) -> dict[str, Any]:
    """The named properties that are set; `Api=Property` renames one."""
    wanted = {name: name for name in names} | renamed
    return {api: source[name] for api, name in wanted.items() if name in source}


def missing(error: ClientError) -> bool:
    """Whether the error says that something is not there; Auto Scaling says so in words only."""
    code, text = error.response["Error"]["Code"], error.response["Error"]["Message"]
    return any(part in code for part in MISSING) or (code == "ValidationError" and "not found" in text)


def ignore_missing(call: Callable[..., Any], **arguments: Any) -> None:
    """A call on something that may be gone already."""
    try:
        call(**arguments)
    except ClientError as error:
        if not missing(error):
            raise


def if_there(call: Callable[..., Any], **arguments: Any) -> Any:
    """The answer to a call on something that may be gone; None when it is."""
    try:
        return call(**arguments)
    except ClientError as error:
        if not missing(error):
            raise
        return None


def tag_map(source: Properties) -> dict[str, str]:
    """Tags of either form as a dictionary."""
    tags = source.get("Tags") or {}
    if isinstance(tags, Mapping):
        return {str(key): str(value) for key, value in tags.items()}
    return {tag["Key"]: str(tag.get("Value", "")) for tag in tags}


def tag_list(source: Properties) -> list[dict[str, str]]:
    return [{"Key": key, "Value": value} for key, value in tag_map(source).items()]


def tag_changes(old: Properties, new: Properties) -> tuple[dict[str, str], list[str]]:
    """Tags to set, and keys to remove."""
    before, after = tag_map(old), tag_map(new)
    return (
        {key: value for key, value in after.items() if before.get(key) != value},
        [key for key in before if key not in after],
    )
