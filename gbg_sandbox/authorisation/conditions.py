"""Condition blocks of IAM policies.

https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_condition_operators.html
An operator that isn't known is refused with ValueError: a guess here would be a security hole.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

Value = str | Sequence[str]
Context = Mapping[str, Value]
"""Condition keys in lower case → value or values; a key that is not there is not in the request."""

VARIABLE = re.compile(r"\$\{([^}]*)\}")
ESCAPES = {"*": "\x00star\x00", "?": "\x00mark\x00", "$": "$"}


def values(found: Value | None) -> list[str]:
    if found is None:
        return []
    return [found] if isinstance(found, str) else list(found)


def substitute(text: str, context: Context) -> str | None:
    """Fill in policy variables; None when one has no value, as then the statement can't match.

    https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_variables.html
    """
    missing = False

    def fill(match: re.Match[str]) -> str:
        nonlocal missing
        name = match.group(1)
        if name in ESCAPES:
            return ESCAPES[name]
        key, _, default = name.partition(",")
        found = values(context.get(key.strip().lower()))
        if len(found) == 1:
            return found[0].replace("*", ESCAPES["*"]).replace("?", ESCAPES["?"])
        if default:
            return default.strip().strip("'\"")
        missing = True
        return ""

    filled = VARIABLE.sub(fill, text) if "${" in text else text
    return None if missing else filled


@lru_cache(maxsize=8192)
def pattern(text: str, ignore_case: bool = False) -> re.Pattern[str]:
    """`*` stands for any characters, `?` for one."""
    escaped = re.escape(text).replace(r"\*", ".*").replace(r"\?", ".")
    for character in "*?":
        escaped = escaped.replace(re.escape(ESCAPES[character]), re.escape(character))
    return re.compile(escaped, re.DOTALL | (re.IGNORECASE if ignore_case else 0))


def like(wanted: str, actual: str) -> bool:
    return pattern(wanted).fullmatch(actual) is not None


def arn_like(wanted: str, actual: str) -> bool:
    """Each of the six parts of an ARN is matched by itself."""
    ours, theirs = wanted.split(":", 5), actual.split(":", 5)
    if len(ours) != 6 or len(theirs) != 6:
        return wanted == "*"
    return all(like(mine, other) for mine, other in zip(ours, theirs, strict=True))


def moment(text: str) -> float:
    if re.fullmatch(r"\d+(\.\d+)?", text):
        return float(text)
    found = datetime.fromisoformat(text)
    return (found if found.tzinfo else found.replace(tzinfo=UTC)).timestamp()


def in_network(wanted: str, actual: str) -> bool:
    return ipaddress.ip_address(actual) in ipaddress.ip_network(wanted, strict=False)


def ordered(
    read: Callable[[str], float], compare: Callable[[float, float], bool]
) -> Callable[[str, str], bool]:
    def holds(wanted: str, actual: str) -> bool:
        try:
            return compare(read(actual), read(wanted))
        except ValueError:
            return False

    return holds


def _comparisons(prefix: str, read: Callable[[str], float]) -> dict[str, Callable[[str, str], bool]]:
    return {
        f"{prefix}equals": ordered(read, lambda a, b: a == b),
        f"{prefix}lessthan": ordered(read, lambda a, b: a < b),
        f"{prefix}lessthanequals": ordered(read, lambda a, b: a <= b),
        f"{prefix}greaterthan": ordered(read, lambda a, b: a > b),
        f"{prefix}greaterthanequals": ordered(read, lambda a, b: a >= b),
    }


OPERATORS: dict[str, Callable[[str, str], bool]] = {
    "stringequals": lambda wanted, actual: wanted == actual,
    "stringequalsignorecase": lambda wanted, actual: wanted.lower() == actual.lower(),
    "stringlike": like,
    "arnequals": arn_like,
    "arnlike": arn_like,
    "bool": lambda wanted, actual: wanted.lower() == actual.lower(),
    "binaryequals": lambda wanted, actual: wanted == actual,
    "ipaddress": in_network,
    **_comparisons("numeric", float),
    **_comparisons("date", moment),
}
NEGATED = {
    "stringnotequals": "stringequals",
    "stringnotequalsignorecase": "stringequalsignorecase",
    "stringnotlike": "stringlike",
    "arnnotequals": "arnequals",
    "arnnotlike": "arnlike",
    "notipaddress": "ipaddress",
    "numericnotequals": "numericequals",
    "datenotequals": "dateequals",
}
PLAIN = {"stringequals", "stringequalsignorecase", "bool", "binaryequals"}
"""operators that compare without wildcards, where an escaped `${*}` is simply `*`"""


def _as_text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


class Condition:
    """One operator with one key, read once: `{"StringLike": {"aws:PrincipalTag/team": ["a*", "b"]}}`."""

    def __init__(self, operator: str, key: str, wanted: Any) -> None:
        name = operator.lower()
        self.every = name.startswith("forallvalues:")
        self.any = name.startswith("foranyvalue:")
        name = name.split(":", 1)[1] if self.every or self.any else name
        self.null = name == "null"
        self.if_exists = name.endswith("ifexists") and not self.null
        name = name.removesuffix("ifexists")
        self.negated = name in NEGATED
        self.name = NEGATED.get(name, name)
        if not self.null and self.name not in OPERATORS:
            raise ValueError(f"Invalid condition operator {operator}")
        self.key = key.lower()
        self.wanted = [_as_text(one) for one in (wanted if isinstance(wanted, list) else [wanted])]

    def holds(self, context: Context) -> bool:
        found = context.get(self.key)
        if self.null:
            return (found is None) == (self.wanted[0].lower() == "true")
        actual = values(found)
        if self.every:
            return all(self._one(value, context) for value in actual)
        if self.any:
            return any(self._one(value, context) for value in actual)
        if found is None or not actual:
            return self.if_exists or self.negated
        if self.negated:
            return all(self._one(value, context) for value in actual)
        return any(self._one(value, context) for value in actual)

    def _one(self, actual: str, context: Context) -> bool:
        compare = OPERATORS[self.name]
        matched = False
        for wanted in self.wanted:
            filled = substitute(wanted, context)
            if filled is None:
                continue
            if self.name in PLAIN:
                filled = filled.replace(ESCAPES["*"], "*").replace(ESCAPES["?"], "?")
            try:
                matched = matched or compare(filled, actual)
            except ValueError:
                continue
        return matched != self.negated


def conditions(block: Mapping[str, Mapping[str, Any]]) -> tuple[Condition, ...]:
    return tuple(
        Condition(operator, key, wanted) for operator, keys in block.items() for key, wanted in keys.items()
    )
