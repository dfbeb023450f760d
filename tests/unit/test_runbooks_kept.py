"""The runbooks as they are kept: run to the end in one go, short, checked after each change."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import nbformat
import pytest

RUNBOOKS = sorted((Path(__file__).resolve().parent.parent.parent / "runbooks").glob("[0-9]*.ipynb"))
RUNS = Path(__file__).resolve().parent.parent / "runs"
THE_MACHINES = ("host", "machine", "machine_id", "pid", "pid_started")
CHANGES = ("Apply", "Follow")
LINES = 8
SVG = "image/svg+xml"


@pytest.fixture(params=RUNBOOKS, ids=lambda path: path.stem)
def notebook(request: pytest.FixtureRequest) -> Any:
    return nbformat.read(request.param, as_version=4)


def code(notebook: Any) -> list[Any]:
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def test_every_cell_was_run_once_and_in_order(notebook: Any) -> None:
    assert [cell.execution_count for cell in code(notebook)] == list(range(1, len(code(notebook)) + 1))


def test_no_output_is_an_error_or_a_warning(notebook: Any) -> None:
    for cell in code(notebook):
        for output in cell.outputs:
            assert output.output_type != "error", output.evalue
            assert output.get("name") != "stderr", output.text


def test_a_cell_is_calls_only_and_short(notebook: Any) -> None:
    for cell in code(notebook):
        if "parameters" not in cell.metadata.get("tags", []):
            assert len([line for line in cell.source.splitlines() if line]) <= LINES, cell.source
            assert not re.search(r"^\s*(def|class|for|while|if|try) ", cell.source, re.MULTILINE), cell.source


def test_a_check_follows_each_change(notebook: Any) -> None:
    texts = [cell.source for cell in notebook.cells if cell.cell_type == "markdown"]
    headings = [line[3:] for text in texts for line in text.splitlines() if line.startswith("## ")]
    for before, after in zip(headings, [*headings[1:], ""], strict=True):
        assert before not in CHANGES or after == "Check"
    assert headings[:2] == ["Parameters", "Plan"]


def test_nothing_tells_of_the_machine_it_ran_on(notebook: Any) -> None:
    assert set(notebook.metadata) == {"kernelspec", "language_info"}
    for cell in notebook.cells:
        assert set(cell.metadata) <= {"tags"}
        for output in cell.get("outputs", []):
            told = output.get("text", "") + output.get("data", {}).get("text/plain", "")
            assert not re.search(r"(?<![\w.])/(home|root|tmp|var|usr|opt)/", told), told


def test_what_a_picture_shows_is_there_as_text(notebook: Any) -> None:
    pictures = [
        output for cell in code(notebook) for output in cell.outputs if "image/png" in output.get("data", {})
    ]
    for picture in pictures:
        assert picture.metadata["image/png"]["alt"] == picture.data["text/plain"]


def test_a_drawing_is_an_image_with_its_words_and_nothing_that_runs(notebook: Any) -> None:
    drawings = [
        output.data for cell in code(notebook) for output in cell.outputs if SVG in output.get("data", {})
    ]
    assert drawings
    for drawing in drawings:
        root = ElementTree.fromstring(drawing[SVG])
        assert root.findtext("{http://www.w3.org/2000/svg}title") == drawing["text/plain"]
        assert not re.search(r"<script|<style|\bon\w+=|href|url\((?!#)", drawing[SVG])


def test_the_release_is_shown_on_a_time_axis() -> None:
    assert "image/png" in next(path for path in RUNBOOKS if path.stem == "04_release").read_text()


@pytest.mark.parametrize("told", sorted(RUNS.glob("*/run.json")), ids=lambda path: path.parent.name)
def test_no_run_that_is_kept_tells_of_the_machine_it_ran_on(told: Path) -> None:
    named = {name: value for name, value in json.loads(told.read_text()).items() if name in THE_MACHINES}
    assert named == {"host": "this-machine", "machine": "", "machine_id": "", "pid": 0, "pid_started": ""}
