"""What a run costs besides its cells: at most a third of papermill alone; 100 runs listed in a second."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import nbformat
from common import tell

ROOT = Path(__file__).resolve().parent.parent
ROUNDS = 5
CELLS = 22
RUNS = 100


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


def papermill(path: Path, folder: Path) -> float:
    """Papermill's command line with its own engine, the page made by nbconvert left out."""
    begun = time.monotonic()
    words = [sys.executable, "-m", "papermill", str(path), str(folder / "out.ipynb"), "--no-progress-bar"]
    subprocess.run(words, cwd=ROOT, check=True, capture_output=True)
    return time.monotonic() - begun


def gbg_run(path: Path, folder: Path, count: int) -> float:
    """Seconds a runbook when one command runs several: they share its start."""
    settings = folder / "aws.yaml"
    settings.write_text("cloud: aws\n")  # no sandbox is started for it
    begun = time.monotonic()
    words = [sys.executable, "-m", "gbg_cli", "run", *[str(path)] * count, "-f", str(settings)]
    environment = {**os.environ, "GBG_RUNS": str(folder / "runs")}
    subprocess.run(words, cwd=ROOT, check=True, capture_output=True, env=environment)
    return (time.monotonic() - begun) / count


def side_by_side(title: str, path: Path, folder: Path) -> None:
    """Each round one after the other, so that the machine's other work meets all of them."""
    rows = [
        {
            "papermill": papermill(path, folder),
            "gbg_run_1": gbg_run(path, folder, 1),
            "gbg_run_4": gbg_run(path, folder, 4),
        }
        for _ in range(ROUNDS)
    ]
    ratios = {
        f"ratio_{count}": statistics.median(row[f"gbg_run_{count}"] / row["papermill"] for row in rows)
        for count in (1, 4)
    }
    tell(f"seconds a runbook besides its cells: {title}", rows, **ratios, claim="<= 0.33 of papermill's")


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
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for word, first in BEGINNINGS.items():
            side_by_side(f"{word} first cell", notebook(folder / "cells.ipynb", first), folder)
        listed = [{"seconds": listing(folder)} for _ in range(ROUNDS)]
    tell(f"gbg runs on {RUNS} folders", listed, median=statistics.median(row["seconds"] for row in listed))


if __name__ == "__main__":
    main()
