"""The papermill engine of this project: what `gbg run` and `papermill --engine gbg` have in common.

Parameters are checked before a kernel starts. What is written is masked, and whole or not at all. A signal,
or a time that is over, closes the notebook and tells what goes on in AWS without it.
"""

from __future__ import annotations

import os
import signal
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from jupyter_core.utils import run_sync
from nbclient.exceptions import CellExecutionError
from papermill.clientwrap import PapermillNotebookClient
from papermill.engines import NBClientEngine, NotebookExecutionManager, papermill_engines
from papermill.iorw import papermill_io
from papermill.log import logger

from gbg_lib.errors import Explained, GbgError, Interrupted, RunFailed, TimedOut
from gbg_lib.runner import journal, whole_files
from gbg_lib.runner.given import require_known
from gbg_lib.runner.in_flight import InFlight, told_in_time
from gbg_lib.runner.kernel_manager import KERNEL_CONFIG, KERNEL_WORDS, ForkedKernelManager
from gbg_lib.runner.notebook_format import nbformat
from gbg_lib.runner.notebook_text import NotebookText
from gbg_lib.runner.signals import Stop, heeded
from gbg_lib.secret.values import learn_environment, learn_named, masking

ENGINE = "gbg"
MODE, SCHEDULED = "GBG_MODE", "scheduled"
"""what a runbook's banner says of how it runs"""
METADATA = "gbg"
"""where a notebook's metadata tells how its run ended"""


@dataclass
class Watch:
    """What a runner wants of the engine, and gets."""

    stop: Stop = field(default_factory=Stop)
    journal: Path | None = None
    progress: Callable[[int, int, str], None] = lambda *_: None
    """cell number, number of cells, the heading it stands under: before each code cell"""
    saved: Callable[[str], None] = lambda _: None
    """the notebook's text, each time it was written"""
    replays: bool = False
    """whether the kernel hears a recorded run, and not AWS"""
    cell_seconds: float = 0.0
    """time limits; 0 is none"""
    run_seconds: float = 0.0
    variables: Mapping[str, str] = field(default_factory=dict)
    """of the kernel's environment, over those that are there"""
    after_cell: Callable[[], None] = lambda: None
    """may raise what stops the run"""
    in_flight: list[InFlight] = field(default_factory=list)
    """after an interruption: what goes on in AWS"""


class Notebook(NotebookExecutionManager):  # type: ignore[misc]
    """The notebook of a run: says how far it is, and is saved whole and masked."""

    watch: Watch
    page: whole_files.NotebookFile
    text: NotebookText
    holds: bool = False
    """whether a save is left to the next, which follows at once"""

    def cell_start(self, cell: Any, cell_index: int | None = None, **more: Any) -> None:
        if cell.cell_type == "code" and cell_index is not None:
            cells = self.nb.cells
            self.watch.progress(cell_index + 1, len(cells), heading_of(cells, cell_index))
        self.holds = cell.cell_type != "code"
        super().cell_start(cell, cell_index, **more)

    def cell_complete(self, cell: Any, cell_index: int | None = None, **more: Any) -> None:
        """A cell that went well is saved with the start of the next."""
        failed = cell.metadata.papermill["status"] == self.FAILED
        self.holds = not failed and self.watch.stop.wish is None and cell is not self.nb.cells[-1]
        super().cell_complete(cell, cell_index, **more)
        self.holds = False

    def save(self, **_: Any) -> None:
        if self.holds:
            return
        if self.output_path:
            text = self.text.of(self.nb)
            self.page.put(text, self.output_path)
            self.watch.saved(text)
        self.last_save_time = self.now()

    def notebook_complete(self, **more: Any) -> None:
        """A cell that never ran is not completed, whatever papermill thinks of it."""
        pending = [cell for cell in self.nb.cells if cell.metadata.papermill["status"] == self.PENDING]
        stopped = self.watch.stop.wish is not None or self.nb.metadata.papermill["exception"]
        super().notebook_complete(**more)
        if stopped:
            for cell in pending:
                cell.metadata.papermill["status"] = self.PENDING
            self.save()


