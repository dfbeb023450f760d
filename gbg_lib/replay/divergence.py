"""Where a replay parts from what was recorded: recorded | asked, with the cell and the calls before it."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from itertools import islice
from typing import Any

from gbg_lib.errors import GbgError

NOTHING = "nothing"
BEFORE = 5
"""calls that are told before the one that differs"""
MOST_DIFFERENCES = 8
LONG = 120
AGAIN = "the code asks for something else than when this was recorded: mend it, or run the runbook again"
Question = Mapping[str, Any]


class Diverged(GbgError):
    """A replay asks for what was not recorded, or not for what was."""


def diverged(
    recorded: str, asked: str, cell: int, before: Iterable[str], more: Iterable[str] = ()
) -> Diverged:
    lines = [f"recorded | {recorded}", f"asked    | {asked}", *(f"  {one}" for one in more)]
    told = list(before)
    lines += ["before it:", *(f"  {one}" for one in told)] if told else ["it is the first call"]
    return Diverged(
        place(cell), "not what was recorded\n" + "\n".join(f"    {line}" for line in lines), AGAIN
    )


def place(cell: int) -> str:
    return f"code cell {cell}" if cell else "after the last cell"


def words(door: str, question: Question) -> str:
    """One call in a line: `cloudformation:describe_stacks StackName="gbg-base"`."""
    told = dict(question)
    name = f"{told.pop('service')}:{told.pop('operation')}" if door == "aws" else door
    page = told.pop("page", None)
    given = told.pop("params", told)
    shown = " ".join(f"{key}={_short(value)}" for key, value in given.items())
    return f"{name}{f', page {page}' if page else ''} {shown}".rstrip()


def differences(recorded: Any, asked: Any, path: str = "") -> list[str]:
    """Each parameter that differs, by its place."""
    found = list(islice(_differing(recorded, asked, path), MOST_DIFFERENCES + 1))
    return [*found[:MOST_DIFFERENCES], *(["…"] if len(found) > MOST_DIFFERENCES else [])]


def _differing(recorded: Any, asked: Any, path: str) -> Iterator[str]:
    if isinstance(recorded, Mapping) and isinstance(asked, Mapping):
        for key in dict.fromkeys([*recorded, *asked]):
            yield from _differing(
                recorded.get(key, NOTHING), asked.get(key, NOTHING), f"{path}.{key}".lstrip(".")
            )
    elif isinstance(recorded, list) and isinstance(asked, list):
        for number in range(max(len(recorded), len(asked))):
            before, now = (one[number] if number < len(one) else NOTHING for one in (recorded, asked))
            yield from _differing(before, now, f"{path}[{number}]")
    elif recorded != asked:
        yield f"{path or 'value'}: recorded {_short(recorded)} | asked {_short(asked)}"


def _short(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    return text if len(text) <= LONG else text[:LONG] + "…"
