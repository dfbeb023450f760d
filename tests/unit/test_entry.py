"""`./gbg`: what it installs, when it installs nothing, how it stops. What it calls are stand-ins."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
NOBODY = 65534
USED = "cat chmod cksum cp cut dirname echo env flock grep mkdir readlink rm tail touch uname xargs"
PYTHON = """
[[ $1 == -c ]] || echo "python $*" >>"$LOG"
if [[ "$1 $2" == "-m venv" ]]; then mkdir -p "$3/bin" && cp "$0" "$3/bin/python"; fi
"""
APT_GET = """
echo "apt-get $*" >>"$LOG"
if [[ "$1 $BROKEN" == "install yes" ]]; then echo "E: Unable to locate package haproxy"; exit 100; fi
"""


class Checkout:
    """`./gbg` with its lists, and a PATH with nothing but stand-ins. Only git is there, and we are root."""

    def __init__(self, place: Path) -> None:
        self.user: int | None = None
        """who really runs it; None: who runs the tests"""
        self.bin, self.folder, self.log = place / "bin", place / "checkout", place / "log"
        self.bin.mkdir()
        self.folder.mkdir()
        shutil.copy(ROOT / "gbg", self.folder)
        shutil.copy(ROOT / "pyproject.toml", self.folder)
        shutil.copytree(ROOT / "requirements", self.folder / "requirements")
        for name in ("bash", *USED.split()):
            (self.bin / name).symlink_to(str(shutil.which(name)))
        self.program("python3.11", PYTHON)
        self.program("apt-get", APT_GET)
        self.program("dpkg-query", '[[ " $INSTALLED " != *" ${@: -1} "* ]] || echo installed')
        self.program("id", '[[ $1 == -un ]] && echo somebody || echo "$USER_ID"')
        self.program("sudo", '[[ $SUDO == yes ]] || exit 1; shift; "$@"')

    def program(self, name: str, text: str) -> None:
        (self.bin / name).write_text(f"#!{shutil.which('bash')}\n{text}\n")
        (self.bin / name).chmod(0o755)

    def packages(self, group: str) -> list[str]:
        lines = (self.folder / f"requirements/system-{group}.txt").read_text().splitlines()
        return [line for line in lines if not line.startswith("#")]

    def run(self, *arguments: str, **given: str) -> subprocess.CompletedProcess[str]:
        usual = {"USER_ID": "0", "SUDO": "no", "INSTALLED": "git", "BROKEN": "no"}
        paths = {"PATH": str(self.bin), "HOME": str(self.folder.parent), "LOG": str(self.log)}
        return subprocess.run(
            [self.folder / "gbg", *arguments],
            env=usual | paths | given,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
            user=self.user,
        )

    def called(self) -> list[str]:
        return self.log.read_text().splitlines() if self.log.exists() else []


@pytest.fixture
def checkout(tmp_path: Path) -> Checkout:
    return Checkout(tmp_path)


def test_the_first_start_installs_what_is_missing_and_hands_over(checkout: Checkout) -> None:
    assert checkout.run("status", "--json").returncode == 0
    missing = [package for package in checkout.packages("base") if package != "git"]
    called = checkout.called()
    assert f"apt-get install -y -qq --no-install-recommends {' '.join(missing)}" in called
    assert [line.split()[-1].rsplit("/", 1)[-1] for line in called if "pip install" in line] == [
        "base.lock",
        "build.lock",
        "checkout",
    ]
    assert called[-1] == "python -m gbg_cli status --json"


def test_a_second_start_installs_nothing(checkout: Checkout) -> None:
    checkout.run("status")
    checkout.log.unlink()
    assert checkout.run("status").returncode == 0
    assert checkout.called() == ["python -m gbg_cli status"]


def test_a_changed_lock_file_is_installed_again_and_nothing_else(checkout: Checkout) -> None:
    checkout.run("status")
    checkout.log.unlink()
    lock = checkout.folder / "requirements" / "base.lock"
    lock.write_text(lock.read_text() + "# changed\n")
    checkout.run("status")
    installing, handing_over = checkout.called()
    assert "pip install" in installing and installing.endswith("requirements/base.lock")
    assert handing_over == "python -m gbg_cli status"


def test_what_only_the_tests_or_jupyterlab_need_waits_until_then(checkout: Checkout) -> None:
    checkout.run("status")
    assert not any("chromium" in line or "lab.lock" in line for line in checkout.called())
    checkout.run("lab", "--help")
    checkout.run("test", "-h")
    assert not any("chromium" in line or "lab.lock" in line for line in checkout.called())
    checkout.run("lab")
    assert any(line.endswith("lab.lock") for line in checkout.called())
    checkout.run("test")
    assert any("chromium" in line for line in checkout.called())
    assert any(line.endswith("test.lock") for line in checkout.called())


def test_who_may_not_install_gets_the_line_to_run_before_anything_happens(checkout: Checkout) -> None:
    told = checkout.run("demo", USER_ID="1000")
    missing = " ".join(package for package in checkout.packages("base") if package != "git")
    assert told.returncode == 1
    assert told.stderr == (
        "gbg: system packages are missing and this user may not install them\n"
        f"  try: sudo apt-get update && sudo apt-get install -y -qq --no-install-recommends {missing}\n"
    )
    assert checkout.called() == []


def test_sudo_without_a_password_is_used(checkout: Checkout) -> None:
    assert checkout.run("status", USER_ID="1000", SUDO="yes").returncode == 0
    assert checkout.called()[0] == "apt-get update -qq"


def test_a_machine_without_apt_is_told_what_it_needs(checkout: Checkout) -> None:
    (checkout.bin / "dpkg-query").unlink()
    told = checkout.run("demo")
    assert told.returncode == 1
    assert told.stderr.startswith("gbg: system packages are missing and this machine has no apt\n  try: ")
    assert all(package in told.stderr for package in checkout.packages("base"))


def test_what_apt_get_said_is_told_and_nothing_is_taken_for_installed(checkout: Checkout) -> None:
    told = checkout.run("demo", BROKEN="yes")
    assert told.returncode == 1
    assert "gbg: apt-get failed: E: Unable to locate package haproxy\n  try: apt-get install" in told.stderr
    assert checkout.run("status").returncode == 0
    assert sum("apt-get install" in line for line in checkout.called()) == 2


def test_a_folder_that_is_somebody_elses_is_told() -> None:
    with tempfile.TemporaryDirectory() as place:
        Path(place).chmod(0o755)
        checkout = Checkout(Path(place))
        checkout.folder.chmod(0o555)
        checkout.log.touch()
        checkout.log.chmod(0o666)
        checkout.user = NOBODY if os.geteuid() == 0 else None
        told = checkout.run("status")
        checkout.folder.chmod(0o755)
        assert checkout.called() == []
    assert told.returncode == 1
    assert "can't be written by somebody: .venv and runs/ live there\n  try: clone it" in told.stderr
