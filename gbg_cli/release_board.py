"""A release stage by stage: a board that changes in place on a terminal, a line a change elsewhere."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Group
from rich.live import Live
from rich.table import Table

from gbg_cli.terminal import out
from gbg_lib.errors import GbgError
from gbg_lib.parameters import Parameters
from gbg_lib.pipeline import Action
from gbg_lib.steps import ReleaseRun

STYLES = {"Succeeded": "green", "Failed": "red", "InProgress": "yellow"}
LOOK_SECONDS = 0.5


class Board:
    """What is known of a release; rich asks it for its table."""

    def __init__(self, title: str) -> None:
        self.title = title
        self.heading = ""
        self._actions: list[Action] = []
        self._told: dict[str, str] = {}

    def show(self, actions: list[Action]) -> None:
        self._actions = actions
        if out.is_terminal:
            return
        for action in actions:
            if self._told.get(action.label) != action.status:
                self._told[action.label] = action.status
                out.print(f"  {action.label}: {action.status}")

    def __rich__(self) -> Group:
        table = Table("stage", "status", "seconds", "", title=self.title, title_justify="left")
        for action in self._actions:
            style = STYLES.get(action.status, "")
            table.add_row(
                action.label, f"[{style}]{action.status}[/]", f"{action.seconds:.0f}", action.summary
            )
        return Group(*([table] if self._actions else []), self.heading)


@contextmanager
def live(board: Board) -> Iterator[Board]:
    """The board on the terminal while the block runs; nothing where there is none."""
    if not out.is_terminal:
        yield board
        return
    with Live(board, console=out, refresh_per_second=8, transient=True):
        yield board


@contextmanager
def followed(board: Board, parameters: Parameters) -> Iterator[None]:
    """Shows the release that begins while the block runs: a thread beside it reads the pipeline."""
    over = threading.Event()
    reader = threading.Thread(target=_read, args=(board, parameters, over), name="release board", daemon=True)
    reader.start()
    try:
        yield
    finally:
        over.set()
        reader.join()


def _read(board: Board, parameters: Parameters, over: threading.Event) -> None:
    step = ReleaseRun(parameters)
    while True:
        ending = over.wait(LOOK_SECONDS)
        try:
            newest = next(iter(step.pipeline.executions()), None)
            if newest is not None:
                board.show(step.pipeline.actions(newest.id))
        except GbgError as error:
            board.heading = str(error)
        if ending:
            return
