"""The table of docs/failures.md: `python -m tests.sandbox.failures.page --write` makes it from the rows."""

from __future__ import annotations

import sys
from pathlib import Path

from tests.sandbox.failures.rows import OPERATOR_ROWS, ROWS, Row

PAGE = Path(__file__).resolve().parent.parent.parent.parent / "docs" / "failures.md"
BEGIN, END = "<!-- made from the rows: begin -->", "<!-- made from the rows: end -->"


def table() -> str:
    """Markdown, a row a fault."""
    rows = [
        "| what happens | pipeline | deployment | rollback | serves | requests lost |",
        "|---|---|---|---|---|---|",
    ]
    rows += [_row(row) for row in ROWS]
    rows += ["", "| what happens beside a release | what comes of it |", "|---|---|"]
    rows += [f"| {row.what} | {row.comes} |" for row in OPERATOR_ROWS]
    return "\n".join([BEGIN, "", *rows, "", END])


def _row(row: Row) -> str:
    pipeline = f"{row.pipeline}{f' at {row.failed}' if row.failed else ''}"
    serves = row.serves + (f"; left: {row.left}" if row.left else "")
    lost = f"{row.lost} at most: {row.why}" if row.lost else "none"
    words = [
        f"**{row.fault}**: {row.what}",
        pipeline,
        row.deployment or "none",
        row.rollback or "none",
        serves,
        lost,
    ]
    return f"| {' | '.join(words)} |"


def written(page: str) -> str:
    """The page with its table made anew."""
    before, _, rest = page.partition(BEGIN)
    return before + table() + rest.partition(END)[2]


if __name__ == "__main__":
    if "--write" in sys.argv:
        PAGE.write_text(written(PAGE.read_text()))
    else:
        sys.stdout.write(table() + "\n")
