"""An Automation document, read: parameters, steps and outputs as values that the engine can trust.

Reading refuses what AWS refuses when a document is created: properties nobody knows, wrong types, steps
without inputs. What needs the whole document (references, targets of jumps) is in `checks.py`.
https://docs.aws.amazon.com/systems-manager/latest/userguide/documents-schemas-features.html
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from gbg_sandbox.services.ssm.automation import selector
from gbg_sandbox.services.ssm.automation.values import (
    OUTPUT_TYPES,
    PARAMETER_TYPES,
    WrongValue,
    is_list,
    typed,
)

SCHEMA_VERSION = "0.3"
STEP_NAME = re.compile(r"[A-Za-z0-9_]{1,128}")
JUMP = re.compile(r"step:([A-Za-z0-9_]+)")

DOCUMENT_KEYS = {
    "schemaVersion", "description", "assumeRole", "parameters", "variables", "mainSteps", "outputs",
}  # fmt: skip
STEP_KEYS = {
    "name", "action", "description", "maxAttempts", "timeoutSeconds", "onFailure", "onCancel", "isEnd",
    "nextStep", "isCritical", "inputs", "outputs",
}  # fmt: skip
PARAMETER_KEYS = {
    "type", "description", "default", "allowedValues", "allowedPattern", "minItems", "maxItems", "minChars",
    "maxChars", "displayType",
}  # fmt: skip
OUTPUT_KEYS = {"Name", "Selector", "Type"}
VARIABLE_KEYS = {"type", "default", "description", "allowedValues", "allowedPattern"}


class InvalidDocument(ValueError):
    """What AWS answers with InvalidDocumentContent; says the place."""

    def __init__(self, place: str, reason: str) -> None:
        super().__init__(f"{place}: {reason}")


@dataclass(frozen=True)
class Parameter:
    name: str
    type: str
    default: Any = None
    """None when the caller has to give it"""
    description: str = ""
    allowed_values: tuple[Any, ...] = ()
    allowed_pattern: str = ""
    limits: Mapping[str, int] = field(default_factory=dict)
    """minItems, maxItems, minChars, maxChars where given"""

    def problem(self, value: Any) -> str:
        """Why a value of the right type is not allowed; empty when it is."""
        items = value if isinstance(value, list) else [value]
        for item in items:
            if self.allowed_values and item not in self.allowed_values:
                return f"{item!r} is not one of {list(self.allowed_values)}"
            if self.allowed_pattern and not re.fullmatch(self.allowed_pattern, str(item)):
                return f"{item!r} does not match {self.allowed_pattern}"
        sizes = {"Items": len(items)} if isinstance(value, list) else {"Chars": len(str(value))}
        for noun, size in sizes.items():
            if not self.limits.get(f"min{noun}", 0) <= size <= self.limits.get(f"max{noun}", size):
                return f"has {size} {noun.lower()}, which is outside of its limits"
        return ""


@dataclass(frozen=True)
class Output:
    name: str
    selector: str
    type: str


@dataclass(frozen=True)
class Step:
    name: str
    action: str
    inputs: Mapping[str, Any]
    outputs: tuple[Output, ...] = ()
    max_attempts: int = 1
    timeout_seconds: int | None = None
    on_failure: str = "Abort"
    """Abort | Continue | step:NAME"""
    on_cancel: str = "Abort"
    is_end: bool = False
    next_step: str = ""
    is_critical: bool | None = None
    """None when not written: only a written value is evaluated"""

    @property
    def failure_target(self) -> str:
        return _target(self.on_failure)

    @property
    def cancel_target(self) -> str:
        return _target(self.on_cancel)


@dataclass(frozen=True)
class AutomationDocument:
    description: str
    assume_role: str
    parameters: Mapping[str, Parameter]
    variables: Mapping[str, Parameter]
    steps: tuple[Step, ...]
    outputs: tuple[str, ...]

    def step(self, name: str) -> Step:
        return next(step for step in self.steps if step.name == name)

    def following(self, step: Step) -> str:
        """The next step by nextStep or by order; empty at the end."""
        if step.next_step:
            return step.next_step
        position = self.steps.index(step) + 1
        return self.steps[position].name if position < len(self.steps) else ""


def _target(value: str) -> str:
    found = JUMP.fullmatch(value)
    return found.group(1) if found else ""


def read_document(content: Any) -> AutomationDocument:
    """Raises InvalidDocument with the place."""
    document = _mapping("document", content)
    _only("document", document, DOCUMENT_KEYS)
    if str(document.get("schemaVersion")) != SCHEMA_VERSION:
        raise InvalidDocument("schemaVersion", f"must be '0.3', not {document.get('schemaVersion')!r}")
    steps = document.get("mainSteps")
    if not isinstance(steps, list) or not steps:
        raise InvalidDocument("mainSteps", "must be a list of at least one step")
    return AutomationDocument(
        description=str(document.get("description", "")),
        assume_role=_text("assumeRole", document.get("assumeRole", "")),
        parameters=read_parameters(document.get("parameters")),
        variables=_parameters("variables", document.get("variables"), VARIABLE_KEYS),
        steps=tuple(_step(number, raw) for number, raw in enumerate(steps)),
        outputs=_output_names(document.get("outputs")),
    )


def _output_names(raw: Any) -> tuple[str, ...]:
    if raw is None:
        return ()
    if not isinstance(raw, list):
        raise InvalidDocument("outputs", "must be a list of references such as createImage.ImageId")
    return tuple(_text("outputs", name).strip("{} ") for name in raw)


def read_parameters(raw: Any) -> dict[str, Parameter]:
    """The parameters of a document of any type. Raises InvalidDocument."""
    return _parameters("parameters", raw, PARAMETER_KEYS)


def _parameters(place: str, raw: Any, keys: set[str]) -> dict[str, Parameter]:
    found = _mapping(place, raw) if raw is not None else {}
    return {name: _parameter(f"{place}.{name}", name, one, keys) for name, one in found.items()}


def _parameter(place: str, name: str, raw: Any, keys: set[str]) -> Parameter:
    given = _mapping(place, raw)
    _only(place, given, keys)
    kind = given.get("type")
    if kind not in PARAMETER_TYPES:
        raise InvalidDocument(f"{place}.type", f"unknown type {kind!r}")
    return Parameter(
        name=name,
        type=kind,
        default=_default(place, kind, given.get("default")),
        description=str(given.get("description", "")),
        allowed_values=tuple(given.get("allowedValues", ())),
        allowed_pattern=_pattern(place, given.get("allowedPattern", "")),
        limits={
            key: _number(f"{place}.{key}", given[key])
            for key in ("minItems", "maxItems", "minChars", "maxChars")
            if key in given
        },
    )


def _default(place: str, kind: str, value: Any) -> Any:
    if value is None or (isinstance(value, str) and "{{" in value and not is_list(kind)):
        return value
    try:
        return typed(kind, value)
    except WrongValue as error:
        raise InvalidDocument(f"{place}.default", str(error)) from error


def _pattern(place: str, value: Any) -> str:
    pattern = _text(f"{place}.allowedPattern", value)
    try:
        re.compile(pattern)
    except re.error as error:
        raise InvalidDocument(f"{place}.allowedPattern", f"not a regular expression: {error}") from error
    return pattern


def _step(number: int, raw: Any) -> Step:
    given = _mapping(f"mainSteps[{number}]", raw)
    name = given.get("name")
    if not isinstance(name, str) or not STEP_NAME.fullmatch(name):
        raise InvalidDocument(f"mainSteps[{number}].name", f"{name!r} is not a step name ([A-Za-z0-9_]+)")
    place = f"step {name}"
    _only(place, given, STEP_KEYS)
    if not isinstance(given.get("action"), str):
        raise InvalidDocument(place, "action is missing")
    if "inputs" not in given:
        raise InvalidDocument(place, "inputs is missing")
    return Step(
        name=name,
        action=given["action"],
        inputs=_mapping(f"{place}.inputs", given["inputs"]),
        outputs=_outputs(place, given.get("outputs")),
        max_attempts=_number(f"{place}.maxAttempts", given.get("maxAttempts", 1)),
        timeout_seconds=_number(f"{place}.timeoutSeconds", given["timeoutSeconds"])
        if "timeoutSeconds" in given
        else None,
        on_failure=_jump(f"{place}.onFailure", given.get("onFailure", "Abort"), ("Abort", "Continue")),
        on_cancel=_jump(f"{place}.onCancel", given.get("onCancel", "Abort"), ("Abort",)),
        is_end=_flag(f"{place}.isEnd", given.get("isEnd", False)),
        next_step=_text(f"{place}.nextStep", given.get("nextStep", "")),
        is_critical=_flag(f"{place}.isCritical", given["isCritical"]) if "isCritical" in given else None,
    )


def _outputs(place: str, raw: Any) -> tuple[Output, ...]:
    if raw is None:
        return ()
    if not isinstance(raw, list):
        raise InvalidDocument(f"{place}.outputs", "must be a list")
    return tuple(_output(f"{place}.outputs[{number}]", one) for number, one in enumerate(raw))


def _output(place: str, raw: Any) -> Output:
    given = _mapping(place, raw)
    _only(place, given, OUTPUT_KEYS)
    for key in ("Name", "Selector"):
        if not isinstance(given.get(key), str):
            raise InvalidDocument(place, f"{key} is missing")
    kind = given.get("Type", "String")
    if kind not in OUTPUT_TYPES:
        raise InvalidDocument(f"{place}.Type", f"unknown type {kind!r}")
    try:
        selector.check(given["Selector"])
    except selector.SelectorError as error:
        raise InvalidDocument(f"{place}.Selector", str(error)) from error
    return Output(given["Name"], given["Selector"], kind)


def _jump(place: str, value: Any, words: tuple[str, ...]) -> str:
    for word in words:
        if isinstance(value, str) and value.lower() == word.lower():
            return word
    if isinstance(value, str) and _target(value):
        return value
    raise InvalidDocument(place, f"{value!r} is none of {', '.join(words)}, step:NAME")


def _mapping(place: str, value: Any) -> dict[str, Any]:
    if not isinstance(value, dict) or not all(isinstance(key, str) for key in value):
        raise InvalidDocument(place, "must be a map with text keys")
    return value


def _only(place: str, given: Mapping[str, Any], known: set[str]) -> None:
    unknown = sorted(set(given) - known)
    if unknown:
        raise InvalidDocument(place, f"unknown property {', '.join(unknown)}")


def _text(place: str, value: Any) -> str:
    if not isinstance(value, str):
        raise InvalidDocument(place, f"must be text, not {value!r}")
    return value


def _number(place: str, value: Any) -> int:
    if isinstance(value, str) and value.isdigit():
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise InvalidDocument(place, f"must be a whole number, not {value!r}")
    return value


def _flag(place: str, value: Any) -> bool:
    if isinstance(value, str) and value.lower() in ("true", "false"):
        return value.lower() == "true"
    if not isinstance(value, bool):
        raise InvalidDocument(place, f"must be true or false, not {value!r}")
    return value
