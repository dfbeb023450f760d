"""nbval as we use it: a run that is as kept passes, also with a live view; what changed fails."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest

from gbg_lib.runner.run import run
from tests.notebooks.small import write_notebook

ROOT = Path(__file__).resolve().parent.parent.parent
CONFTEST = """
import pytest
from tests.notebooks.compared import ComparedNotebook, replaced, use_normalisers

def pytest_configure(config):
    use_normalisers(config)

@pytest.hookimpl(wrapper=True)
def pytest_collect_file(file_path, parent):
    return replaced((yield), ComparedNotebook, file_path, parent)
"""
LIVE = """
from IPython.display import display
from gbg_lib.views.table import table
import uuid
live = display(None, display_id=True)
for status in ("InProgress", "Succeeded"):
    live.update(table([{"id": str(uuid.uuid4()), "status": status}], ["id", "status"], status))
"""
PICTURE = """
from datetime import UTC, datetime
from gbg_lib.pipeline import Action
from gbg_lib.views import stages_picture
now = datetime.now(UTC)
stages_picture([Action("1", "Build", "Build", "InProgress", now, now)])
"""


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A notebook with the outputs of a run."""
    folder = tmp_path_factory.mktemp("kept")
    path = write_notebook(folder / "kept.ipynb", LIVE, PICTURE, "print('3.2 s on localhost:80')")
    return run(path, {}, folder / "runs").notebook


def compare(path: Path) -> subprocess.CompletedProcess[str]:
    (path.parent / "conftest.py").write_text(CONFTEST)
    return subprocess.run(
        [
            sys.executable,
            "-m",
            "pytest",
            "--nbval",
            "-p",
            "no:cacheprovider",
            "-rN",
            "--rootdir",
            str(path.parent),
            path,
        ],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        cwd=path.parent,
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_run_as_kept_passes_with_its_last_live_state(kept: Path, tmp_path: Path) -> None:
    notebook = nbformat.read(kept, as_version=4)
    assert notebook.cells[0].outputs[0].data["text/plain"].startswith("Succeeded\n")
    assert "image/png" in notebook.cells[1].outputs[0].data
    notebook.cells[2].outputs[0].text = "48 s on localhost:8080\n"
    nbformat.write(notebook, tmp_path / "same.ipynb")
    done = compare(tmp_path / "same.ipynb")
    assert done.returncode == 0, done.stdout
    assert "3 passed" in done.stdout


def test_what_changed_fails_cell_by_cell(kept: Path, tmp_path: Path) -> None:
    notebook = nbformat.read(kept, as_version=4)
    live, picture, printed = (cell.outputs[0] for cell in notebook.cells)
    live.data["text/plain"] = live.data["text/plain"].replace("Succeeded", "InProgress")
    picture.data["text/plain"] = picture.data["text/plain"].replace("Build", "Deploy")
    printed.text = printed.text.replace("localhost", "example")
    nbformat.write(notebook, tmp_path / "changed.ipynb")
    done = compare(tmp_path / "changed.ipynb")
    assert done.returncode == 1, done.stdout
    assert "3 failed" in done.stdout
    assert done.stdout.count("Cell outputs differ") == 3
