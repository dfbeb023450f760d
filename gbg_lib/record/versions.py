"""The versions of what records: this project's commit, Python, the libraries that speak to AWS."""

from __future__ import annotations

import platform
import subprocess
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from gbg_lib.replay.tape import asked

ROOT = Path(__file__).resolve().parent.parent.parent
PACKAGES = ("golden-blue-green", "boto3", "botocore", "papermill", "pydantic")
GIT_SECONDS = 10


@cache
def versions() -> dict[str, str]:
    """What is installed; the project's commit where it is a git checkout."""
    return dict(asked("versions", {}, _versions))


def _versions() -> dict[str, str]:
    found = {"python": platform.python_version(), "system": platform.system()}
    for package in PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return {**found, **_commit()}


def _commit() -> dict[str, str]:
    try:
        done = subprocess.run(
            ["git", "rev-parse", "HEAD"],
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=GIT_SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return {}
    return {"commit": done.stdout.strip()} if done.returncode == 0 else {}
