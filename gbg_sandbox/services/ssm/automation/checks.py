"""Checks that need a whole Automation document: actions, their inputs, references and jumps.

AWS makes them when a document is created and answers InvalidDocumentContent; so does this module.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

from gbg_sandbox.services.ssm.automation.actions.specs import KNOWN_TO_AWS, SPECS
from gbg_sandbox.services.ssm.automation.document import AutomationDocument, InvalidDocument, Step
from gbg_sandbox.services.ssm.automation.selector import SelectorError
from gbg_sandbox.services.ssm.automation.selector import check as check_selector
from gbg_sandbox.services.ssm.automation.variables import GLOBALS, references

STRING_TESTS = frozenset({"StringEquals", "EqualsIgnoreCase", "StartsWith", "EndsWith", "Contains"})
NUMERIC_TESTS = frozenset(
    {"NumericEquals", "NumericGreater", "NumericLesser", "NumericGreaterOrEquals", "NumericLesserOrEquals"}
)
BRANCH_TESTS = STRING_TESTS | NUMERIC_TESTS | {"BooleanEquals"}
PYTHON_RUNTIMES = frozenset(
    {"python3.6", "python3.7", "python3.8", "python3.9", "python3.10", "python3.11", "python3.12"}
)


def check_document(document: AutomationDocument) -> None:
    """Raises InvalidDocument with the place."""
    names = Counter(step.name for step in document.steps)
    for name, count in names.items():
        if count > 1:
            raise InvalidDocument(f"step {name}", f"the name is used {count} times")
    for step in document.steps:
        _check_action(step)
        _check_jumps(step, set(names))
    known = _known(document)
    for place, reference in _references(document):
        _check_reference(place, reference, known, set(names))


def _check_action(step: Step) -> None:
    place = f"step {step.name}"
    if step.action in KNOWN_TO_AWS:
        offered = ", ".join(sorted(SPECS))
        raise InvalidDocument(place, f"gbg_sandbox does not run {step.action}; it runs {offered}")
    spec = SPECS.get(step.action)
    if spec is None:
        raise InvalidDocument(place, f"unknown action {step.action}")
    missing = sorted(spec.required - set(step.inputs))
    if missing:
        raise InvalidDocument(f"{place}.inputs", f"{step.action} needs {', '.join(missing)}")
    unknown = sorted(set(step.inputs) - spec.inputs)
    if unknown and not spec.open:
        raise InvalidDocument(f"{place}.inputs", f"{step.action} has no input {', '.join(unknown)}")
    if step.on_cancel != "Abort" and not spec.on_cancel:
        raise InvalidDocument(f"{place}.onCancel", f"{step.action} does not support onCancel")
    if step.max_attempts < 1:
        raise InvalidDocument(f"{place}.maxAttempts", "must be at least 1")
    special = SPECIAL_CHECKS.get(step.action)
    if special:
        special(step, f"{place}.inputs")


def _check_branch(step: Step, place: str) -> None:
    choices = step.inputs["Choices"]
    if not isinstance(choices, list) or not choices:
        raise InvalidDocument(f"{place}.Choices", "must be a list of at least one choice")
    for number, choice in enumerate(choices):
        where = f"{place}.Choices[{number}]"
        if not isinstance(choice, dict) or not isinstance(choice.get("NextStep"), str):
            raise InvalidDocument(where, "NextStep is missing")
        _check_condition(where, {key: value for key, value in choice.items() if key != "NextStep"})


def _check_condition(place: str, condition: Any) -> None:
    if not isinstance(condition, dict):
        raise InvalidDocument(place, "must be a map")
    combined = set(condition) & {"And", "Or", "Not"}
    if combined:
        if len(condition) != 1:
            raise InvalidDocument(place, "And, Or and Not stand alone")
        (word,) = combined
        inner = [condition[word]] if word == "Not" else condition[word]
        if not isinstance(inner, list) or not inner:
            raise InvalidDocument(f"{place}.{word}", "must be a list of conditions")
        for one in inner:
            _check_condition(f"{place}.{word}", one)
        return
    tests = set(condition) - {"Variable"}
    if "Variable" not in condition or len(tests) != 1:
        raise InvalidDocument(place, "needs Variable and exactly one operation")
    unknown = tests - BRANCH_TESTS
    if unknown:
        raise InvalidDocument(place, f"unknown operation {', '.join(unknown)}")


def _check_script(step: Step, place: str) -> None:
    runtime = step.inputs["Runtime"]
    if runtime not in PYTHON_RUNTIMES:
        raise InvalidDocument(f"{place}.Runtime", f"gbg_sandbox does not run {runtime}; it runs Python")
    if "Handler" not in step.inputs:
        raise InvalidDocument(place, "a Python script needs Handler")


def _check_property(step: Step, place: str) -> None:
    chosen = step.inputs["PropertySelector"]
    try:
        check_selector(chosen if isinstance(chosen, str) else "")
    except SelectorError as error:
        raise InvalidDocument(f"{place}.PropertySelector", str(error)) from error


def _check_command(step: Step, place: str) -> None:
    if ("InstanceIds" in step.inputs) == ("Targets" in step.inputs):
        raise InvalidDocument(place, "aws:runCommand needs either InstanceIds or Targets")


def _check_sleep(step: Step, place: str) -> None:
    if ("Duration" in step.inputs) == ("Timestamp" in step.inputs):
        raise InvalidDocument(place, "aws:sleep needs either Duration or Timestamp")


SPECIAL_CHECKS = {
    "aws:branch": _check_branch,
    "aws:executeScript": _check_script,
    "aws:waitForAwsResourceProperty": _check_property,
    "aws:assertAwsResourceProperty": _check_property,
    "aws:runCommand": _check_command,
    "aws:sleep": _check_sleep,
}


def _check_jumps(step: Step, names: set[str]) -> None:
    targets = {"onFailure": step.failure_target, "onCancel": step.cancel_target, "nextStep": step.next_step}
    if step.action == "aws:branch":
        for number, choice in enumerate(step.inputs["Choices"]):
            targets[f"inputs.Choices[{number}].NextStep"] = choice["NextStep"]
        targets["inputs.Default"] = step.inputs.get("Default", "")
    for where, target in targets.items():
        if target and target not in names:
            raise InvalidDocument(f"step {step.name}.{where}", f"there is no step {target}")
        if target == step.name:
            raise InvalidDocument(f"step {step.name}.{where}", "a step can't lead to itself")


def _known(document: AutomationDocument) -> set[str]:
    """Everything a reference may name."""
    known = {f"global:{name}" for name in GLOBALS} | {"automation:EXECUTION_ID"}
    known.update(document.parameters)
    known.update(f"variable:{name}" for name in document.variables)
    for step in document.steps:
        known.update(f"{step.name}.{name}" for name in SPECS[step.action].outputs)
        known.update(f"{step.name}.{output.name}" for output in step.outputs)
    return known


def _references(document: AutomationDocument) -> Iterator[tuple[str, str]]:
    for step in document.steps:
        yield from ((f"step {step.name}.inputs", reference) for reference in references(dict(step.inputs)))
    yield from (("assumeRole", reference) for reference in references(document.assume_role))
    yield from (("outputs", reference) for reference in document.outputs)
    for parameter in document.parameters.values():
        for reference in references(parameter.default):
            if not reference.startswith("ssm:"):
                yield f"parameters.{parameter.name}.default", f"default:{reference}"


def _check_reference(place: str, reference: str, known: set[str], steps: set[str]) -> None:
    if reference in known:
        return
    if reference.startswith("ssm:"):
        raise InvalidDocument(
            place, f"{{{{ {reference} }}}} is allowed in the default of a parameter only, not in a step"
        )
    if reference.startswith("default:"):
        raise InvalidDocument(place, "a default can't refer to anything but {{ ssm:name }}")
    step, _, output = reference.partition(".")
    if output and step in steps:
        raise InvalidDocument(place, f"step {step} has no output {output}: declare it in its outputs")
    raise InvalidDocument(place, f"{{{{ {reference} }}}} is neither a parameter, an output nor a variable")
