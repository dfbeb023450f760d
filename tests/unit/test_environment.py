"""conda's environment, pip's project file and the lock agree."""

from __future__ import annotations

import re
import tomllib
from importlib.metadata import distributions
from pathlib import Path

import yaml

from gbg_lib.runs.environment import lock

ROOT = Path(__file__).parent.parent.parent


def names(lines: list[str]) -> set[str]:
    found = (re.match(r"[A-Za-z0-9_.-]+", line) for line in lines if not line.startswith(("#", "-c")))
    return {match.group(0).lower().replace("_", "-") for match in found if match}


def test_conda_and_pip_ask_for_the_same_packages() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    environment = yaml.safe_load((ROOT / "environment.yml").read_text())
    conda = [item for item in environment["dependencies"] if isinstance(item, str)]
    pip = next(item["pip"] for item in environment["dependencies"] if isinstance(item, dict))
    assert names(conda) - {"python", "pip"} | names(pip) == names(project["dependencies"])


def test_the_lock_is_made_from_the_project_file() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert names((ROOT / "requirements/base.in").read_text().splitlines()) == names(project["dependencies"])
    locked = names((ROOT / "requirements/base.lock").read_text().splitlines())
    assert names(project["dependencies"]) <= locked


def test_a_run_locks_what_importlib_knows_of() -> None:
    known = {f"{one.name}=={one.version}" for one in distributions() if one.name}
    assert set(lock().splitlines()[1:]) == known


def test_every_locked_version_is_exact() -> None:
    for path in (ROOT / "requirements").glob("*.lock"):
        for line in path.read_text().splitlines():
            assert line.startswith("#") or re.fullmatch(r"[A-Za-z0-9_.\[\]-]+==[^ ]+", line), (
                f"{path}: {line}"
            )
