"""Runs a runbook headless: papermill executes it with our engine, its folder keeps what came of it.

A run's folder is `<runs>/<time>-<runbook>/`; docs/runs.md tells what is in it. Files appear whole or not at
all.
"""

from __future__ import annotations

import gc
import re
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event, Thread
from typing import TYPE_CHECKING, Any, Literal

from gbg_lib.errors import DONE, FAILED, GbgError, Interrupted, MisuseError, ParameterError, RunFailed
from gbg_lib.parameters import RUNNER, Parameters, checked, names_for, names_set, runbooks_of
from gbg_lib.replay import again, tape
from gbg_lib.runner import journal, kernels, whole_files
from gbg_lib.runner.notebook_format import nbformat
from gbg_lib.runner.signals import Stop, heeded
from gbg_lib.runs import environment
from gbg_lib.runs.folder import ENVIRONMENT, Asked, Folder, begin, close_abandoned, now
from gbg_lib.runs.page import Page, render
from gbg_lib.runs.result import GoingOn, Result
from gbg_lib.secret.values import learn_environment, learn_named

if TYPE_CHECKING:
    from gbg_lib.runner.engine import Watch

KERNEL = "python3"
JOBS_FOLDER = "jobs"
"""below the runbooks: those that schedulers start"""
ROOT = Path(__file__).resolve().parents[2]
"""where a runbook's kernel works: there it finds gbg_lib"""
ANSI = re.compile(r"\x1b\[[0-9;]*m")
_loading: list[Thread] = []
_can_start = Event()
"""whether all is loaded that a kernel is started with"""
Progress = Callable[[int, int, str], None]
"""cell number, number of cells, the heading it stands under"""


@dataclass(frozen=True)
class Limits:
    """Of time, in seconds; 0 is none."""

    cell_seconds: float = 0.0
    run_seconds: float = 0.0


@dataclass(frozen=True)
class Run:
    runbook: str
    folder: Path
    seconds: float

    @property
    def notebook(self) -> Path:
        return self.folder / f"{self.runbook}.ipynb"

    @property
    def page(self) -> Path:
        return self.folder / f"{self.runbook}.html"


def find_runbook(folder: Path, word: str) -> Path:
    """A runbook by its number (`1`, `01`), its name (`release`) or its file. Raises MisuseError.

    A file's path is whole: a scheduler, and who goes on after the run, start elsewhere.
    """
    known = sorted(folder.glob("[0-9][0-9]_*.ipynb"))
    wanted = word.removesuffix(".ipynb")
    for path in known:
        number, _, name = path.stem.partition("_")
        if wanted in (number, str(int(number)), name, path.stem, name.replace("_", "-")):
            return path
    jobs = sorted((folder / JOBS_FOLDER).glob("*.ipynb"))
    for path in jobs:
        if wanted.replace("-", "_") == path.stem:
            return path
    if Path(word).is_file():
        return Path(word).resolve()
    names = ", ".join(path.stem for path in [*known, *jobs])
    raise MisuseError("runbook", f"there is no runbook {word!r}", f"one of {names}")


def run(
    path: Path,
    values: Mapping[str, Any],
    runs: Path,
    progress: Progress = lambda *_: None,
    ended: Callable[[Path], None] = lambda _: None,
    *,
    limits: Limits | None = None,
    stop: Stop | None = None,
    asked: Asked | None = None,
    replies: Path | None = None,
) -> Run:
    """Execute one runbook with those of the values that it reads; `ended` is called with its closed folder.

    With `replies`, those of a former run, it asks nobody else (gbg_lib.replay.again).
    Raises RunFailed with the cell's error, Interrupted or TimedOut when it was stopped; the folder is closed
    anyway. A run that was killed before is closed first.
    """
    stop = stop or Stop()
    stop.require_going_on()
    close_abandoned(runs)
    names, given = names_in(path), given_to(path, values)
    learn_environment()
    learn_named(given)
    resolved = checked(given, "parameters").model_dump(include=set(names))
    with heeded(stop):
        try:
            folder = begin(runs, path, given, resolved, asked or Asked())
        except OSError as error:
            raise _unkept(f"no run can be kept in {runs}", error) from error
        work = _Work(path, folder, progress, limits or Limits(), stop, replies)
        failure = work.close(work.execute(given))
        ended(folder.path)
    if failure is not None:
        raise failure
    return Run(folder.runbook, folder.path, work.seconds)


