"""A run's notebook as a web page: kept up while the run goes on, in the background."""

from __future__ import annotations

import threading
from functools import cache
from pathlib import Path
from typing import Any

from gbg_lib.runner import whole_files
from gbg_lib.runner.notebook_format import nbformat

TEMPLATES = Path(__file__).resolve().parent.parent / "pages"
"""nbconvert's templates of ours"""
REST_SECONDS = 2.0
"""between two pages: cells have the processor first"""


def render(text: str, title: str) -> str:
    notebook = nbformat.reads(text, as_version=4)
    with _turn:
        page, _ = _exporter().from_notebook_node(notebook, {"metadata": {"name": title}})
    return str(page)


_turn = threading.Lock()
"""the exporter, whose templates are compiled once, is not for two at a time"""


@cache
def _exporter() -> Any:
    from nbconvert import HTMLExporter

    return HTMLExporter(extra_template_basedirs=[str(TEMPLATES)], template_name="runbook")


class Page:
    """Follows a notebook: the newest state is written, states that were overtaken are not."""

    def __init__(self, path: Path, title: str) -> None:
        self.path = path
        self.title = title
        self._newest: str | None = None
        self._changed = threading.Event()
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._follow, daemon=True, name=f"page {title}")
        self._thread.start()

    def show(self, text: str) -> None:
        """Returns at once."""
        self._newest = text
        self._changed.set()

    def close(self, text: str) -> None:
        """The last state, written before this returns."""
        self._ended.set()
        self._changed.set()
        self._thread.join()
        self._write(text)

    def _follow(self) -> None:
        while not self._ended.wait(REST_SECONDS):
            self._changed.wait()
            if self._ended.is_set():
                return
            self._changed.clear()
            if self._newest is not None:
                self._write(self._newest)

    def _write(self, text: str) -> None:
        whole_files.write(self.path, render(text, self.title))
