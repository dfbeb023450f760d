"""Files that are there whole or not at all, without secrets."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from gbg_lib.secret_values import masking


def write(path: Path, text: str) -> None:
    """A reader sees the former text or this one, never a part of it, also when the machine goes down."""
    temporary = path.with_name(f".{path.name}.part")
    with temporary.open("w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)


def write_json(path: Path, value: Any) -> None:
    write(path, json.dumps(masking().value(value), indent=2, ensure_ascii=False) + "\n")


def notebook_text(notebook: Any) -> str:
    """A notebook as its file holds it, masked."""
    import nbformat  # takes seconds, and a list of runs needs none of it

    return str(nbformat.v4.writes(nbformat.from_dict(masking().value(_joined(notebook))))) + "\n"


class NotebookFile:
    """A handler of papermill's for one path: what papermill writes there is masked, and on a disk whole."""

    def __init__(self, path: Path | None, inner: Any) -> None:
        self._path = path
        """None where it is no file of this machine"""
        self._inner = inner

    def write(self, text: str, path: str) -> None:
        self.put(notebook_text(json.loads(text)), path)

    def put(self, masked: str, path: str) -> None:
        if self._path is None:
            self._inner.write(masked, path)
        else:
            write(self._path, masked)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)


def _joined(node: Any) -> Any:
    """A notebook file holds texts as lists of lines; a secret may have many."""
    if isinstance(node, dict):
        return {key: _joined(item) for key, item in node.items()}
    if isinstance(node, list):
        lines = node[:-1]
        if lines and all(isinstance(line, str) and line.endswith("\n") for line in lines):
            return "".join(node)
        return [_joined(item) for item in node]
    return node
