"""`Filters`, `MaxResults` and `NextToken` as all of EC2's Describe operations read them.

https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/Using_Filtering.html
"""

from __future__ import annotations

import base64
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

from gbg_sandbox.service import AwsError
from gbg_sandbox.services.ec2.state import Tags

T = TypeVar("T")
Field = Callable[[Any], Any]
"""What a filter compares: one value, a list of values, or None"""


def _pattern(value: str) -> re.Pattern[str]:
    """`*` any characters, `?` one, a backslash before either takes it as it is."""
    parts = re.findall(r"\\.|.", value, re.DOTALL)
    wild = {"*": ".*", "?": "."}
    return re.compile("".join(wild.get(part) or re.escape(part[-1]) for part in parts), re.DOTALL)


def _text(value: Any) -> list[str]:
    if value is None:
        return []
    if isinstance(value, list | tuple | set | dict):
        return [str(item) for item in value]
    if isinstance(value, bool):
        return [str(value).lower()]
    return [str(value)]


def _values(thing: Any, name: str, fields: Mapping[str, Field]) -> list[str]:
    if name in fields:
        return _text(fields[name](thing))
    tags: Tags = getattr(thing, "tags", {})
    if name.startswith("tag:"):
        return _text(tags.get(name[4:]))
    return list(tags) if name == "tag-key" else list(tags.values())


def _check_name(name: str, fields: Mapping[str, Field]) -> None:
    if name not in fields and name not in ("tag-key", "tag-value") and not name.startswith("tag:"):
        raise AwsError("InvalidParameterValue", f"The filter '{name}' is invalid")


def select(
    things: Sequence[T], filters: Sequence[Mapping[str, Any]] | None, fields: Mapping[str, Field]
) -> list[T]:
    """Those that match every filter; a filter matches when any of its values does."""
    chosen = list(things)
    for one in filters or ():
        _check_name(one["Name"], fields)
        patterns = [_pattern(value) for value in one.get("Values", ())]
        chosen = [
            thing
            for thing in chosen
            if any(p.fullmatch(v) for v in _values(thing, one["Name"], fields) for p in patterns)
        ]
    return chosen


def page(
    things: Sequence[T], params: Mapping[str, Any], key: str = "MaxResults"
) -> tuple[list[T], dict[str, str]]:
    """One page and, when more follow, its `NextToken`."""
    start = _position(params.get("NextToken", ""))
    size = params.get(key) or len(things)
    end = start + size
    more = {"NextToken": base64.b64encode(f"from:{end}".encode()).decode()} if end < len(things) else {}
    return list(things[start:end]), more


def _position(token: str) -> int:
    if not token:
        return 0
    try:
        word, number = base64.b64decode(token, validate=True).decode().split(":")
        if word == "from":
            return int(number)
    except ValueError:
        pass
    raise AwsError("InvalidNextToken", "The token is not valid.")


def tag_set(tags: Mapping[str, str]) -> list[dict[str, str]]:
    return [{"Key": key, "Value": value} for key, value in tags.items()]
