"""`gbg runs`: the runs that there were."""

from __future__ import annotations

import json
from pathlib import Path

import click
from rich.markup import escape

from gbg_cli.places import runs as runs_folder
from gbg_cli.terminal import err, errors_shown, out
from gbg_lib.runs import history
from gbg_lib.runs.folder import close_abandoned

PLACE = click.option(
    "--in", "place", type=click.Path(path_type=Path), help="Folder of runs, when it is not the usual one."
)
COLOURS = {"done": "green", "failed": "red", "killed": "red", "interrupted": "yellow"}
BESIDE, LEAST = 34, 10
"""columns of a list of runs that are neither its name nor its reason; the least of a reason"""


@click.group(invoke_without_command=True)
@PLACE
@click.option("--json", "as_json", is_flag=True, help="One JSON line on stdout.")
@click.pass_context
def runs(context: click.Context, place: Path | None, as_json: bool) -> None:
    """List runs, newest first; show, compare and prune them."""
    if context.invoked_subcommand is not None:
        return
    with errors_shown():
        folder = _folder(place)
        entries = history.entries(folder)
        if as_json:
            click.echo(json.dumps([vars(entry) for entry in entries]))
            return
        if not entries:
            err.print(f"no runs in {folder}")
            return
        whole = max(len(one.name) for one in entries)  # a name is there to be typed
        room = max(out.width - whole - BESIDE, LEAST) if out.is_terminal else None
        out.print(f"[bold]{'run':<{whole}}  status       seconds  requests  reason[/]")
        for one in entries:
            status = f"[{COLOURS.get(one.status, 'cyan')}]{one.status:<11}[/]"
            figures = f"{one.seconds:>7.0f}  {one.requests:>8}"
            reason = escape(_cut(one.reason, room))
            out.print(f"{escape(one.name):<{whole}}  {status}  {figures}  {reason}".rstrip())


@runs.command()
@click.argument("run")
@PLACE
@click.option("--json", "as_json", is_flag=True, help="One JSON line on stdout.")
def show(run: str, place: Path | None, as_json: bool) -> None:
    """Everything that is kept of a run: by name, by the end of its name, or `last`."""
    with errors_shown():
        path = history.find(_folder(place), run)
        found = history.facts(path)
        if as_json:
            click.echo(json.dumps(found))
            return
        for name, value in found.items():
            if value in ("", None, {}, []):
                continue
            if isinstance(value, dict):
                out.print(f"[bold]{name}[/bold]")
                for key, item in value.items():
                    out.print(f"  {key}: {item}", markup=False)
            elif isinstance(value, list):
                out.print(f"[bold]{name}[/bold]")
                for item in value:
                    out.print(f"  {_line(item)}", markup=False)
            else:
                out.print(f"[bold]{name}[/bold] {escape(str(value))}")
        out.print(f"[bold]folder[/bold] {path}")


@runs.command()
@click.argument("first")
@click.argument("second")
@PLACE
@click.option("--json", "as_json", is_flag=True, help="One JSON line on stdout.")
def compare(first: str, second: str, place: Path | None, as_json: bool) -> None:
    """What differs between two runs: result, parameters, evidence, requests, packages."""
    with errors_shown():
        folder = _folder(place)
        one, other = history.find(folder, first), history.find(folder, second)
        found = history.compare(one, other)
        if as_json:
            click.echo(json.dumps({"runs": [one.name, other.name], "differ": [vars(it) for it in found]}))
            return
        out.print("nothing differs between" if not found else "what differs between")
        _sides(one.name, other.name)
        for difference in found:
            out.print(f"[bold]{escape(difference.what)}[/bold]")
            _sides(difference.first, difference.second)


@runs.command()
@click.option(
    "--keep", type=click.IntRange(0), default=20, show_default=True, help="So many stay, the newest."
)
@click.option(
    "--older-than", type=click.FloatRange(0), default=30.0, show_default=True, help="Days; newer ones stay."
)
@click.option("--yes", is_flag=True, help="Remove them; by default they are only listed.")
@PLACE
def prune(keep: int, older_than: float, yes: bool, place: Path | None) -> None:
    """Remove the folders of old runs."""
    with errors_shown():
        folder = _folder(place)
        chosen = history.prunable(folder, keep, older_than)
        for entry in chosen:
            out.print(f"{'removed' if yes else 'would remove'} {entry.name} ({entry.status})", markup=False)
        if yes:
            history.prune(folder, chosen)
        elif chosen:
            err.print("nothing was removed; say --yes")
        else:
            err.print("there is none to remove")


def _folder(place: Path | None) -> Path:
    folder = place or runs_folder()
    close_abandoned(folder)
    return folder


def _cut(reason: str, room: int | None) -> str:
    """On a screen a run is one line, however long its reason: `show` has it whole."""
    return reason if room is None or len(reason) <= room else reason[: room - 1] + "…"


def _sides(first: str, second: str) -> None:
    """As diff(1) has it: both are there whole, however wide the screen is."""
    out.print(f"- {first}\n+ {second}", markup=False)


def _line(item: object) -> str:
    if not isinstance(item, dict):
        return str(item)
    return ", ".join(f"{key}: {_line(value)}" for key, value in item.items())
