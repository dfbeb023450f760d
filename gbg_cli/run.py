"""`gbg run`: runbooks headless, with progress a heading at a time."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from gbg_cli.places import PARAMETERS, RUNBOOKS, runs
from gbg_cli.sandbox import ensure_up
from gbg_cli.terminal import err, errors_shown, out
from gbg_lib.parameters import checked, load_file, parse_assignments
from gbg_lib.runner import Run, find_runbook, prepare, require_read
from gbg_lib.runner import run as run_runbook


@click.command()
@click.argument("runbooks", nargs=-1, required=True, metavar="RUNBOOK...")
@click.option(
    "-f", "--file", "file", type=click.Path(path_type=Path), help="Parameters file of an environment."
)
@click.option("-p", "--parameter", "assignments", multiple=True, metavar="NAME=VALUE", help="One parameter.")
def run(runbooks: Sequence[str], file: Path | None, assignments: Sequence[str]) -> None:
    """Run runbooks by number or name, one after the other."""
    with errors_shown():
        values = parameters(file, assignments)
        paths = [find_runbook(RUNBOOKS, word) for word in runbooks]
        require_read(paths, parse_assignments(assignments))
        prepare()
        if values.get("cloud", "sandbox") == "sandbox":
            ensure_up()
        for path in paths:
            done = run_with_progress(path, values)
            out.print(f"{path.stem} done in {done.seconds:.0f} s: {shown(done.notebook)}")


def parameters(file: Path | None, assignments: Sequence[str]) -> dict[str, Any]:
    """File first, then single values over it. Raises ParameterError, MisuseError."""
    values = load_file(file or PARAMETERS / "sandbox.yaml") | parse_assignments(assignments)
    checked(values, "parameters")
    return values


def run_with_progress(path: Path, values: dict[str, Any]) -> Run:
    """Run one runbook; tells on stderr which heading it is at."""
    with err.status(f"{path.stem}") as shown_status:

        def progress(cell: int, cells: int, heading: str) -> None:
            shown_status.update(f"{path.stem}: {heading} (cell {cell} of {cells})")

        return run_runbook(path, values, runs(), progress)


def shown(path: Path) -> str:
    """A path as short as it can be told."""
    return str(path.relative_to(Path.cwd())) if path.is_relative_to(Path.cwd()) else str(path)
