"""A pandas table that is shown whole: as HTML in a notebook, as aligned text everywhere else.

pandas' own display cuts long values, wraps wide tables and numbers rows, which helps nobody read a release.
"""

from __future__ import annotations

import html
import re
from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

LEFT = "text-align:left"
LONG = 18
"""letters from which on a name may be broken"""
LONG_NAME, HUMP = re.compile(r"\b(?:[A-Z][a-z0-9]+){2,}\b"), re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
"""of several words written as one, and where one of them begins"""


class Table(pd.DataFrame):
    """A DataFrame in everything but its looks. `attrs` has the title, a line above it, and the name that a
    screen reader tells.
    """

    def __repr__(self) -> str:
        return "\n".join(filter(None, [self._title, _text(self.cells) if len(self) else "(no rows)"]))

    def _repr_html_(self) -> str:
        title = f"<p>{html.escape(self._title)}</p>" if self._title else ""
        return title + (_html(self.cells, self._name) if len(self) else "<p>(no rows)</p>")

    @property
    def _title(self) -> str:
        return str(self.attrs.get("title", ""))

    @property
    def _name(self) -> str:
        return str(self.attrs.get("name", "") or self._title)

    @property
    def cells(self) -> list[list[str]]:
        """Header and rows, as words."""
        rows = [[words(value) for value in row] for row in self.itertuples(index=False)]
        return [[str(column) for column in self.columns], *rows]


def table(
    rows: Sequence[Mapping[str, object]], columns: Sequence[str], title: str = "", *, name: str = ""
) -> Table:
    """Rows under the columns, in their order. One without a title needs a name."""
    made = Table(pd.DataFrame(rows, columns=list(columns)))
    made.attrs |= {"title": title, "name": name}
    return made


def took(seconds: float | None) -> pd.Timedelta | None:
    """A duration as the tables keep it: to be added up, and shown in words."""
    return None if seconds is None else pd.Timedelta(seconds=round(seconds, 1))


def words(value: Any) -> str:
    """A cell as it is shown."""
    if isinstance(value, pd.Timedelta):
        return duration(value.total_seconds())
    return "" if pd.isna(value) else str(value)


def duration(seconds: float) -> str:
    """3.2 s, 48 s, 2 min 5 s, 1 h 3 min."""
    if seconds < 9.95:
        return f"{seconds:.1f} s"
    if seconds < 59.5:
        return f"{seconds:.0f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"


def _text(cells: Sequence[Sequence[str]]) -> str:
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    padded = [[cell.ljust(width) for cell, width in zip(row, widths, strict=True)] for row in cells]
    return "\n".join("  ".join(row).rstrip() for row in padded)


def _html(cells: Sequence[Sequence[str]], name: str) -> str:
    """A line a row, so that a change in a saved notebook reads as one."""
    head, *rows = cells
    lines = ["".join(f"<th scope='col' style='{LEFT}'>{html.escape(cell)}</th>" for cell in head)]
    lines += ["".join(f"<td style='{LEFT}'>{_cell(cell)}</td>" for cell in row) for row in rows]
    body = "\n".join(f"<tr>{line}</tr>" for line in lines[1:])
    called = f" aria-label='{html.escape(name)}'" if name else ""
    return f"<table{called}>\n<thead>\n<tr>{lines[0]}</tr>\n</thead>\n<tbody>\n{body}\n</tbody>\n</table>"


def _cell(text: str) -> str:
    """A resource's type and a long name may go on in the next line: the last column stays in sight."""
    return LONG_NAME.sub(_humps, html.escape(text).replace("::", "::<wbr>"))


def _humps(name: re.Match[str]) -> str:
    """`Deployment<wbr>Group<wbr>Function`; a short one as it is."""
    return HUMP.sub("<wbr>", name[0]) if len(name[0]) >= LONG else name[0]
