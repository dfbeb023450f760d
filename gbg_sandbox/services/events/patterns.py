"""Event patterns: which events a rule wants.

Follows https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-create-pattern-operators.html.
A pattern is checked whole when it is put, so that matching never meets an operator it doesn't know.
"""

from __future__ import annotations

import ipaddress
import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

Pattern = Mapping[str, Any]
Comparison = Callable[[float, float], bool]

COMPARISONS: dict[str, Comparison] = {
    "<": lambda left, right: left < right,
    "<=": lambda left, right: left <= right,
    "=": lambda left, right: left == right,
    ">": lambda left, right: left > right,
    ">=": lambda left, right: left >= right,
}


class InvalidPatternError(ValueError):
    """The pattern is not one that EventBridge would take."""


def parse(text: str) -> Pattern:
    """The pattern in `text`, checked. Raises InvalidPatternError."""
    try:
        pattern = json.loads(text)
    except json.JSONDecodeError as error:
        raise InvalidPatternError(f"Invalid JSON: {error}") from error
    if not isinstance(pattern, dict):
        raise InvalidPatternError("Filter is not an object")
    if not pattern:
        raise InvalidPatternError("Empty filter patterns are not allowed")
    _check_fields(pattern)
    return pattern


def matches(pattern: Pattern, event: Any) -> bool:
    """Whether an event, in EventBridge's JSON form, is one the pattern wants."""
    if isinstance(event, list):
        return any(matches(pattern, one) for one in event)
    fields = event if isinstance(event, dict) else {}
    return all(_field_matches(name, wanted, fields) for name, wanted in pattern.items())


def _field_matches(name: str, wanted: Any, fields: Mapping[str, Any]) -> bool:
    if name == "$or":
        return any(matches(alternative, fields) for alternative in wanted)
    if isinstance(wanted, dict):
        return matches(wanted, fields.get(name))
    present = name in fields and not isinstance(fields[name], dict)
    values = list(_leaves(fields[name])) if present else []
    return any(_condition_matches(condition, present, values) for condition in wanted)


def _leaves(value: Any) -> Iterator[Any]:
    if isinstance(value, list):
        for one in value:
            yield from _leaves(one)
    elif not isinstance(value, dict):
        yield value


def _condition_matches(condition: Any, present: bool, values: Sequence[Any]) -> bool:
    if not isinstance(condition, dict):
        return any(_same(condition, value) for value in values)
    ((operator, operand),) = condition.items()
    if operator == "exists":
        return present is operand
    return any(OPERATORS[operator].matches(operand, value) for value in values)


def _same(wanted: Any, value: Any) -> bool:
    """Equal as JSON values: 1 is 1.0, but true is not 1."""
    if isinstance(wanted, bool) or isinstance(value, bool):
        return wanted is value
    return bool(wanted == value)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _starts(operand: Any, value: Any) -> bool:
    if isinstance(operand, dict):
        return isinstance(value, str) and value.casefold().startswith(
            operand["equals-ignore-case"].casefold()
        )
    return isinstance(value, str) and value.startswith(operand)


def _ends(operand: Any, value: Any) -> bool:
    if isinstance(operand, dict):
        return isinstance(value, str) and value.casefold().endswith(operand["equals-ignore-case"].casefold())
    return isinstance(value, str) and value.endswith(operand)


def _same_but_case(operand: Any, value: Any) -> bool:
    return isinstance(value, str) and value.casefold() == operand.casefold()


def _wildcard(operand: Any, value: Any) -> bool:
    return (
        isinstance(value, str) and re.fullmatch(_wildcard_expression(operand), value, re.DOTALL) is not None
    )


def _wildcard_expression(operand: str) -> str:
    parts = re.findall(r"\\[*\\]|\*|[^*\\]|\\", operand)
    return "".join(".*" if part == "*" else re.escape(part[-1]) for part in parts)


def _numeric(operand: Any, value: Any) -> bool:
    if not _is_number(value):
        return False
    pairs = zip(operand[::2], operand[1::2], strict=True)
    return all(COMPARISONS[sign](value, limit) for sign, limit in pairs)


