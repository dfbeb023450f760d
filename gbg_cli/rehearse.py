"""`gbg rehearse`: a recorded release again, on a sandbox of its own, compared with its record."""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click
from rich.status import Status
from rich.table import Table
from rich.text import Text

from gbg_cli.places import home
from gbg_cli.programs import require_programs
from gbg_cli.run import parameters, shown
from gbg_cli.terminal import FAILURE, err, out, show_error
from gbg_lib.aws import open_aws
from gbg_lib.errors import DONE, INTERRUPTED, MISUSE, GbgError, Interrupted
from gbg_lib.parameters import Parameters, checked
from gbg_lib.record.reading import Read, read
from gbg_lib.record.store import records
from gbg_lib.rehearsal.change import changed
from gbg_lib.rehearsal.library import former_of, library
from gbg_lib.rehearsal.outcome import Outcome, folder_for, keep, outcome
from gbg_lib.rehearsal.plan import Offer, Plan, plan
from gbg_lib.rehearsal.rehearse import Rehearsal
from gbg_lib.rehearsal.report import Section, headline, sections
from gbg_lib.rehearsal.trust import require_trusted
from gbg_sandbox.home import Home, SandboxError, remove_tree

ENDS = {MISUSE: "misuse", INTERRUPTED: "interrupted"}
ACCOUNT, REGION = "123456789012", "us-east-1"
DIVERGED = FAILURE


@click.command()
@click.argument("record", metavar="RECORD")
@click.option("--what-if", "what_if", metavar="NAME=VALUE", default="",
              help="Change one input: app=COMMIT, image=RECORD, fault=NAME, or a parameter.")  # fmt: skip
@click.option("--keep", "kept", is_flag=True, help="Leave the rehearsal's sandbox up, to look into it.")
@click.option("--trust", is_flag=True, help="Run a stranger's record whose functions are not this project's.")
@click.option("--scale", type=click.FloatRange(min=0.1), default=60.0, show_default=True,
              help="AWS seconds that pass in one real second, for waits only.")  # fmt: skip
@click.option(
    "-f", "--file", "file", type=click.Path(path_type=Path), help="Parameters file: whose records, and where."
)
@click.option("-p", "--parameter", "assignments", multiple=True, metavar="NAME=VALUE", help="One parameter.")
@click.option("--json", "as_json", is_flag=True, help="One JSON line on stdout.")
def rehearse(
    record: str,
    what_if: str,
    kept: bool,
    trust: bool,
    scale: float,
    file: Path | None,
    assignments: tuple[str, ...],
    as_json: bool,
) -> None:
    """Run a recorded release again on a fresh sandbox, and compare the two step by step.

    RECORD is an execution id, a record's path or s3:// address, `newest`, or the `example`.
    """
    with ended(as_json):
        planned, found = prepared(record, what_if, parameters(file, assignments))
        if not trust:
            require_trusted(planned, found.path, records())
        with sandbox(kept, scale) as say:
            made = performed(planned, found, say, scale)
        told(made, as_json)
    sys.exit(DONE if made.comparison.same else DIVERGED)


def prepared(record: str, what_if: str, values: dict[str, Any]) -> tuple[Plan, Read]:
    """All that can be refused before anything is started. Raises MisuseError, RecordError."""
    found = read(checked({**values, "record": record}, "record"))
    offer = offered()
    planned = plan(found.archive, former_of(found), offer)
    if what_if:
        planned = changed(planned, what_if, library(found), offer)
    return planned, found


def offered() -> Offer:
    """What a sandbox of this project has."""
    from gbg_sandbox.machines import catalogue

    return Offer(ACCOUNT, REGION, catalogue.load().releases)


def performed(planned: Plan, found: Read, say: Callable[[str], None], scale: float) -> Outcome:
    began = time.monotonic()
    folder = folder_for(records(), planned, datetime.now(UTC))
    rehearsal = Rehearsal(planned, open_aws(Parameters()), folder, scale)
    for words in rehearsal.set_up():
        if words:
            say(words)
    say("the release")
    for actions in rehearsal.release():
        if actions:
            say(f"the release: {actions[-1].stage} {actions[-1].status}")
    say("recording and comparing")
    path = rehearsal.record()
    return outcome(planned, folder, found.archive, path, time.monotonic() - began)


