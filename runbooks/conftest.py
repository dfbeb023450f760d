"""`pytest --nbval runbooks/`: the runbooks in order, on a sandbox of their own, against the kept outputs.

What may differ from run to run is named in tests/notebooks/normalisers.cfg; anything else that differs fails.
"""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Generator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
if str(ROOT) not in sys.path:
    sys.path.insert(0, str(ROOT))

from gbg_sandbox.home import Home  # noqa: E402
from tests.notebooks.compared import ComparedNotebook, replaced, use_normalisers  # noqa: E402

collect_ignore_glob = ["jobs/*.ipynb"]
"""they are kept without outputs: what they show depends on the hour"""


class OwnSandbox:
    """Starts with the first runbook, stops with the session; kernels find it by their environment.

    GBG_NBVAL_HOME names one that is up and empty already; that is left up.
    """

    def __init__(self) -> None:
        self._folder: tempfile.TemporaryDirectory[str] | None = None
        self._ready = False

    def ensure_up(self) -> None:
        if self._ready:
            return
        self._ready = True
        os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))
        os.environ["GBG_HOME"] = os.environ.get("GBG_NBVAL_HOME") or self._start()
        os.environ.setdefault("GBG_RECORDS", str(Path(os.environ["GBG_HOME"]) / "records"))

    def _start(self) -> str:
        self._folder = tempfile.TemporaryDirectory(prefix="gbg-nbval-", ignore_cleanup_errors=True)
        Home(Path(self._folder.name)).up()
        return self._folder.name

    def down(self) -> None:
        if self._folder is not None:
            Home(Path(self._folder.name)).down()
            self._folder.cleanup()


SANDBOX = OwnSandbox()


class Runbook(ComparedNotebook):
    def setup(self) -> None:
        SANDBOX.ensure_up()
        super().setup()


def pytest_configure(config: pytest.Config) -> None:
    use_normalisers(config)


@pytest.hookimpl(wrapper=True)
def pytest_collect_file(
    file_path: Path, parent: pytest.Collector
) -> Generator[None, list[pytest.Collector], list[pytest.Collector]]:
    return replaced((yield), Runbook, file_path, parent)


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Side by side (pytest-xdist, --dist loadgroup), the runbooks stay together and in order."""
    for item in items:
        item.add_marker(pytest.mark.xdist_group("runbooks"))


def pytest_unconfigure() -> None:
    SANDBOX.down()
