"""Files that are there whole or not at all, without secrets."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from gbg_lib.secret.values import masking


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


class NotebookFile:
    """A handler of papermill's for one path: what papermill writes there is masked, and on a disk whole."""

    def __init__(self, path: Path | None, inner: Any) -> None:
        self._path = path
        """None where it is no file of this machine"""
        self._inner = inner

    def write(self, text: str, path: str) -> None:
        from gbg_lib.runner.notebook_text import notebook_text  # a list of runs needs none of it

        self.put(notebook_text(json.loads(text)), path)

    def put(self, masked: str, path: str) -> None:
        if self._path is None:
            self._inner.write(masked, path)
        else:
            write(self._path, masked)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)
