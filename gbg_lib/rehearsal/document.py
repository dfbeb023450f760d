"""The bake's document as it ran, with the names that things have here.

A stack renders its document with ids that AWS has drawn. Where two documents say the same otherwise, these
ids are learnt line by line; then whatever someone changed beside the template can be put in, too.
"""

from __future__ import annotations

import difflib
import json
import re

from gbg_lib.rehearsal.likeness import Likeness

TOKEN = re.compile(r"[A-Za-z0-9_.-]+")


def fitted(recorded: str, there: str, likeness: Likeness) -> str:
    """The recorded document for this account; empty where the one that is there says the same."""
    ours, theirs = _lines(recorded), _lines(there)
    if [likeness.text(line) for line in ours] == [likeness.text(line) for line in theirs]:
        return ""
    for before, now in _learnt(ours, theirs, likeness).items():
        recorded = recorded.replace(before, now)
    return recorded


def _lines(document: str) -> list[str]:
    try:
        return json.dumps(json.loads(document), indent=1).splitlines()
    except ValueError:
        return document.splitlines()


def _learnt(ours: list[str], theirs: list[str], likeness: Likeness) -> dict[str, str]:
    """Recorded name → name here, the longest first."""
    plain = [likeness.text(line) for line in ours], [likeness.text(line) for line in theirs]
    names: dict[str, str] = {}
    for block in difflib.SequenceMatcher(None, *plain, autojunk=False).get_matching_blocks():
        for number in range(block.size):
            pair = TOKEN.findall(ours[block.a + number]), TOKEN.findall(theirs[block.b + number])
            if len(pair[0]) == len(pair[1]):
                names |= {old: new for old, new in zip(*pair, strict=True) if old != new}
    return dict(sorted(names.items(), key=lambda one: -len(one[0])))
