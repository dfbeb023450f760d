"""Long answers of CloudFormation come in pages."""

from __future__ import annotations

import pytest

from gbg_sandbox.services.cloudformation.errors import TemplateError
from gbg_sandbox.services.cloudformation.stack_api import page


def test_pages_follow_each_other_without_gap_or_end() -> None:
    found: list[int] = []
    token = ""
    while True:
        items, more = page(list(range(250)), token)
        found += items
        if not more:
            break
        token = more["NextToken"]
    assert found == list(range(250))


def test_a_made_up_token_is_refused() -> None:
    with pytest.raises(TemplateError):
        page([1], "nonsense")
