"""An archive as it is read: a folder or a zip file, of which nothing is believed.

Names, sizes and kinds of members are looked at before any content is; nothing is ever unpacked to disk.
"""

from __future__ import annotations

import os
import stat
import struct
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Protocol

from gbg_lib.errors import MisuseError
from gbg_lib.record.format import (
    EVIDENCE,
    FILE_NAME,
    LATE_EVIDENCE,
    LATE_MANIFEST,
    MANIFEST,
    MOST_BYTES,
    MOST_FILE_BYTES,
    MOST_FILES,
    MOST_RATIO,
    NOTES,
    Evidence,
    RecordError,
    read_lines,
)
from gbg_lib.record.manifest import Manifest, read_manifest

ODD = "the archive was altered or comes from elsewhere; don't trust it"


UNREADABLE = (zipfile.BadZipFile, zlib.error, struct.error, EOFError, OSError, RuntimeError, ValueError)
"""what zipfile raises for a file that was cut off, altered or encrypted, or whose directory lies"""


class Members(Protocol):
    """What an archive is made of."""

    where: str

    def sizes(self) -> dict[str, int]: ...

    def read(self, name: str) -> bytes: ...


@dataclass(frozen=True)
class Archive:
    """One record. `evidence` and `manifests` raise RecordError for what is not as a recorder writes it."""

    members: Members

    @property
    def where(self) -> str:
        return self.members.where

    @cached_property
    def names(self) -> frozenset[str]:
        """Raises RecordError for names, numbers and sizes that no recorder writes."""
        sizes = self.members.sizes()
        if len(sizes) > MOST_FILES or sum(sizes.values()) > MOST_BYTES:
            raise RecordError(self.where, f"{len(sizes)} files of {sum(sizes.values())} bytes", ODD)
        for name, size in sizes.items():
            if not known_name(name):
                raise RecordError(self.where, f"it has a file {name[:120]!r}, which no record has", ODD)
            if size > MOST_FILE_BYTES:
                raise RecordError(self.where, f"{name} has {size} bytes", ODD)
        if MANIFEST not in sizes:
            raise RecordError(self.where, f"it has no {MANIFEST}", "it is no record, or was cut off")
        return frozenset(sizes)

    def read(self, name: str) -> bytes:
        """Raises RecordError."""
        if name not in self.names:
            raise RecordError(self.where, f"{name} is missing", "fetch the archive again")
        return self.members.read(name)

    def text(self, name: str) -> str:
        return self.read(name).decode(errors="replace")

    @cached_property
    def manifest_names(self) -> tuple[str, ...]:
        """In the order in which they were written."""
        late = sorted(_numbered(name, LATE_MANIFEST) for name in self.names if LATE_MANIFEST.fullmatch(name))
        return (MANIFEST, *(name for _, name in late))

    @cached_property
    def manifests(self) -> tuple[Manifest, ...]:
        return tuple(read_manifest(self.read(name), f"{self.where}/{name}") for name in self.manifest_names)

    @property
    def manifest(self) -> Manifest:
        return self.manifests[0]

    @property
    def name(self) -> str:
        return self.manifest.record

    @cached_property
    def history(self) -> tuple[Evidence, ...]:
        """Every line, in the order of writing: late evidence after what it adds to."""
        late = sorted(_numbered(name, LATE_EVIDENCE) for name in self.names if LATE_EVIDENCE.fullmatch(name))
        names = [EVIDENCE, *(name for _, name in late)]
        return tuple(one for name in names for one in read_lines(self.read(name), f"{self.where}/{name}"))

    @cached_property
    def evidence(self) -> tuple[Evidence, ...]:
        """The latest line of each id, by time; what has no time comes first."""
        latest = {one.id: one for one in self.history}
        return tuple(sorted(latest.values(), key=lambda one: one.at.timestamp() if one.at else 0.0))

    @cached_property
    def by_kind(self) -> dict[str, list[Evidence]]:
        found: dict[str, list[Evidence]] = {}
        for one in self.evidence:
            found.setdefault(one.kind, []).append(one)
        return found

    @property
    def settled(self) -> bool:
        """Whether nothing more will come, as its last manifest tells."""
        return bool(self.manifests[-1].summary.get("settled"))

    def of(self, *kinds: str) -> list[Evidence]:
        """By time."""
        if len(kinds) == 1:
            return self.by_kind.get(kinds[0], [])
        return [one for one in self.evidence if one.kind in kinds]

    def one(self, kind: str) -> Evidence | None:
        return next(iter(self.of(kind)), None)


