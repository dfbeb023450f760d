"""References `{{ … }}`: where they stand in a document and what they become when a step runs.

https://docs.aws.amazon.com/systems-manager/latest/userguide/automation-variables.html
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from gbg_sandbox.services.ssm.automation.values import text

REFERENCE = re.compile(r"\{\{\s*([A-Za-z0-9_][\w:./-]*)\s*\}\}")
SSM_REFERENCE = re.compile(r"\{\{\s*ssm:([\w./-]+)\s*\}\}")
GLOBALS = frozenset({"DATE", "DATE_TIME", "REGION", "ACCOUNT_ID", "AWS_PARTITION"})


class Unresolved(LookupError):
    """A reference has no value yet: its step did not run or did not succeed."""

    def __init__(self, reference: str) -> None:
        super().__init__(reference)
        self.reference = reference


def references(value: Any) -> Iterator[str]:
    """Every reference in a nested value, without its braces."""
    if isinstance(value, str):
        yield from REFERENCE.findall(value)
    elif isinstance(value, dict):
        for key, inner in value.items():
            yield from references(key)
            yield from references(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from references(inner)


def global_values(started: datetime, region: str, account: str) -> dict[str, str]:
    """`{{ global:… }}`; the time is the execution's start in UTC, in a form that image names allow."""
    return {
        "global:DATE": started.strftime("%Y-%m-%d"),
        "global:DATE_TIME": started.strftime("%Y-%m-%d_%H.%M.%S"),
        "global:REGION": region,
        "global:ACCOUNT_ID": account,
        "global:AWS_PARTITION": "aws",
    }


@dataclass
class Scope:
    """What references mean in one execution; steps and variables are added as it goes on."""

    fixed: Mapping[str, Any]
    """parameters by name, `global:…` and `automation:…`"""
    variables: dict[str, Any] = field(default_factory=dict)
    outputs: dict[str, Any] = field(default_factory=dict)
    """`step.Output` → value"""

    def value(self, reference: str) -> Any:
        if reference in self.fixed:
            return self.fixed[reference]
        if reference in self.outputs:
            return self.outputs[reference]
        name = reference.removeprefix("variable:")
        if name != reference and name in self.variables:
            return self.variables[name]
        raise Unresolved(reference)

    def resolve(self, value: Any) -> Any:
        """`value` with every reference replaced; one that stands alone keeps its type.

        A list that stands alone in a list is spread into it. Raises Unresolved.
        """
        return substitute(value, self.value)


def substitute(value: Any, look_up: Callable[[str], Any]) -> Any:
    if isinstance(value, str):
        return _string(value, look_up)
    if isinstance(value, dict):
        return {_key(key, look_up): substitute(inner, look_up) for key, inner in value.items()}
    if isinstance(value, list):
        return list(_items(value, look_up))
    return value


def _items(value: list[Any], look_up: Callable[[str], Any]) -> Iterator[Any]:
    for item in value:
        resolved = substitute(item, look_up)
        if isinstance(item, str) and isinstance(resolved, list):
            yield from resolved
        else:
            yield resolved


def _string(value: str, look_up: Callable[[str], Any]) -> Any:
    whole = REFERENCE.fullmatch(value.strip())
    if whole:
        return look_up(whole.group(1))
    return REFERENCE.sub(lambda found: text(look_up(found.group(1))), value)


def _key(key: Any, look_up: Callable[[str], Any]) -> Any:
    return REFERENCE.sub(lambda found: text(look_up(found.group(1))), key) if isinstance(key, str) else key
