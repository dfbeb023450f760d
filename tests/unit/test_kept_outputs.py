"""What a runbook keeps is told to who hears it, too: tables have names, pictures have words."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import nbformat
import pytest

RUNBOOKS = sorted((Path(__file__).parent.parent.parent / "runbooks").glob("[0-9]*.ipynb"))


def shown(path: Path) -> Iterator[dict[str, Any]]:
    """What each output of a runbook can be seen as."""
    for cell in nbformat.read(path, as_version=4).cells:
        yield from (output["data"] for output in cell.get("outputs", ()) if "data" in output)


@pytest.mark.parametrize("path", RUNBOOKS, ids=lambda path: path.stem)
def test_every_table_has_a_name(path: Path) -> None:
    tables = [tag for data in shown(path) for tag in re.findall(r"<table[^>]*>", data.get("text/html", ""))]
    assert tables
    assert [tag for tag in tables if not re.search(r"aria-label='[^']+'", tag)] == []


@pytest.mark.parametrize("path", RUNBOOKS, ids=lambda path: path.stem)
def test_every_picture_says_the_same_in_words(path: Path) -> None:
    pictures = [data for data in shown(path) if any(kind.startswith("image/") for kind in data)]
    assert pictures
    for data in pictures:
        assert re.match(r"\w.{20}", data["text/plain"])
        if drawing := data.get("image/svg+xml"):
            assert "role='img'" in drawing and "<title>" in drawing
