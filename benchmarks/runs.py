"""What a run costs besides its cells: at most a third of papermill alone; 100 runs listed in a second.

Measured on a runbook that needs no cloud, and on a notebook of cells that do nothing. What the cells take is
what papermill's notebook says of them: our kernels have loaded ahead what a runbook's first cells ask for,
which would be no saving if it were only moved from one side to the other.
"""

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


RUNBOOK = ROOT / "runbooks" / "06_replay.ipynb"
"""reads the record that comes with the project"""


def of_nothing(path: Path) -> Path:
    """A notebook whose cells take no time: papermill's kernel is spared all that runbooks import."""
    cells = [nbformat.v4.new_code_cell(f"print({number})") for number in range(CELLS)]
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


def papermill(path: Path, out: Path) -> Cost:
    """Papermill's command line with its own engine, the page made by nbconvert left out."""
    return cost(["papermill", str(path), str(out), "--no-progress-bar"])


def cells_of(executed: Path) -> float:
    """Seconds that a notebook's cells took, as papermill noted them."""
    cells = nbformat.read(executed, as_version=4).cells
    return sum(cell.metadata.papermill.duration or 0 for cell in cells)


def gbg_run(path: Path, folder: Path, count: int) -> Cost:
    """Of a runbook when one command runs several: they share its start."""
    settings = folder / "aws.yaml"
    settings.write_text("cloud: aws\n")  # no sandbox is started for it
    words = ["gbg_cli", "run", *[str(path)] * count, "-f", str(settings)]
    whole = cost(words, GBG_RUNS=str(folder / "runs"))
    return Cost(whole.seconds / count, whole.processor_seconds / count)


def side_by_side(title: str, path: Path, folder: Path) -> None:
    """Each round one after the other, so that the machine's other work meets all of them."""
    rows, processor, beside = [], [], {1: [], 4: []}
    for _ in range(ROUNDS):
        alone = papermill(path, folder / "out.ipynb")
        cells = cells_of(folder / "out.ipynb")
        ours = {count: gbg_run(path, folder, count) for count in beside}
        whole = {f"gbg_run_{count}": one.seconds for count, one in ours.items()}
        rows.append({"papermill": alone.seconds, "its_cells": cells, **whole})
        used = {f"gbg_run_{count}": one.processor_seconds for count, one in ours.items()}
        processor.append({"papermill": alone.processor_seconds, **used})
        for count, one in ours.items():
            beside[count].append((one.seconds - cells) / (alone.seconds - cells))
    ratios = {f"besides_the_cells_{count}": statistics.median(found) for count, found in beside.items()}
    tell(f"seconds of {title}", rows, **ratios, claim="besides the cells <= 0.33 of papermill's")
    tell(f"processor seconds of {title}", processor)


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
        side_by_side("a runbook", RUNBOOK, folder)
        side_by_side("a notebook of nothing", of_nothing(folder / "nothing.ipynb"), folder)
        listed = [{"seconds": listing(folder)} for _ in range(ROUNDS)]
    tell(f"gbg runs on {RUNS} folders", listed, median=statistics.median(row["seconds"] for row in listed))


if __name__ == "__main__":
    main()
