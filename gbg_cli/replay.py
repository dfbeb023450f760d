"""`gbg replay`: a run again, from what was recorded of it."""

from __future__ import annotations

from pathlib import Path

import click

from gbg_cli.places import runs as runs_folder
from gbg_cli.run import shown
from gbg_cli.terminal import err, errors_shown, out
from gbg_lib.replay.again import replay as replay_run
from gbg_lib.runner.run import prepare
from gbg_lib.runs import history
from gbg_lib.runs.folder import begun


@click.command()
@click.argument("run")
@click.option(
    "--in", "place", type=click.Path(path_type=Path), help="Folder of runs, when it is not the usual one."
)
@click.option(
    "--notebook", type=click.Path(path_type=Path), help="Another notebook than the run's own: a changed one."
)
@click.option(
    "--to", type=click.Path(path_type=Path), help="Where the replay is kept, when not with the runs."
)
def replay(run: str, place: Path | None, notebook: Path | None, to: Path | None) -> None:
    """Execute a run's notebook again with the replies that it got: no keys, no network, no waits.

    RUN is a run's folder, its name or the end of it, or `last`. What is asked otherwise stops it.
    """
    with errors_shown():
        folder = place or runs_folder()
        source = (
            Path(run) if (Path(run) / "run.json").is_file() else history.find(folder, _recorded(folder, run))
        )
        prepare()
        with err.status(f"replay of {source.name}"):
            done = replay_run(source, to or folder, notebook)
        out.print(
            f"{done.run}: {done.calls} answers in order, nothing else was asked; {done.ended}", markup=False
        )
        out.print(f"replayed: {shown(done.folder)}", markup=False)


def _recorded(folder: Path, word: str) -> str:
    """The last run that is no replay, where the last one is wanted."""
    names = [one.name for one in history.entries(folder) if "replays" not in (begun(folder / one.name) or {})]
    return names[0] if word == "last" and names else word
