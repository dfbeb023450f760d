"""Runs a runbook headless: papermill executes it, its folder keeps what came of it.

A run's folder is `<runs>/<time>-<runbook>/` with the executed notebook, its HTML, the parameters as
resolved and result.json. Files appear whole or not at all.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import nbformat

from gbg_lib.errors import MisuseError, RunFailed
from gbg_lib.parameters import checked, names_for

KERNEL = "python3"
ANSI = re.compile(r"\x1b\[[0-9;]*m")
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
    if Path(word).is_file():
        return Path(word)
    names = ", ".join(path.stem for path in known)
    raise MisuseError("runbook", f"there is no runbook {word!r}", f"one of {names}")


def run(path: Path, values: Mapping[str, Any], runs: Path, progress: Progress = lambda *_: None) -> Run:
    """Execute one runbook. Raises RunFailed with the cell's error; the notebook is kept anyway."""
    from papermill.exceptions import PapermillExecutionError
    from papermill.execute import execute_notebook

    from gbg_lib.engine import ENGINE, register

    register()
    names = names_for(path.stem[:2])
    given = {name: value for name, value in values.items() if name in names}
    checked(given, "parameters")
    folder = _new_folder(runs, path.stem)
    started = time.monotonic()
    made = Run(path.stem, folder, 0.0)
    _write(folder / "parameters.json", json.dumps(given, indent=2))
    failure: RunFailed | None = None
    try:
        execute_notebook(
            str(path),
            str(made.notebook),
            parameters=given,
            kernel_name=KERNEL,
            progress_bar=False,
            log_output=False,
            cwd=str(path.parent.parent),
            engine_name=ENGINE,
            gbg_progress=progress,
        )
    except PapermillExecutionError as error:
        failure = _failure(path.stem, error, made.notebook)
    finished = Run(path.stem, folder, time.monotonic() - started)
    _write_page(finished)
    _write_result(finished, failure)
    if failure is not None:
        raise failure
    return finished


def _failure(runbook: str, error: Any, notebook: Path) -> RunFailed:
    text = ANSI.sub("", str(error.evalue)).strip()
    what, _, try_this = text.partition("\n  try: ")
    return RunFailed(
        f"runbook {runbook}, cell {error.exec_count}",
        what if try_this else f"{error.ename}: {text}",
        try_this or f"open {notebook}",
    )


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

    notebook = nbformat.read(run.notebook, as_version=4)
    page, _ = HTMLExporter().from_notebook_node(notebook)
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