def prepare() -> None:
    """Load, while the caller does something else, what runs need: a process that forks kernels, papermill."""
    kernels.prepare()
    if not _loading:
        _loading.append(Thread(target=_load, name="loading papermill", daemon=True))
        _loading[0].start()


def _load() -> None:
    """What starts a kernel first; what makes pages is loaded while the kernel starts."""
    try:
        try:
            import papermill.execute  # noqa: F401
        finally:
            _can_start.set()
        render(ONE_CELL, "")  # templates are compiled once, and what colours code is loaded
    finally:
        gc.freeze()
        gc.enable()


def names_in(path: Path) -> list[str]:
    """The parameters that a notebook reads: what its parameters cell sets. Raises MisuseError."""
    try:
        notebook = nbformat.read(path, as_version=4)
    except (nbformat.reader.NotJSONError, nbformat.validator.NotebookValidationError) as error:
        raise MisuseError(str(path), "it is no notebook", "name a runbook or an .ipynb file") from error
    cells = [cell for cell in notebook.cells if "parameters" in cell.metadata.get("tags", [])]
    return [name for cell in cells for name in names_set(cell.source)]


def given_to(path: Path, values: Mapping[str, Any]) -> dict[str, Any]:
    """Those of the values that a notebook reads. Raises MisuseError."""
    names = names_in(path)
    return {name: value for name, value in values.items() if name in names}


def require_read(paths: Iterable[Path], names: Iterable[str]) -> None:
    """That each of the parameters is read by a notebook of the run. Raises ParameterError."""
    read = {name for path in paths for name in names_in(path)} | set(names_for(RUNNER))
    for name in names:
        if name not in read:
            by = ", ".join(runbooks_of(Parameters.model_fields[name]))
            raise ParameterError("-p", f"no runbook of this run reads {name}", f"it is read by {by}")


