"""Creating, updating, rolling back and deleting a stack.

Statuses and their order follow
https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/view-stack-events.html
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable, Mapping

from gbg_sandbox.clock import ShuttingDown
from gbg_sandbox.services.cloudformation.errors import TemplateError, reason
from gbg_sandbox.services.cloudformation.graph import run_in_order
from gbg_sandbox.services.cloudformation.operation import Operation
from gbg_sandbox.services.cloudformation.outputs import check_exports, evaluate_outputs
from gbg_sandbox.services.cloudformation.plan import dependencies
from gbg_sandbox.services.cloudformation.resources import provider_of
from gbg_sandbox.services.cloudformation.resources.base import Provider
from gbg_sandbox.services.cloudformation.scope import StackScope
from gbg_sandbox.services.cloudformation.state import Revision, StackResource, Undo
from gbg_sandbox.services.cloudformation.work import ResourceWork, revised

NO_NAME = (
    "CloudFormation cannot update a stack when a custom-named resource requires replacing. "
    "Rename {name} and update the stack again."
)


class StackOperation(Operation):
    """The flows; each runs to its end in a thread of its own."""

    def run(self, flow: Callable[[], None]) -> None:
        try:
            flow()
        except ShuttingDown:
            raise
        except Exception as error:
            self.stack_event(_broken(self.stack.status), f"Internal Failure: {error!r}")
            raise
        finally:
            self.finished.set()
            with self.stack.lock:
                if self.stack.operation is self:
                    self.stack.operation = None

    # --- create -----------------------------------------------------------------------------------------

    def create(self) -> None:
        revision = self.stack.revision
        assert revision is not None
        self.limit(self.stack.timeout_minutes)
        failure = self._bring_up(revision, self._create_one)
        if not failure:
            self.stack_event("CREATE_COMPLETE")
        elif not self.superseded:
            self._creation_failed(failure)

    def _create_one(self, work: ResourceWork, logical_id: str, needs: frozenset[str]) -> bool:
        return work.create(logical_id, needs)

    def _bring_up(self, revision: Revision, one: Callable[[ResourceWork, str, frozenset[str]], bool]) -> str:
        """Let `one` bring every wanted resource about, then the outputs; returns why it failed, or empty."""
        failed: list[str] = []
        try:
            scope = self.scope(revision)
            work = ResourceWork(self, revision, scope)
            wanted = _wanted(revision, scope)
            graph = dependencies(revision.template, wanted)

            def attempt(logical_id: str) -> bool:
                if one(work, logical_id, graph[logical_id]):
                    return True
                failed.append(logical_id)
                self.cancel("Resource creation cancelled")
                return False

            run_in_order(graph, attempt, stop=lambda: bool(self.cancelled()))
            if not failed and not self.cancelled():
                self._give_outputs(revision, scope)
        except TemplateError as error:
            return error.message
        return self._why(failed)

    def _why(self, failed: list[str]) -> str:
        if self.timed_out:
            return "Stack creation time exceeded the specified timeout. "
        if failed:
            verb = "create" if self.stack.undo is None else "update"
            return f"The following resource(s) failed to {verb}: [{', '.join(failed)}]. "
        return self.cancelled()

    def _give_outputs(self, revision: Revision, scope: StackScope) -> None:
        outputs = evaluate_outputs(revision.template, scope)
        check_exports(self.stacks, self.stack, outputs)
        self.stack.outputs = outputs
        self.stack.imports = scope.imports

    def _creation_failed(self, failure: str) -> None:
        if self.stack.on_failure == "DO_NOTHING":
            self.stack_event("CREATE_FAILED", failure)
            return
        by_deletion = self.stack.on_failure == "DELETE"
        asked = "Delete" if by_deletion else "Rollback"
        self.stack_event(
            "DELETE_IN_PROGRESS" if by_deletion else "ROLLBACK_IN_PROGRESS",
            f"{failure}{asked} requested by user.",
        )
        self.roll_back_creation("DELETE" if by_deletion else "ROLLBACK")

    def roll_back_creation(self, verb: str = "ROLLBACK") -> None:
        """Delete what was created; `verb` begins the statuses."""
        self.go_on()
        failed = self._remove(self.stack.resources.values(), keep=self._kept_on_rollback)
        self.stack.outputs = []
        if self.superseded:
            return
        if failed:
            self.stack_event(f"{verb}_FAILED", _not_deleted(failed))
            return
        if verb == "DELETE":
            self.stack.deleted = self.cloud.clock.now()
        self.stack_event(f"{verb}_COMPLETE")

    def _kept_on_rollback(self, resource: StackResource) -> bool:
        kept = resource.definition.deletion_policy == "Retain" and not self.stack.retain_except_on_create
        return kept and resource.status != "CREATE_FAILED"

    # --- update -----------------------------------------------------------------------------------------

    def update(self, revision: Revision, *, disable_rollback: bool = False) -> None:
        stack = self.stack
        assert stack.revision is not None
        if stack.undo is None:
            stack.undo = Undo(stack.revision, copy.copy(stack.resources), list(stack.outputs))
        else:
            self._take_up(stack.undo)
        stack.revision = revision
        stack.signals.clear()
        failure = self._bring_up(revision, self._update_one)
        if not failure:
            self._update_complete(revision)
        elif disable_rollback:
            self.stack_event("UPDATE_FAILED", failure)
        else:
            self.stack_event("UPDATE_ROLLBACK_IN_PROGRESS", failure)
            self.roll_back_update()

    def _take_up(self, undo: Undo) -> None:
        """Begin again after UPDATE_FAILED: what failed counts as it was before."""
        for name, resource in list(self.stack.resources.items()):
            if resource.status not in ("UPDATE_FAILED", "CREATE_FAILED"):
                continue
            old = undo.resources.get(name)
            if resource.physical_id and (old is None or resource.physical_id != old.physical_id):
                undo.stale.append(resource)
            if old is None:
                del self.stack.resources[name]
                continue
            undo.stale = [stale for stale in undo.stale if stale is not old]
            self.stack.resources[name] = old

    def _update_complete(self, revision: Revision) -> None:
        stack, undo = self.stack, self.stack.undo
        assert undo is not None
        self.stack_event("UPDATE_COMPLETE_CLEANUP_IN_PROGRESS")
        wanted = _wanted(revision, self.scope(revision))
        removed = [stack.resources[name] for name in list(stack.resources) if name not in wanted]
        replaced = {id(resource) for resource in undo.stale}

        def kept(resource: StackResource) -> bool:
            definition = resource.definition
            policy = definition.deletion_policy
            if id(resource) in replaced:
                policy = revision.template.resources[resource.logical_id].update_replace_policy
            return policy != "Delete"

        self._remove([*undo.stale, *removed], keep=kept)
        for resource in removed:
            del stack.resources[resource.logical_id]
        stack.undo = None
        self.stack_event("UPDATE_COMPLETE")

    def _update_one(self, work: ResourceWork, logical_id: str, needs: frozenset[str]) -> bool:
        old = self.stack.resources.get(logical_id)
        if old is None:
            return work.create(logical_id, needs)
        undo = self.stack.undo
        assert undo is not None
        definition = work.revision.template.resources[logical_id]
        try:
            properties = work.evaluate(definition)
        except TemplateError as error:
            self.resource_event(old, "UPDATE_FAILED", reason(error))
            return False
        new = revised(old, definition, properties, needs)
        if properties == old.properties and _same_attributes(old, new):
            self.stack.resources[logical_id] = new
            return True
        self.stack.resources[logical_id] = new
        if not self._must_replace(work, old, new):
            undo.touched.add(logical_id)
            return work.update(old, new, provider_of(new.type))
        name = _own_name(provider_of(new.type), old, new)
        if name:
            self.resource_event(new, "UPDATE_FAILED", NO_NAME.format(name=name))
            return False
        undo.stale.append(old)
        new.physical_id, new.attributes = "", {}
        return work.replace(new)

    @staticmethod
    def _must_replace(work: ResourceWork, old: StackResource, new: StackResource) -> bool:
        schema = work.schema(new.type)
        names = {*old.properties, *new.properties}
        before, after = old.properties, new.properties
        if any(schema.recreation(name, before.get(name), after.get(name)) == "Always" for name in names):
            return True
        policy = new.definition.update_policy.get("AutoScalingReplacingUpdate", {})
        provider = provider_of(new.type)
        if str(policy.get("WillReplace", "false")).lower() == "true" and before != after:
            return True
        return before != after and provider.replaces(before, after)

    # --- import -----------------------------------------------------------------------------------------

    def adopt(self, revision: Revision, identifiers: Mapping[str, str]) -> None:
        """Bring what exists into the stack. When that fails it is as before, and what exists stays."""
        stack, former = self.stack, self.stack.revision
        stack.revision = revision
        failed: list[str] = []
        try:
            work = ResourceWork(self, revision, self.scope(revision))
            graph = dependencies(revision.template, list(identifiers))

            def attempt(logical_id: str) -> bool:
                if work.adopt(logical_id, identifiers[logical_id], self._needs(revision, logical_id)):
                    return True
                failed.append(logical_id)
                return False

            run_in_order(graph, attempt, stop=lambda: bool(failed))
            failure = f"The following resource(s) failed to import: [{', '.join(failed)}]. " if failed else ""
        except TemplateError as error:
            failure = error.message
        if not failure:
            self.stack_event("IMPORT_COMPLETE")
            return
        self.stack_event("IMPORT_ROLLBACK_IN_PROGRESS", failure)
        for logical_id in identifiers:
            stack.resources.pop(logical_id, None)
        stack.revision = former
        self.stack_event("IMPORT_ROLLBACK_COMPLETE")

    def _needs(self, revision: Revision, logical_id: str) -> frozenset[str]:
        wanted = _wanted(revision, self.scope(revision))
        return dependencies(revision.template, wanted)[logical_id]

    # --- update rollback --------------------------------------------------------------------------------

    def roll_back_update(self, skip: Iterable[str] = ()) -> None:
        """Bring every resource back to what it was, then delete what the update had created."""
        stack, undo = self.stack, self.stack.undo
        assert undo is not None
        self.go_on()
        before = undo.revision
        stack.revision = before
        work = ResourceWork(self, before)
        graph = {name: resource.needs for name, resource in undo.resources.items()}
        skipped = frozenset(skip)
        _, failed = run_in_order(graph, lambda name: self._restore(work, name, name in skipped))
        if failed:
            self.stack_event(
                "UPDATE_ROLLBACK_FAILED",
                f"The following resource(s) failed to update: [{', '.join(sorted(failed))}]. ",
            )
            return
        self.stack_event("UPDATE_ROLLBACK_COMPLETE_CLEANUP_IN_PROGRESS")
        created = [stack.resources[name] for name in list(stack.resources) if name not in undo.resources]
        self._remove([*created, *undo.leftovers], keep=lambda resource: False)
        stack.resources = dict(undo.resources)
        stack.outputs = undo.outputs
        stack.undo = None
        self.stack_event("UPDATE_ROLLBACK_COMPLETE")

    def _restore(self, work: ResourceWork, name: str, skip: bool) -> bool:
        undo = self.stack.undo
        assert undo is not None
        old, current = undo.resources[name], self.stack.resources[name]
        if current is old:
            return True
        if skip:
            self.resource_event(old, "UPDATE_COMPLETE")
        elif current.physical_id != old.physical_id:
            self.resource_event(old, "UPDATE_IN_PROGRESS")
            if current.physical_id:
                undo.leftovers.append(current)
            self.resource_event(old, "UPDATE_COMPLETE")
        elif name in undo.touched:
            back = revised(current, old.definition, old.properties, old.needs)
            if not work.update(current, back, provider_of(old.type)):
                return False
            undo.resources[name] = back
            undo.touched.discard(name)
        self.stack.resources[name] = undo.resources[name]
        return True

    # --- delete -----------------------------------------------------------------------------------------

    def delete(self, retain: Iterable[str] = (), *, force: bool = False) -> None:
        stack = self.stack
        for output in stack.outputs:
            users = self.stacks.importers(output.export) if output.export else []
            if users:
                text = f"Cannot delete export {output.export} as it is in use by {' and '.join(users)}."
                self.stack_event("DELETE_FAILED", f"Delete canceled. {text}")
                return
        kept = frozenset(retain)
        aside = [*stack.undo.stale, *stack.undo.leftovers] if stack.undo else []
        everything = list({id(r): r for r in [*stack.resources.values(), *aside]}.values())
        failed = self._remove(
            everything,
            keep=lambda resource: (
                resource.logical_id in kept
                or resource.definition.deletion_policy in ("Retain", "RetainExceptOnCreate")
            ),
        )
        if failed and not force:
            self.stack_event("DELETE_FAILED", _not_deleted(failed))
            return
        for resource in everything:
            if resource.logical_id in failed:
                self.resource_event(resource, "DELETE_SKIPPED")
        stack.deleted = self.cloud.clock.now()
        self.stack_event("DELETE_COMPLETE")

    def _remove(self, resources: Iterable[StackResource], keep: Callable[[StackResource], bool]) -> list[str]:
        """Delete physical resources, dependents first; returns the logical ids that could not be."""
        numbered = dict(
            enumerate(r for r in resources if r.status not in ("DELETE_COMPLETE", "DELETE_SKIPPED"))
        )
        needs = {
            number: {
                other
                for other, dependent in numbered.items()
                if resource.logical_id in dependent.needs and other != number
            }
            for number, resource in numbered.items()
        }
        assert self.stack.revision is not None
        work = ResourceWork(self, self.stack.revision)

        def remove(number: int) -> bool:
            resource = numbered[number]
            if keep(resource):
                self.resource_event(resource, "DELETE_SKIPPED")
                return True
            return work.delete(resource)

        _, failed = run_in_order(needs, remove)
        return sorted(numbered[number].logical_id for number in failed)


def _broken(status: str) -> str:
    """The status in which a flow ends that could not go on."""
    rolling_back = status.startswith("UPDATE_ROLLBACK")
    return "UPDATE_ROLLBACK_FAILED" if rolling_back else f"{status.partition('_')[0]}_FAILED"


def _wanted(revision: Revision, scope: StackScope) -> list[str]:
    resources = revision.template.resources
    return [name for name, resource in resources.items() if scope.wanted(resource.condition)]


def _not_deleted(failed: Iterable[str]) -> str:
    return f"The following resource(s) failed to delete: [{', '.join(failed)}]. "


def _same_attributes(old: StackResource, new: StackResource) -> bool:
    a, b = old.definition, new.definition
    return (a.metadata, a.deletion_policy, a.update_replace_policy, a.creation_policy, a.update_policy) == (
        b.metadata,
        b.deletion_policy,
        b.update_replace_policy,
        b.creation_policy,
        b.update_policy,
    )


def _own_name(provider: Provider, old: StackResource, new: StackResource) -> str:
    """The name that template and older resource share, which a second one can't have."""
    name = provider.name_property
    if not name or old.properties.get(name) != new.properties.get(name):
        return ""
    return str(new.properties.get(name, ""))
