"""What shares a sandbox stays in one worker when tests run side by side."""

from __future__ import annotations

import pytest


@pytest.mark.xdist_group("together")
def test_pytest_and_xdist_agree_on_groups(request: pytest.FixtureRequest) -> None:
    """xdist 3.8 writes the group into a test's id, where pytest 9.2 no longer reads it."""
    if not request.config.getoption("loadgroup", False):
        pytest.skip("not run with --dist loadgroup")
    assert request.node.nodeid.endswith("@together")
