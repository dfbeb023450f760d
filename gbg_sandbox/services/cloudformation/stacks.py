"""Stack operations: create, update, delete, cancel, roll back."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from gbg_sandbox.service import AwsError, Call, Service, runs
from gbg_sandbox.services.cloudformation.engine import StackOperation
from gbg_sandbox.services.cloudformation.errors import TemplateError
from gbg_sandbox.services.cloudformation.outputs import evaluate_outputs
from gbg_sandbox.services.cloudformation.parameters import ParameterValue
from gbg_sandbox.services.cloudformation.plan import Change, Planner
from gbg_sandbox.services.cloudformation.resources import provider_of
from gbg_sandbox.services.cloudformation.responses import Responses
from gbg_sandbox.services.cloudformation.revisions import (
    RevisionReader,
    TemplateReader,
    authority_of,
    refuse_options,
)
from gbg_sandbox.services.cloudformation.schemas import schema_of
from gbg_sandbox.services.cloudformation.scope import Identity, StackScope
from gbg_sandbox.services.cloudformation.state import Authority, ChangeSet, Revision, Stack, Stacks, new_id
from gbg_sandbox.services.cloudformation.work import ResourceWork

if TYPE_CHECKING:
    from gbg_sandbox.cloud import Cloud

STACK_NAME = re.compile(r"[a-zA-Z][-a-zA-Z0-9]{0,127}")
UPDATABLE = (
    "CREATE_COMPLETE",
    "UPDATE_COMPLETE",
    "UPDATE_ROLLBACK_COMPLETE",
    "UPDATE_FAILED",
    "IMPORT_COMPLETE",
    "IMPORT_ROLLBACK_COMPLETE",
)
ON_FAILURE = ("ROLLBACK", "DELETE", "DO_NOTHING")


def nothing() -> None:
    """What follows an operation that nobody waits for."""


class StackOperations(Service):
    name = "cloudformation"

    def __init__(self, cloud: Cloud) -> None:
        super().__init__(cloud)
        self.stacks = Stacks()
        self.templates = TemplateReader(cloud)

    def start(self) -> None:
        self.responses = Responses(self.cloud.endpoint_url, self.cloud.region)

    # --- what change sets use as well -------------------------------------------------------------------

    def find(self, name: str, message: str = "") -> Stack:
        """Raises the ValidationError that AWS gives when there is no such stack."""
        found = self.stacks.find(name)
        if found is None:
            raise TemplateError(message or f"Stack with id {name} does not exist")
        return found

    def new_stack(self, name: str, status: str) -> Stack:
        if not STACK_NAME.fullmatch(name):
            raise TemplateError(
                f"1 validation error detected: Value '{name}' at 'stackName' failed to satisfy "
                "constraint: Member "
                f"must satisfy regular expression pattern: {STACK_NAME.pattern}"
            )
        return Stack(name, self.cloud.arn("cloudformation", f"stack/{name}/{new_id()}"), status=status)

    @staticmethod
    def must_be_updatable(stack: Stack) -> None:
        if stack.status not in UPDATABLE:
            raise TemplateError(f"Stack:{stack.id} is in {stack.status} state and can not be updated.")

    def revisions(self, authority: Authority) -> RevisionReader:
        scratch = self._operation(Stack("", ""), authority)
        return RevisionReader(self.cloud, scratch.lookups)

    def plan(self, stack: Stack, revision: Revision, authority: Authority) -> list[Change]:
        """What deploying `revision` would change. Raises TemplateError."""
        planner, scope = self._planned(stack, revision, authority)
        return planner.changes(scope)

    def problems(self, changes: Iterable[Change]) -> list[str]:
        """Why AWS would refuse the properties that the changes would set."""
        found = []
        for change in changes:
            schema = schema_of(change.type, self.cloud.region)
            if schema is not None and change.after is not None:
                found += [f"{change.logical_id}: {problem}" for problem in schema.problems(change.after)]
        return found

    def other_changes(self, stack: Stack, revision: Revision, authority: Authority) -> bool:
        """Whether something beside the resources changes: outputs or the stack's tags."""
        planner, scope = self._planned(stack, revision, authority)
        planner.changes(scope)
        former = stack.revision
        return evaluate_outputs(revision.template, scope) != stack.outputs or (
            former is not None and former.tags != revision.tags
        )

    def begin_create(
        self,
        stack: Stack,
        revision: Revision,
        authority: Authority,
        token: str,
        done: Callable[[], None] = nothing,
    ) -> None:
        operation = self._operation(stack, authority, token)
        with stack.lock:
            stack.revision, stack.role_arn = revision, authority.role_arn
            self._take(stack, operation)
            operation.stack_event("CREATE_IN_PROGRESS", "User Initiated")
        self._spawn(operation, operation.create, done)

    def begin_update(
        self,
        stack: Stack,
        revision: Revision,
        authority: Authority,
        token: str,
        keep: bool,
        done: Callable[[], None] = nothing,
    ) -> None:
        operation = self._operation(stack, authority, token)
        with stack.lock:
            self.must_be_updatable(stack)
            stack.updated, stack.role_arn = self.cloud.clock.now(), authority.role_arn
            stack.drift_status, stack.drift_checked = "NOT_CHECKED", None
            self._take(stack, operation)
            operation.stack_event("UPDATE_IN_PROGRESS", "User Initiated")
        self._spawn(operation, lambda: operation.update(revision, disable_rollback=keep), done)

    def begin_import(
        self, stack: Stack, change_set: ChangeSet, token: str, done: Callable[[], None] = nothing
    ) -> None:
        operation = self._operation(stack, change_set.authority, token)
        with stack.lock:
            if stack.status != "REVIEW_IN_PROGRESS":
                self.must_be_updatable(stack)
            stack.updated, stack.role_arn = self.cloud.clock.now(), change_set.authority.role_arn
            stack.drift_status, stack.drift_checked = "NOT_CHECKED", None
            self._take(stack, operation)
            operation.stack_event("IMPORT_IN_PROGRESS", "User Initiated")
        self._spawn(operation, lambda: operation.adopt(change_set.revision, change_set.imports), done)

    def _operation(self, stack: Stack, authority: Authority, token: str = "") -> StackOperation:
        return StackOperation(self.cloud, self.stacks, stack, authority, token)

    @staticmethod
    def _take(stack: Stack, operation: StackOperation) -> None:
        stack.operation = operation

    def _spawn(
        self, operation: StackOperation, flow: Callable[[], None], done: Callable[[], None] = nothing
    ) -> None:
        def work() -> None:
            operation.run(flow)
            done()

        self.cloud.spawn(f"cloudformation {operation.stack.name}", work)

    def _planned(self, stack: Stack, revision: Revision, authority: Authority) -> tuple[Planner, StackScope]:
        operation = self._operation(stack, authority)
        before = stack.revision.parameters if stack.revision else {}
        work = ResourceWork(operation, revision)
        planner = Planner(
            deployed={
                name: resource.deployed()
                for name, resource in stack.resources.items()
                if resource.status != "CREATE_FAILED"
            },
            changed_parameters=[
                name
                for name, value in revision.parameters.items()
                if _meaning(before.get(name)) != value.meant
            ],
            schema=work.schema,
            volatile=lambda kind, attribute: (
                kind.startswith("Custom::") or attribute in provider_of(kind).volatile
            ),
            tags=work.tags,
        )
        identity = Identity(self.cloud.account, self.cloud.region, stack.name, stack.id)
        scope = StackScope(revision.template, revision.parameters, identity, operation.lookups, planner)
        return planner, scope

    # --- operations -------------------------------------------------------------------------------------

    @runs
    def create_stack(self, call: Call, params: dict[str, Any]) -> dict[str, Any]:
        refuse_options(params)
        name = params["StackName"]
        if self.stacks.find(name) is not None:
            raise AwsError("AlreadyExistsException", f"Stack [{name}] already exists")
        if "OnFailure" in params and "DisableRollback" in params:
            raise TemplateError("Only one of OnFailure and DisableRollback can be specified.")
        stack = self.new_stack(name, "CREATE_IN_PROGRESS")
        template = self.templates.read(call, params)
        authority = authority_of(self.cloud, call, params.get("RoleARN", ""))
        revision = self.revisions(authority).read(template, params, None)
        stack.on_failure = (
            "DO_NOTHING" if params.get("DisableRollback") else params.get("OnFailure", "ROLLBACK")
        )
        if stack.on_failure not in ON_FAILURE:
            raise TemplateError(f"OnFailure {stack.on_failure} is not one of {', '.join(ON_FAILURE)}")
        stack.retain_except_on_create = bool(params.get("RetainExceptOnCreate"))
        stack.timeout_minutes = params.get("TimeoutInMinutes")
        stack.protected = bool(params.get("EnableTerminationProtection"))
        self.stacks.add(stack)
        self.begin_create(stack, revision, authority, params.get("ClientRequestToken", ""))
        return {"StackId": stack.id}

    @runs
    def update_stack(self, call: Call, params: dict[str, Any]) -> dict[str, Any]:
        refuse_options(params)
        stack = self.find(params["StackName"], f"Stack [{params['StackName']}] does not exist")
        self.must_be_updatable(stack)
        former = stack.revision
        assert former is not None
        template = self.templates.read(call, params, former.template)
        authority = authority_of(self.cloud, call, params.get("RoleARN") or stack.role_arn)
        revision = self.revisions(authority).read(template, params, former)
        changes = self.plan(stack, revision, authority)
        failed = stack.status == "UPDATE_FAILED"
        if not changes and not failed and not self.other_changes(stack, revision, authority):
            raise TemplateError("No updates are to be performed.")
        stack.retain_except_on_create = bool(params.get("RetainExceptOnCreate"))
        keep = bool(params.get("DisableRollback"))
        self.begin_update(stack, revision, authority, params.get("ClientRequestToken", ""), keep)
        return {"StackId": stack.id}

    @runs
    def delete_stack(self, call: Call, params: dict[str, Any]) -> dict[str, Any]:
        stack = self.stacks.find(params["StackName"])
        if stack is None or stack.gone or stack.status == "DELETE_IN_PROGRESS":
            return {}
        refuse_options(params)
        retain = params.get("RetainResources", [])
        _check_deletable(stack, retain)
        if stack.revision is None:
            stack.deleted, stack.status = self.cloud.clock.now(), "DELETE_COMPLETE"
            return {}
        authority = authority_of(self.cloud, call, params.get("RoleARN") or stack.role_arn)
        operation = self._operation(stack, authority, params.get("ClientRequestToken", ""))
        running = _supersede(stack, operation)
        force = params.get("DeletionMode") == "FORCE_DELETE_STACK"

        def delete() -> None:
            if running is not None:
                running.finished.wait()
            stack.operation = operation
            operation.delete(retain, force=force)

        self._spawn(operation, delete)
        return {}

    @runs
    def cancel_update_stack(self, call: Call, params: dict[str, Any]) -> dict[str, Any]:
        stack = self.find(params["StackName"], f"Stack [{params['StackName']}] does not exist")
        with stack.lock:
            if stack.status != "UPDATE_IN_PROGRESS" or stack.operation is None:
                raise TemplateError(
                    f"CancelUpdateStack cannot be called from current stack status {stack.status}"
                )
            stack.operation.cancel("User Initiated")
        return {}

    @runs
    def continue_update_rollback(self, call: Call, params: dict[str, Any]) -> dict[str, Any]:
        stack = self.find(params["StackName"], f"Stack [{params['StackName']}] does not exist")
        if stack.status != "UPDATE_ROLLBACK_FAILED":
            raise TemplateError(
                f"Stack:{stack.id} is in {stack.status} state and can not continue the update rollback."
            )
        skip = params.get("ResourcesToSkip", [])
        strange = [name for name in skip if name not in stack.resources]
        if strange:
            raise TemplateError(f"Stack:{stack.id} has no resources {', '.join(strange)} to skip")
        self._roll_back(call, stack, params, "UPDATE_ROLLBACK_IN_PROGRESS", skip)
        return {}

    @runs
    def rollback_stack(self, call: Call, params: dict[str, Any]) -> dict[str, Any]:
        refuse_options(params)
        stack = self.find(params["StackName"])
        states = {"CREATE_FAILED": "ROLLBACK_IN_PROGRESS", "UPDATE_FAILED": "UPDATE_ROLLBACK_IN_PROGRESS"}
        if stack.status not in states:
            raise TemplateError(f"Stack:{stack.id} is in {stack.status} state and can not be rolled back.")
        stack.retain_except_on_create = bool(params.get("RetainExceptOnCreate"))
        self._roll_back(call, stack, params, states[stack.status])
        return {"StackId": stack.id}

    def _roll_back(
        self, call: Call, stack: Stack, params: dict[str, Any], status: str, skip: Iterable[str] = ()
    ) -> None:
        authority = authority_of(self.cloud, call, params.get("RoleARN") or stack.role_arn)
        operation = self._operation(stack, authority, params.get("ClientRequestToken", ""))
        with stack.lock:
            self._take(stack, operation)
            operation.stack_event(status, "User Initiated")
        if status == "ROLLBACK_IN_PROGRESS":
            self._spawn(operation, operation.roll_back_creation)
        else:
            self._spawn(operation, lambda: operation.roll_back_update(skip))

    @runs
    def signal_resource(self, call: Call, params: dict[str, Any]) -> dict[str, Any]:
        stack = self.find(params["StackName"], f"Stack [{params['StackName']}] does not exist")
        logical_id, unique_id = params["LogicalResourceId"], params["UniqueId"]
        with stack.lock:
            resource = stack.resources.get(logical_id)
            if resource is None:
                raise TemplateError(f"Resource {logical_id} does not exist for stack {stack.name}")
            if stack.operation is None or not resource.status.endswith("_IN_PROGRESS"):
                raise TemplateError(
                    f"Resource {logical_id} is in {resource.status} state and cannot be signaled"
                )
            stack.signals.setdefault(logical_id, {})[unique_id] = params["Status"]
            text = f"Received {params['Status']} signal with UniqueId {unique_id}"
            stack.operation.resource_event(resource, resource.status, text)
        return {}

    @runs
    def update_termination_protection(self, call: Call, params: dict[str, Any]) -> dict[str, Any]:
        stack = self.find(params["StackName"], f"Stack [{params['StackName']}] does not exist")
        stack.protected = bool(params["EnableTerminationProtection"])
        return {"StackId": stack.id}


def _check_deletable(stack: Stack, retain: list[str]) -> None:
    if stack.protected:
        raise TemplateError(f"Stack [{stack.name}] cannot be deleted while TerminationProtection is enabled")
    if retain and stack.status != "DELETE_FAILED":
        raise TemplateError(
            f"Invalid operation on stack [{stack.id}]. Resources can be retained only when the "
            "stack is in the "
            "DELETE_FAILED state."
        )


def _supersede(stack: Stack, operation: StackOperation) -> StackOperation | None:
    """Begin a deletion; a creation that still runs is called off and returned, to be waited for."""
    with stack.lock:
        running = stack.operation
        if running is not None:
            if stack.status not in ("CREATE_IN_PROGRESS", "ROLLBACK_IN_PROGRESS"):
                raise TemplateError(f"Stack [{stack.id}] cannot be deleted while in status {stack.status}")
            running.superseded = True
            running.cancel("Resource creation cancelled")
        operation.stack_event("DELETE_IN_PROGRESS", "User Initiated")
    return running


def _meaning(value: ParameterValue | None) -> Any:
    return None if value is None else value.meant
