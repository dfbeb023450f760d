"""docs/sandbox.md says of every operation what the code says."""

from __future__ import annotations

from pathlib import Path

from gbg_sandbox.honesty import BEGIN, END, table

PAGE = Path(__file__).parent.parent.parent / "docs" / "sandbox.md"


def test_the_page_holds_the_table_that_the_code_makes() -> None:
    text = PAGE.read_text()
    kept = text[text.index(BEGIN) : text.index(END) + len(END)]
    assert kept == table(), "run: python -m gbg_sandbox.honesty --write"
