"""Follows log files: new lines of the newest file that a pattern finds, through rotation and truncation."""

from __future__ import annotations

import glob
import os
import stat
import zlib
from typing import NamedTuple

from cloudwatch_agent import place

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import BinaryIO

LONGEST_LINE = 256 * 1024 - 26
"""bytes of an event, less what CloudWatch Logs adds to each; also how much is read at a time"""
HEAD = 256
COMPRESSED = (".tar", ".zst", ".gz", ".zip", ".bz2", ".rar")


class Mark(NamedTuple):
    """How far a file was read, and a checksum of its first bytes: a new file may carry an old name."""

    position: int
    head: int


START = Mark(0, 0)


class Tail:
    """Reading and confirming are two steps: a mark is kept once the lines before it have been delivered."""

    def __init__(self, pattern: str, states: str = place.STATE_DIRECTORY) -> None:
        self.pattern = pattern
        self.states = states
        self.path = ""
        self._file: BinaryIO | None = None
        self._position = 0
        self._reached: dict[str, Mark] = {}
        """of files left behind since the last confirmation"""
        self._kept: dict[str, Mark] = {}

    def read(self) -> list[bytes]:
        """Whole lines that came since, of one file, at most LONGEST_LINE bytes."""
        lines = self._lines()
        if not lines and self._moved_on():
            lines = self._lines(last=True)
            if not lines:
                self._leave()
                self._open(self._newest())
                lines = self._lines()
        return lines

    def confirm(self) -> None:
        """Everything read so far has been delivered."""
        if self._file is not None:
            self._reached[self.path] = _mark(self._file, self._position)
        for path, mark in self._reached.items():
            if self._kept.get(path) != mark:
                self._keep(path, mark)
        self._reached = {}

    def _keep(self, path: str, mark: Mark) -> None:
        os.makedirs(self.states, exist_ok=True)
        state = self._state(path)
        with open(f"{state}.new", "w", encoding="utf-8") as file:
            file.write(f"{mark.position}\n{path}\n{mark.head}\n")
        os.replace(f"{state}.new", state)
        self._kept[path] = mark

    def _state(self, path: str) -> str:
        return f"{self.states}/{path.translate(str.maketrans('/ :', '___'))}"

    def _newest(self) -> str:
        found: list[tuple[float, str]] = []
        for path in glob.glob(self.pattern, recursive=True):
            try:
                status = os.stat(path)
            except FileNotFoundError:
                continue
            if stat.S_ISREG(status.st_mode) and not path.endswith(COMPRESSED):
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
        known = self._reached.get(path) or self._kept.get(path) or self._stored(path)
        same = known == _mark(self._file, known.position)
        self._position = known.position if same else 0

    def _stored(self, path: str) -> Mark:
        try:
            with open(self._state(path), encoding="utf-8") as file:
                position, _, head = file.read().split("\n")[:3]
            return Mark(int(position), int(head))
        except (FileNotFoundError, ValueError):
            return START

    def _lines(self, last: bool = False) -> list[bytes]:
        """`last`: a line without an end counts too, as none will come."""
        if self._file is None:
            return []
        if os.fstat(self._file.fileno()).st_size < self._position:
            self._position = 0
        content = os.pread(self._file.fileno(), LONGEST_LINE, self._position)
        end = content.rfind(b"\n") + 1
        if not end and (last or len(content) == LONGEST_LINE):
            end = len(content)
        self._position += end
        return [line for line in content[:end].replace(b"\r\n", b"\n").split(b"\n") if line.strip()]

    def _moved_on(self) -> bool:
        """Whether there is another file to read: this one was renamed, deleted, or is not the newest."""
        if self._file is None or self._replaced():
            return True
        return self._newest() not in ("", self.path)

    def _replaced(self) -> bool:
        assert self._file is not None
        try:
            return os.stat(self.path).st_ino != os.fstat(self._file.fileno()).st_ino
        except FileNotFoundError:
            return True

    def _leave(self) -> None:
        if self._file is None:
            return
        self._reached[self.path] = START if self._replaced() else _mark(self._file, self._position)
        self._file.close()
        self._file, self.path = None, ""


def _mark(file: BinaryIO, position: int) -> Mark:
    """Of a file read up to `position`; START when it is shorter than that."""
    if os.fstat(file.fileno()).st_size < position:
        return START
    return Mark(position, zlib.crc32(os.pread(file.fileno(), min(HEAD, position), 0)))