class Folder:
    def __init__(self, path: Path) -> None:
        self.path = path
        self.where = str(path)

    def sizes(self) -> dict[str, int]:
        return dict(self._walk(self.path, ""))

    def _walk(self, folder: Path, prefix: str) -> Iterator[tuple[str, int]]:
        for entry in os.scandir(folder):
            name = prefix + entry.name
            if entry.is_symlink():
                raise RecordError(self.where, f"{name} is a link", ODD)
            if entry.is_dir():
                if name != "files":
                    raise RecordError(self.where, f"it has a folder {name!r}, which no record has", ODD)
                yield from self._walk(Path(entry.path), name + "/")
            elif entry.is_file():
                yield name, entry.stat().st_size
            else:
                raise RecordError(self.where, f"{name} is neither file nor folder", ODD)

    def read(self, name: str) -> bytes:
        try:
            descriptor = os.open(self.path / name, os.O_RDONLY | os.O_NOFOLLOW)
        except OSError as error:
            raise RecordError(self.where, f"{name}: {error.strerror}", "fetch the archive again") from error
        with os.fdopen(descriptor, "rb") as file:
            return file.read(MOST_FILE_BYTES + 1)


class Zip:
    """One folder's content, with or without the record's own folder above it."""

    def __init__(self, path: Path) -> None:
        self.where = str(path)
        try:
            self._file = zipfile.ZipFile(path)
        except UNREADABLE as error:
            raise RecordError(
                self.where, f"no zip file: {error}", "it is cut off or no archive; fetch it again"
            ) from error
        self._infos = {self._name(info): info for info in self._file.infolist() if not info.is_dir()}

    def sizes(self) -> dict[str, int]:
        if len(self._infos) != sum(not info.is_dir() for info in self._file.infolist()):
            raise RecordError(self.where, "two members have one name", ODD)
        for name, info in self._infos.items():
            if info.file_size > MOST_RATIO * max(info.compress_size, 1_000):
                raise RecordError(
                    self.where, f"{name} unpacks from {info.compress_size} to {info.file_size} bytes", ODD
                )
        return {name: info.file_size for name, info in self._infos.items()}

    def read(self, name: str) -> bytes:
        info = self._infos[name]
        try:
            with self._file.open(info) as file:
                content = file.read(info.file_size + 1)
        except UNREADABLE as error:
            why = "it is cut off" if isinstance(error, (OSError, EOFError)) else str(error)
            raise RecordError(
                self.where, f"{name} can't be read: {why}", "fetch the archive again"
            ) from error
        if len(content) > info.file_size:
            raise RecordError(self.where, f"{name} is longer than it says", ODD)
        return content

    def _name(self, info: zipfile.ZipInfo) -> str:
        mode = info.external_attr >> 16
        if stat.S_IFMT(mode) not in (0, stat.S_IFREG, stat.S_IFDIR):
            raise RecordError(self.where, f"{info.filename[:120]!r} is a link or a device", ODD)
        name = info.filename
        first, slash, rest = name.partition("/")
        return rest if slash and first != "files" and first not in ("", ".", "..") else name


def open_archive(path: Path) -> Archive:
    """Raises MisuseError where there is nothing, RecordError for what is no record."""
    if path.is_dir():
        return Archive(Folder(path))
    if path.is_file():
        return Archive(Zip(path))
    what = f"{path} is neither folder nor file" if path.exists() else f"there is nothing at {path}"
    raise MisuseError("record", what, "name a record's folder or zip file")


def pack(archive: Archive, target: Path) -> Path:
    """The archive as one zip file, the same each time."""
    partial = target.with_name(target.name + ".part")
    with zipfile.ZipFile(partial, "w", zipfile.ZIP_DEFLATED) as file:
        for name in sorted(archive.names):
            info = zipfile.ZipInfo(f"{archive.name}/{name}")
            info.compress_type = zipfile.ZIP_DEFLATED
            info.external_attr = 0o644 << 16
            file.writestr(info, archive.read(name))
    partial.replace(target)
    return target


def known_name(name: str) -> bool:
    """Whether a recorder could have written a file of this name."""
    patterns = (FILE_NAME, LATE_MANIFEST, LATE_EVIDENCE)
    return name in (MANIFEST, EVIDENCE, NOTES) or any(pattern.fullmatch(name) for pattern in patterns)


def _numbered(name: str, pattern: object) -> tuple[int, str]:
    digits = "".join(letter for letter in name if letter.isdigit())
    return int(digits), name
