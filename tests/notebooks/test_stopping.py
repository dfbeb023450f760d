"""A run that is told to stop closes its files; one that is killed is found by the next."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import nbformat
import pytest

from gbg_lib.errors import INTERRUPTED, TimedOut
from gbg_lib.runner.run import Limits, run
from gbg_lib.secret.masking import MASK
from tests.notebooks.small import write_notebook

ROOT = Path(__file__).resolve().parent.parent.parent
WAITS = """
import os, pathlib, time
pathlib.Path({marker!r}).write_text(str(os.getpid()))
time.sleep(600)
"""
DEAF = """
import signal
signal.signal(signal.SIGINT, signal.SIG_IGN)
"""
PATIENCE_SECONDS = 300


PLANTED = "pl4nted-environment-secret"
SAYS = "import os\nprint(os.environ['PLANTED_TOKEN_SECRET'])"


class Running:
    """`gbg run` in a process of its own, with a cell that tells a secret and one that waits."""

    def __init__(self, folder: Path, before: str = SAYS) -> None:
        self.marker = folder / "marker"
        self.runs = folder / "runs"
        aws = folder / "aws.yaml"
        aws.write_text("cloud: aws\n")  # no sandbox is started for it
        path = write_notebook(
            folder / "mine.ipynb",
            "# Prepare",
            before,
            "# Wait",
            WAITS.format(marker=str(self.marker)),
            "# After",
            "print('never')",
        )
        self.process = subprocess.Popen(
            [sys.executable, "-m", "gbg_cli", "run", str(path), "-f", str(aws), "--json"],
            cwd=ROOT,
            env={
                **os.environ,
                "GBG_RUNS": str(self.runs),
                "GBG_HOME": str(folder / "home"),
                "PLANTED_TOKEN_SECRET": PLANTED,
            },
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def wait_for_cell(self) -> int:
        """The kernel's pid, once the cell waits."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while not (self.marker.exists() and self.marker.read_text()):
            assert self.process.poll() is None, self.process.communicate()
            assert time.monotonic() < deadline
            time.sleep(0.05)
        return int(self.marker.read_text())

    @property
    def folder(self) -> Path:
        [folder] = self.runs.iterdir()
        return folder

    def states(self) -> list[str]:
        """Of the cells, as the notebook's file tells now; whole at any moment, none before it is there."""
        path = self.folder / "mine.ipynb"
        if not path.exists():
            return []
        notebook = nbformat.read(path, as_version=4)
        return [cell.metadata.papermill.status for cell in notebook.cells]

    def require_masked(self) -> None:
        """That the secret was told, and that no file of the run has it."""
        texts = {file.name: file.read_text() for file in self.folder.iterdir()}
        assert MASK in texts["mine.ipynb"]
        assert [name for name, text in texts.items() if PLANTED in text] == []

    def result(self) -> dict[str, object]:
        found = json.loads((self.folder / "result.json").read_text())
        assert isinstance(found, dict)
        return found


@pytest.fixture
def running(tmp_path: Path) -> Iterator[Running]:
    made = Running(tmp_path)
    yield made
    if made.process.poll() is None:
        made.process.kill()
    made.process.communicate()


