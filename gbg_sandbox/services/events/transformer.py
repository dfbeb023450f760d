"""What a target gets of an event: all of it, a part, a constant, or a template filled from it.

Follows https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-transform-target-input.html.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

PLACEHOLDER = re.compile(r"<([A-Za-z0-9_.\-]+)>")
STEP = re.compile(r"\.([^.\[\]]+)|\[(\d+)\]|\['([^']+)'\]")


class InvalidPathError(ValueError):
    """The JSON path is not one that EventBridge would take."""


@dataclass(frozen=True)
class RuleNames:
    """What a template may say of the rule itself."""

    arn: str
    name: str


def path_steps(path: str) -> list[str | int]:
    """The steps of a JSON path: `$.detail.list[0]`. Raises InvalidPathError."""
    if not path.startswith("$"):
        raise InvalidPathError(f"Invalid JSON path: {path}")
    steps: list[str | int] = []
    position = 1
    while position < len(path):
        found = STEP.match(path, position)
        if found is None:
            raise InvalidPathError(f"Invalid JSON path: {path}")
        name, index, quoted = found.groups()
        steps.append(int(index) if index is not None else name or quoted)
        position = found.end()
    return steps


def look_up(event: Any, path: str) -> Any:
    """The value at a JSON path, None where the event has nothing there."""
    value = event
    for step in path_steps(path):
        value = _child(value, step)
    return value


def _child(value: Any, step: str | int) -> Any:
    if isinstance(step, int):
        return value[step] if isinstance(value, list) and step < len(value) else None
    return value.get(step) if isinstance(value, dict) else None


def target_input(target: Mapping[str, Any], event: Mapping[str, Any], rule: RuleNames) -> str:
    """The JSON text that this target gets of this event."""
    if "Input" in target:
        return str(target["Input"])
    if "InputPath" in target:
        return json.dumps(look_up(event, target["InputPath"]))
    if "InputTransformer" in target:
        return fill(target["InputTransformer"], event, rule)
    return json.dumps(event)


def fill(transformer: Mapping[str, Any], event: Mapping[str, Any], rule: RuleNames) -> str:
    """A template with its placeholders replaced by values of the event."""
    values: dict[str, Any] = {
        name: look_up(event, path) for name, path in transformer.get("InputPathsMap", {}).items()
    }
    values |= {
        "aws.events.rule-arn": rule.arn,
        "aws.events.rule-name": rule.name,
        "aws.events.event.ingestion-time": event["time"],
        "aws.events.event": {name: value for name, value in event.items() if name != "detail"},
        "aws.events.event.json": event,
    }
    return _replace(transformer["InputTemplate"], values)


def _replace(template: str, values: Mapping[str, Any]) -> str:
    filled: list[str] = []
    position, quoted = 0, False
    for found in PLACEHOLDER.finditer(template):
        before = template[position : found.start()]
        quoted ^= len(re.findall(r'(?<!\\)"', before)) % 2 == 1
        filled.append(before)
        filled.append(_written(values[found[1]], quoted) if found[1] in values else found[0])
        position = found.end()
    filled.append(template[position:])
    return "".join(filled)


def _written(value: Any, quoted: bool) -> str:
    """A value as it stands in a template: bare inside quotation marks, as JSON outside."""
    if not quoted:
        return json.dumps(value)
    if value is None:
        return ""
    text = value if isinstance(value, str) else json.dumps(value)
    return json.dumps(text)[1:-1]
