"""The `gbg` command in a process of its own, in a folder of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SECONDS = 180
CLEARED = ("AWS_", "GBG_", "GIT_")
"""variables of whoever runs the tests that must not reach them"""
Done = subprocess.CompletedProcess[str]


def clean_environment(**more: str) -> dict[str, str]:
    """For a program that must know one sandbox only; .venv's programs come first."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(CLEARED)}
    programs = os.pathsep.join([str(Path(sys.executable).parent), kept.get("PATH", os.defpath)])
    return kept | {"PATH": programs, "PYTHONPATH": str(ROOT)} | more


def gbg(home: Path, *words: str, before: tuple[str, ...] = (), **environment: str) -> Done:
    """`gbg WORDS` on the sandbox in `home`; `before` are words that start it (`unshare --mount`)."""
    return subprocess.run(
        [*before, sys.executable, "-m", "gbg_cli", *words],
        cwd=home.parent,
        env=clean_environment(GBG_HOME=str(home), GBG_RUNS=str(home.parent / "runs"), **environment),
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )
