"""`gbg run`: runbooks headless, with progress a heading at a time."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import click

from gbg_cli import early
from gbg_cli.places import PARAMETERS, RUNBOOKS, bucket, runs
from gbg_cli.terminal import err, errors_shown, out, show_error
from gbg_lib.errors import DONE, FAILED, INTERRUPTED, LOCKED, MISUSE, REFUSED, MisuseError, NotDelivered
from gbg_lib.parameters import checked, load_file, parse_assignments
from gbg_lib.runner import outputs
from gbg_lib.runner.afterwards import OUTPUTS, Afterwards
from gbg_lib.runner.in_flight import InFlight
from gbg_lib.runner.run import Limits, Run, find_runbook, given_to, prepare, require_read
from gbg_lib.runner.run import run as run_runbook
from gbg_lib.runner.signals import Stop, heeded
from gbg_lib.runs import history, result, resume
from gbg_lib.runs.folder import Asked, close_abandoned
from gbg_lib.secret.masking import MASK
from gbg_lib.secret.values import masking


class OneLine(click.Command):
    """With --json it tells its one line also when its words can't be meant."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        words = list(args)
        try:
            return super().parse_args(ctx, args)
        except click.UsageError as error:
            if "--json" in words:
                click.echo(line(MISUSE, error.format_message(), []))
            raise


@click.command(cls=OneLine)
@click.argument("runbooks", nargs=-1, metavar="RUNBOOK...")
@click.option(
    "-f", "--file", "file", type=click.Path(path_type=Path), help="Parameters file of an environment."
)
@click.option("-p", "--parameter", "assignments", multiple=True, metavar="NAME=VALUE", help="One parameter.")
@click.option("--to", metavar="FOLDER|S3", help="Where runs are kept: a folder, or s3://bucket/prefix.")
@click.option("--explain", is_flag=True, help="Show what would be done, and do nothing.")
@click.option("--resume", metavar="RUN", help="Go on after a run: what AWS shows to be done is skipped.")
@click.option("--minutes", type=click.FloatRange(0), default=0, help="Time limit of each run; 0 is none.")
@click.option("--cell-minutes", type=click.FloatRange(0), default=0, help="Time limit of a cell; 0 is none.")
@click.option("--json", "as_json", is_flag=True, help="One JSON line on stdout.")
def run(
    runbooks: Sequence[str],
    file: Path | None,
    assignments: Sequence[str],
    to: str | None,
    explain: bool,
    resume: str | None,
    minutes: float,
    cell_minutes: float,
    as_json: bool,
) -> None:
    """Run runbooks by number or name, one after the other."""
    stop = Stop()
    with reported(as_json, stop) as ended:
        assignments = [*assignments, *(["explain=true"] if explain else [])]
        former = _former(_folder(to), resume, runbooks)
        if former is None:
            values = parameters(file, assignments)
            plan = tuple(find_runbook(RUNBOOKS, word) for word in runbooks)
        else:
            values = over(former, file, assignments)
            plan = former.plan
        require_read(plan, parse_assignments(assignments))
        afterwards = Afterwards(checked(values, "parameters"), _bucket(to))
        prepare()
        if values.get("cloud", "sandbox") == "sandbox" and not _reads_only(plan, values, to):
            from gbg_cli.sandbox import ensure_up  # on AWS there is none

            ensure_up()
        Series(
            former.name if former else "",
            plan,
            values,
            Limits(cell_minutes * 60, minutes * 60),
            _folder(to),
            ended,
            afterwards,
            stop,
            resumes=former is not None,
        ).run(as_json=as_json)


def _reads_only(plan: Sequence[Path], values: Mapping[str, Any], to: str | None) -> bool:
    """Whether nothing is asked of any cloud: a record that is here is read, and nobody is told."""
    reads = all(path.stem.startswith(READING) for path in plan)
    fetched = str(values.get("record", "")).startswith("s3://")
    return reads and not fetched and not values.get("notify") and not _bucket(to)


@dataclass
class Series:
    """The runbooks that were asked for, one after the other."""

    name: str
    """of the first run; empty before there is one"""
    plan: tuple[Path, ...]
    values: Mapping[str, Any]
    limits: Limits
    folder: Path
    ended: list[Path]
    """folders of the runs that ended"""
    afterwards: Afterwards
    stop: Stop = field(default_factory=Stop)
    resumes: bool = False
    """whether it goes on after another: what is done is skipped"""

    def run(self, *, as_json: bool) -> None:
        for path in self.plan:
            self.stop.require_going_on()
            if not (self.resumes and self._is_done(path)):
                done = self._one(path)
                if not as_json:
                    out.print(f"{path.stem} done in {done.seconds:.0f} s: {shown(done.notebook)}")

    def _one(self, path: Path) -> Run:
        asked = Asked(self.name, self.plan, self.values, resume.inputs(path, given_to(path, self.values)))
        with told(self.afterwards):
            done = run_with_progress(
                path, self.values, self.folder, self._closed, limits=self.limits, stop=self.stop, asked=asked
            )
        self.name = self.name or done.folder.name
        return done

    def _closed(self, folder: Path) -> None:
        self.ended.append(folder)
        for one in (result.read(folder) or {}).get("going_on", []):
            err.print(InFlight(**one).sentence, markup=False)
        self.afterwards(folder)

    def _is_done(self, path: Path) -> bool:
        """Tells what was decided, and on which evidence."""
        given = given_to(path, self.values)
        decided = resume.decide(self.folder, self.name, path, given, resume.look_with())
        err.print(f"{decided.runbook}: {WORDS[decided.action]}: {decided.reason}", markup=False)
        for one in decided.comparisons:
            sign = "=" if one.same else "≠"
            err.print(f"  {one.name}: recorded {one.recorded} {sign} live {one.live}", markup=False)
        return decided.action == "skip"