class Client(PapermillNotebookClient):  # type: ignore[misc]
    def __init__(self, nb_man: Notebook, watch: Watch, **kwargs: Any) -> None:
        super().__init__(nb_man, **kwargs)
        self.watch = watch

    async def async_start_new_kernel(self, **kwargs: Any) -> None:
        environment = {MODE: SCHEDULED, **os.environ, **self.watch.variables}
        if self.watch.journal is not None:
            environment[journal.VARIABLE] = str(self.watch.journal)
        await super().async_start_new_kernel(env=environment, **kwargs)
        process = self.km.provisioner.process
        self.watch.stop.interrupt = lambda: process.send_signal(signal.SIGINT)
        self.watch.stop.kill = process.kill

    start_new_kernel = run_sync(async_start_new_kernel)

    def papermill_execute_cells(self) -> None:
        for index, cell in enumerate(self.nb.cells):
            self.watch.stop.require_going_on()
            limit = self._limit(index, cell)
            try:
                self.nb_man.cell_start(cell, index)
                self.execute_cell(cell, index)
                self.watch.after_cell()
            except CellExecutionError as error:
                self.nb_man.cell_exception(self.nb.cells[index], cell_index=index, exception=error)
                break
            except BaseException as error:  # a kernel that died, too: no cell is done that did not end
                self.nb_man.cell_exception(self.nb.cells[index], cell_index=index, exception=error)
                raise
            finally:
                if limit is not None:
                    limit.cancel()
                self.nb_man.cell_complete(self.nb.cells[index], cell_index=index)
        self.watch.stop.require_going_on()

    def log_output_message(self, output: Any) -> None:
        super().log_output_message(nbformat.from_dict(masking().value(output)))

    def _limit(self, index: int, cell: Any) -> Any:
        seconds = self.watch.cell_seconds
        if not seconds or cell.cell_type != "code":
            return None
        heading = heading_of(self.nb.cells, index)
        where = f"cell, {heading}" if heading else f"cell {index + 1}"
        return self.watch.stop.after(seconds, lambda: self.watch.stop.ask(_over(where, seconds)))


class GbgEngine(NBClientEngine):  # type: ignore[misc]
    @classmethod
    def execute_notebook(
        cls,
        nb: Any,
        kernel_name: str,
        output_path: str | None = None,
        progress_bar: Any = True,
        log_output: bool = False,
        autosave_cell_every: int = 30,
        gbg_watch: Watch | None = None,
        **kwargs: Any,
    ) -> Any:
        """Raises ParameterError before a kernel starts; Interrupted, TimedOut when it was stopped."""
        watch = gbg_watch or Watch()
        given = nb.metadata.papermill.get("parameters", {})
        require_known(nb, given)
        learn_environment()
        learn_named(given)
        notebook = Notebook(nb, output_path, log_output, progress_bar, autosave_cell_every)
        notebook.watch, notebook.page, notebook.text = watch, _file(output_path), NotebookText()
        with tempfile.TemporaryDirectory() as folder, heeded_by(watch):
            watch.journal = watch.journal or Path(folder) / "journal.jsonl"
            notebook.notebook_start()
            try:
                cls.execute_managed_notebook(notebook, kernel_name, log_output, gbg_watch=watch, **kwargs)
                _require_not_left(notebook.nb)
                _close(notebook, watch, given, None)
            except BaseException as error:
                _close(notebook, watch, given, error)
                raise
        return notebook.nb

    @classmethod
    def execute_managed_notebook(
        cls,
        nb_man: Notebook,
        kernel_name: str,
        log_output: bool = False,
        start_timeout: int = 60,
        execution_timeout: int | None = None,
        gbg_watch: Watch | None = None,
        **kwargs: Any,
    ) -> Any:
        watch = gbg_watch or nb_man.watch
        if watch.run_seconds:
            seconds = watch.run_seconds
            watch.stop.after(seconds, lambda: watch.stop.ask(_over("run", seconds)))
        kwargs.pop("input_path", None)
        try:
            return Client(
                nb_man,
                watch,
                timeout=execution_timeout,
                startup_timeout=start_timeout,
                kernel_name=kernel_name,
                kernel_manager_class=ForkedKernelManager,
                config=KERNEL_CONFIG,
                extra_arguments=list(KERNEL_WORDS),
                log=logger,
                log_output=log_output,
                **kwargs,
            ).execute()
        except Exception as error:
            if watch.stop.wish is None or watch.stop.wish is error:
                raise
            raise watch.stop.wish from error  # the kernel was ended because of it
        finally:
            watch.stop.over()


