"""A deployment's records in a folder, with an index: a line a record, and the end of the chain.

    <folder>/<deployment>/index.jsonl
    <folder>/<deployment>/<record>/manifest.json, evidence.jsonl, files/…, late-1.jsonl, manifest-1.json …

A record appears whole or not at all, and is never written again; what comes later is a file more.
"""

from __future__ import annotations

import fcntl
import json
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from gbg_lib.errors import MisuseError
from gbg_lib.record.archive import Archive, open_archive
from gbg_lib.record.format import EVIDENCE, MANIFEST, RECORD_NAME, Evidence, RecordError, dumps, lines
from gbg_lib.record.manifest import Link, Manifest, relinked, sha256

INDEX = "index.jsonl"
LOCK = ".lock"
PARTIAL = ".partial-"
UNSENT = ".unsent"


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
                _write(partial / name, data)
            linked = self._linked(manifest, content)
            _write(partial / MANIFEST, linked.content)
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
                _write(folder / late, data)
            linked = self._linked(manifest, content)
            _write(folder / f"manifest-{number}.json", linked.content)
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

    def follow(self, there: list[Entry]) -> None:
        """Ours behind what others have entered meanwhile: manifests that nobody has yet are linked anew.

        Raises RecordError where both recorded the same release.
        """
        with self.locked():
            here = self.entries()
            shared = shared_links(there, here)
            if shared == len(there):
                return
            entries = list(there)
            for entry in here[shared:]:
                record, name = entry.link.record, entry.link.manifest
                if any(other.link.record == record for other in there[shared:]):
                    raise RecordError(
                        str(self.folder / record),
                        "another recorder has entered the same release meanwhile",
                        "remove it here; `gbg record` fetches the other one",
                    )
                path = self.folder / record / name
                content = relinked(path.read_bytes(), entries[-1].link, str(path))
                _write(path, content)
                sequence = entries[-1].link.sequence + 1
                entries.append(Entry(Link(sequence, record, name, sha256(content)), entry.summary))
            self.replace_index("".join(f"{entry.line}\n" for entry in entries).encode())

    @property
    def unsent(self) -> set[str]:
        """Records whose sending was not seen to end."""
        path = self.folder / UNSENT
        return set(path.read_text().split()) if path.is_file() else set()

    def note_unsent(self, record: str, *, unsent: bool) -> None:
        with self.locked():
            names = (self.unsent | {record}) if unsent else (self.unsent - {record})
            _write(self.folder / UNSENT, "\n".join(sorted(names)).encode())

    def replace_index(self, content: bytes) -> None:
        _write(self.index, content)

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


def _write(path: Path, content: bytes) -> None:
    """Whole or not at all, and on the disk before anything says so."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(path.name + ".part")
    with partial.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    partial.replace(path)
