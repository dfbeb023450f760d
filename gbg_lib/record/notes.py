"""What people write to a record: in a file of its own, each note at a piece of evidence."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from gbg_lib.errors import MisuseError
from gbg_lib.record.archive import Archive
from gbg_lib.record.format import NOTES, RecordError, dumps, loads, stamp, when
from gbg_lib.record.words import plain

MOST_TEXT = 10_000


@dataclass(frozen=True)
class Note:
    evidence: str
    """id of a line; empty for the release as a whole"""
    by: str
    at: datetime | None
    text: str


def notes(archive: Archive) -> list[Note]:
    """In the order of writing. Raises RecordError."""
    if NOTES not in archive.names:
        return []
    return list(_read(archive.read(NOTES), f"{archive.where}/{NOTES}"))


def add_note(folder: Path, archive: Archive, evidence: str, text: str, by: str) -> Note:
    """Appends. Raises MisuseError for evidence that the record lacks, and for a packed record."""
    known = {one.id for one in archive.evidence}
    if evidence and evidence not in known:
        near = next((one for one in sorted(known) if one.startswith(evidence)), "")
        raise MisuseError(
            "note", f"the record has no evidence {evidence!r}", near or "the timeline shows the ids"
        )
    if not folder.is_dir():
        raise MisuseError("note", f"{folder} is no folder", "unpack the record to write to it")
    if not text.strip() or len(text) > MOST_TEXT:
        raise MisuseError("note", "a note has some text, and not a book", f"at most {MOST_TEXT} characters")
    made = Note(evidence, by, datetime.now(UTC), text)
    told = {"evidence": evidence, "by": by, "at": stamp(made.at), "text": text}
    with (folder / NOTES).open("a") as file:
        file.write(dumps(told) + "\n")
    return made


def _read(content: bytes, where: str) -> Iterator[Note]:
    for number, raw in enumerate(content.splitlines(), 1):
        found = loads(raw, f"{where}:{number}")
        try:
            texts = [found["evidence"], found["by"], found["text"]]
            at = when(found["at"])
        except (KeyError, TypeError, ValueError) as error:
            raise RecordError(
                f"{where}:{number}", f"no note: {error!r}", "mend or remove the line"
            ) from error
        evidence, by, text = (plain(one, MOST_TEXT) for one in texts)
        yield Note(evidence, by, at, text)
