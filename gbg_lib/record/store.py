"""A deployment's records in a folder, with an index: a line a record, and the end of the chain.

    <folder>/<deployment>/index.jsonl
    <folder>/<deployment>/<record>/manifest.json, evidence.jsonl, files/…, late-1.jsonl, manifest-1.json …

A record appears whole or not at all, and is never written again; what comes later is a file more.
"""

from __future__ import annotations

import fcntl
import itertools
import json
import os
import shutil
from collections.abc import Iterator, Mapping, Set
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from gbg_lib.errors import MisuseError
from gbg_lib.record.archive import Archive, known_name, open_archive
from gbg_lib.record.format import EVIDENCE, MANIFEST, RECORD_NAME, Evidence, RecordError, dumps, lines
from gbg_lib.record.manifest import Link, Manifest, relinked, sha256

INDEX = "index.jsonl"
LOCK = ".lock"
PARTIAL = ".partial-"
UNSENT = ".unsent"
ASIDE = ".aside"
"""records of releases that another recorder has entered into the bucket's chain before"""


def records() -> Path:
    """Where records are kept: $GBG_RECORDS, or records/ beside the project."""
    return Path(os.environ.get("GBG_RECORDS") or Path(__file__).resolve().parents[2] / "records")


@dataclass(frozen=True)
class Entry:
    """A line of the index: a manifest's link, and the summary of its record."""

    link: Link
    summary: Mapping[str, Any]

    @property
    def line(self) -> str:
        return dumps({**self.link.told, "summary": dict(self.summary)})


