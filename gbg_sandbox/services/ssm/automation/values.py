"""Types of parameters and outputs: from what is given to what a step sees to what the API shows.

In an API every value is a list of strings: https://docs.aws.amazon.com/systems-manager/latest/APIReference/API_StepExecution.html
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime
from typing import Any

SCALARS = frozenset({"String", "Integer", "Boolean"})
RESOURCE_TYPES = frozenset(
    {
        "AWS::EC2::Image::Id",
        "AWS::EC2::Instance::Id",
        "AWS::EC2::KeyPair::KeyName",
        "AWS::EC2::SecurityGroup::Id",
        "AWS::EC2::Subnet::Id",
        "AWS::EC2::VPC::Id",
        "AWS::IAM::Role::Arn",
        "AWS::S3::Bucket::Name",
    }
)
LISTS = frozenset({"StringList", "MapList"})
OUTPUT_TYPES = SCALARS | LISTS | {"StringMap"}
PARAMETER_TYPES = OUTPUT_TYPES | RESOURCE_TYPES | {f"List<{name}>" for name in RESOURCE_TYPES}


class WrongValue(ValueError):
    """A value does not fit its type."""


def is_list(kind: str) -> bool:
    return kind in LISTS or kind.startswith("List<")


def from_strings(kind: str, given: Sequence[str]) -> Any:
    """A parameter as the API gives it. Raises WrongValue."""
    if kind == "MapList":
        return [_map(text) for text in given]
    if is_list(kind):
        return list(given)
    if len(given) != 1:
        raise WrongValue(f"type {kind} takes exactly one value, not {len(given)}")
    return typed(kind, given[0])


def typed(kind: str, value: Any) -> Any:
    """`value` as the type says, read from a string where needed. Raises WrongValue."""
    if kind == "Integer":
        return _integer(value)
    if kind == "Boolean":
        return _boolean(value)
    if kind == "StringMap":
        return _map(value)
    if is_list(kind):
        return _list(kind, value)
    if isinstance(value, list) and len(value) == 1:
        value = value[0]
    return value if isinstance(value, str) else text(value)


def _integer(value: Any) -> int:
    try:
        if isinstance(value, bool):
            raise ValueError
        return int(value)
    except (TypeError, ValueError) as error:
        raise WrongValue(f"{value!r} is not an Integer") from error


def _boolean(value: Any) -> bool:
    if isinstance(value, bool):
        return value
    if str(value).lower() in ("true", "false"):
        return str(value).lower() == "true"
    raise WrongValue(f"{value!r} is not a Boolean")


def _map(value: Any) -> dict[str, Any]:
    found = value
    if isinstance(value, str):
        try:
            found = json.loads(value)
        except ValueError as error:
            raise WrongValue(f"{value!r} is not a JSON object") from error
    if not isinstance(found, dict):
        raise WrongValue(f"{value!r} is not a map")
    return found


def _list(kind: str, value: Any) -> list[Any]:
    found = value
    if isinstance(value, str) and value.startswith("["):
        try:
            found = json.loads(value)
        except ValueError as error:
            raise WrongValue(f"{value!r} is not a JSON list") from error
    items = found if isinstance(found, list) else [found]
    return [_map(item) for item in items] if kind == "MapList" else [text(item) for item in items]


def plain(value: Any) -> Any:
    """An AWS response without what JSON can't hold: times become ISO text, bytes text."""
    if isinstance(value, dict):
        return {key: plain(inner) for key, inner in value.items() if key != "ResponseMetadata"}
    if isinstance(value, list | tuple):
        return [plain(inner) for inner in value]
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, bytes):
        return value.decode(errors="replace")
    return value


def text(value: Any) -> str:
    """A value inside a string."""
    if isinstance(value, str):
        return value
    return json.dumps(plain(value), ensure_ascii=False, separators=(",", ":"), default=str)


def strings(value: Any) -> list[str]:
    """A value as the API shows it."""
    if isinstance(value, list):
        return [text(item) for item in value]
    return [text(value)]
