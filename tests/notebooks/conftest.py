"""One sandbox for all runbooks' tests: they build on each other, as they do for a person."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from gbg_sandbox.home import Home


@pytest.fixture(scope="session")
def sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The folder of a running sandbox that GBG_HOME names."""
    folder = tmp_path_factory.mktemp("home")
    home = Home(folder)
    home.up()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GBG_HOME", str(folder))
        patch.setenv("GBG_RECORDS", str(tmp_path_factory.mktemp("records")))
        yield folder
    home.down()
