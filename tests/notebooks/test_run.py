"""A run: one notebook executed headless, and a folder that tells all of it, whole, also when it fails."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema
import nbformat
import pytest

from gbg_lib.errors import RunFailed
from gbg_lib.runner.run import run
from gbg_lib.runs.schema import schema
from tests.notebooks.small import PARAMETERS, write_notebook

FAILING = """
from gbg_lib.errors import NotThere
raise NotThere("stack gbg-base", "it does not exist", "run 01 first")
"""


def test_a_run_keeps_notebook_page_parameters_and_result(tmp_path: Path) -> None:
    path = write_notebook(
        tmp_path / "mine.ipynb",
        "# Some words",
        PARAMETERS + 'deployment = "gbg"\ninstance_count = 2',
        "# Plan",
        "print(deployment, instance_count)",
    )
    told: list[tuple[int, int, str]] = []
    done = run(
        path, {"deployment": "shop", "branch": "main"}, tmp_path / "runs", lambda *news: told.append(news)
    )

    assert sorted(file.name for file in done.folder.iterdir()) == [
        "environment.txt",
        "given.json",
        "mine.html",
        "mine.ipynb",
        "parameters.json",
        "replies.jsonl",
        "result.json",
        "run.json",
    ]
    assert "shop 2" in done.page.read_text()
    assert json.loads((done.folder / "parameters.json").read_text()) == {
        "deployment": "shop",
        "instance_count": 2,
    }
    result = json.loads((done.folder / "result.json").read_text())
    assert (result["runbook"], result["status"]) == ("mine", "done")
    assert told[-1][2] == "Plan"


def test_a_run_never_writes_over_another(tmp_path: Path) -> None:
    path = write_notebook(tmp_path / "mine.ipynb", "1")
    folders = {run(path, {}, tmp_path / "runs").folder for _ in range(2)}
    assert len(folders) == 2


def test_an_error_of_ours_keeps_its_three_parts(tmp_path: Path) -> None:
    path = write_notebook(tmp_path / "mine.ipynb", "# Plan", FAILING, "print('never')")
    with pytest.raises(RunFailed) as failed:
        run(path, {}, tmp_path / "runs")
    assert failed.value.where == "runbook mine, Plan"
    assert failed.value.what == "stack gbg-base: it does not exist"
    assert failed.value.try_this == "run 01 first"
    assert failed.value.error == "NotThere"
    [folder] = (tmp_path / "runs").iterdir()
    result = json.loads((folder / "result.json").read_text())
    assert (result["status"], result["what"]) == ("failed", failed.value.what)
    assert "it does not exist" in (folder / "mine.html").read_text()
    assert not list(folder.glob("*.part"))


def test_another_error_is_named_and_the_notebook_is_where_to_look(tmp_path: Path) -> None:
    path = write_notebook(tmp_path / "mine.ipynb", "1", "# Sum", "1 / 0", "print('never')")
    with pytest.raises(RunFailed, match="ZeroDivisionError: division by zero") as failed:
        run(path, {}, tmp_path / "runs")
    assert "mine.ipynb" in failed.value.try_this
    result = result_of(tmp_path / "runs")
    assert (result["error"], result["cell"], result["where"]) == ("ZeroDivisionError", 3, "runbook mine, Sum")
    jsonschema.validate(result, schema())


def test_a_run_that_only_explains_has_not_failed(tmp_path: Path) -> None:
    explains = "from gbg_lib.errors import Explained\nraise Explained('explain', 'it would be: aws x', '')"
    path = write_notebook(tmp_path / "mine.ipynb", "# Apply", explains, "print('never')")
    with pytest.raises(RunFailed, match="it would be: aws x") as told:
        run(path, {}, tmp_path / "runs")
    assert told.value.exit_status == 0
    [folder] = (tmp_path / "runs").iterdir()
    result = json.loads((folder / "result.json").read_text())
    assert (result["status"], result["exit_status"]) == ("explained", 0)
    assert nbformat.read(folder / "mine.ipynb", as_version=4).metadata.gbg.status == "explained"


def result_of(runs: Path) -> dict[str, Any]:
    """Of the only run."""
    [path] = runs.glob("*/result.json")
    found = json.loads(path.read_text())
    assert isinstance(found, dict)
    return found


def test_a_run_that_can_not_be_kept_is_refused_before_it_begins(tmp_path: Path) -> None:
    (tmp_path / "runs").write_text("a file")
    path = write_notebook(tmp_path / "mine.ipynb", f"open({str(tmp_path / 'ran')!r}, 'w')")
    with pytest.raises(RunFailed, match=r"no run can be kept in .*runs: (File exists|Not a directory)"):
        run(path, {}, tmp_path / "runs")
    assert not (tmp_path / "ran").exists()


def test_a_result_that_can_not_be_written_fails_the_run_and_hides_no_failure(tmp_path: Path) -> None:
    spoil = "import os, pathlib\n(pathlib.Path(os.environ['GBG_JOURNAL']).parent / 'result.json').mkdir()"
    path = write_notebook(tmp_path / "mine.ipynb", spoil)
    with pytest.raises(RunFailed, match=r"the result can't be written to .*: Is a directory"):
        run(path, {}, tmp_path / "runs")
    path = write_notebook(tmp_path / "mine.ipynb", spoil, "1 / 0")
    with pytest.raises(RunFailed, match="division by zero; the result can't be written"):
        run(path, {}, tmp_path / "runs")


def test_a_kernel_that_dies_is_told_and_recorded(tmp_path: Path) -> None:
    path = write_notebook(tmp_path / "mine.ipynb", "import os\nos._exit(7)")
    with pytest.raises(RunFailed, match="Kernel died"):
        run(path, {}, tmp_path / "runs")
    result = result_of(tmp_path / "runs")
    assert (result["status"], result["error"], result["cell"]) == ("failed", "DeadKernelError", 1)


def test_a_cell_that_exits_is_told_and_recorded(tmp_path: Path) -> None:
    path = write_notebook(tmp_path / "mine.ipynb", "# Leave", "import sys\nsys.exit(3)", "print('never')")
    with pytest.raises(RunFailed, match="SystemExit: 3"):
        run(path, {}, tmp_path / "runs")
    [folder] = (tmp_path / "runs").iterdir()
    assert json.loads((folder / "result.json").read_text())["status"] == "failed"
    kept = nbformat.read(folder / "mine.ipynb", as_version=4)
    nbformat.validate(kept)
    assert "SystemExit" in (folder / "mine.html").read_text()


@pytest.mark.parametrize("word", ["", "0"])
def test_a_cell_that_leaves_in_peace_has_not_done_what_follows(tmp_path: Path, word: str) -> None:
    path = write_notebook(
        tmp_path / "mine.ipynb", "# Leave", f"import sys\nsys.exit({word})", "print('never')"
    )
    with pytest.raises(RunFailed, match="Leave: a cell left by SystemExit, so that no cell after it ran"):
        run(path, {}, tmp_path / "runs")
    [folder] = (tmp_path / "runs").iterdir()
    result = result_of(tmp_path / "runs")
    assert (result["status"], result["error"]) == ("failed", "SystemExit")
    kept = nbformat.read(folder / "mine.ipynb", as_version=4)
    assert kept.metadata.gbg.status == "failed"
    assert kept.cells[-1].metadata.papermill.status == "pending"


def test_a_page_that_can_not_be_written_fails_the_run_and_leaves_the_rest(tmp_path: Path) -> None:
    spoil = "import os, pathlib\n(pathlib.Path(os.environ['GBG_JOURNAL']).parent / 'mine.html').mkdir()"
    path = write_notebook(tmp_path / "mine.ipynb", spoil)
    with pytest.raises(RunFailed, match="IsADirectoryError"):
        run(path, {}, tmp_path / "runs")
    [result] = (tmp_path / "runs").glob("*/result.json")
    told = json.loads(result.read_text())
    assert (told["status"], told["cell"], told["where"]) == ("failed", 0, "runbook mine"), "no cell's fault"
    assert (result.parent / "mine.ipynb").exists()


LATE = """
import subprocess, threading, time
from ipykernel.iostream import OutStream
write = OutStream.write
def late(self, text):
    if threading.current_thread() is not threading.main_thread():
        time.sleep(0.5)
    return write(self, text)
