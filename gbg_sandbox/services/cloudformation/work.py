"""The work on one resource: evaluate its properties, let its provider act, tell what happened."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from botocore.exceptions import ClientError, ParamValidationError

from gbg_sandbox.clock import ShuttingDown
from gbg_sandbox.service import AwsError
from gbg_sandbox.services.cloudformation.errors import Cancelled, ResourceFailed, reason
from gbg_sandbox.services.cloudformation.operation import Operation
from gbg_sandbox.services.cloudformation.plan import effective
from gbg_sandbox.services.cloudformation.resources import provider_of
from gbg_sandbox.services.cloudformation.resources.base import Made, Provider, Task
from gbg_sandbox.services.cloudformation.schemas import ResourceSchema, schema_of
from gbg_sandbox.services.cloudformation.scope import StackScope
from gbg_sandbox.services.cloudformation.signals import await_signals
from gbg_sandbox.services.cloudformation.state import Revision, StackResource
from gbg_sandbox.services.cloudformation.template import ResourceDefinition

log = logging.getLogger(__name__)

EXPECTED = (ClientError, ParamValidationError, AwsError, ResourceFailed, Cancelled)
STILL_USED = ("DependencyViolation", "DeleteConflict", "InUse")
STILL_USED_AWS_SECONDS = 600
STILL_USED_REAL_SECONDS = 8


class ResourceWork:
    """Works on the resources of one revision; `evaluate` needs the scope, deletion does not."""

    def __init__(self, operation: Operation, revision: Revision, scope: StackScope | None = None) -> None:
        self.operation = operation
        self.stack = operation.stack
        self.revision = revision
        self.scope = scope

    def schema(self, type_name: str) -> ResourceSchema:
        found = schema_of(type_name, self.operation.cloud.region)
        assert found is not None, f"{type_name} was accepted without a schema"
        return found

    def tags(self, logical_id: str) -> dict[str, str]:
        """The tags that CloudFormation puts on a resource: the stack's and its own."""
        return dict(self.revision.tags) | {
            "aws:cloudformation:stack-name": self.stack.name,
            "aws:cloudformation:stack-id": self.stack.id,
            "aws:cloudformation:logical-id": logical_id,
        }

    def evaluate(self, definition: ResourceDefinition) -> dict[str, Any]:
        assert self.scope is not None
        path = f"Resources/{definition.logical_id}/Properties"
        evaluated = self.scope.evaluator.value(dict(definition.properties), path)
        return effective(self.schema(definition.type), evaluated, self.tags(definition.logical_id))

    def create(self, logical_id: str, needs: frozenset[str]) -> bool:
        resource = StackResource(self.revision.template.resources[logical_id], needs=needs)
        self.stack.resources[logical_id] = resource

        def work() -> None:
            resource.properties = self.evaluate(resource.definition)
            self.operation.resource_event(resource, "CREATE_IN_PROGRESS")
            self._create(resource, "CREATE_IN_PROGRESS")

        return self._attempt(resource, "CREATE", work)

    def adopt(self, logical_id: str, identifier: str, needs: frozenset[str]) -> bool:
        """Take up what exists, then give it the stack's tags and the template's properties."""
        resource = StackResource(self.revision.template.resources[logical_id], identifier, needs=needs)
        self.stack.resources[logical_id] = resource
        provider = provider_of(resource.type)

        def take() -> None:
            resource.properties = self.evaluate(resource.definition)
            self.operation.resource_event(resource, "IMPORT_IN_PROGRESS", "Resource import started.")
            self._check(resource)
            found = provider.find(self._task(resource), identifier)
            if found is None:
                raise ResourceFailed(
                    f"Resource of type '{resource.type}' with identifier '{identifier}' was not found."
                )
            resource.attributes = found.attributes

        def tag() -> None:
            self.operation.resource_event(
                resource, "UPDATE_IN_PROGRESS", "Apply stack-level tags to imported resource if applicable."
            )
            name = self.schema(resource.type).tag_property
            found = Made(identifier, dict(resource.attributes))
            tagged = name in resource.properties and provider.drifts
            before = provider.read(self._task(resource), found) if tagged else None
            if before is not None:
                present = before.get(name) or type(resource.properties[name])()
                wanted = {**resource.properties, name: _also(resource.properties[name], present)}
                provider.update(self._task(resource), found, {**wanted, name: present}, wanted)

        if not self._attempt(resource, "IMPORT", take, "Resource import completed."):
            return False
        return self._attempt(resource, "UPDATE", tag)

    def update(self, old: StackResource, new: StackResource, provider: Provider) -> bool:
        """Change `old` in place to what `new` describes."""

        def work() -> None:
            self.operation.resource_event(new, "UPDATE_IN_PROGRESS")
            if new.properties == old.properties:
                return
            self._check(new)
            task = self._task(new)
            made = Made(old.physical_id, dict(old.attributes))
            made = provider.update(task, made, old.properties, new.properties)
            undo = self.stack.undo
            if made.physical_id != old.physical_id and undo is not None:
                undo.stale.append(old)
            new.physical_id, new.attributes = made.physical_id, made.attributes

        return self._attempt(new, "UPDATE", work)

    def replace(self, new: StackResource) -> bool:
        """Create the physical resource that takes the place of an older one."""

        def work() -> None:
            self.operation.resource_event(
                new,
                "UPDATE_IN_PROGRESS",
                "Requested update requires the creation of a new physical resource; hence creating one.",
            )
            self._create(new, "UPDATE_IN_PROGRESS")

        return self._attempt(new, "UPDATE", work)

    def delete(self, resource: StackResource) -> bool:
        """Delete the physical resource; what never came to be is gone already."""

        def work() -> None:
            self.operation.resource_event(resource, "DELETE_IN_PROGRESS")
            if resource.physical_id:
                task = self._task(resource, cancellable=False)
                made = Made(resource.physical_id, dict(resource.attributes))
                provider = provider_of(resource.type)
                self._patiently(lambda: provider.delete(task, made, resource.properties))

        return self._attempt(resource, "DELETE", work)

    def _create(self, resource: StackResource, status: str) -> None:
        self._check(resource)

        def initiated(physical_id: str) -> None:
            if resource.physical_id != physical_id:
                resource.physical_id = physical_id
                self.operation.resource_event(resource, status, "Resource creation Initiated")

        task = self._task(resource, initiated=initiated)
        task.check_cancelled()
        made = provider_of(resource.type).create(task, resource.properties)
        initiated(made.physical_id)
        resource.attributes = made.attributes
        await_signals(task, self._policy(resource, "CreationPolicy", resource.definition.creation_policy))

    def _task(
        self,
        resource: StackResource,
        *,
        initiated: Callable[[str], None] = lambda physical_id: None,
        cancellable: bool = True,
    ) -> Task:
        return Task(
            self.operation,
            resource.logical_id,
            resource.type,
            initiated,
            cancellable,
            self._policy(resource, "UpdatePolicy", resource.definition.update_policy),
        )

    def _policy(self, resource: StackResource, name: str, policy: Mapping[str, Any]) -> Mapping[str, Any]:
        if self.scope is None or not policy:
            return policy
        path = f"Resources/{resource.logical_id}/{name}"
        evaluated: Mapping[str, Any] = self.scope.evaluator.value(dict(policy), path)
        return evaluated

    def _check(self, resource: StackResource) -> None:
        problems = self.schema(resource.type).problems(resource.properties)
        if problems and problems[0].startswith("Encountered"):
            raise ResourceFailed(problems[0])
        if problems:
            raise ResourceFailed(
                f"Properties validation failed for resource {resource.logical_id} with message:\n"
                + "\n".join(problems)
            )

    def _attempt(self, resource: StackResource, verb: str, work: Callable[[], None], done: str = "") -> bool:
        try:
            work()
        except ShuttingDown:
            raise
        except Exception as error:
            if not isinstance(error, EXPECTED):
                log.exception("%s %s %s", verb, resource.type, resource.logical_id)
            self.operation.resource_event(resource, f"{verb}_FAILED", reason(error))
            return False
        self.operation.resource_event(resource, f"{verb}_COMPLETE", done)
        return True

    def _patiently(self, delete: Callable[[], None]) -> None:
        """AWS tries again while something else still lets go of the resource."""
        clock = self.operation.cloud.clock
        limit = max(clock.real_seconds(STILL_USED_AWS_SECONDS), STILL_USED_REAL_SECONDS)
        deadline = time.monotonic() + limit
        while True:
            try:
                return delete()
            except ClientError as error:
                code = str(error.response["Error"]["Code"])
                if not any(part in code for part in STILL_USED) or time.monotonic() > deadline:
                    raise
                clock.pause(0.2)


def revised(
    old: StackResource,
    definition: ResourceDefinition,
    properties: Mapping[str, Any],
    needs: frozenset[str],
) -> StackResource:
    """The record of the same physical resource under a new definition."""
    drift = old.drift if properties == old.properties else None
    return replace(old, definition=definition, properties=properties, needs=needs, drift=drift)


def _also(tags: Any, present: Any) -> Any:
    """The stack's tags and those that are there already, which an import leaves alone."""
    if isinstance(tags, Mapping):
        return {**present, **tags}
    given = {tag["Key"] for tag in tags}
    return [*tags, *(tag for tag in present if tag["Key"] not in given)]
