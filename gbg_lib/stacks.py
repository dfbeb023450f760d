"""CloudFormation stacks: plan as a change set, apply with live events, read outputs.

A plan only describes: nothing is made before `apply`. What is there already shows as a plan without changes.
https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/using-cfn-updating-stacks-changesets.html
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Container, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import islice
from typing import Any

from gbg_lib.aws import Aws
from gbg_lib.blueprint import BODY_LIMIT
from gbg_lib.errors import NotThere, StackFailed
from gbg_lib.replay import clock
from gbg_lib.secret import no_echo
from gbg_lib.secret.values import learn
from gbg_lib.waiting import rounds, wait_until

STACK_MINUTES = 60
GOING_ON = "_IN_PROGRESS"
"""how the status of a stack ends that is being changed"""
DONE = frozenset({"CREATE_COMPLETE", "UPDATE_COMPLETE", "IMPORT_COMPLETE"})
STABLE = DONE | {"UPDATE_ROLLBACK_COMPLETE", "IMPORT_ROLLBACK_COMPLETE"}
"""what a stack can rest in, with every resource as some template wants it"""
PLANNED = "REVIEW_IN_PROGRESS"
"""there is a change set to make it, and nothing else"""
UNMADE = frozenset({None, PLANNED, "ROLLBACK_COMPLETE"})
"""what a stack is in that was never made, only planned, or taken back whole"""
RESTS = ("_COMPLETE", "_FAILED")
"""how the statuses end of a stack that does not go on"""
NO_CHANGES = ("didn't contain changes", "No updates are to be performed")


@dataclass(frozen=True)
class ResourceChange:
    action: str
    """Add | Modify | Remove | Import"""
    logical_id: str
    type: str
    replacement: str
    """True | False | Conditional, or empty"""


@dataclass(frozen=True)
class ResourceImport:
    """What exists, for a logical id that the stack does not have yet."""

    logical_id: str
    type: str
    identifier: str
    """the property that names it: the type's primary identifier"""
    value: str


@dataclass(frozen=True)
class StackPlan:
    stack: str
    action: str
    """create | update | import | nothing"""
    reason: str
    changes: tuple[ResourceChange, ...] = ()
    change_set: str = ""


@dataclass(frozen=True)
class StackEvent:
    id: str
    time: datetime
    logical_id: str
    type: str
    status: str
    reason: str


