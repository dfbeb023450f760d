"""The sandbox and a first fleet under a user who may do nothing else on this machine."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from gbg_lib.fleet import read_page
from gbg_sandbox.home import Home, remove_tree
from tests.command import ROOT
from tests.sandbox.host import skip_unless_namespaces_for
from tests.sandbox.processes import Process, below, outliving

NOBODY = 65534
PACKAGES = ("gbg_cli", "gbg_lib", "gbg_sandbox")
NOT_COPIED = shutil.ignore_patterns("__pycache__", ".mypy_cache")
SECONDS = 300
GIVEN_UP = ("--clear-groups", "--inh-caps=-all", "--bounding-set=-all")
BECOME = ("setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", *GIVEN_UP)
FIRST_FLEET = """
from gbg_lib.parameters import Parameters
from gbg_lib.steps import BaseStack
step = BaseStack(Parameters(instance_count=1))
for event in step.apply(step.plan()):
    pass
step.check()
print(step.base["SiteUrl"])
"""


@dataclass(frozen=True)
class Somebody:
    """A user with a folder, a copy of the project, and an interpreter they may run."""

    folder: Path
    interpreter: str = ""

    @property
    def home(self) -> Home:
        return Home(self.folder / "gbg")

    def python(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Through `env`: what setpriv itself executes is still found with root's rights."""
        return subprocess.run(
            [*BECOME, "env", self.interpreter, *words],
            cwd=self.folder,
            env={
                "HOME": str(self.folder),
                "GBG_HOME": str(self.home.folder),
                "PATH": "/usr/local/bin:/usr/bin:/bin",
                "PYTHONPATH": f"{self.folder}/project:{sysconfig.get_path('purelib')}",
                "PYTHONDONTWRITEBYTECODE": "1",
            },
            capture_output=True,
            text=True,
            timeout=SECONDS,
            check=False,
        )


@pytest.fixture(scope="module")
def somebody() -> Iterator[Somebody]:
    if os.geteuid() != 0:
        pytest.skip("this user is an ordinary one: every other test shows it")
    if shutil.which("setpriv") is None:
        pytest.skip("no setpriv (util-linux) to become another user with")
    folder = Path(tempfile.mkdtemp(prefix="gbg-nobody-"))
    try:
        for name in PACKAGES:
            shutil.copytree(ROOT / name, folder / "project" / name, symlinks=True, ignore=NOT_COPIED)
        folder.chmod(0o755)
        os.chown(folder, NOBODY, NOBODY)
        yield Somebody(folder, interpreter_for(folder))
    finally:
        remove_tree(folder)


def interpreter_for(folder: Path) -> str:
    """One with this one's packages; skips when the user can run none."""
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    for interpreter in (sys.executable, f"/usr/bin/{version}", f"/usr/local/bin/{version}"):
        if (
            Somebody(folder, interpreter).python("-c", "import boto3, cryptography, moto, yaml").returncode
            == 0
        ):
            return interpreter
    pytest.skip(f"an ordinary user can run neither {sys.executable} nor another {version} with its packages")


def owners(family: set[Process]) -> set[int]:
    """User ids; of those that have ended since they were listed nobody can tell."""
    found = set()
    for one in family:
        with contextlib.suppress(FileNotFoundError):
            found.add(Path(f"/proc/{one.pid}").stat().st_uid)
    return found


def test_an_ordinary_user_has_a_sandbox_whose_fleet_serves(somebody: Somebody) -> None:
    skip_unless_namespaces_for(BECOME)
    up = somebody.python("-m", "gbg_cli", "up")
    assert up.returncode == 0, up.stderr
    assert "(namespaces machines," in up.stdout
    running = somebody.home.running()
    assert running is not None
    try:
        made = somebody.python("-c", FIRST_FLEET)
        assert made.returncode == 0, made.stderr
        page = read_page(made.stdout.strip())
        assert page.status == 200
        assert "Base web application" in page.body
        told = json.loads(somebody.python("-m", "gbg_cli", "status", "--json").stdout)
        assert told["stacks"] == {"gbg-base": "CREATE_COMPLETE"}
        family = below(running.pid)
        assert owners(family) == {NOBODY}
    finally:
        down = somebody.python("-m", "gbg_cli", "down")
    assert down.stdout.strip() == "sandbox stopped"
    assert outliving(family) == set()
    assert not somebody.home.state_dir().exists()
