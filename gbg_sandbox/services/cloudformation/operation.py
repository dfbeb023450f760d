"""One operation on one stack: whose rights it has, what it tells, and whether it has been called off."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from gbg_sandbox.services.cloudformation.lookups import AccountLookups
from gbg_sandbox.services.cloudformation.scope import Identity, StackScope
from gbg_sandbox.services.cloudformation.state import (
    STACK_TYPE,
    Authority,
    Revision,
    Stack,
    StackEvent,
    StackResource,
    Stacks,
    new_id,
)

if TYPE_CHECKING:
    from gbg_sandbox.cloud import Cloud


class Operation:
    """What creating, updating and deleting a stack have in common."""

    def __init__(
        self, cloud: Cloud, stacks: Stacks, stack: Stack, authority: Authority, token: str = ""
    ) -> None:
        self.cloud = cloud
        self.stacks = stacks
        self.stack = stack
        self.authority = authority
        self.token = token
        self.finished = threading.Event()
        self.superseded = False
        """set when a DeleteStack waits for this operation to end"""
        self.lookups = AccountLookups(self.client, self._exported)
        self._called_off = ""
        self._deadline: float | None = None

    @property
    def stack_name(self) -> str:
        return self.stack.name

    @property
    def stack_id(self) -> str:
        return self.stack.id

    def client(self, service: str) -> Any:
        """A client with the rights of the stack's role, or of whoever called."""
        principal = replace(self.authority.principal, service="cloudformation.amazonaws.com")
        return self.cloud.client(service, principal=principal)

    def cancel(self, why: str) -> None:
        self._called_off = self._called_off or why

    def go_on(self) -> None:
        """From here nothing is called off any more: rolling back runs to its end."""
        self._called_off, self._deadline = "", None

    def cancelled(self) -> str:
        if self._deadline is not None and time.monotonic() > self._deadline:
            self.cancel("Resource creation cancelled")
        return self._called_off

    def limit(self, minutes: int | None) -> None:
        """Call the operation off after so many real minutes."""
        self._deadline = None if minutes is None else time.monotonic() + 60 * minutes

    @property
    def timed_out(self) -> bool:
        return self._deadline is not None and time.monotonic() > self._deadline

    def signals(self, logical_id: str) -> Mapping[str, str]:
        with self.stack.lock:
            return dict(self.stack.signals.get(logical_id, {}))

    def scope(self, revision: Revision) -> StackScope:
        identity = Identity(self.cloud.account, self.cloud.region, self.stack.name, self.stack.id)
        scope = StackScope(revision.template, revision.parameters, identity, self.lookups, self.stack)
        for name in revision.template.conditions:
            scope.wanted(name)
        return scope

    def stack_event(self, status: str, reason: str = "") -> None:
        """The stack's status changes: kept, told in an event, published."""
        stack = self.stack
        with stack.lock:
            stack.status, stack.reason = status, reason
            self._record(new_id(), stack.name, stack.id, STACK_TYPE, status, reason)
        self.cloud.events.publish(
            "aws.cloudformation",
            "CloudFormation Stack Status Change",
            {
                "stack-id": stack.id,
                "status-details": {"status": status, "status-reason": reason},
                "client-request-token": self.token,
            },
            [stack.id],
        )

    def resource_event(self, resource: StackResource, status: str, reason: str = "") -> None:
        now = self.cloud.clock.now()
        with self.stack.lock:
            resource.status, resource.reason, resource.updated = status, reason, now
            self._record(
                f"{resource.logical_id}-{status}-{now.isoformat(timespec='milliseconds')}",
                resource.logical_id,
                resource.physical_id,
                resource.type,
                status,
                reason,
                self._shown(resource.properties),
            )
        self.cloud.events.publish(
            "aws.cloudformation",
            "CloudFormation Resource Status Change",
            {
                "stack-id": self.stack.id,
                "logical-resource-id": resource.logical_id,
                "physical-resource-id": resource.physical_id,
                "status-details": {"status": status, "status-reason": reason},
                "resource-type": resource.type,
                "client-request-token": self.token,
            },
            [self.stack.id],
        )

    def _record(
        self,
        event_id: str,
        logical_id: str,
        physical_id: str,
        kind: str,
        status: str,
        reason: str,
        properties: str = "",
    ) -> None:
        self.stack.events.append(
            StackEvent(
                event_id,
                logical_id,
                physical_id,
                kind,
                status,
                reason,
                properties,
                self.token,
                self.cloud.clock.now(),
            )
        )

    def _shown(self, properties: Mapping[str, Any]) -> str:
        """Properties as JSON, without the values of NoEcho parameters."""
        text = json.dumps(properties, default=str)
        revision = self.stack.revision
        for parameter in revision.parameters.values() if revision else ():
            if parameter.declaration.no_echo and parameter.value:
                text = text.replace(json.dumps(parameter.value)[1:-1], "****")
        return text

    def _exported(self) -> dict[str, str]:
        return {name: value for name, (_, value) in self.stacks.exports().items()}