OutStream.write = late
"""


def test_what_a_child_process_said_last_is_in_its_cell_however_late_it_is_heard(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("PYTEST_CURRENT_TEST")  # a kernel that sees it leaves child processes to themselves
    says = [f"subprocess.run('echo out {word}; echo err {word} >&2', shell=True);" for word in "ab"]
    path = write_notebook(tmp_path / "mine.ipynb", LATE, *says, "raise SystemError(" + says[0][:-1] + ")")
    with pytest.raises(RunFailed, match="SystemError"):
        run(path, {}, tmp_path / "runs")
    [kept] = (tmp_path / "runs").glob("*/mine.ipynb")
    cells = [cell for cell in nbformat.read(kept, as_version=4).cells if cell.cell_type == "code"]
    told = [sorted(one.text for one in cell.outputs if one.output_type == "stream") for cell in cells[1:]]
    assert told == [[f"err {word}\n", f"out {word}\n"] for word in "aba"]


def test_a_live_view_leaves_its_last_state(tmp_path: Path) -> None:
    path = write_notebook(
        tmp_path / "mine.ipynb",
        "from IPython.display import display\nfrom gbg_lib.views.table import table\n"
        "live = display(None, display_id=True)\n"
        "for n in range(3):\n    live.update(table([{'n': n}], ['n'], f'{n} of 2 done'))",
    )
    [cell] = nbformat.read(run(path, {}, tmp_path / "runs").notebook, as_version=4).cells
    [output] = cell.outputs
    assert output.data["text/plain"] == "2 of 2 done\nn\n2"
    assert "<td style='text-align:left'>2</td>" in output.data["text/html"]


PICTURE = """
from datetime import UTC, datetime
from gbg_lib.pipeline import Action
from gbg_lib.views import architecture, stages_picture
now = datetime.now(UTC)
display(architecture.picture("01"))
stages_picture([Action("1", "Build", "Build", "InProgress", now, now)], "<Release>")
"""


def test_a_picture_on_the_page_keeps_its_words(tmp_path: Path) -> None:
    done = run(write_notebook(tmp_path / "mine.ipynb", PICTURE), {}, tmp_path / "runs")
    page = done.page.read_text()
    assert 'alt="&lt;Release&gt; on a time axis: Build InProgress"' in page
    assert 'alt="New here: CodeCommit,' in page and "No description" not in page
    assert "<title>mine</title>" in page
