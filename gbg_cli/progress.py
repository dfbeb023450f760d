"""`gbg progress`: what a learner has checked and answered."""

from __future__ import annotations

import json

import click
from rich.table import Table

from gbg_cli.terminal import errors_shown, out
from gbg_lib.progress import Progress


@click.command()
@click.option("--learner", default="", help="Whose; by default yours.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object on stdout.")
@click.option("--forget", is_flag=True, help="Begin anew.")
def progress(learner: str, as_json: bool, forget: bool) -> None:
    """Show how far a learner has come in the walkthrough."""
    with errors_shown():
        kept = Progress(learner=learner)
        if forget:
            kept.forget()
        marks = kept.marks()
    if as_json:
        click.echo(json.dumps({"learner": kept.learner, "marks": [vars(mark) for mark in marks]}, indent=2))
        return
    if not marks:
        out.print(f"{kept.learner} has not begun yet: `./gbg lab` opens the first runbook")
        return
    table = Table(
        "task", "result", "tries", "last", title=f"Progress of {kept.learner}", title_justify="left"
    )
    for mark in marks:
        table.add_row(mark.task, mark.result, str(mark.tries), mark.at)
    out.print(table)
