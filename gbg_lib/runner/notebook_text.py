"""A notebook as its file holds it, masked; of a notebook that grows only what changed is made anew."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from gbg_lib.runner.notebook_format import nbformat
from gbg_lib.secret.values import masking

if TYPE_CHECKING:
    from gbg_lib.secret.masking import Masking

NO_CELLS = ' "cells": [],\n'
BEGIN, BETWEEN, END = ' "cells": [\n', ",\n", "\n ],\n"


class NotebookText:
    """Of one notebook, asked for again and again while it runs."""

    def __init__(self) -> None:
        self._made: dict[str, str] = {}
        """a cell as it is in memory → its masked text in the file, under what is known to be secret now"""
        self._under: Masking | None = None

    def of(self, notebook: Any) -> str:
        """What nbformat would write of it after masking."""
        if self._under is not masking():
            self._made, self._under = {}, masking()
        cells = [json.dumps(cell) for cell in notebook["cells"]]
        self._made = {
            raw: self._made.get(raw) or _cell_text(cell)
            for raw, cell in zip(cells, notebook["cells"], strict=True)
        }
        around = _written({**notebook, "cells": []})
        if not cells:
            return around + "\n"
        body = BETWEEN.join(self._made[raw] for raw in cells)
        return around.replace(NO_CELLS, BEGIN + body + END, 1) + "\n"


def notebook_text(notebook: Any) -> str:
    """Of a notebook that is asked for once."""
    return NotebookText().of(notebook)


def _cell_text(cell: Any) -> str:
    alone = {"cells": [cell], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}
    return _written(alone).partition(BEGIN)[2].rpartition(END)[0]


def _written(notebook: Any) -> str:
    return str(nbformat.v4.writes(nbformat.from_dict(masking().value(_joined(notebook)))))


def _joined(node: Any, name: str = "") -> Any:
    """A notebook file holds texts as lists of lines; a secret may have many. A traceback is several texts."""
    if isinstance(node, dict):
        return {key: _joined(item, key) for key, item in node.items()}
    if isinstance(node, list) and name != "traceback":
        lines = node[:-1]
        if lines and all(isinstance(line, str) and line.endswith("\n") for line in lines):
            return "".join(node)
        return [_joined(item) for item in node]
    return node
