"""`gbg test`: every test, or a level of them."""

from __future__ import annotations

import os
import subprocess
import sys

import click

from gbg_cli.places import ROOT

LEVELS = {
    "unit": ["tests/unit"],
    "sandbox": ["tests/sandbox"],
    "notebooks": ["tests/notebooks"],
    "browser": ["tests/browser"],
}


@click.command()
@click.option("--quick", is_flag=True, help="Only what answers within a minute: unit tests, types, style.")
@click.option(
    "--level", type=click.Choice(list(LEVELS)), multiple=True, help="Only this level; may be repeated."
)
@click.argument("words", nargs=-1, type=click.UNPROCESSED)
def test(quick: bool, level: tuple[str, ...], words: tuple[str, ...]) -> None:
    """Run the tests; words after `--` go to pytest."""
    levels = ["unit"] if quick else list(level or LEVELS)
    status = 0
    if quick or not level:
        status = _tool("ruff", "check", ".") or _tool("ruff", "format", "--check", ".") or _tool("mypy")
    paths = [path for name in levels for path in LEVELS[name]]
    workers = (os.cpu_count() or 1) + 1  # one of them waits for something, nearly always
    status = _tool("pytest", "-n", str(workers), "--dist", "loadgroup", *paths, *words) or status
    sys.exit(status)


def _tool(name: str, *words: str) -> int:
    return subprocess.run([sys.executable, "-m", name, *words], cwd=ROOT, check=False).returncode