@contextmanager
def sandbox(kept: bool, scale: float) -> Iterator[Callable[[str], None]]:
    """A sandbox in a folder of its own; gone afterwards, unless it is to be kept."""
    require_programs()
    own = Home(home() / "rehearsals" / f"{datetime.now(UTC):%Y%m%dT%H%M%SZ}-{os.getpid()}")
    former = os.environ.get("GBG_HOME")
    heard = Signals()
    with signalled(heard), err.status("a fresh sandbox") as status:
        try:
            own.up(scale=scale)  # half started it is nobody's: a signal waits until it is up
            os.environ["GBG_HOME"] = str(own.folder)
            heard.obey()
            yield lambda words: _say(words, status, heard)
            heard.check()
        finally:
            heard.ignore()
            _back(former)
            _close(own, kept)


def _say(words: str, status: Status, heard: Signals) -> None:
    """In place where a person looks on, else a line each."""
    heard.check()
    if err.is_terminal:
        status.update(Text(words))
    else:
        err.print(Text(words))


def _back(former: str | None) -> None:
    if former is None:
        os.environ.pop("GBG_HOME", None)
    else:
        os.environ["GBG_HOME"] = former


def _close(own: Home, kept: bool) -> None:
    running = own.running()
    if kept and running is not None:
        err.print(f"the sandbox stays up: {running.page_url}", markup=False)
        err.print(f"  GBG_HOME={shown(own.folder)} ./gbg status, and down when you are done", markup=False)
        return
    own.down()
    remove_tree(own.folder)


SIGNALS = (signal.SIGINT, signal.SIGTERM)


class Signals:
    """A signal ends a rehearsal as an error does: the sandbox goes with it.

    One handler all the way: between two, a signal is lost.
    """

    def __init__(self) -> None:
        self._number = 0
        self._obeys = False

    def __call__(self, number: int, _: object) -> None:
        self._number = self._number or number
        self.check()

    def check(self) -> None:
        """Raises Interrupted for one that came before, or that someone took for an error of a step."""
        if self._obeys and self._number:
            name = signal.Signals(self._number).name
            raise Interrupted("rehearse", f"interrupted by {name}", "start it again")

    def obey(self) -> None:
        self._obeys = True
        self.check()

    def ignore(self) -> None:
        self._obeys = False


@contextmanager
def signalled(handler: Callable[[int, object], None]) -> Iterator[None]:
    before = {number: signal.signal(number, handler) for number in SIGNALS}
    try:
        yield
    finally:
        for number, former in before.items():
            signal.signal(number, former)


@contextmanager
def ended(as_json: bool) -> Iterator[None]:
    """Errors shown, and told in a line where that is asked for; the status says which kind it was."""
    try:
        yield
    except (GbgError, SandboxError) as error:
        where = error.where if isinstance(error, GbgError) else "sandbox"
        status = error.exit_status if isinstance(error, GbgError) else FAILURE
        show_error(where, error.what, error.try_this)
        if as_json:
            line = {
                "status": ENDS.get(status, "failed"),
                "exit_status": status,
                "where": where,
                "what": error.what,
            }
            click.echo(json.dumps({**line, "try": error.try_this}))
        sys.exit(status)


def told(made: Outcome, as_json: bool) -> None:
    from gbg_lib.views.rehearsal import write_pages  # draws; nothing before needs it

    keep(made)
    pages = write_pages(made)
    if as_json:
        status = DONE if made.comparison.same else DIVERGED
        click.echo(json.dumps({**made.told, "exit_status": status, "pages": [str(one) for one in pages]}))
        return
    for section in sections(made):
        _show(section)
    colour = "bold green" if made.comparison.same else "bold yellow"
    out.print(Text(headline(made), style=colour))
    out.print(f"pages  {shown(pages[0])}, {pages[1].name}", markup=False)


def _show(section: Section) -> None:
    out.print(Text(section.heading, style="bold"))
    if section.words:
        out.print(Text(section.words))
    if section.rows:
        table = Table(show_header=any(section.columns), box=None, padding=(0, 2, 0, 0))
        for column in section.columns:
            table.add_column(column, overflow="fold")
        for row in section.rows:
            table.add_row(*map(Text, row))
        out.print(table)
    out.print()
