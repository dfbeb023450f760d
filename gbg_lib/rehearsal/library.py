"""Records that are at hand beside the one that is rehearsed: where what-ifs take commits and images from."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gbg_lib.errors import GbgError
from gbg_lib.record.archive import Archive, open_archive
from gbg_lib.record.format import RECORD_NAME
from gbg_lib.record.reading import Read


@dataclass(frozen=True)
class Shelved:
    """A record and its summary; it is opened when it is needed."""

    path: Path
    record: str
    summary: Mapping[str, Any]


def library(read: Read) -> list[Shelved]:
    """The record itself first, then those of its folder, newest first; what can't be read is left out."""
    found: dict[str, Shelved] = {}
    for one in _shelved(read):
        found.setdefault(one.record, one)
    return list(found.values())


def former_of(read: Read) -> Archive | None:
    """The release that served before, where its record is at hand."""
    wanted = read.archive.manifest.summary.get("former_commit")
    if read.former is not None or not wanted:
        return read.former
    for one in _shelved(read):
        if one.summary.get("commit") == wanted and one.summary.get("status") == "Succeeded":
            return open_archive(one.path)
    return None


def _shelved(read: Read) -> Iterator[Shelved]:
    yield Shelved(read.path, read.archive.name, read.archive.manifest.summary)
    for path in _beside(read.path):
        try:
            archive = open_archive(path)
            yield Shelved(path, archive.name, archive.manifest.summary)
        except GbgError:
            continue


def _beside(path: Path) -> Iterator[Path]:
    for entry in sorted(path.parent.iterdir(), reverse=True):
        if entry.suffix == ".zip" or (entry.is_dir() and RECORD_NAME.fullmatch(entry.name)):
            yield entry
