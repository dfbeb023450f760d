"""A notebook's file while it grows: what nbformat would write, masked, and only what changed made anew."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import nbformat
import pytest

from gbg_lib.runner.notebook_text import NotebookText, notebook_text
from gbg_lib.secret.masking import MASK
from gbg_lib.secret.values import forget, learn

RUNBOOKS = sorted((Path(__file__).parent.parent.parent / "runbooks").rglob("*.ipynb"))


@pytest.fixture(autouse=True)
def unknowing() -> Iterator[None]:
    forget()
    yield
    forget()


@pytest.mark.parametrize("path", RUNBOOKS, ids=lambda path: path.stem)
def test_it_is_what_nbformat_writes(path: Path) -> None:
    notebook = nbformat.read(path, as_version=4)
    assert notebook_text(notebook) == nbformat.v4.writes(notebook) + "\n"


def test_a_notebook_without_cells_is_written_too() -> None:
    notebook = nbformat.v4.new_notebook()
    assert notebook_text(notebook) == nbformat.v4.writes(notebook) + "\n"


def test_a_cell_that_changed_and_a_secret_that_became_known_show_in_the_next_text() -> None:
    notebook = nbformat.v4.new_notebook(
        cells=[nbformat.v4.new_code_cell("print(1)"), nbformat.v4.new_markdown_cell("pl4nted-word\nand more")]
    )
    text = NotebookText()
    assert "pl4nted-word" in text.of(notebook)
    notebook.cells[0].outputs.append(nbformat.v4.new_output("stream", text="1\n"))
    assert text.of(notebook) == nbformat.v4.writes(notebook) + "\n"
    learn("pl4nted-word")
    assert "pl4nted-word" not in text.of(notebook)
    assert MASK in text.of(notebook)


def test_a_large_cell_that_stays_as_it_is_costs_little() -> None:
    picture = nbformat.v4.new_output("display_data", {"text/html": "<b>x</b>\n" * 20_000})
    cells = [nbformat.v4.new_code_cell("x", outputs=[picture]) for _ in range(5)]
    notebook, text = nbformat.v4.new_notebook(cells=cells), NotebookText()
    begun = time.process_time()
    text.of(notebook)
    first, begun = time.process_time() - begun, time.process_time()
    text.of(notebook)
    assert time.process_time() - begun < first / 2


def test_nbformat_is_loaded_without_the_grammar_that_jsonschema_would_load() -> None:
    pytest.importorskip("rfc3987_syntax", reason="JupyterLab has not brought the grammar")
    code = (
        "import sys\nfrom gbg_lib.runner.notebook_format import nbformat\n"
        "assert 'rfc3987_syntax' not in sys.modules\n"
        "nbformat.validate(nbformat.v4.new_notebook())\n"
        "import rfc3987_syntax"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=RUNBOOKS[0].parent.parent)
