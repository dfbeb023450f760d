"""What a run costs besides its cells: at most a third of papermill alone; 100 runs listed in a second."""

from __future__ import annotations

import ctypes
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import nbformat
from common import tell

ROOT = Path(__file__).resolve().parent.parent
ROUNDS = 5
CELLS = 22
RUNS = 100
SET_CHILD_SUBREAPER = 36
"""https://man7.org/linux/man-pages/man2/PR_SET_CHILD_SUBREAPER.2const.html"""


BEGINNINGS = {
    "a runbook's": "from gbg_lib import views\nfrom gbg_lib.parameters import Parameters\n"
    "from gbg_lib.steps import BaseStack",
    "an empty": "",
}
"""first cells; papermill's kernel loads what they ask for, a forked one has it"""


def notebook(path: Path, first: str = "") -> Path:
    """Cells that take no time: all that is measured is overhead."""
    cells = [nbformat.v4.new_code_cell(text) for text in [first, *map("print({})".format, range(CELLS))]]
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    nbformat.write(nbformat.v4.new_notebook(cells=cells, metadata={"kernelspec": kernel}), path)
    return path


@dataclass(frozen=True)
class Cost:
    seconds: float
    processor_seconds: float
    """of the command and of every process that it began"""


def cost(words: Sequence[str], **environment: str) -> Cost:
    begun, before = time.monotonic(), _processor()
    words = [sys.executable, "-m", *words]
    subprocess.run(words, cwd=ROOT, check=True, capture_output=True, env={**os.environ, **environment})
    seconds = time.monotonic() - begun
    with suppress(ChildProcessError):
        while os.wait():  # kernels and what they were forked from, which came to this process
            pass
    return Cost(seconds, _processor() - before)


def _processor() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def papermill(path: Path, folder: Path) -> Cost:
    """Papermill's command line with its own engine, the page made by nbconvert left out."""
    return cost(["papermill", str(path), str(folder / "out.ipynb"), "--no-progress-bar"])


def gbg_run(path: Path, folder: Path, count: int) -> Cost:
    """Of a runbook when one command runs several: they share its start."""
    settings = folder / "aws.yaml"
    settings.write_text("cloud: aws\n")  # no sandbox is started for it
    words = ["gbg_cli", "run", *[str(path)] * count, "-f", str(settings)]
    whole = cost(words, GBG_RUNS=str(folder / "runs"))
    return Cost(whole.seconds / count, whole.processor_seconds / count)


def side_by_side(title: str, path: Path, folder: Path) -> None:
    """Each round one after the other, so that the machine's other work meets all of them."""
    rounds = [
        {
            "papermill": papermill(path, folder),
            "gbg_run_1": gbg_run(path, folder, 1),
            "gbg_run_4": gbg_run(path, folder, 4),
        }
        for _ in range(ROUNDS)
    ]
    for what in ("seconds", "processor_seconds"):
        rows = [{name: getattr(one, what) for name, one in row.items()} for row in rounds]
        ratios = {
            f"ratio_{count}": statistics.median(row[f"gbg_run_{count}"] / row["papermill"] for row in rows)
            for count in (1, 4)
        }
        unit = what.replace("_", " ")
        tell(f"{unit} a runbook besides its cells: {title}", rows, **ratios, claim="<= 0.33 of papermill's")


def listing(folder: Path) -> float:
    """`gbg runs` on 100 folders, Python's start included."""
    made = next((folder / "runs").iterdir())
    for number in range(RUNS - sum(1 for _ in (folder / "runs").iterdir())):
        subprocess.run(["cp", "-r", str(made), f"{made}-copy-{number}"], check=True)
    begun = time.monotonic()
    words = [sys.executable, "-m", "gbg_cli", "runs"]
    done = subprocess.run(
        words,
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
        env={**os.environ, "GBG_RUNS": str(folder / "runs")},
    )
    assert len(done.stdout.splitlines()) > RUNS
    return time.monotonic() - begun


def main() -> None:
    ctypes.CDLL(None).prctl(SET_CHILD_SUBREAPER, 1)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for word, first in BEGINNINGS.items():
            side_by_side(f"{word} first cell", notebook(folder / "cells.ipynb", first), folder)
        listed = [{"seconds": listing(folder)} for _ in range(ROUNDS)]
    tell(f"gbg runs on {RUNS} folders", listed, median=statistics.median(row["seconds"] for row in listed))


if __name__ == "__main__":
    main()
