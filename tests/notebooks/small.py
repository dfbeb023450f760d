"""Notebooks of a few cells, to show one thing each."""

from __future__ import annotations

from pathlib import Path

import nbformat

PARAMETERS = "#parameters\n"


def write_notebook(path: Path, *cells: str) -> Path:
    """A cell that begins with `#` and a blank is text; one that begins with PARAMETERS is tagged so."""
    notebook = nbformat.v4.new_notebook(
        metadata={"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
    )
    for number, text in enumerate(cells):
        if text.startswith("# "):
            cell = nbformat.v4.new_markdown_cell(text)
        else:
            cell = nbformat.v4.new_code_cell(text.removeprefix(PARAMETERS))
            cell.metadata["tags"] = ["parameters"] if text.startswith(PARAMETERS) else []
        cell["id"] = f"small-{number}"
        notebook.cells.append(cell)
    nbformat.write(notebook, path)
    return path
