"""Follows log files: new lines of the newest file that a pattern finds, through rotation and truncation."""

from __future__ import annotations

import glob
import os
import stat

from cloudwatch_agent import place

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import BinaryIO

CHUNK = 256 * 1024
LONGEST_LINE = 256 * 1024 - 26
"""bytes of an event, less what CloudWatch Logs adds to each"""


class Tail:
    """Reading and confirming are two steps: a position is kept once its lines have been delivered."""

    def __init__(self, pattern: str, states: str = place.STATE_DIRECTORY) -> None:
        self.pattern = pattern
        self.states = states
        self.path = ""
        self._file: BinaryIO | None = None
        self._position = 0
        self._saved = -1

    def read(self) -> list[bytes]:
        """Whole lines that came since, at most CHUNK bytes."""
        if self._file is None:
            self._open(self._newest())
        lines = self._lines()
        if not lines and self._moved_on():
            lines = self._lines(last=True)
            if not lines:
                self.confirm()
                self._close()
                self._open(self._newest())
                lines = self._lines()
        return lines

    def confirm(self) -> None:
        """Keep the position: everything read so far has been delivered."""
        if self._file is None or self._position == self._saved:
            return
        os.makedirs(self.states, exist_ok=True)
        state = self._state(self.path)
        with open(f"{state}.new", "w", encoding="utf-8") as file:
            file.write(f"{self._position}\n{self.path}\n{os.fstat(self._file.fileno()).st_ino}\n")
        os.replace(f"{state}.new", state)
        self._saved = self._position

    def _newest(self) -> str:
        found: list[tuple[float, str]] = []
        for path in glob.glob(self.pattern, recursive=True):
            try:
                status = os.stat(path)
            except FileNotFoundError:
                continue
            if stat.S_ISREG(status.st_mode):
                found.append((status.st_mtime, path))
        return max(found)[1] if found else ""

    def _open(self, path: str) -> None:
        if not path:
            return
        try:
            self._file = open(path, "rb", buffering=0)  # noqa: SIM115
        except FileNotFoundError:
            return
        self.path = path
        self._position = self._saved = self._known_position(path)
        self._file.seek(self._position)

    def _known_position(self, path: str) -> int:
        try:
            with open(self._state(path), encoding="utf-8") as file:
                position, _, number = file.read().split("\n")[:3]
        except (FileNotFoundError, ValueError):
            return 0
        assert self._file is not None
        status = os.fstat(self._file.fileno())
        same = int(number) == status.st_ino and int(position) <= status.st_size
        return int(position) if same else 0

    def _state(self, path: str) -> str:
        return f"{self.states}/{path.replace('/', '_')}"

    def _lines(self, last: bool = False) -> list[bytes]:
        """`last`: a line without an end counts too, as none will come."""
        if self._file is None:
            return []
        if os.fstat(self._file.fileno()).st_size < self._position:
            self._position = 0
        self._file.seek(self._position)
        content = self._file.read(CHUNK)
        end = content.rfind(b"\n") + 1
        if not end and (last or len(content) >= LONGEST_LINE):
            end = min(len(content), LONGEST_LINE)
        self._position += end
        return [line for line in content[:end].splitlines() if line.strip()]

    def _moved_on(self) -> bool:
        """Whether the file was renamed, deleted, or a newer one took its place."""
        if self._file is None:
            return False
        newest = self._newest()
        if newest != self.path:
            return bool(newest) or not os.path.exists(self.path)
        try:
            return os.stat(self.path).st_ino != os.fstat(self._file.fileno()).st_ino
        except FileNotFoundError:
            return True

    def _close(self) -> None:
        if self._file is not None:
            self._file.close()
        self._file, self.path = None, ""