class Stacks:
    def __init__(self, aws: Aws) -> None:
        self.aws = aws

    def plan(
        self, stack: str, template: str, parameters: Mapping[str, str], tags: Mapping[str, str]
    ) -> StackPlan:
        """What a change would do. Raises StackFailed for a template that CloudFormation refuses, TimedOut."""
        if self.aws.explains:
            return self._expected(stack, template, parameters, self._exists(stack))
        self.rest(stack)
        exists = self._exists(stack)
        made = self._change_set(
            stack,
            ChangeSetType="UPDATE" if exists else "CREATE",
            TemplateBody=template,
            Parameters=[{"ParameterKey": key, "ParameterValue": value} for key, value in parameters.items()],
            Tags=[{"Key": key, "Value": value} for key, value in tags.items()],
        )
        return self._described(stack, made, exists)

    def plan_change(self, stack: str, parameters: Mapping[str, str]) -> StackPlan:
        """What other values for these parameters would do; template, tags and other parameters stay.

        Raises NotThere, StackFailed, TimedOut.
        """
        self.rest(stack)
        there = self.parameters(stack)
        learn(*(value for name, value in parameters.items() if there.get(name) == no_echo.TELLS_NOTHING))
        kept = [{"ParameterKey": name, "UsePreviousValue": True} for name in there if name not in parameters]
        given = [{"ParameterKey": key, "ParameterValue": value} for key, value in parameters.items()]
        made = self._change_set(
            stack, ChangeSetType="UPDATE", UsePreviousTemplate=True, Parameters=[*kept, *given]
        )
        return self._described(stack, made, exists=True)

    def plan_template(self, stack: str, template: str, parameters: Mapping[str, str]) -> StackPlan:
        """What another template would do; tags stay, and parameters not named. Raises StackFailed."""
        made = self._change_set(
            stack,
            ChangeSetType="UPDATE",
            TemplateBody=template,
            Parameters=self._with_kept(stack, template, parameters),
        )
        return self._described(stack, made, exists=True)

    def plan_import(self, stack: str, template: str, imports: Iterable[ResourceImport]) -> StackPlan:
        """Bring what exists into the stack; nothing else may differ. Raises StackFailed.

        https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/import-resources-manually.html
        """
        made = self._change_set(
            stack,
            ChangeSetType="IMPORT",
            TemplateBody=template,
            Parameters=self._with_kept(stack, template, {}),
            ResourcesToImport=[
                {
                    "LogicalResourceId": one.logical_id,
                    "ResourceType": one.type,
                    "ResourceIdentifier": {one.identifier: one.value},
                }
                for one in imports
            ],
        )
        planned = self._described(stack, made, exists=True)
        return replace(planned, action="import", reason="what exists is to be the stack's own")

    def _with_kept(self, stack: str, template: str, given: Mapping[str, str]) -> list[dict[str, Any]]:
        known = self.parameters(stack)
        taken = json.loads(template).get("Parameters", {})
        kept = [name for name in taken if name in known and name not in given]
        return [
            *({"ParameterKey": name, "UsePreviousValue": True} for name in kept),
            *({"ParameterKey": name, "ParameterValue": value} for name, value in given.items()),
        ]

    def _expected(self, stack: str, template: str, parameters: Mapping[str, str], exists: bool) -> StackPlan:
        """What can be told without a change set, which would be a change itself."""
        resources = json.loads(template)["Resources"]
        if not exists:
            changes = [ResourceChange("Add", name, one["Type"], "") for name, one in resources.items()]
            return StackPlan(stack, "create", "it does not exist yet", tuple(changes))
        kept = self.aws.call("cloudformation", "get_template", StackName=stack)["TemplateBody"]
        same = kept == (json.loads(template) if isinstance(kept, Mapping) else template)
        if same and self.parameters(stack).items() >= parameters.items():
            return StackPlan(stack, "nothing", "it exists and equals template and parameters")
        return StackPlan(stack, "update", "it exists and differs; a change set would tell in what")

    def _change_set(self, stack: str, **asked: Any) -> str:
        size = len(asked.get("TemplateBody", "").encode())
        if size > BODY_LIMIT:
            raise StackFailed(
                f"stack {stack}",
                f"its template has {size:,} bytes, and CloudFormation takes {BODY_LIMIT:,} in a request",
                "make it smaller: descriptions, and functions that are written into it",
            )
        made = self.aws.call(
            "cloudformation",
            "create_change_set",
            StackName=stack,
            ChangeSetName=f"{stack}-{clock.drawn()[:12]}",
            Capabilities=["CAPABILITY_NAMED_IAM"],
            **asked,
        )
        return str(made["Id"])

    def apply(self, plan: StackPlan) -> Iterator[StackEvent]:
        """Do what the plan says; yields events as they happen. Raises StackFailed.

        An updated stack shows its former status for a moment: it has begun with the first event on itself.
        """
        if plan.action == "nothing":
            return
        if self.aws.explains:
            self.aws.acts(f"aws cloudformation deploy --stack-name {plan.stack} --template-file …")

        def execute() -> None:
            self.aws.call("cloudformation", "execute_change_set", ChangeSetName=plan.change_set)

        yield from self._followed(plan.stack, execute, DONE)

    def continue_rollback(self, stack: str, skip: Iterable[str]) -> Iterator[StackEvent]:
        """Let a stack out of UPDATE_ROLLBACK_FAILED, past resources that are gone. Raises StackFailed."""
        failed = {one.logical_id for one in self.resources(stack) if one.status.endswith("FAILED")}
        skipped = sorted(failed & set(skip))

        def go_on() -> None:
            self.aws.call(
                "cloudformation", "continue_update_rollback", StackName=stack, ResourcesToSkip=skipped
            )

        yield from self._followed(stack, go_on, STABLE)

    def _followed(self, stack: str, begin: Callable[[], None], good: frozenset[str]) -> Iterator[StackEvent]:
        seen = {event.id for event in islice(self._events(stack), 1)}
        begin()
        failures: list[StackEvent] = []
        ended = False
        status = ""
        for _ in rounds(
            self.aws,
            limit_seconds=STACK_MINUTES * 60,
            what=f"stack {stack}",
            try_this="the stack's events tell what it waits for",
        ):
            for event in reversed(list(self._events(stack, seen))):
                if event.id not in seen:
                    seen.add(event.id)
                    ended = ended or (event.logical_id == stack and event.status.endswith(RESTS))
                    if event.status.endswith("FAILED"):
                        failures.append(event)
                    yield event
            if ended and (status := self.status(stack)).endswith(RESTS):
                break
        if status not in good:
            raise _failed(stack, status, failures)

    def rest(self, stack: str) -> None:
        """Wait for the end of what goes on with it: a run that was interrupted may have begun it.

        Raises TimedOut.
        """

        def rests() -> bool | None:
            status = self.status_or_none(stack) or ""
            return True if status == PLANNED or not status.endswith(GOING_ON) else None

        wait_until(
            self.aws,
            rests,
            limit_seconds=STACK_MINUTES * 60,
            what=f"stack {stack}, which is being changed",
            try_this="its events tell what it waits for",
        )

    def discard(self, plan: StackPlan) -> None:
        """Take back a plan that will not be applied, and the empty stack that the plan of a new one makes.

        The stack stays where another plan waits in it, or nobody acknowledged that AWS may be changed.
        """
        if plan.change_set:
            self.aws.call("cloudformation", "delete_change_set", ChangeSetName=plan.change_set)
        if not self.aws.acknowledged or self.status_or_none(plan.stack) != PLANNED:
            return
        if not list(self.aws.pages("cloudformation", "list_change_sets", "Summaries", StackName=plan.stack)):
            self.aws.call("cloudformation", "delete_stack", StackName=plan.stack)

    def status(self, stack: str) -> str:
        """Raises NotThere."""
        found = self.aws.call("cloudformation", "describe_stacks", StackName=stack)
        return str(found["Stacks"][0]["StackStatus"])

    def status_or_none(self, stack: str) -> str | None:
        try:
            return self.status(stack)
        except NotThere:
            return None

    def outputs(self, stack: str) -> dict[str, str]:
        """Raises NotThere."""
        found = self.aws.call("cloudformation", "describe_stacks", StackName=stack)["Stacks"][0]
        return {output["OutputKey"]: output["OutputValue"] for output in found.get("Outputs", [])}

    def parameters(self, stack: str) -> dict[str, str]:
        """The values that the stack was given or took by default. Raises NotThere."""
        found = self.aws.call("cloudformation", "describe_stacks", StackName=stack)["Stacks"][0]
        return {one["ParameterKey"]: one["ParameterValue"] for one in found.get("Parameters", [])}

    def seen(self, stack: str) -> str:
        """Status and digests of what it was given, in a line. Raises NotThere."""
        template = json.dumps(self.template(stack), sort_keys=True)
        given = json.dumps(self.parameters(stack), sort_keys=True)
        return f"{self.status(stack)}, template {_digest(template)}, parameters {_digest(given)}"

    def template(self, stack: str) -> dict[str, Any]:
        """The template that the stack was last given. Raises NotThere."""
        body = self.aws.call("cloudformation", "get_template", StackName=stack)["TemplateBody"]
        found: dict[str, Any] = json.loads(body) if isinstance(body, str) else dict(body)
        return found

    def resources(self, stack: str) -> list[StackEvent]:
        """Every resource with its present status, as the latest event on it."""
        found = self.aws.call("cloudformation", "describe_stack_resources", StackName=stack)["StackResources"]
        return [
            StackEvent(
                id=item.get("PhysicalResourceId", ""),
                time=item["Timestamp"],
                logical_id=item["LogicalResourceId"],
                type=item["ResourceType"],
                status=item["ResourceStatus"],
                reason=item.get("ResourceStatusReason", ""),
            )
            for item in found
        ]

    def _exists(self, stack: str) -> bool:
        try:
            status = self.status(stack)
        except NotThere:
            return False
        if status in ("ROLLBACK_COMPLETE", "ROLLBACK_FAILED", "DELETE_FAILED", "CREATE_FAILED"):
            raise StackFailed(
                f"stack {stack}",
                f"it is in {status}: nothing can be built on it",
                f"look at its events, `aws cloudformation delete-stack --stack-name {stack}`, run this again",
            )
        return status != PLANNED

    def _described(self, stack: str, change_set: str, exists: bool) -> StackPlan:
        def look() -> StackPlan | None:
            found = self.aws.call("cloudformation", "describe_change_set", ChangeSetName=change_set)
            if found["Status"] == "FAILED":
                return self._without_changes(stack, change_set, found.get("StatusReason", ""))
            if found["Status"] != "CREATE_COMPLETE":
                return None
            changes = tuple(_change(item["ResourceChange"]) for item in found.get("Changes", []))
            action = "update" if exists else "create"
            reason = "it exists and differs" if exists else "it does not exist yet"
            return StackPlan(stack, action, reason, changes, change_set)

        return wait_until(
            self.aws,
            look,
            limit_seconds=300,
            what=f"change set of {stack}",
            try_this="look at it in the CloudFormation console",
        )

    def _without_changes(self, stack: str, change_set: str, why: str) -> StackPlan:
        self.aws.call("cloudformation", "delete_change_set", ChangeSetName=change_set)
        if any(words in why for words in NO_CHANGES):
            return StackPlan(stack, "nothing", "it exists and equals template and parameters")
        raise StackFailed(f"stack {stack}", why, "mend the template or its parameters")

    def _events(self, stack: str, seen: Container[str] = ()) -> Iterator[StackEvent]:
        """Newest first, down to the first that was seen; more than a page may happen between two looks."""
        for item in self.aws.pages("cloudformation", "describe_stack_events", "StackEvents", StackName=stack):
            if item["EventId"] in seen:
                return
            yield StackEvent(
                item["EventId"],
                item["Timestamp"],
                item["LogicalResourceId"],
                item["ResourceType"],
                item["ResourceStatus"],
                item.get("ResourceStatusReason", ""),
            )


def _change(change: Mapping[str, str]) -> ResourceChange:
    return ResourceChange(
        change["Action"], change["LogicalResourceId"], change["ResourceType"], change.get("Replacement", "")
    )


def _failed(stack: str, status: str, failures: list[StackEvent]) -> StackFailed:
    first = next((event for event in failures if "cancelled" not in event.reason), None)
    what = f"it ended in {status}"
    if first is not None:
        what += f"; first {first.logical_id} ({first.type}): {first.reason}"
    return StackFailed(f"stack {stack}", what, "mend what failed first, then run this again")


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:12]
