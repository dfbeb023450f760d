"""`gbg demo`: from nothing to two releases, in front of your eyes."""

from __future__ import annotations

import re
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
from rich.live import Live
from rich.table import Table

from gbg_cli.places import RUNBOOKS, runs
from gbg_cli.run import parameters, run_with_progress, shown
from gbg_cli.sandbox import ensure_up
from gbg_cli.terminal import errors_shown, out
from gbg_lib.parameters import Parameters
from gbg_lib.pipeline import Action
from gbg_lib.release import Release, require_succeeded
from gbg_lib.repository import Commit
from gbg_lib.runner import Run, find_runbook, prepare
from gbg_lib.steps import ReleaseRun, SeedRepository

STYLES = {"Succeeded": "green", "Failed": "red", "InProgress": "yellow"}
APPEARANCE = Path("src/main/resources/appearance.properties")
NEW_HEADLINE = "Second release: new colour, new image, new fleet"
NEW_COLOUR = "#7a3e9d"


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
        values = parameters(None, assignments)
        prepare()
        ensure_up()
        for number in ("01", "02", "03", "04"):
            told.runs.append(_runbook(number, values))
        step = ReleaseRun(Parameters(**values))
        told.releases.append(step.release(step.choose()[0]))
        commit = _push_change(SeedRepository(Parameters(**values)))
        out.print(f"[bold]pushed[/bold] {commit.id[:8]} {commit.message}")
        told.releases.append(_watch(step, commit))
    _summary(step, told, time.monotonic() - started)


def _runbook(number: str, values: dict[str, Any]) -> Run:
    path = find_runbook(RUNBOOKS, number)
    done = run_with_progress(path, values)
    out.print(f"[bold]{path.stem}[/bold] done in {done.seconds:.0f} s")
    return done


def _push_change(step: SeedRepository) -> Commit:
    """New colour and text, committed and pushed with git."""

    def edit(work: Path) -> None:
        page = work / APPEARANCE
        text = page.read_text()
        text = re.sub(r"(?m)^headline=.*$", f"headline={NEW_HEADLINE}", text)
        page.write_text(re.sub(r"(?m)^colour=.*$", f"colour={NEW_COLOUR}", text))

    return step.repository.change(edit, "Give the page a new colour and headline")


def _watch(step: ReleaseRun, commit: Commit) -> Release:
    execution = step.pipeline.execution_for(commit.id)
    if out.is_terminal:
        with Live(console=out, refresh_per_second=8, transient=True) as live:
            for actions in step.follow(execution.id):
                live.update(_board(actions))
    else:
        _tell_lines(step, execution.id)
    release = require_succeeded(step.aws, step.release(execution.id))
    step.check(execution.id)
    return release


def _tell_lines(step: ReleaseRun, execution_id: str) -> None:
    """Without a terminal: a line a change."""
    told: dict[str, str] = {}
    for actions in step.follow(execution_id):
        for action in actions:
            if told.get(action.stage) != action.status:
                told[action.stage] = action.status
                out.print(f"  {action.stage}: {action.status}")


def _board(actions: list[Action]) -> Table:
    table = Table("stage", "status", "seconds", "", title="Release of the change", title_justify="left")
    for action in actions:
        style = STYLES.get(action.status, "")
        table.add_row(action.stage, f"[{style}]{action.status}[/]", f"{action.seconds:.0f}", action.summary)
    return table


def _summary(step: ReleaseRun, told: Told, seconds: float) -> None:
    table = Table("release", "commit", "golden AMI", "seconds", title="Two releases", title_justify="left")
    for number, release in enumerate(told.releases, 1):
        table.add_row(str(number), release.commit[:8], release.image, f"{release.seconds:.0f}")
    out.print()
    out.print(table)
    out.print(f"site       {step.base['SiteUrl']}")
    out.print(f"notebooks  {shown(runs())}/ (.ipynb and .html):")
    for run in told.runs:
        out.print(f"           {shown(run.page)}")
    out.print(f"took       {seconds:.0f} s; the sandbox stays up until `./gbg down`")
    sys.stdout.flush()