READING = "06_"
"""begins the name of the runbook that only reads"""
ENDS = {DONE: "done", INTERRUPTED: "interrupted", LOCKED: "locked", REFUSED: "refused", MISUSE: "misuse"}
WORDS = {"skip": "skipped", "again": "done again", "first": "done now"}


@contextmanager
def reported(as_json: bool, stop: Stop) -> Iterator[list[Path]]:
    """Signals heeded, errors shown, and the right exit status.

    With `as_json` a line is told in every ending but SIGKILL's, with the folders that were added.
    """
    folders: list[Path] = []
    told: list[int] = []

    def tell(status: int, what: str, say: Callable[[str], object] = click.echo) -> None:
        if as_json and not told:
            told.append(status)
            say(line(status, what, folders))

    def say_at_once(text: str) -> None:
        """Inside of a signal's handler, whatever the interrupted code was about to write."""
        os.write(1, f"{text}\n".encode())

    stop.last_words = lambda: tell(INTERRUPTED, "ended at once by a second signal", say_at_once)
    early.over()
    with heeded(stop):
        try:
            with errors_shown():
                yield folders
        except SystemExit as ended:
            tell(ended.code if isinstance(ended.code, int) else DONE, _reason(ended.__context__))
            raise
        except BaseException as error:
            tell(FAILED, f"{type(error).__name__}: {error}")
            raise
        tell(DONE, "")


def line(status: int, what: str, folders: Sequence[Path]) -> str:
    """What `--json` tells: how it ended, and the result of each run."""
    found = [told for folder in folders if (told := result.read(folder))]
    explained = status == DONE and any(one["status"] == "explained" for one in found)
    word = "explained" if explained else ENDS.get(status, "failed")
    return json.dumps(masking().value({"status": word, "exit_status": status, "what": what, "runs": found}))


def _reason(failure: BaseException | None) -> str:
    return str(failure).partition("\n")[0] if failure else ""


def _former(folder: Path, name: str | None, runbooks: Sequence[str]) -> resume.Series | None:
    """Raises MisuseError."""
    if name is None and not runbooks:
        raise MisuseError("run", "no runbook is named", "`gbg run 1`, or `gbg run --resume RUN`")
    if name is not None and runbooks:
        raise MisuseError("--resume", "it knows its runbooks by itself", f"`gbg run --resume {name}`")
    if name is None:
        return None
    close_abandoned(folder)
    found = history.find(folder, name).name
    former = resume.series_of(folder, found)
    if name == "last" and former.values.get("confirm"):
        what = f"the newest run is {found}, which was told to remove {former.values['confirm']}"
        raise MisuseError("--resume last", what, f"`gbg run --resume {found}`, where that is meant")
    return former


def over(former: resume.Series, file: Path | None, assignments: Sequence[str]) -> dict[str, Any]:
    """The former run's parameters, and over them what is given now; what was hidden is not kept."""
    kept = {name: value for name, value in former.values.items() if MASK not in str(value)}
    values = kept | (load_file(file) if file else {}) | parse_assignments(assignments)
    for name in sorted(former.values.keys() - values.keys()):
        err.print(f"{name} is secret and was not kept; where it is wanted: -p {name}=…")
    checked(values, "parameters")
    return values


def parameters(file: Path | None, assignments: Sequence[str]) -> dict[str, Any]:
    """File first, then single values over it. Raises ParameterError, MisuseError."""
    values = load_file(file or PARAMETERS / "sandbox.yaml") | parse_assignments(assignments)
    checked(values, "parameters")
    return values


@contextmanager
def told(afterwards: Afterwards) -> Iterator[None]:
    """Shows what of a run did not arrive, also when the run failed.

    Of a run that had not failed it raises NotDelivered when the outputs did not arrive.
    """
    try:
        yield
    except BaseException:
        _show(afterwards.failures)
        raise
    _show(failure for failure in afterwards.failures if failure.where != OUTPUTS)
    afterwards.require_kept()


def _show(failures: Iterable[NotDelivered]) -> None:
    for failure in failures:
        show_error(failure.where, failure.what, failure.try_this)


def _folder(to: str | None) -> Path:
    return runs() if to is None or outputs.is_bucket(to) else Path(to)


def _bucket(to: str | None) -> outputs.Bucket | None:
    if to is None:
        return bucket()
    return outputs.parse(to) if outputs.is_bucket(to) else None


def run_with_progress(
    path: Path,
    values: Mapping[str, Any],
    folder: Path | None = None,
    ended: Callable[[Path], None] = lambda _: None,
    **more: Any,
) -> Run:
    """Run one runbook; tells on stderr which heading it is at."""
    with err.status(f"{path.stem}") as shown_status:

        def progress(cell: int, cells: int, heading: str) -> None:
            shown_status.update(f"{path.stem}: {heading} (cell {cell} of {cells})")

        return run_runbook(path, values, folder or runs(), progress, ended, **more)


def shown(path: Path) -> str:
    """A path as short as it can be told."""
    return str(path.relative_to(Path.cwd())) if path.is_relative_to(Path.cwd()) else str(path)
