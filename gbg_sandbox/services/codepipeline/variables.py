"""Variables in an action's configuration: `#{namespace.key}`.

https://docs.aws.amazon.com/codepipeline/latest/userguide/reference-variables.html
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

REFERENCE = re.compile(r"#\{([A-Za-z0-9@_-]+)\.([A-Za-z0-9@._-]+)\}")
PIPELINE_NAMESPACES = ("codepipeline", "variables")


class UnresolvedVariableError(Exception):
    """Nothing of this name has been produced in the execution."""


def references(text: str) -> Iterator[tuple[str, str]]:
    """Namespace and key of each reference."""
    for found in REFERENCE.finditer(text):
        yield found[1], found[2]


def resolve(text: str, values: Mapping[str, Mapping[str, str]]) -> str:
    """Raises UnresolvedVariableError."""

    def value(found: re.Match[str]) -> str:
        try:
            return values[found[1]][found[2]]
        except KeyError as error:
            raise UnresolvedVariableError(
                f"Action configuration references {found[0]}, which this execution has not produced"
            ) from error

    return REFERENCE.sub(value, text)