def _in_range(operand: Any, value: Any) -> bool:
    try:
        return ipaddress.ip_address(value) in ipaddress.ip_network(operand, strict=False)
    except ValueError:
        return False


def _anything_but(operand: Any, value: Any) -> bool:
    if isinstance(operand, dict):
        ((operator, inner),) = operand.items()
        unwanted = inner if isinstance(inner, list) else [inner]
        return not any(OPERATORS[operator].matches(one, value) for one in unwanted)
    unwanted = operand if isinstance(operand, list) else [operand]
    return not any(_same(one, value) for one in unwanted)


def _check_fields(pattern: Mapping[str, Any]) -> None:
    for name, wanted in pattern.items():
        if name == "$or":
            _check_alternatives(wanted)
        elif isinstance(wanted, dict):
            if not wanted:
                raise InvalidPatternError("Empty objects are not allowed")
            _check_fields(wanted)
        elif isinstance(wanted, list):
            if not wanted:
                raise InvalidPatternError("Empty arrays are not allowed")
            for condition in wanted:
                _check_condition(condition)
        else:
            raise InvalidPatternError(f'"{name}" must be an object or an array')


def _check_alternatives(wanted: Any) -> None:
    if not isinstance(wanted, list) or len(wanted) < 2 or not all(isinstance(one, dict) for one in wanted):
        raise InvalidPatternError('"$or" must be an array of at least two objects')
    for alternative in wanted:
        _check_fields(alternative)


def _check_condition(condition: Any) -> None:
    if isinstance(condition, list):
        raise InvalidPatternError("Match value must be String, number, true, false, or null")
    if not isinstance(condition, dict):
        return
    if len(condition) != 1:
        raise InvalidPatternError("Only one key allowed in match expression")
    ((operator, operand),) = condition.items()
    if operator not in CHECKS:
        raise InvalidPatternError(f"Unrecognized match type {operator}")
    if not CHECKS[operator](operand):
        raise InvalidPatternError(f"Value of {operator} is not valid: {json.dumps(operand)}")


def _is_text(operand: Any) -> bool:
    return isinstance(operand, str)


def _is_text_or_caseless(operand: Any) -> bool:
    if isinstance(operand, dict):
        return list(operand) == ["equals-ignore-case"] and _is_text(operand["equals-ignore-case"])
    return _is_text(operand)


def _is_comparison(operand: Any) -> bool:
    if not isinstance(operand, list) or len(operand) not in (2, 4):
        return False
    return all(sign in COMPARISONS for sign in operand[::2]) and all(map(_is_number, operand[1::2]))


def _is_network(operand: Any) -> bool:
    try:
        ipaddress.ip_network(operand, strict=False)
    except ValueError:
        return False
    return True


def _is_exclusion(operand: Any) -> bool:
    if isinstance(operand, dict):
        if len(operand) != 1 or next(iter(operand)) not in (
            "prefix",
            "suffix",
            "equals-ignore-case",
            "wildcard",
        ):
            return False
        (inner,) = operand.values()
        return all(map(_is_text, inner)) if isinstance(inner, list) else _is_text(inner)
    values = operand if isinstance(operand, list) else [operand]
    return bool(values) and (all(map(_is_text, values)) or all(map(_is_number, values)))


class _Operator:
    def __init__(self, check: Callable[[Any], bool], matches: Callable[[Any, Any], bool]) -> None:
        self.check = check
        self.matches = matches


OPERATORS = {
    "prefix": _Operator(_is_text_or_caseless, _starts),
    "suffix": _Operator(_is_text_or_caseless, _ends),
    "equals-ignore-case": _Operator(_is_text, _same_but_case),
    "wildcard": _Operator(_is_text, _wildcard),
    "numeric": _Operator(_is_comparison, _numeric),
    "cidr": _Operator(_is_network, _in_range),
    "anything-but": _Operator(_is_exclusion, _anything_but),
}
CHECKS: dict[str, Callable[[Any], bool]] = {
    **{name: operator.check for name, operator in OPERATORS.items()},
    "exists": lambda operand: isinstance(operand, bool),
}
