"""What a person sees without touching /etc/hosts."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import nbformat
import pytest

from gbg_lib.runs.page import render

ROOT = Path(__file__).parent.parent.parent
RUNBOOKS = sorted((ROOT / "runbooks").glob("*.ipynb"))

pytestmark = pytest.mark.xdist_group("browser")


def test_the_base_page_shows_before_any_release(browse: Callable[[str], str], site: str) -> None:
    page = browse(site)
    assert "base page" in page
    assert "<h1" in page


def test_the_site_refuses_what_it_does_not_have(browse: Callable[[str], str], site: str) -> None:
    assert "404" in browse(site + "nothing-here")


@pytest.mark.parametrize("path", RUNBOOKS, ids=lambda path: path.stem)
def test_a_kept_runbook_shows_its_tables(path: Path, browse: Callable[[str], str], tmp_path: Path) -> None:
    """As `gbg lab` and a run export it."""
    exported = render(path.read_text(), path.stem)
    assert "No description has been provided" not in exported
    page = tmp_path / "runbook.html"
    page.write_text(exported)
    seen = browse(page.as_uri())
    notebook = nbformat.read(path, as_version=4)
    first_heading = notebook.cells[0].source.splitlines()[0].lstrip("# ")
    assert first_heading in seen
    assert seen.count("<table") >= 2
    assert "jp-RenderedError" not in seen
    assert "Traceback" not in seen
