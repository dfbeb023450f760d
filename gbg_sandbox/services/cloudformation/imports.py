"""What AWS asks of an import before it begins.

https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/import-resources-manually.html
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import Any

from gbg_sandbox.services.cloudformation.errors import TemplateError, refuse
from gbg_sandbox.services.cloudformation.plan import Change
from gbg_sandbox.services.cloudformation.resources import provider_of
from gbg_sandbox.services.cloudformation.resources.base import Task
from gbg_sandbox.services.cloudformation.schemas import ResourceSchema
from gbg_sandbox.services.cloudformation.state import Stack, Stacks
from gbg_sandbox.services.cloudformation.template import Template


def identifiers(
    template: Template, asked: Iterable[Mapping[str, Any]], schema: Callable[[str], ResourceSchema]
) -> dict[str, str]:
    """Logical id → identifier, of a request's ResourcesToImport. Raises TemplateError."""
    found: dict[str, str] = {}
    for one in asked:
        name, kind, identifier = one["LogicalResourceId"], one["ResourceType"], one["ResourceIdentifier"]
        definition = template.resources.get(name)
        if definition is None or definition.type != kind:
            raise TemplateError(f"ResourcesToImport [{name}] of type [{kind}] is not in the template")
        if not provider_of(kind).imports:
            raise refuse(f"the import of {kind} ({name})")
        wanted = schema(kind).identifier
        if sorted(identifier) != sorted(wanted):
            raise TemplateError(
                f"The resource identifier of {name} is {sorted(identifier)}; {kind} is identified by {wanted}"
            )
        found[name] = str(identifier[wanted[0]])
    if not found:
        raise TemplateError("At least one resource to import must be specified in ResourcesToImport")
    unsaid = [name for name in found if not template.resources[name].keeps_by_word]
    if unsaid:
        raise TemplateError(
            f"The following resources to import [{', '.join(unsaid)}] must have DeletionPolicy attribute "
            "specified in the template."
        )
    return found


def only_imports(
    stack: Stack, template: Template, changes: Iterable[Change], wanted: Mapping[str, str]
) -> list[Change]:
    """The changes as imports. Raises TemplateError when anything else would change."""
    changes = list(changes)
    known = [name for name in wanted if name in stack.resources]
    if known:
        raise TemplateError(
            f"The following resources to import [{', '.join(known)}] are in the stack already."
        )
    others = [change.logical_id for change in changes if change.logical_id not in wanted]
    if others:
        raise TemplateError(
            f"You have modified resources [{', '.join(others)}] in your template that are not being "
            "imported. Update, create or delete operations cannot be executed during import operations."
        )
    former = stack.revision.template.outputs if stack.revision else {}
    if dict(former) != dict(template.outputs):
        raise TemplateError("As part of the import operation, you cannot modify or add [Outputs]")
    return [
        replace(change, action="Import", physical_id=wanted[change.logical_id], replacement="")
        for change in changes
    ]


def must_match(change: Change, schema: ResourceSchema, identifier: str) -> None:
    """A template that names the resource itself names the same one. Raises TemplateError."""
    given = (change.after or {}).get(schema.identifier[0])
    if isinstance(given, str) and given != identifier:
        raise TemplateError(
            f"The Identifier [{schema.identifier[0]}] for resource [{change.logical_id}] does not match the "
            f"identifier value in the template: {identifier}, {given}"
        )


def must_exist(task: Task, stacks: Stacks, identifier: str) -> None:
    """Raises TemplateError for a resource that is not there, or is in a stack."""
    for stack in stacks.all():
        for resource in stack.resources.values() if not stack.gone else ():
            if (resource.type, resource.physical_id) == (task.type, identifier):
                raise TemplateError(
                    f"Resource [{task.logical_id}] with identifier [{identifier}] already exists in stack "
                    f"[{stack.id}]"
                )
    if provider_of(task.type).find(task, identifier) is None:
        raise TemplateError(f"Resource of type '{task.type}' with identifier '{identifier}' was not found.")
