"""A stack's outputs and exports."""

from __future__ import annotations

from gbg_sandbox.services.cloudformation.errors import TemplateError
from gbg_sandbox.services.cloudformation.intrinsics import as_text
from gbg_sandbox.services.cloudformation.scope import StackScope
from gbg_sandbox.services.cloudformation.state import Output, Stack, Stacks
from gbg_sandbox.services.cloudformation.template import Template


def evaluate_outputs(template: Template, scope: StackScope) -> list[Output]:
    """The outputs whose condition holds. Raises TemplateError."""
    found = []
    for name, output in template.outputs.items():
        if not scope.wanted(output.condition):
            continue
        value = scope.evaluator.value(output.value, f"Outputs/{name}/Value")
        if isinstance(value, (dict, list)):
            raise TemplateError(
                "Template format error: The Value field of every Outputs member must evaluate to a String. "
                f"({name})"
            )
        export = ""
        if output.export is not None:
            export = as_text(scope.evaluator.value(output.export, f"Outputs/{name}/Export"))
        found.append(Output(name, as_text(value), output.description, export))
    return found


def check_exports(stacks: Stacks, stack: Stack, outputs: list[Output]) -> None:
    """Raises TemplateError when an export is taken, or one in use would change or go."""
    now = stacks.exports()
    exported = {output.export: output.value for output in outputs if output.export}
    for name in exported:
        owner = now.get(name)
        if owner is not None and owner[0] is not stack:
            raise TemplateError(f"Export with name {name} is already exported by stack {owner[0].name}. ")
    for output in stack.outputs:
        name = output.export
        users = [user for user in stacks.importers(name) if user != stack.name] if name else []
        if not users or exported.get(name) == output.value:
            continue
        verb = "updated" if name in exported else "deleted"
        raise TemplateError(f"Export {name} cannot be {verb} as it is in use by {' and '.join(users)}. ")
