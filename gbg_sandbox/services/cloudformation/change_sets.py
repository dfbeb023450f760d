"""Change sets: what an update would do, looked at before it is done."""

from __future__ import annotations

from typing import Any

from gbg_sandbox.service import AwsError, Call, runs
from gbg_sandbox.services.cloudformation import imports, stack_api
from gbg_sandbox.services.cloudformation.errors import TemplateError
from gbg_sandbox.services.cloudformation.plan import Change, change_to_api
from gbg_sandbox.services.cloudformation.resources.base import Task
from gbg_sandbox.services.cloudformation.revisions import authority_of, refuse_options
from gbg_sandbox.services.cloudformation.schemas import ResourceSchema, schema_of
from gbg_sandbox.services.cloudformation.stacks import StackOperations
from gbg_sandbox.services.cloudformation.state import ChangeSet, Revision, Stack, new_id

NO_CHANGES = (
    "The submitted information didn't contain changes. Submit different information to create a change set."
)
KINDS = ("CREATE", "UPDATE", "IMPORT")


def no_change_set(name: str) -> AwsError:
    return AwsError("ChangeSetNotFound", f"ChangeSet [{name}] does not exist", 404)


class ChangeSetOperations(StackOperations):
    @runs
    def create_change_set(self, call: Call, params: dict[str, Any]) -> dict[str, Any]:
        kind = params.get("ChangeSetType", "UPDATE")
        if kind not in KINDS:
            raise TemplateError(f"ChangeSetType {kind} is not one of {', '.join(KINDS)}")
        if kind != "IMPORT" and params.get("ResourcesToImport"):
            raise TemplateError("ResourcesToImport can only be specified with the ChangeSetType IMPORT")
        refuse_options(params)
        stack = self._stack_for(kind, params)
        former = None if kind == "CREATE" else stack.revision
        template = self.templates.read(call, params, former.template if former else None)
        authority = authority_of(self.cloud, call, params.get("RoleARN") or stack.role_arn)
        revision = self.revisions(authority).read(template, params, former)
        asked = params.get("ResourcesToImport", [])
        change_set = ChangeSet(
            name=params["ChangeSetName"],
            id=self.cloud.arn("cloudformation", f"changeSet/{params['ChangeSetName']}/{new_id()}"),
            kind=kind,
            revision=revision,
            authority=authority,
            description=params.get("Description", ""),
            on_failure=params.get("OnStackFailure", ""),
            imports=imports.identifiers(template, asked, self._schema) if kind == "IMPORT" else {},
        )
        self._fill(stack, change_set)
        if stack.status == "REVIEW_IN_PROGRESS":
            self.stacks.add(stack)
        stack.change_sets[change_set.id] = change_set
        return {"Id": change_set.id, "StackId": stack.id}

    def _stack_for(self, kind: str, params: dict[str, Any]) -> Stack:
        """The stack to change, or a new one under review."""
        name, wanted = params["StackName"], params["ChangeSetName"]
        stack = self.stacks.find(name)
        if stack is not None and any(c.name == wanted for c in stack.change_sets.values()):
            raise AwsError("AlreadyExistsException", f"ChangeSet {wanted} already exists")
        if kind == "UPDATE":
            if stack is None or stack.gone:
                raise TemplateError(f"Stack [{name}] does not exist")
            self.must_be_updatable(stack)
            return stack
        if stack is None:
            return self.new_stack(name, "REVIEW_IN_PROGRESS")
        if kind == "IMPORT" and stack.status != "REVIEW_IN_PROGRESS":
            self.must_be_updatable(stack)
            return stack
        if stack.status != "REVIEW_IN_PROGRESS":
            raise TemplateError(
                f"Stack [{name}] already exists and cannot be created again with the changeSet [{wanted}]."
            )
        return stack

    def _fill(self, stack: Stack, change_set: ChangeSet) -> None:
        """Plan; what can't be planned makes a FAILED change set, as on AWS."""
        try:
            change_set.changes = self.plan(stack, change_set.revision, change_set.authority)
            if change_set.kind == "IMPORT":
                change_set.changes = self._as_imports(stack, change_set)
        except TemplateError as error:
            _fail(change_set, error.message)
            return
        problems = self.problems(change_set.changes)
        if problems:
            _fail(change_set, "; ".join(problems))
        elif not change_set.changes and not self.other_changes(
            stack, change_set.revision, change_set.authority
        ):
            _fail(change_set, NO_CHANGES)

    def _as_imports(self, stack: Stack, change_set: ChangeSet) -> list[Change]:
        wanted = change_set.imports
        found = imports.only_imports(stack, change_set.revision.template, change_set.changes, wanted)
        operation = self._operation(stack, change_set.authority)
        for change in found:
            identifier = wanted[change.logical_id]
            imports.must_match(change, self._schema(change.type), identifier)
            imports.must_exist(Task(operation, change.logical_id, change.type), self.stacks, identifier)
        return found

    def _schema(self, type_name: str) -> ResourceSchema:
        found = schema_of(type_name, self.cloud.region)
        assert found is not None, f"{type_name} was accepted without a schema"
        return found

    @runs
    def describe_change_set(self, call: Call, params: dict[str, Any]) -> dict[str, Any]:
        stack, change_set = self._find(params)
        changes, more = stack_api.page(change_set.changes, params.get("NextToken", ""))
        revision: Revision = change_set.revision
        values = bool(params.get("IncludePropertyValues"))
        described = stack_api.change_set_summary(stack, change_set) | {
            "Parameters": [stack_api.parameter(p) for p in revision.parameters.values()],
            "NotificationARNs": [],
            "RollbackConfiguration": {},
            "Capabilities": list(revision.capabilities),
            "Tags": stack_api.tags(dict(revision.tags)),
            "Changes": [change_to_api(change, values=values) for change in changes],
            **more,
        }
        return described | ({"OnStackFailure": change_set.on_failure} if change_set.on_failure else {})

    @runs
    def execute_change_set(self, call: Call, params: dict[str, Any]) -> dict[str, Any]:
        stack, change_set = self._find(params)
        with stack.lock:
            if change_set.execution != "AVAILABLE":
                raise AwsError(
                    "InvalidChangeSetStatus",
                    f"ChangeSet [{change_set.id}] cannot be executed in its current status of "
                    f"[{change_set.status if change_set.status == 'FAILED' else change_set.execution}]",
                )
            for other in stack.change_sets.values():
                other.execution = "OBSOLETE"
            change_set.execution = "EXECUTE_IN_PROGRESS"
            stack.change_set_id = change_set.id
            stack.retain_except_on_create = bool(params.get("RetainExceptOnCreate"))
        keep = bool(params.get("DisableRollback")) or change_set.on_failure == "DO_NOTHING"
        token = params.get("ClientRequestToken", "")

        def done() -> None:
            change_set.execution = "EXECUTE_COMPLETE" if stack.status in SUCCEEDED else "EXECUTE_FAILED"

        if change_set.kind == "CREATE":
            stack.on_failure = "DO_NOTHING" if keep else change_set.on_failure or "ROLLBACK"
            self.begin_create(stack, change_set.revision, change_set.authority, token, done)
        elif change_set.kind == "IMPORT":
            self.begin_import(stack, change_set, token, done)
        else:
            self.begin_update(stack, change_set.revision, change_set.authority, token, keep, done)
        return {}

    @runs
    def list_change_sets(self, call: Call, params: dict[str, Any]) -> dict[str, Any]:
        stack = self.find(params["StackName"], f"Stack [{params['StackName']}] does not exist")
        shown = [c for c in stack.change_sets.values() if c.execution in ("AVAILABLE", "UNAVAILABLE")]
        found, more = stack_api.page(shown, params.get("NextToken", ""))
        return {"Summaries": [stack_api.change_set_summary(stack, c) for c in found], **more}

    @runs
    def delete_change_set(self, call: Call, params: dict[str, Any]) -> dict[str, Any]:
        stack, change_set = self._find(params)
        if change_set.execution == "EXECUTE_IN_PROGRESS":
            raise AwsError(
                "InvalidChangeSetStatus",
                f"ChangeSet [{change_set.id}] cannot be deleted in its current status of "
                f"[{change_set.execution}]",
            )
        del stack.change_sets[change_set.id]
        return {}

    def _find(self, params: dict[str, Any]) -> tuple[Stack, ChangeSet]:
        name, owner = params["ChangeSetName"], params.get("StackName", "")
        if not name.startswith("arn:") and not owner:
            raise TemplateError("StackName must be specified if ChangeSetName is not specified as an ARN.")
        if owner and self.stacks.find(owner) is None:
            raise TemplateError(f"Stack [{owner}] does not exist")
        stacks = [self.stacks.find(owner)] if owner else self.stacks.all()
        for stack in stacks:
            for change_set in stack.change_sets.values() if stack else ():
                if name in (change_set.id, change_set.name) and stack is not None:
                    return stack, change_set
        raise no_change_set(name)


SUCCEEDED = ("CREATE_COMPLETE", "UPDATE_COMPLETE", "IMPORT_COMPLETE")


def _fail(change_set: ChangeSet, why: str) -> None:
    change_set.status, change_set.execution, change_set.reason = "FAILED", "UNAVAILABLE", why
