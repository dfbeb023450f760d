"""Runs a runbook headless: papermill executes it, its folder keeps what came of it.

A run's folder is `<runs>/<time>-<runbook>/` with the executed notebook, its HTML, the parameters as
resolved and result.json. Files appear whole or not at all.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from threading import Thread
from typing import Any

import nbformat

from gbg_lib import kernels
from gbg_lib.errors import MisuseError, ParameterError, RunFailed
from gbg_lib.parameters import RUNNER, Parameters, checked, names_for, names_set, runbooks_of

KERNEL = "python3"
JOBS_FOLDER = "jobs"
"""below the runbooks: those that schedulers start"""
PAGES = Path(__file__).resolve().parent / "pages"
"""nbconvert's templates of ours"""
ROOT = Path(__file__).resolve().parent.parent
"""where a runbook's kernel works: there it finds gbg_lib"""
ANSI = re.compile(r"\x1b\[[0-9;]*m")
_loading: list[Thread] = []
Progress = Callable[[int, int, str], None]
"""cell number, number of cells, the heading it stands under"""


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
    """A runbook by its number (`1`, `01`), its name (`release`) or its file. Raises MisuseError."""
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
        return Path(word)
    names = ", ".join(path.stem for path in [*known, *jobs])
    raise MisuseError("runbook", f"there is no runbook {word!r}", f"one of {names}")


def run(
    path: Path,
    values: Mapping[str, Any],
    runs: Path,
    progress: Progress = lambda *_: None,
    ended: Callable[[Path], None] = lambda _: None,
) -> Run:
    """Execute one runbook with those of the values that it reads; `ended` is called with its closed folder.

    Raises RunFailed with the cell's error; the notebook, its page and result.json are kept anyway.
    """
    names = names_in(path)
    given = {name: value for name, value in values.items() if name in names}
    resolved = checked(given, "parameters").model_dump(include=set(names))
    started = time.monotonic()
    made = Run(path.stem, _new_folder(runs, path.stem), 0.0)
    _write(made.folder / "parameters.json", json.dumps(resolved, indent=2))
    failure = _execute(path, made, given, progress)
    finished = Run(path.stem, made.folder, time.monotonic() - started)
    _write_page(finished)
    _write_result(finished, failure)
    ended(finished.folder)
    if failure is not None:
        raise failure
    return finished


def prepare() -> None:
    """Load, while the caller does something else, what runs need: a process that forks kernels, papermill."""
    kernels.prepare()
    if not _loading:
        _loading.append(Thread(target=_load, name="loading papermill", daemon=True))
        _loading[0].start()


def _load() -> None:
    import nbconvert  # noqa: F401
    import papermill.execute  # noqa: F401


def names_in(path: Path) -> list[str]:
    """The parameters that a notebook reads: what its parameters cell sets. Raises MisuseError."""
    try:
        notebook = nbformat.read(path, as_version=4)
    except (nbformat.reader.NotJSONError, nbformat.validator.NotebookValidationError) as error:
        raise MisuseError(str(path), "it is no notebook", "name a runbook or an .ipynb file") from error
    cells = [cell for cell in notebook.cells if "parameters" in cell.metadata.get("tags", [])]
    return [name for cell in cells for name in names_set(cell.source)]


def require_read(paths: Iterable[Path], names: Iterable[str]) -> None:
    """That each of the parameters is read by a notebook of the run. Raises ParameterError."""
    read = {name for path in paths for name in names_in(path)} | set(names_for(RUNNER))
    for name in names:
        if name not in read:
            by = ", ".join(runbooks_of(Parameters.model_fields[name]))
            raise ParameterError("-p", f"no runbook of this run reads {name}", f"it is read by {by}")


def _execute(path: Path, made: Run, given: Mapping[str, Any], progress: Progress) -> RunFailed | None:
    """Why it failed, if it did."""
    for thread in _loading:  # two threads that import the same packages trip over each other
        thread.join()
    from papermill.exceptions import PapermillExecutionError
    from papermill.execute import execute_notebook

    from gbg_lib.engine import ENGINE, register

    register()
    headings = [""]

    def told(cell: int, cells: int, heading: str) -> None:
        headings.append(heading)
        progress(cell, cells, heading)

    try:
        execute_notebook(
            str(path),
            str(made.notebook),
            parameters=given,
            kernel_name=KERNEL,
            language="python",
            progress_bar=False,
            log_output=False,
            cwd=str(ROOT),
            engine_name=ENGINE,
            gbg_progress=told,
        )
    except PapermillExecutionError as error:
        return _failure(_where(path, headings[-1]), error.ename, error.evalue, made.notebook)
    except Exception as error:  # a kernel that died, a disk that is full: the record has to tell
        failure = _failure(_where(path, headings[-1]), type(error).__name__, str(error), made.notebook)
        failure.__cause__ = error
        return failure
    return None


def _where(path: Path, heading: str) -> str:
    return f"runbook {path.stem}" + (f", {heading}" if heading else "")


def _failure(where: str, name: str, said: str, notebook: Path) -> RunFailed:
    """An error of ours keeps its three parts; what else was raised is named."""
    text = ANSI.sub("", said).strip()
    what, _, try_this = text.partition("\n  try: ")
    return RunFailed(where, what if try_this else f"{name}: {text}", try_this or f"open {notebook}")


def _new_folder(runs: Path, runbook: str) -> Path:
    stamp = datetime.now(UTC).strftime("%Y%m%d-%H%M%S")
    for attempt in range(100):
        folder = runs / (f"{stamp}-{runbook}" + (f"-{attempt}" if attempt else ""))
        try:
            folder.mkdir(parents=True)
            return folder
        except FileExistsError:
            continue
    raise MisuseError("runs", f"no free folder name in {runs}", "remove old runs")


def _write(path: Path, text: str) -> None:
    temporary = path.with_name(path.name + ".part")
    temporary.write_text(text)
    temporary.replace(path)


def _write_page(run: Run) -> None:
    from nbconvert import HTMLExporter

    if run.notebook.exists():
        notebook = nbformat.read(run.notebook, as_version=4)
        exporter = HTMLExporter(extra_template_basedirs=[str(PAGES)], template_name="runbook")
        page, _ = exporter.from_notebook_node(notebook, {"metadata": {"name": run.runbook}})
        _write(run.page, page)


def _write_result(run: Run, failure: RunFailed | None) -> None:
    result = {
        **{key: str(value) for key, value in asdict(run).items() if key != "seconds"},
        "seconds": round(run.seconds, 1),
        "status": "failed" if failure else "done",
        "ended": datetime.now(UTC).isoformat(timespec="seconds"),
        **({"where": failure.where, "what": failure.what, "try": failure.try_this} if failure else {}),
    }
    _write(run.folder / "result.json", json.dumps(result, indent=2))
