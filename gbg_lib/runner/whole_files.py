"""Files that are there whole or not at all, without secrets."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from gbg_lib.secret.values import masking


def write(path: Path, text: str) -> None:
    """A reader sees the former text or this one, never a part of it, also when the machine goes down.

    Of a text that can't be written nothing stays: on a full disk its part would be in the next one's way.
    """
    temporary = path.with_name(f".{path.name}.part")
    try:
        with temporary.open("w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def write_json(path: Path, value: Any) -> None:
    write(path, json.dumps(masking().value(value), indent=2, ensure_ascii=False) + "\n")


class Newest:
    """Writes texts while its caller goes on; of those that wait for the disk, the newest only.

    An error is raised by the call that comes next.
    """

    def __init__(self, write: Callable[[str], None]) -> None:
        self._write = write
        self._waiting: str | None = None
        self._failure: Exception | None = None
        self._thread: threading.Thread | None = None
        self._lock = threading.Lock()

    def put(self, text: str) -> None:
        self._require_written()
        with self._lock:
            self._waiting = text
            if self._thread is None:
                self._thread = threading.Thread(target=self._work, name="saving", daemon=True)
                self._thread.start()

    def settle(self) -> None:
        """Returns when the newest text is written."""
        if (thread := self._thread) is not None:
            thread.join()
        self._require_written()

    def _work(self) -> None:
        while True:
            with self._lock:
                text, self._waiting = self._waiting, None
                if text is None:
                    self._thread = None
                    return
            try:
                self._write(text)
            except Exception as error:
                self._failure = error

    def _require_written(self) -> None:
        failure, self._failure = self._failure, None
        if failure is not None:
            raise failure


class NotebookFile:
    """A handler of papermill's for one path: what papermill writes there is masked, and on a disk whole."""

    def __init__(self, path: Path | None, inner: Any) -> None:
        self._path = path
        """None where it is no file of this machine"""
        self._inner = inner
        self._newest = Newest(lambda text: write(path, text) if path else None)

    def write(self, text: str, path: str) -> None:
        from gbg_lib.runner.notebook_text import notebook_text  # a list of runs needs none of it

        self.put(notebook_text(json.loads(text)), path)
        self.settle()

    def put(self, masked: str, path: str) -> None:
        """On a disk it is written by and by: the next cell begins meanwhile."""
        if self._path is None:
            self._inner.write(masked, path)
        else:
            self._newest.put(masked)

    def settle(self) -> None:
        self._newest.settle()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)
