"""What a live view says, before it is text or HTML: sections of rows, each with a mark and words.

Both twins are made from the same rows, so they hold the same figures. A mark is a sign and a word; colour
only repeats it.
"""

from __future__ import annotations

import html
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from gbg_lib.typical import Usual
from gbg_lib.views.table import duration

Mark = Literal["done", "going on", "waiting", "failed", "undone"]
SIGNS: dict[Mark, str] = {"done": "✓", "going on": "▶", "waiting": "○", "failed": "✗", "undone": "↩"}
BELOW, BESIDE = "", " style='display:inline-block;margin-right:1.6em'"
"""where an item stands, from the one before it"""


@dataclass(frozen=True)
class Row:
    mark: Mark
    name: str
    status: str = ""
    """AWS's word for it"""
    told: str = ""
    rows: tuple[Row, ...] = ()
    """below it"""


@dataclass(frozen=True)
class Section:
    title: str
    rows: tuple[Row, ...] = ()
    lines: tuple[str, ...] = ()
    """the last lines that something printed"""
    in_a_row: bool = False
    """many short rows, one beside the other where there is room"""


@dataclass(frozen=True)
class Board:
    title: str
    sections: tuple[Section, ...]

    @property
    def text(self) -> str:
        lines = [self.title]
        for section in self.sections:
            lines += ["", section.title, *_text(section.rows, 1)]
            lines += [f"    | {line}" for line in section.lines]
        return "\n".join(lines)

    @property
    def markup(self) -> str:
        """Without styles that a page could take away: a mark is a sign and a word, not only a colour."""
        parts = ["<div role='region' aria-label='In words'>", _heading(self.title)]
        for section in self.sections:
            parts.append(_heading(section.title))
            parts.append(_markup(section.rows, BESIDE if section.in_a_row else BELOW))
            if section.lines:
                parts.append(f"<pre>{html.escape(chr(10).join(section.lines))}</pre>")
        return "\n".join(part for part in [*parts, "</div>"] if part)


def so_far(seconds: float, usual: Usual | None, *, over: bool, source: bool = True) -> str:
    """`12 s so far, usually 15 s (the release before)`."""
    told = duration(seconds) if over else f"{whole(seconds)} so far"
    if usual is None:
        return told
    return f"{told}, usually {duration(usual.seconds)}" + (f" ({usual.source})" if source else "")


def whole(seconds: float) -> str:
    """In whole seconds, so that a view that goes on changes once a second."""
    return f"{seconds:.0f} s" if seconds < 59.5 else duration(seconds)


def words(row: Row) -> str:
    """A row in a line, as both twins have it."""
    return " · ".join(filter(None, [f"{SIGNS[row.mark]} {row.name}", row.status or row.mark, row.told]))


def _text(rows: Sequence[Row], depth: int) -> list[str]:
    lines = []
    for row in rows:
        lines.append("  " * depth + words(row))
        lines += _text(row.rows, depth + 1)
    return lines


def _heading(said: str) -> str:
    return f"<p style='margin:.5em 0 .2em'><strong>{html.escape(said)}</strong></p>"


def _markup(rows: Sequence[Row], item: str = BELOW) -> str:
    if not rows:
        return ""
    items = "\n".join(f"<li{item}>{html.escape(words(row))}{_markup(row.rows)}</li>" for row in rows)
    return f"<ul style='list-style:none;padding-left:1.2em;margin:.2em 0'>\n{items}\n</ul>"
