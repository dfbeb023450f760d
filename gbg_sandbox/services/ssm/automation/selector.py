"""Selectors of step outputs and properties: the part of JSONPath that runbooks use.

`$`, `.Name`, `['Name']`, `[0]`, `[-1]`, `[*]`, `..Name` and `[?(@.Key == 'Name')]`.
https://docs.aws.amazon.com/systems-manager/latest/userguide/automation-action-executeAwsApi.html
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from functools import cache
from typing import Any

Move = Callable[[Any], Iterator[Any]]

TOKEN = re.compile(
    r"""
    \.\.(?P<deep>\w+)
  | \.(?P<name>[\w-]+)
  | \[\s*(?P<quote>['"])(?P<quoted>.*?)(?P=quote)\s*\]
  | \[\s*(?P<index>-?\d+)\s*\]
  | (?P<every>\[\s*\*\s*\]|\.\*)
  | \[\?\(\s*@\.(?P<key>[\w.-]+)\s*(?P<test>==|!=)\s*(?P<value>'[^']*'|"[^"]*"|[\w.+-]+)\s*\)\]
    """,
    re.VERBOSE,
)


class SelectorError(ValueError):
    """The selector is not one that is understood here."""


class NothingSelected(LookupError):
    """The selector is fine and the response has nothing there."""


@cache
def _compile(selector: str) -> tuple[tuple[Move, ...], bool]:
    """The moves of a selector, and whether it can meet more than one value."""
    if not selector.startswith("$"):
        raise SelectorError(f"selector {selector!r} must start with $")
    moves: list[Move] = []
    many = False
    position = 1
    while position < len(selector):
        found = TOKEN.match(selector, position)
        if found is None:
            raise SelectorError(f"selector {selector!r} can't be read at {selector[position:]!r}")
        moves.append(_move(found))
        many = many or not any(found[group] is not None for group in ("name", "quoted", "index"))
        position = found.end()
    return tuple(moves), many


def _move(found: re.Match[str]) -> Move:
    if found["deep"] is not None:
        return lambda value: _deep(value, found["deep"])
    if found["every"] is not None:
        return _every
    if found["index"] is not None:
        return lambda value: _index(value, int(found["index"]))
    if found["key"] is not None:
        return lambda value: _filter(value, found["key"].split("."), found["test"] == "==", found["value"])
    return lambda value: _member(value, found["name"] or found["quoted"])


def _member(value: Any, name: str) -> Iterator[Any]:
    if isinstance(value, dict) and name in value:
        yield value[name]


def _index(value: Any, index: int) -> Iterator[Any]:
    if isinstance(value, list) and -len(value) <= index < len(value):
        yield value[index]


def _every(value: Any) -> Iterator[Any]:
    if isinstance(value, list):
        yield from value
    elif isinstance(value, dict):
        yield from value.values()


def _deep(value: Any, name: str) -> Iterator[Any]:
    yield from _member(value, name)
    for inner in _every(value):
        yield from _deep(inner, name)


def _filter(value: Any, keys: list[str], equal: bool, wanted: str) -> Iterator[Any]:
    literal = wanted[1:-1] if wanted[0] in "'\"" else wanted
    for item in _every(value):
        found = item
        for key in keys:
            found = found.get(key) if isinstance(found, dict) else None
        text = str(found).lower() if isinstance(found, bool) else str(found)
        if (text == literal) == equal:
            yield item


def check(selector: str) -> None:
    """Raises SelectorError."""
    _compile(selector)


def select(selector: str, document: Any) -> Any:
    """The one value, or the list of values where the selector can meet several.

    Raises NothingSelected when a selector for one value finds none, SelectorError when it can't be read.
    """
    moves, many = _compile(selector)
    values = [document]
    for move in moves:
        values = [inner for value in values for inner in move(value)]
    if many:
        return values
    if not values:
        raise NothingSelected(f"{selector} selects nothing")
    return values[0]
