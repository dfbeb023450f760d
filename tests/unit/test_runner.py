"""Runbooks by the words that people use for them."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
from papermill.engines import papermill_engines

from gbg_lib.errors import MisuseError, ParameterError
from gbg_lib.parameters import EVERY, names_for
from gbg_lib.runner.engine import ENGINE, GbgEngine, heading_of
from gbg_lib.runner.run import find_runbook, names_in, require_read
from tests.notebooks.small import PARAMETERS, write_notebook

RUNBOOKS = Path(__file__).parent.parent.parent / "runbooks"


@pytest.mark.parametrize("word", ["4", "04", "release", "04_release", "04_release.ipynb"])
def test_a_runbook_is_found_by_number_and_name(word: str) -> None:
    assert find_runbook(RUNBOOKS, word).name == "04_release.ipynb"


@pytest.mark.parametrize("word", ["base_stack", "base-stack"])
def test_hyphens_are_as_good_as_underscores(word: str) -> None:
    assert find_runbook(RUNBOOKS, word).name == "01_base_stack.ipynb"


@pytest.mark.parametrize("word", ["timed-release", "timed_release"])
def test_a_job_is_found_by_its_name(word: str) -> None:
    assert find_runbook(RUNBOOKS, word).parent.name == "jobs"


@pytest.mark.parametrize("word", ["77", "releases", "", "nowhere/04_release.ipynb"])
def test_an_unknown_runbook_is_misuse_and_the_known_are_named(word: str) -> None:
    with pytest.raises(MisuseError) as refused:
        find_runbook(RUNBOOKS, word)
    assert "01_base_stack, 02_seed_repository" in refused.value.try_this


def test_a_notebook_of_ones_own_is_found_by_its_path(tmp_path: Path) -> None:
    path = write_notebook(tmp_path / "mine.ipynb", "1")
    assert find_runbook(RUNBOOKS, str(path)) == path


def test_a_notebook_of_ones_own_is_found_later_from_elsewhere_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write_notebook(tmp_path / "mine.ipynb", "1")
    monkeypatch.chdir(tmp_path)
    assert find_runbook(RUNBOOKS, "mine.ipynb") == path


def test_a_notebook_reads_what_its_parameters_cell_sets(tmp_path: Path) -> None:
    path = write_notebook(tmp_path / "x.ipynb", PARAMETERS + 'deployment = "shop"', 'region = "r"')
    assert names_in(path) == ["deployment"]


@pytest.mark.parametrize("path", sorted(RUNBOOKS.glob("*.ipynb")), ids=lambda path: path.stem)
def test_a_runbook_reads_what_the_schema_says(path: Path) -> None:
    assert path.stem[:2] in EVERY
    assert names_in(path) == names_for(path.stem[:2])


def test_a_parameter_that_no_runbook_of_the_run_reads_is_refused() -> None:
    first, last = find_runbook(RUNBOOKS, "1"), find_runbook(RUNBOOKS, "4")
    require_read([first, last], ["instance_count", "release_minutes"])
    with pytest.raises(ParameterError, match="no runbook of this run reads instance_count") as refused:
        require_read([last], ["instance_count"])
    assert refused.value.try_this == "it is read by 01"


def test_a_file_that_is_no_notebook_is_misuse(tmp_path: Path) -> None:
    (tmp_path / "x.ipynb").write_text("not JSON")
    with pytest.raises(MisuseError, match="no notebook"):
        names_in(tmp_path / "x.ipynb")


def test_a_cell_stands_under_the_nearest_heading_above() -> None:
    cells = [
        nbformat.v4.new_markdown_cell("# Title\n\n## Plan\nwords"),
        nbformat.v4.new_code_cell("1"),
        nbformat.v4.new_markdown_cell("no heading"),
        nbformat.v4.new_code_cell("# not a heading"),
    ]
    assert heading_of(cells, 3) == "Title"


def test_papermill_finds_the_engine_by_its_name() -> None:
    assert papermill_engines.get_engine(ENGINE) is GbgEngine


def test_a_second_signal_ends_the_process_also_when_its_time_is_over_already() -> None:
    """The first one is a wish like the time; whoever sends another one will not wait."""
    code = (
        "import os, signal\n"
        "from gbg_lib.errors import TimedOut\n"
        "from gbg_lib.runner.signals import Stop, heeded\n"
        "stop = Stop()\n"
        "with heeded(stop):\n"
        "    stop.ask(TimedOut('run', 'its time is over', ''))\n"
        "    os.kill(os.getpid(), signal.SIGINT)\n"
        "    print('going on', flush=True)\n"
        "    os.kill(os.getpid(), signal.SIGTERM)\n"
        "    print('not ended')\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (4, "going on\n"), done.stderr
