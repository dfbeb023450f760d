"""Text from a record as text: nothing in it moves a cursor, colours a terminal or turns a line around."""

from __future__ import annotations

import re
import unicodedata

ESCAPES = re.compile(r"\x1b(\[[0-9;?]*[ -/]*[@-~]|\][^\x07\x1b]*(\x07|\x1b\\)?|.)?")
TURNING = frozenset("\u200e\u200f\u061c\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
"""marks that change the direction of what follows"""


def plain(text: object, most: int = 0) -> str:
    """One line, without control characters; cut to `most` characters where that is not 0."""
    told = " ".join(_clean(ESCAPES.sub("", str(text))).split())
    return f"{told[: most - 1]}…" if most and len(told) > most else told


def plain_lines(text: str) -> list[str]:
    """A log's lines."""
    return [_clean(ESCAPES.sub("", line)).rstrip() for line in text.splitlines()]


def _clean(text: str) -> str:
    return "".join(
        " " if letter in "\t\n\r\v\f" else letter
        for letter in text
        if letter in "\t\n\r\v\f"
        or (unicodedata.category(letter) not in ("Cc", "Cs") and letter not in TURNING)
    )
