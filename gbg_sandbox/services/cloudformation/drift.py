"""Drift: what a stack's resources should be, against what they are.

Compared are only properties that the template sets, as on AWS; what AWS never gives back is not seen. A type
without `read` is not checked, and AWS has such types as well.
https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/using-cfn-stack-drift.html
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from gbg_sandbox.services.cloudformation.intrinsics import as_text
from gbg_sandbox.services.cloudformation.resources import provider_of
from gbg_sandbox.services.cloudformation.resources.base import Made, Task
from gbg_sandbox.services.cloudformation.state import StackResource

NAMING = ("Key", "Name", "PolicyName")
"""members by which two items of a list are the same one"""


@dataclass(frozen=True)
class Difference:
    path: str
    """`/Tags/0/Value`"""
    expected: str
    actual: str
    kind: str
    """ADD | REMOVE | NOT_EQUAL"""


@dataclass(frozen=True)
class Drift:
    status: str
    """IN_SYNC | MODIFIED | DELETED"""
    checked: datetime
    expected: Mapping[str, Any]
    actual: Mapping[str, Any] | None = None
    differences: tuple[Difference, ...] = ()


def look(task: Task, resource: StackResource, now: datetime) -> Drift:
    """Raises ClientError when the caller may not read the resource."""
    provider = provider_of(resource.type)
    hidden = task.schema.write_only | provider.unread
    expected = {name: value for name, value in resource.properties.items() if name not in hidden}
    expected = without_aws_tags(expected, task.schema.tag_property)
    found = provider.read(task, Made(resource.physical_id, dict(resource.attributes)))
    if found is None:
        return Drift("DELETED", now, expected)
    actual = without_aws_tags(found, task.schema.tag_property)
    actual = {name: value for name, value in actual.items() if name in expected}
    all_found = differences(expected, actual)
    different = tuple(one for one in all_found if one.kind != "ADD" or _top(one.path) not in provider.partly)
    return Drift("MODIFIED" if different else "IN_SYNC", now, expected, actual, different)


def _top(path: str) -> str:
    return path.split("/")[1]


def without_aws_tags(properties: Mapping[str, Any], name: str) -> dict[str, Any]:
    """Without the tags that CloudFormation itself puts on a resource."""
    tags = properties.get(name)
    if isinstance(tags, Mapping):
        return {**properties, name: {key: tags[key] for key in tags if not key.startswith("aws:")}}
    if isinstance(tags, list):
        return {**properties, name: [tag for tag in tags if not str(tag.get("Key")).startswith("aws:")]}
    return dict(properties)


def differences(expected: Any, actual: Any, path: str = "") -> Iterator[Difference]:
    """Where the two differ. A list has no order, and what only `actual` has in an object doesn't count."""
    expected, actual = parsed(expected), parsed(actual)
    if isinstance(expected, Mapping) and isinstance(actual, Mapping):
        for name, value in expected.items():
            if name in actual:
                yield from differences(value, actual[name], f"{path}/{name}")
            elif value not in ({}, []):
                yield Difference(f"{path}/{name}", shown(value), "null", "REMOVE")
    elif isinstance(expected, list) and isinstance(actual, list):
        yield from list_differences(expected, actual, path)
    elif expected != actual and as_text(expected) != as_text(actual):
        yield Difference(path, shown(expected), shown(actual), "NOT_EQUAL")


def list_differences(expected: list[Any], actual: list[Any], path: str) -> Iterator[Difference]:
    missing: list[tuple[int, Any]] = []
    more = dict(enumerate(actual))
    for index, item in enumerate(expected):
        same = next((key for key, other in more.items() if not any(differences(item, other))), None)
        if same is None:
            missing.append((index, item))
        else:
            del more[same]
    for index, item in missing:
        named = next(
            (key for key, other in more.items() if _names(item) and _names(item) == _names(other)), None
        )
        if named is None:
            yield Difference(f"{path}/{index}", shown(item), "null", "REMOVE")
        else:
            yield from differences(item, more.pop(named), f"{path}/{index}")
    for index, item in more.items():
        yield Difference(f"{path}/{index}", "null", shown(item), "ADD")


def _names(item: Any) -> str:
    if not isinstance(item, Mapping):
        return ""
    return next((str(item[name]) for name in NAMING if name in item), "")


def parsed(value: Any) -> Any:
    """A JSON document as what it says, so that spaces and the order of keys don't count."""
    if isinstance(value, str) and value[:1] in "{[":
        try:
            return json.loads(value)
        except ValueError:
            return value
    return value


def shown(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, default=str)