@dataclass
class _Work:
    """One run while it goes on."""

    path: Path
    folder: Folder
    progress: Progress
    limits: Limits
    stop: Stop
    replies: Path | None = None
    """of a former run, to be heard instead of AWS"""
    heading: str = ""
    cell: int = 0
    """the code cell that was begun last, counted from 1 over all cells"""
    started: str = field(default_factory=now)
    began: float = field(default_factory=time.monotonic)
    watch: Watch | None = None
    seconds: float = 0.0
    """from begin to end, once it is closed"""
    unlocked: Exception | None = None
    """why the environment lock is not there"""

    def execute(self, given: Mapping[str, Any]) -> GbgError | None:
        """Why it failed, if it did."""
        if _loading:
            _can_start.wait()  # two threads that import the same packages trip over each other
        import papermill  # noqa: F401  # first: it loads the engine as an entry point

        from gbg_lib.runner.engine import Watch, register

        register()
        page = Page(self.folder.page, self.folder.runbook)
        locked = Thread(target=self._lock_environment, name="environment lock")
        locked.start()
        self.watch = Watch(
            stop=self.stop,
            journal=self.folder.journal,
            progress=self._told,
            saved=page.show,
            variables=self._variables(),
            replays=self.replies is not None,
            after_cell=self._require_the_same,
            cell_seconds=self.limits.cell_seconds,
            run_seconds=self.limits.run_seconds,
        )
        failure = self._executed(given)
        if failure is None:
            self.heading, self.cell = "", 0  # what fails from here on is none of its cells
        locked.join()
        if self.unlocked is not None:
            failure = failure or self._failed(self.unlocked)
        try:
            page.close(self.folder.notebook.read_text() if self.folder.notebook.exists() else EMPTY)
        except Exception as error:
            return failure or self._failed(error)
        return failure

    def _executed(self, given: Mapping[str, Any]) -> GbgError | None:
        from papermill.exceptions import PapermillExecutionError
        from papermill.execute import execute_notebook

        from gbg_lib.runner.engine import ENGINE

        try:
            execute_notebook(
                str(self.path),
                str(self.folder.notebook),
                parameters=dict(given),
                kernel_name=KERNEL,
                language="python",
                progress_bar=False,
                log_output=False,
                cwd=str(ROOT),
                engine_name=ENGINE,
                gbg_watch=self.watch,
            )
        except PapermillExecutionError as error:
            return self.stop.wish or self._failure(error.ename, error.evalue)
        except GbgError as error:
            return error
        except Exception as error:  # a kernel that died, a disk that is full: the record has to tell
            return self._failed(error)
        return None

    def close(self, failure: GbgError | None) -> GbgError | None:
        """Write the result. Why the run failed, if it did: also when that can't be written."""
        self.seconds = time.monotonic() - self.began
        try:
            self._result(failure).write(self.folder.path)
        except OSError as error:
            said = f"{failure.what}; " if failure else ""
            return _unkept(f"{said}the result can't be written to {self.folder.path}", error)
        return failure

    def _result(self, failure: GbgError | None) -> Result:
        entries = journal.read(self.folder.journal)
        going_on = self.watch.in_flight if self.watch else []
        return Result(
            version=1,
            run=self.folder.path.name,
            runbook=self.folder.runbook,
            status=status_of(failure),
            exit_status=failure.exit_status if failure else DONE,  # type: ignore[arg-type]
            error=class_of(failure),
            cell=self.cell if failure else 0,
            where=failure.where if failure else "",
            what=failure.what if failure else "",
            try_this=failure.try_this if failure else "",
            started=self.started,
            ended=now(),
            seconds=round(self.seconds, 1),
            requests=journal.requests(entries),
            going_on=[GoingOn(one.what, one.follow, one.stop) for one in going_on],
            replies=tape.digest(self.folder.path / tape.FILE),
        )

    def _variables(self) -> dict[str, str]:
        """For the kernel: where its replies are kept, or from where they come."""
        if self.replies is not None:
            return again.variables(self.replies, self.folder.path)
        tape.start(self.folder.path / tape.FILE, self.folder.runbook)
        return {tape.VARIABLE: str(self.folder.path / tape.FILE)}

    def _require_the_same(self) -> None:
        if self.replies is not None:
            tape.require_the_same(journal.read(self.folder.journal))

    def _told(self, cell: int, cells: int, heading: str) -> None:
        self.heading, self.cell = heading, cell
        self.progress(cell, cells, heading)

    def _lock_environment(self) -> None:
        try:
            whole_files.write(self.folder.path / ENVIRONMENT, environment.lock())
        except Exception as error:
            self.unlocked = error

    def _failed(self, error: Exception) -> RunFailed:
        failure = self._failure(type(error).__name__, str(error))
        failure.__cause__ = error
        return failure

    def _failure(self, name: str, said: str) -> RunFailed:
        """An error of ours keeps its parts and exit status, as the kernel told them; another is named."""
        where = f"runbook {self.path.stem}" + (f", {self.heading}" if self.heading else "")
        errors = [one for one in journal.read(self.folder.journal) if one["kind"] == journal.ERROR]
        if errors and errors[-1]["name"] == name:
            told = errors[-1]
            what = f"{told['where']}: {told['what']}"
            return RunFailed(where, what, told["try"], told["exit_status"], name)
        what = f"{name}: {ANSI.sub('', said).strip()}".removesuffix(": ")
        return RunFailed(where, what, f"open {self.folder.notebook}", FAILED, name)


def _unkept(what: str, error: OSError) -> RunFailed:
    reason = error.strerror or type(error).__name__
    return RunFailed(
        "runs", f"{what}: {reason}", "make room, or name another folder: --to, $GBG_RUNS", FAILED, "OSError"
    )


def status_of(failure: GbgError | None) -> Literal["done", "explained", "failed", "interrupted"]:
    """What a run's end is called in its result."""
    if failure is None:
        return "done"
    if failure.exit_status == DONE:
        return "explained"
    return "interrupted" if isinstance(failure, Interrupted) else "failed"


def class_of(failure: GbgError | None) -> str:
    """What stopped a run, by its class: inside of a RunFailed is the cell's own error."""
    if failure is None:
        return ""
    return (isinstance(failure, RunFailed) and failure.error) or type(failure).__name__


EMPTY = nbformat.v4.writes(nbformat.v4.new_notebook())
ONE_CELL = nbformat.v4.writes(
    nbformat.v4.new_notebook(
        cells=[nbformat.v4.new_code_cell("0")],
        metadata={"language_info": {"name": "python", "pygments_lexer": "ipython3"}},
    )
)