class Store:
    def __init__(self, folder: Path, deployment: str) -> None:
        self.deployment = deployment
        self.folder = folder / deployment
        self.index = self.folder / INDEX

    def names(self) -> list[str]:
        """Records that are here, oldest first."""
        if not self.folder.is_dir():
            return []
        return sorted(entry.name for entry in self.folder.iterdir() if RECORD_NAME.fullmatch(entry.name))

    def folders(self) -> list[Path]:
        return [self.folder / name for name in self.names()]

    def find(self, execution_id: str) -> Path | None:
        """The record of a pipeline execution, by its id or the id's beginning. Raises MisuseError for two."""
        found = [name for name in self.names() if name.partition("-")[2].startswith(execution_id)]
        if len(found) > 1 and execution_id:
            raise MisuseError("record", f"{execution_id} begins {', '.join(found)}", "write more of the id")
        return self.folder / found[0] if found and execution_id else None

    def open(self, name: str) -> Archive:
        return open_archive(self.folder / name)

    def entries(self) -> list[Entry]:
        """The index, oldest first. Raises RecordError."""
        if not self.index.is_file():
            return []
        return list(read_index(self.index.read_bytes(), str(self.index)))

    def summaries(self) -> list[Mapping[str, Any]]:
        """A release a line, oldest first. Raises RecordError."""
        return [entry.summary for entry in latest(self.entries())]

    def write(self, manifest: Manifest, evidence: list[Evidence], files: Mapping[str, bytes]) -> Path:
        """A new record at the end of the chain. Raises RecordError when it is there already."""
        content = {EVIDENCE: lines(evidence), **files}
        with self.locked():
            target = self.folder / manifest.record
            if target.exists():
                raise RecordError(str(target), "it was recorded already", "`gbg record` adds what is new")
            partial = self.folder / f"{PARTIAL}{manifest.record}"
            shutil.rmtree(partial, ignore_errors=True)
            (partial / "files").mkdir(parents=True)
            for name, data in content.items():
                write_whole(partial / name, data)
            linked = self._linked(manifest, content)
            write_whole(partial / MANIFEST, linked.content)
            partial.rename(target)
            self._enter(linked, MANIFEST)
        return target

    def append(
        self, name: str, manifest: Manifest, evidence: list[Evidence], files: Mapping[str, bytes]
    ) -> str:
        """Late evidence of a record, in files more; the new manifest's name."""
        with self.locked():
            folder = self.folder / name
            number = len(open_archive(folder).manifest_names)
            content = {f"late-{number}.jsonl": lines(evidence), **files}
            for late, data in content.items():
                write_whole(folder / late, data)
            linked = self._linked(manifest, content)
            write_whole(folder / f"manifest-{number}.json", linked.content)
            self._enter(linked, f"manifest-{number}.json")
        return f"manifest-{number}.json"

    def rebuild(self) -> list[Entry]:
        """The index anew, from the manifests."""
        with self.locked():
            entries = []
            for folder in self.folders():
                archive = open_archive(folder)
                for name, manifest in zip(archive.manifest_names, archive.manifests, strict=True):
                    entries.append(Entry(manifest.link(name, archive.read(name)), manifest.summary))
            entries.sort(key=lambda entry: entry.link.sequence)
            self.replace_index("".join(f"{entry.line}\n" for entry in entries).encode())
        return entries

    def follow(self, there: list[Entry], without: Set[str] = frozenset()) -> Set[str]:
        """Ours behind what others have entered meanwhile: manifests that nobody has yet are linked anew.

        Records that others have entered, too, are set aside, and so are those `without`; their names.
        """
        with self.locked():
            here = self.entries()
            shared = shared_links(there, here)
            if shared == len(there) and not without:
                return frozenset()
            theirs = {entry.link.record for entry in there[shared:]}
            aside = {entry.link.record for entry in here[shared:]} & (theirs | without)
            entries = list(there)
            for entry in here[shared:]:
                if entry.link.record not in aside:
                    entries.append(self._behind(entries, entry))
            for record in aside:
                self._set_aside(record)
            self.replace_index("".join(f"{entry.line}\n" for entry in entries).encode())
        return aside

    def _behind(self, entries: list[Entry], entry: Entry) -> Entry:
        """Its manifest, linked to the last of the entries."""
        record, name = entry.link.record, entry.link.manifest
        path = self.folder / record / name
        former = entries[-1].link if entries else None
        content = relinked(path.read_bytes(), former, str(path))
        write_whole(path, content)
        sequence = former.sequence + 1 if former else 1
        return Entry(Link(sequence, record, name, sha256(content)), entry.summary)

    def _set_aside(self, record: str) -> None:
        """Nothing that was gathered is thrown away, also where another record of it counts."""
        folder = self.folder / ASIDE
        folder.mkdir(exist_ok=True)
        numbers = (number for number in itertools.count(1) if not (folder / f"{record}-{number}").exists())
        (self.folder / record).rename(folder / f"{record}-{next(numbers)}")
        write_whole(self.folder / UNSENT, "\n".join(sorted(self.unsent - {record})).encode())

    @property
    def unsent(self) -> set[str]:
        """Records whose sending was not seen to end."""
        path = self.folder / UNSENT
        return set(path.read_text().split()) if path.is_file() else set()

    def note_unsent(self, record: str, *, unsent: bool) -> None:
        with self.locked():
            names = (self.unsent | {record}) if unsent else (self.unsent - {record})
            write_whole(self.folder / UNSENT, "\n".join(sorted(names)).encode())

    def replace_index(self, content: bytes) -> None:
        write_whole(self.index, content)

    @contextmanager
    def locked(self) -> Iterator[None]:
        """One writer at a time on this machine."""
        self.folder.mkdir(parents=True, exist_ok=True)
        with (self.folder / LOCK).open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def _linked(self, manifest: Manifest, content: Mapping[str, bytes]) -> Manifest:
        entries = self.entries()
        former = entries[-1].link if entries else None
        return replace(
            manifest,
            sequence=former.sequence + 1 if former else 1,
            former=former,
            files={name: sha256(data) for name, data in content.items()},
        )

    def _enter(self, manifest: Manifest, name: str) -> None:
        entry = Entry(manifest.link(name, manifest.content), manifest.summary)
        with self.index.open("ab") as file:
            file.write(f"{entry.line}\n".encode())


def read_index(content: bytes, where: str) -> Iterator[Entry]:
    """Raises RecordError."""
    for number, raw in enumerate(content.splitlines(), 1):
        try:
            told = json.loads(raw)
            link = Link(int(told["sequence"]), told["record"], told["manifest"], told["sha256"])
            if not RECORD_NAME.fullmatch(link.record) or not known_name(link.manifest):
                raise ValueError("it names no record, or no manifest")
            if not isinstance(told["summary"], dict):
                raise TypeError("its summary is no object")
            yield Entry(link, told["summary"])
        except (ValueError, KeyError, TypeError) as error:
            raise RecordError(
                f"{where}:{number}", f"no line of an index: {error!r}", "`gbg record verify` tells more"
            ) from error


def shared_links(one: list[Entry], other: list[Entry]) -> int:
    """How many of the first links are the same."""
    pairs = zip(one, other, strict=False)
    return next(
        (number for number, (a, b) in enumerate(pairs) if a.link != b.link), min(len(one), len(other))
    )


def latest(entries: list[Entry]) -> list[Entry]:
    """The newest summary of each record, by the record's time."""
    newest = {entry.link.record: entry for entry in entries}
    return [newest[name] for name in sorted(newest)]


def write_whole(path: Path, content: bytes) -> None:
    """Whole or not at all, and on the disk before anything says so."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(path.name + ".part")
    with partial.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    partial.replace(path)
