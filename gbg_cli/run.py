"""`gbg run`: runbooks headless, with progress a heading at a time."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click

from gbg_cli.places import PARAMETERS, RUNBOOKS, bucket, runs
from gbg_cli.sandbox import ensure_up
from gbg_cli.terminal import FAILURE, err, errors_shown, out, show_error
from gbg_lib import outputs
from gbg_lib.afterwards import Afterwards
from gbg_lib.parameters import checked, load_file, parse_assignments
from gbg_lib.runner import Run, find_runbook, prepare, require_read
from gbg_lib.runner import run as run_runbook


@click.command()
@click.argument("runbooks", nargs=-1, required=True, metavar="RUNBOOK...")
@click.option(
    "-f", "--file", "file", type=click.Path(path_type=Path), help="Parameters file of an environment."
)
@click.option("-p", "--parameter", "assignments", multiple=True, metavar="NAME=VALUE", help="One parameter.")
@click.option("--to", metavar="FOLDER|S3", help="Where runs are kept: a folder, or s3://bucket/prefix.")
@click.option("--explain", is_flag=True, help="Show what would be done, and do nothing.")
def run(
    runbooks: Sequence[str], file: Path | None, assignments: Sequence[str], to: str | None, explain: bool
) -> None:
    """Run runbooks by number or name, one after the other."""
    with errors_shown():
        assignments = [*assignments, *(["explain=true"] if explain else [])]
        values = parameters(file, assignments)
        afterwards = Afterwards(checked(values, "parameters"), _bucket(to))
        paths = [find_runbook(RUNBOOKS, word) for word in runbooks]
        require_read(paths, parse_assignments(assignments))
        prepare()
        if values.get("cloud", "sandbox") == "sandbox":
            ensure_up()
        for path in paths:
            with told(afterwards):
                done = run_with_progress(path, values, _folder(to), afterwards)
            out.print(f"{path.stem} done in {done.seconds:.0f} s: {shown(done.notebook)}")


def parameters(file: Path | None, assignments: Sequence[str]) -> dict[str, Any]:
    """File first, then single values over it. Raises ParameterError, MisuseError."""
    values = load_file(file or PARAMETERS / "sandbox.yaml") | parse_assignments(assignments)
    checked(values, "parameters")
    return values


@contextmanager
def told(afterwards: Afterwards) -> Iterator[None]:
    """Shows what of a run did not arrive, also when the run failed. Raises it when the outputs did not."""
    try:
        yield
    finally:
        for failure in afterwards.failures:
            show_error(failure.where, failure.what, failure.try_this)
    if afterwards.lost:
        sys.exit(FAILURE)


def _folder(to: str | None) -> Path:
    return runs() if to is None or outputs.is_bucket(to) else Path(to)


def _bucket(to: str | None) -> outputs.Bucket | None:
    if to is None:
        return bucket()
    return outputs.parse(to) if outputs.is_bucket(to) else None


def run_with_progress(
    path: Path,
    values: dict[str, Any],
    folder: Path | None = None,
    ended: Callable[[Path], None] = lambda _: None,
) -> Run:
    """Run one runbook; tells on stderr which heading it is at."""
    with err.status(f"{path.stem}") as shown_status:

        def progress(cell: int, cells: int, heading: str) -> None:
            shown_status.update(f"{path.stem}: {heading} (cell {cell} of {cells})")

        return run_runbook(path, values, folder or runs(), progress, ended)


def shown(path: Path) -> str:
    """A path as short as it can be told."""
    return str(path.relative_to(Path.cwd())) if path.is_relative_to(Path.cwd()) else str(path)
