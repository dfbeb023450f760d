"""`gbg demo`: from nothing to two releases, in front of your eyes."""

from __future__ import annotations

import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
from rich.table import Table

from gbg_cli.places import RUNBOOKS, runs
from gbg_cli.release_board import Board, followed, live
from gbg_cli.run import parameters, run_with_progress, shown
from gbg_cli.sandbox import ensure_up
from gbg_cli.terminal import errors_shown, out
from gbg_lib import appearance
from gbg_lib.diagnosis import require_succeeded
from gbg_lib.errors import ParameterError
from gbg_lib.parameters import Parameters, parse_assignments
from gbg_lib.release import Release
from gbg_lib.repository import Commit
from gbg_lib.runner.run import Run, find_runbook, prepare, require_read
from gbg_lib.runner.run import run as run_runbook
from gbg_lib.steps import ReleaseRun, SeedRepository

NUMBERS = ("01", "02", "03", "04")
LOOKS = {
    "#7a3e9d": "New colour, new image, new fleet",
    "#0f766e": "Released again: image and application together",
    "#9a3412": "And again, without a lost request",
}
"""colour → headline; a demo takes the one after what it finds"""


@dataclass
class Told:
    """What the summary needs."""

    runs: list[Run]
    releases: list[Release]


@click.command()
@click.option("-p", "--parameter", "assignments", multiple=True, metavar="NAME=VALUE", help="One parameter.")
def demo(assignments: tuple[str, ...]) -> None:
    """Run runbooks 01 to 04 on the sandbox, then push a change and watch it being released."""
    started = time.monotonic()
    told = Told([], [])
    with errors_shown():
        values = _values(assignments)
        prepare()
        running = ensure_up()
        for number in NUMBERS[:-1]:
            told.runs.append(_report(run_with_progress(find_runbook(RUNBOOKS, number), values)))
        told.runs.append(_report(_run_release(values)))
        step = ReleaseRun(Parameters(**values))
        told.releases.append(step.release(step.choose()[0]))
        commit = _push_change(SeedRepository(Parameters(**values)))
        out.print(f"[bold]pushed[/bold] {commit.id[:8]} {commit.message}")
        told.releases.append(_watch(step, commit))
    _summary(step, told, running.page_url, time.monotonic() - started)


def _values(assignments: tuple[str, ...]) -> dict[str, Any]:
    """Raises ParameterError, also for what the demo doesn't do: touch an account."""
    values = parameters(None, assignments)
    require_read([find_runbook(RUNBOOKS, number) for number in NUMBERS], parse_assignments(assignments))
    if values.get("cloud", "sandbox") != "sandbox":
        raise ParameterError(
            "-p cloud", "the demo runs on the sandbox only", "`gbg run 1 2 3 4 -p cloud=aws`"
        )
    return values


def _report(done: Run) -> Run:
    out.print(f"[bold]{done.runbook}[/bold] done in {done.seconds:.0f} s")
    return done


def _run_release(values: dict[str, Any]) -> Run:
    """Runbook 04, with its release stage by stage beside it."""
    board = Board("First release")

    def progress(cell: int, cells: int, heading: str) -> None:
        board.heading = f"04_release: {heading} (cell {cell} of {cells})"

    with live(board), followed(board, Parameters(**values)):
        return run_runbook(find_runbook(RUNBOOKS, "04"), values, runs(), progress)


def _push_change(step: SeedRepository) -> Commit:
    """New colour and text, committed and pushed with git."""

    def edit(work: Path) -> None:
        colour = _look_after(appearance.read(work, "colour"))
        appearance.write(work, colour=colour, headline=LOOKS[colour])

    return step.repository.change(edit, "Give the page a new colour and headline")


def _look_after(colour: str) -> str:
    colours = list(LOOKS)
    return colours[(colours.index(colour) + 1) % len(colours)] if colour in LOOKS else colours[0]


def _watch(step: ReleaseRun, commit: Commit) -> Release:
    execution = step.pipeline.execution_for(commit.id)
    with live(Board("Release of the change")) as board:
        for actions in step.follow(execution.id):
            board.show(actions)
    release = require_succeeded(step.aws, step.release(execution.id))
    step.check(execution.id)
    return release


def _summary(step: ReleaseRun, told: Told, page: str, seconds: float) -> None:
    table = Table("release", "commit", "golden AMI", "seconds", title="Two releases", title_justify="left")
    for number, release in enumerate(told.releases, 1):
        table.add_row(str(number), release.commit[:8], release.image, f"{release.seconds:.0f}")
    out.print()
    out.print(table)
    out.print(f"site       {step.base['SiteUrl']}")
    out.print(f"sandbox    {page}")
    out.print(f"notebooks  {shown(runs())}/ (.ipynb and .html):")
    for run in told.runs:
        out.print(f"           {shown(run.page)}")
    out.print(f"took       {seconds:.0f} s; the sandbox stays up until `./gbg down`")
    sys.stdout.flush()
