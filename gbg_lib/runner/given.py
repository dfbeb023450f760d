"""Parameters as a notebook is given them, checked before anything runs.

A notebook of ours takes what the schema knows. Any other takes the names that its parameters cell sets.
"""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterator, Mapping
from itertools import pairwise
from pathlib import Path
from typing import Any

from gbg_lib.errors import ParameterError
from gbg_lib.nearest import nearest
from gbg_lib.parameters import Parameters, checked

FILE_OPTIONS = ("-f", "--parameters_file")
"""of papermill's command line"""
TAG = "parameters"


def require_known(notebook: Any, given: Mapping[str, Any]) -> None:
    """Raises ParameterError: file and line where there is one, nearest right name, expected type."""
    names = names_of(notebook)
    if not given:
        return
    if ours(names):
        for name, value in given.items():
            checked({name: value}, place_of(name) or "parameters")
        return
    for name in given:
        if name not in names:
            near = nearest(name, names)
            raise ParameterError(
                place_of(name) or "parameters",
                f"this notebook has no parameter {name!r}",
                f"did you mean {near}?" if near else f"it has {', '.join(names) or 'none'}",
            )


def names_of(notebook: Any) -> list[str]:
    """What the cell tagged `parameters` sets."""
    return [
        target.id
        for cell in notebook.cells
        if TAG in cell.metadata.get("tags", [])
        for node in _statements(cell.source)
        for target in (node.targets if isinstance(node, ast.Assign) else [])
        if isinstance(target, ast.Name)
    ]


def ours(names: list[str]) -> bool:
    return any(name in Parameters.model_fields for name in names)


def place_of(name: str) -> str:
    """`file:line` where papermill's command line got the parameter from a file; empty elsewhere."""
    for path in _files(sys.argv):
        for number, line in enumerate(path.read_text().splitlines(), 1):
            if re.match(rf"[\"']?{re.escape(name)}[\"']?\s*:", line):
                return f"{path}:{number}"
    return ""


def _files(words: list[str]) -> Iterator[Path]:
    for option, word in pairwise(words):
        if option in FILE_OPTIONS and Path(word).is_file():
            yield Path(word)


def _statements(source: str) -> list[ast.stmt]:
    try:
        return ast.parse(source).body
    except SyntaxError:
        return []
