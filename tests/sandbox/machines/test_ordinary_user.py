"""Machines of somebody who is not root: one user id, which plays all accounts."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from gbg_sandbox.machines import catalogue
from tests.sandbox.host import skip_unless_namespaces_for

NOBODY = 65534
LIBRARIES = os.pathsep.join((str(Path(__file__).parents[3]), str(Path(yaml.__file__).parents[1])))
SCRIPT = """
import sys
from pathlib import Path
from gbg_sandbox.machines import MachineSpec, open_machines
state = Path(sys.argv[1])
machines = open_machines(state, kind="namespaces")
machines.add_network("vpc", "10.0.0.0/16")
layers, said = (), []
for number in (5, 6):
    spec = MachineSpec(f"i-{number}", "vpc", f"10.0.0.{number}", "host", layers, boot=False)
    machine = machines.start(spec)
    status = machine.run(["bash", "-c", sys.stdin.readline()], output=said.append, real_seconds=60)
    print(number, status, b"".join(said).decode().split())
    said.clear()
    machine.stop()
    layers = (machine.snapshot(state / f"layer-{number}"), *layers)
machines.close()
print(sorted(entry.name for entry in state.iterdir()))
"""
COMMANDS = (
    "id -u; useradd -m app && chown -R app:app /home/app && sudo -u app id -u; "
    "mkdir /usr/share/mine && rm -r /etc/skel && dnf -q -y upgrade --releasever=latest; "
    "rpm -q system-release\n"
    "getent passwd app | cut -d: -f6; ls -d /usr/share/mine; ls /etc/skel 2>/dev/null; "
    "cat /etc/system-release\n"
)


IDENTITY = ("setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups")


def _as_nobody(python: str, *arguments: str, home: Path, given: str = "") -> subprocess.CompletedProcess[str]:
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(home),
        "GBG_CACHE": str(home / "cache"),
        "PYTHONPATH": LIBRARIES,
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    command = [*IDENTITY, "env", python, *arguments]  # rights of root end with the first program
    return subprocess.run(command, env=environment, capture_output=True, text=True, cwd="/", input=given)


@pytest.fixture
def home() -> Iterator[Path]:
    """A folder that nobody owns and reaches, unlike pytest's own."""
    folder = Path(tempfile.mkdtemp(prefix="gbg-nobody-"))
    os.chown(folder, NOBODY, NOBODY)
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


@pytest.mark.skipif(os.geteuid() != 0, reason="the other tests already run as an ordinary user")
def test_an_ordinary_user_has_machines_and_images_too(home: Path) -> None:
    if shutil.which("setpriv") is None:
        pytest.skip("no setpriv on this host to become an ordinary user")
    for python in (sys.executable, "/usr/bin/python3"):
        try:
            works = (
                _as_nobody(python, "-c", "import yaml, ssl, gbg_sandbox.machines", home=home).returncode == 0
            )
        except OSError:
            works = False
        if works:
            break
    else:
        pytest.skip("an ordinary user can't run a Python of this host")
    skip_unless_namespaces_for(IDENTITY)
    done = _as_nobody(python, "-c", SCRIPT, str(home / "state"), home=home, given=COMMANDS)
    newest = catalogue.load().releases[-1]
    first, second, left = done.stdout.splitlines() or ["", "", done.stderr]
    assert first == f"5 0 ['0', '0', 'system-release-{newest}-0.amzn2023.noarch']"
    assert second.startswith("6 0 ['/home/app', '/usr/share/mine', 'Amazon'") and newest in second
    assert left == "['layer-5', 'layer-6']"
