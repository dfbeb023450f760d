"""Pages as a person's browser shows them: Debian's Chromium, headless."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from gbg_lib.aws import Aws, open_aws
from gbg_lib.parameters import Parameters
from gbg_lib.steps import BaseStack
from gbg_sandbox.home import Home
from tests.browser.chromium import Chromium
from tests.browser.lab import Lab

QUIET = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--hide-scrollbars"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
)
BROWSER_SECONDS = 180


@pytest.fixture(scope="session")
def browse(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], str]:
    """`browse(url)`: the page's document after its scripts ran."""
    chromium = shutil.which("chromium")
    if chromium is None:
        pytest.skip("no chromium on this machine: apt-get install chromium")

    def look(url: str) -> str:
        profile = tmp_path_factory.mktemp("chromium")
        argv = [chromium, *QUIET, f"--user-data-dir={profile}", "--dump-dom", url]
        done = subprocess.run(argv, capture_output=True, text=True, timeout=BROWSER_SECONDS, check=True)
        return done.stdout

    return look


@contextmanager
def seated(lab: Lab, profile: Path, pictures: Path) -> Iterator[Chromium]:
    """A browser, opened on the address that `gbg lab` tells; its last sight is kept with the pictures."""
    chromium = shutil.which("chromium")
    if chromium is None:
        pytest.skip("no chromium on this machine: apt-get install chromium")
    with lab.running() as address:
        opened = Chromium(chromium, profile, QUIET)
        try:
            opened.open(address)
            yield opened
        finally:
            opened.keep(pictures / "last.png")
            opened.close()


@pytest.fixture
def account(lab: Lab, page: Chromium, monkeypatch: pytest.MonkeyPatch) -> Aws:
    """What is true in the sandbox of a module's `lab`, whatever its `page` says."""
    monkeypatch.setenv("GBG_HOME", lab.environment["GBG_HOME"])
    return open_aws(Parameters())


@pytest.fixture(scope="session")
def site() -> Iterator[str]:
    """The address of a first fleet on a sandbox of its own."""
    folder = Path(tempfile.mkdtemp(prefix="gbg-browser-"))
    before = os.environ.get("GBG_HOME")
    os.environ["GBG_HOME"] = str(folder)
    home = Home(folder)
    try:
        home.up()
        step = BaseStack(Parameters())
        for _ in step.apply(step.plan()):
            pass
        step.check()
        yield step.base["SiteUrl"]
    finally:
        home.down()
        shutil.rmtree(folder, ignore_errors=True)
        if before is None:
            del os.environ["GBG_HOME"]
        else:
            os.environ["GBG_HOME"] = before
