"""What a run finds on its machine that later runs change: kept with its replies, put there for a replay."""

from __future__ import annotations

from pathlib import Path, PurePosixPath

from gbg_lib.errors import MisuseError
from gbg_lib.replay import tape
from gbg_lib.replay.tape import asked, playing

RECORDS = ".records"
"""a replay's own records, in its folder: nothing else is ever written to"""


def as_found(path: Path) -> Path:
    """A file, or a folder with all its files, as the run found it."""
    found: dict[str, bytes] = asked("files", {"name": path.name}, lambda: _content(path))
    if playing() and RECORDS in path.parts:
        for name, content in found.items():
            _require_inside(name)
            target = path / name if name else path
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(content)
    return path


def _require_inside(name: str) -> None:
    """A tape may come from anywhere. Raises MisuseError for a name that leads out of its folder."""
    path = PurePosixPath(name)
    if path.is_absolute() or ".." in path.parts:
        raise MisuseError(tape.FILE, f"it has a file {name[:120]!r}", "it was altered; don't trust it")


def _content(path: Path) -> dict[str, bytes]:
    if path.is_file():
        return {"": path.read_bytes()}
    files = [one for one in sorted(path.rglob("*")) if one.is_file()] if path.is_dir() else []
    return {one.relative_to(path).as_posix(): one.read_bytes() for one in files}