def heeded_by(watch: Watch) -> Any:
    return heeded(watch.stop)


def heading_of(cells: list[Any], index: int) -> str:
    """The nearest heading above a cell."""
    for cell in reversed(cells[: index + 1]):
        if cell.cell_type == "markdown":
            for line in cell.source.splitlines():
                if line.startswith("#"):
                    return str(line.lstrip("# "))
    return ""


def register() -> None:
    papermill_engines.register(ENGINE, GbgEngine)


def _over(what: str, seconds: float) -> TimedOut:
    return TimedOut(
        what, f"not done after {seconds:g} s, its limit", "give it longer, or see what it waits for"
    )


def _file(output_path: str | None) -> whole_files.NotebookFile:
    """Papermill writes to this path through us from now on, also what it writes after the engine."""
    inner = papermill_io.get_handler(output_path)
    if isinstance(inner, whole_files.NotebookFile):
        return inner
    local = None
    if output_path and hasattr(inner, "cwd"):  # of papermill's handlers the one for files of this machine
        folder = inner.cwd(None)
        inner.cwd(folder)
        local = Path(folder or ".").resolve() / output_path
    made = whole_files.NotebookFile(local, inner)
    if output_path:
        papermill_io.register(output_path, made)
    return made


def _require_not_left(nb: Any) -> None:
    """To papermill SystemExit with 0 is an end like any other. Raises RunFailed: what follows never ran."""
    for index, cell in enumerate(nb.cells):
        for output in cell.get("outputs", []):
            if output.get("ename") == SystemExit.__name__ and output.get("evalue") in ("", "0"):
                raise RunFailed(
                    heading_of(nb.cells, index) or "notebook",
                    "a cell left by SystemExit, so that no cell after it ran",
                    "let a runbook end with its last cell, or raise what is wrong",
                    error=SystemExit.__name__,
                )


def _only_explained(nb: Any) -> bool:
    """Whether what stopped it was a change that was to be told only."""
    outputs = [output for cell in nb.cells for output in cell.get("outputs", [])]
    return any(output.get("ename") == Explained.__name__ for output in outputs)


def _close(notebook: Notebook, watch: Watch, given: Mapping[str, Any], error: BaseException | None) -> None:
    """The notebook tells how its run ended, and is left without secrets for what papermill does with it."""
    wish = watch.stop.wish
    status = "done"
    if error or notebook.nb.metadata.papermill.exception:
        status = "explained" if _only_explained(notebook.nb) else "failed"
    if wish:
        status = "interrupted" if isinstance(wish, Interrupted) else "failed"
    notebook.nb.metadata[METADATA] = {"status": status}
    if wish is not None:
        watch.in_flight = [] if watch.replays else told_in_time(given)
        words = [
            f"## Stopped: {wish.what}",
            "What goes on in AWS without this run:" if watch.in_flight else "Nothing goes on in AWS.",
            *(f"- {one.sentence}" for one in watch.in_flight),
        ]
        cell = nbformat.v4.new_markdown_cell("\n\n".join(words))
        cell.metadata["papermill"] = {"status": notebook.COMPLETED}
        notebook.nb.cells.append(cell)
        if watch.in_flight and isinstance(wish, GbgError):
            wish.add_note("\n".join(one.sentence for one in watch.in_flight))
    notebook.cleanup_pbar()
    notebook.notebook_complete()
    notebook.page.settle()
    masked = nbformat.from_dict(masking().value(notebook.nb))  # papermill shows its errors
    notebook.nb.cells, notebook.nb.metadata = masked.cells, masked.metadata
