"""The format of a record: evidence lines, names, limits.

A line is a JSON object `{"kind", "id", "at", "until", "source", "data"}`; times are ISO 8601 in UTC or null.
Reading refuses what a recorder never writes; it follows no path, link or name out of the archive.
"""

from __future__ import annotations

import functools
import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any, ParamSpec, TypeVar

from gbg_lib.errors import GbgError

P = ParamSpec("P")
T = TypeVar("T")

FORMAT = 1
"""version of the format; a reader refuses a higher one"""
MANIFEST, EVIDENCE, NOTES = "manifest.json", "evidence.jsonl", "notes.jsonl"
LATE_MANIFEST = re.compile(r"manifest-(\d{1,4})\.json")
LATE_EVIDENCE = re.compile(r"late-(\d{1,4})\.jsonl")
FILE_NAME = re.compile(r"files/[A-Za-z0-9][A-Za-z0-9._-]{0,119}")
RECORD_NAME = re.compile(r"\d{8}T\d{6}Z-[A-Za-z0-9][A-Za-z0-9-]{0,79}")
MOST_FILES = 2_000
MOST_BYTES = 2_000_000_000
"""of an archive, unpacked"""
MOST_FILE_BYTES = 500_000_000
MOST_LINE_BYTES = 20_000_000
MOST_RATIO = 200
"""unpacked to packed bytes of a member; what a recorder writes packs 5 to 30 times"""


class RecordError(GbgError):
    """An archive is not what a recorder wrote, or can't be written."""


class Overtaken(RecordError):
    """Another recorder has recorded the same release meanwhile; what was written here is set aside."""


@dataclass(frozen=True)
class Evidence:
    """One piece of evidence."""

    kind: str
    """a noun of docs/records.md: `action`, `bake.step`, `machine.event` …"""
    id: str
    """unique in its record and the same each time it is gathered: notes hang on it"""
    source: str
    """service and operation that told it: `codebuild:batch_get_builds`"""
    data: Mapping[str, Any] = field(default_factory=dict)
    at: datetime | None = None
    until: datetime | None = None
    file: str = ""
    """file of the archive that belongs to it"""

    @property
    def seconds(self) -> float:
        """How long it took; AWS's own clocks may disagree, so never below zero."""
        if self.at is None or self.until is None:
            return 0.0
        return max((self.until - self.at).total_seconds(), 0.0)


def line(evidence: Evidence) -> str:
    """Without its newline."""
    told: dict[str, Any] = {
        "kind": evidence.kind,
        "id": evidence.id,
        "at": stamp(evidence.at),
        "until": stamp(evidence.until),
        "source": evidence.source,
        **({"file": evidence.file} if evidence.file else {}),
        "data": evidence.data,
    }
    return dumps(told)


def lines(evidence: Iterable[Evidence]) -> bytes:
    return "".join(f"{line(one)}\n" for one in evidence).encode()


def read_lines(content: bytes, where: str) -> Iterator[Evidence]:
    """Raises RecordError: line number and what is wrong with it."""
    for number, raw in enumerate(content.split(b"\n"), 1):
        if raw:
            yield _evidence(raw, f"{where}:{number}")
    if content and not content.endswith(b"\n"):
        raise RecordError(where, "its last line is cut off", "fetch the archive again")


def _evidence(raw: bytes, where: str) -> Evidence:
    if len(raw) > MOST_LINE_BYTES:
        raise RecordError(where, f"a line of {len(raw)} bytes", "no recorder writes one; don't trust it")
    found = loads(raw, where)
    try:
        return Evidence(
            kind=_text(found["kind"]),
            id=_text(found["id"]),
            source=_text(found["source"]),
            data=_mapping(found["data"]),
            at=when(found["at"]),
            until=when(found["until"]),
            file=_text(found.get("file", "")),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise RecordError(
            where, f"no line of evidence: {error!r}", "the archive was altered, or is no record"
        ) from error


def loads(raw: bytes, where: str) -> dict[str, Any]:
    """A JSON object. Raises RecordError."""
    try:
        found = json.loads(raw)
    except (ValueError, RecursionError) as error:
        raise RecordError(
            where, f"not JSON: {error}", "the archive is cut off or altered; fetch it again"
        ) from error
    if not isinstance(found, dict):
        raise RecordError(where, "not a JSON object", "the archive was altered, or is no record")
    return found


def dumps(value: Any, indent: int | None = None) -> str:
    """JSON as records keep it: sorted, without spaces, times in ISO 8601."""
    separators = (",", ":") if indent is None else None
    return json.dumps(
        value, default=_plain, sort_keys=True, separators=separators, indent=indent, ensure_ascii=False
    )


def stamp(time: datetime | None) -> str | None:
    return None if time is None else time.astimezone(UTC).isoformat(timespec="milliseconds")


def when(text: object) -> datetime | None:
    """Raises ValueError, TypeError."""
    if text is None:
        return None
    time = datetime.fromisoformat(_text(text))
    if time.tzinfo is None:
        raise ValueError(f"{text} has no time zone")
    return time


def odd_is_refused(tell: Callable[P, T]) -> Callable[P, T]:
    """For what tells of evidence: a shape that AWS never answers with is a RecordError."""

    @functools.wraps(tell)
    def told(*words: P.args, **named: P.kwargs) -> T:
        try:
            return tell(*words, **named)
        except (KeyError, IndexError, TypeError, ValueError, AttributeError, OverflowError) as error:
            raise RecordError(
                "record", f"its evidence has an odd shape: {error!r}", "it was altered; `gbg record verify`"
            ) from error

    return told


def record_name(started: datetime, execution_id: str) -> str:
    """Sorted by name is sorted by time."""
    return f"{started.astimezone(UTC):%Y%m%dT%H%M%SZ}-{execution_id}"


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return stamp(value)
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, Decimal):
        return float(value)
    if isinstance(value, bytes):
        return value.decode(errors="replace")
    raise TypeError(f"{type(value).__name__} is nothing that AWS answers with")


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError(f"{value!r} is no text")
    return value


def _mapping(value: object) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise TypeError("data is no object")
    return value