def await_true(true: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def gone(pid: int) -> bool:
    """Whether a process ended, soon."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while Path(f"/proc/{pid}").exists():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_closes_notebook_and_result_as_interrupted(running: Running, number: signal.Signals) -> None:
    kernel = running.wait_for_cell()
    running.process.send_signal(number)
    stdout, stderr = running.process.communicate(timeout=PATIENCE_SECONDS)

    assert running.process.returncode == INTERRUPTED
    assert PLANTED not in stdout + stderr
    running.require_masked()
    result = running.result()
    assert (result["status"], result["exit_status"]) == ("interrupted", INTERRUPTED)
    assert result["what"] == f"interrupted by {number.name}"
    assert json.loads(stdout)["runs"] == [result]
    notebook = nbformat.read(running.folder / "mine.ipynb", as_version=4)
    assert notebook.metadata.gbg.status == "interrupted"
    assert f"Stopped: interrupted by {number.name}" in notebook.cells[-1].source
    states = {
        cell.source: cell.metadata.papermill.status for cell in notebook.cells if "papermill" in cell.metadata
    }
    assert states["print('never')"] == "pending"
    assert f"interrupted by {number.name}" in (running.folder / "mine.html").read_text()
    assert gone(kernel)


def test_a_second_signal_ends_at_once_and_the_next_run_closes_what_is_left(tmp_path: Path) -> None:
    running = Running(tmp_path, before=DEAF)
    kernel = running.wait_for_cell()
    running.process.send_signal(signal.SIGTERM)
    running.process.send_signal(signal.SIGINT)
    stdout, _ = running.process.communicate(timeout=PATIENCE_SECONDS)
    assert running.process.returncode == INTERRUPTED
    [line] = stdout.splitlines()
    told = json.loads(line)
    assert (told["status"], told["exit_status"], told["runs"]) == ("interrupted", INTERRUPTED, [])
    assert gone(kernel)
    left = running.folder
    assert not (left / "result.json").exists()

    run(write_notebook(tmp_path / "next.ipynb", "1"), {}, running.runs)
    result = json.loads((left / "result.json").read_text())
    assert (result["status"], result["runbook"]) == ("killed", "mine")
    assert f"gbg run --resume {left.name}" == result["try"]


def test_a_killed_runner_leaves_a_whole_notebook_and_no_kernel(running: Running) -> None:
    kernel = running.wait_for_cell()
    await_true(lambda: running.states()[-3:] == ["running", "pending", "pending"])
    running.process.kill()
    running.process.communicate(timeout=PATIENCE_SECONDS)
    assert running.states()[-3:] == ["running", "pending", "pending"]
    running.require_masked()
    assert gone(kernel)


@pytest.mark.parametrize(
    ("limits", "what"), [(Limits(cell_seconds=2), "cell, Wait"), (Limits(run_seconds=4), "run")]
)
def test_a_limit_of_time_ends_cell_and_run(tmp_path: Path, limits: Limits, what: str) -> None:
    path = write_notebook(tmp_path / "mine.ipynb", "# Wait", "import time\ntime.sleep(600)")
    with pytest.raises(TimedOut, match=f"{what}: not done after") as over:
        run(path, {}, tmp_path / "runs", limits=limits)
    [result] = (tmp_path / "runs").glob("*/result.json")
    told = json.loads(result.read_text())
    assert (told["status"], told["exit_status"], told["what"]) == ("failed", 1, over.value.what)
    [notebook] = (tmp_path / "runs").glob("*/mine.ipynb")
    assert nbformat.read(notebook, as_version=4).metadata.gbg.status == "failed"


def test_papermill_itself_closes_the_notebook_when_it_is_terminated(tmp_path: Path) -> None:
    marker, out = tmp_path / "marker", tmp_path / "out.ipynb"
    path = write_notebook(tmp_path / "mine.ipynb", "# Wait", WAITS.format(marker=str(marker)))
    process = subprocess.Popen(
        [sys.executable, "-m", "papermill", "--engine", "gbg", str(path), str(out), "--no-progress-bar"],
        cwd=ROOT,
        env={**os.environ, "GBG_HOME": str(tmp_path / "home")},
        stderr=subprocess.PIPE,
        text=True,
    )
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not marker.exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    process.send_signal(signal.SIGTERM)
    _, stderr = process.communicate(timeout=PATIENCE_SECONDS)
    assert process.returncode != 0
    assert "Interrupted: run: interrupted by SIGTERM" in stderr
    notebook = nbformat.read(out, as_version=4)
    assert notebook.metadata.gbg.status == "interrupted"
