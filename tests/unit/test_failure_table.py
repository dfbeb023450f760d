"""docs/failures.md and the catalogue of faults agree with the rows that are tested."""

from __future__ import annotations

from gbg_lib import faults
from tests.sandbox.failures.page import PAGE, written
from tests.sandbox.failures.rows import ROWS


def test_the_page_shows_the_rows() -> None:
    page = PAGE.read_text()
    assert page == written(page), "python -m tests.sandbox.failures.page --write"


def test_every_fault_has_its_row() -> None:
    assert sorted(row.fault for row in ROWS) == sorted(faults.CATALOGUE)


def test_a_row_that_loses_requests_says_why_and_no_other_does() -> None:
    assert {row.fault for row in ROWS if row.lost} == {row.fault for row in ROWS if row.why}


def test_a_release_that_does_not_succeed_is_told_with_what_to_do_next() -> None:
    assert all(row.says and row.advice for row in ROWS if row.pipeline != "Succeeded")
