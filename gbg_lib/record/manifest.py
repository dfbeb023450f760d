"""The manifest of a record: an in-toto statement with a SLSA provenance predicate.

Its subjects are the files of the record and what was released. Each manifest names the one that was written
before it, so that all records of a deployment are one chain.
https://github.com/in-toto/attestation/blob/main/spec/v1/statement.md, https://slsa.dev/spec/v1.0/provenance
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from gbg_lib.record.format import FORMAT, RECORD_NAME, RecordError, dumps, loads, stamp

STATEMENT = "https://in-toto.io/Statement/v1"
PREDICATE = "https://slsa.dev/provenance/v1"
BUILD_TYPE = "urn:golden-blue-green:release:1"
EXTENSION = "gbg_record"
"""SLSA's form for a field of one's own: vendor, underscore, name"""
EVIDENCE_ROLE, RELEASED_ROLE = "evidence", "released"


@dataclass(frozen=True)
class Resource:
    """in-toto's ResourceDescriptor."""

    name: str
    digest: Mapping[str, str]
    uri: str = ""
    role: str = ""

    @property
    def told(self) -> dict[str, Any]:
        return {
            **({"name": self.name} if self.name else {}),
            **({"uri": self.uri} if self.uri else {}),
            **({"digest": dict(self.digest)} if self.digest else {}),
            **({"annotations": {"role": self.role}} if self.role else {}),
        }


@dataclass(frozen=True)
class Link:
    """A place in the chain: which manifest, and its hash."""

    sequence: int
    record: str
    manifest: str
    sha256: str

    @property
    def told(self) -> dict[str, Any]:
        return {
            "sequence": self.sequence,
            "record": self.record,
            "manifest": self.manifest,
            "sha256": self.sha256,
        }


@dataclass(frozen=True)
class Manifest:
    record: str
    sequence: int
    """1 for a deployment's first manifest, then without gaps"""
    former: Link | None
    files: Mapping[str, str]
    """name in the archive → SHA-256 in hexadecimal"""
    written: datetime | None = None
    released: Sequence[Resource] = ()
    external: Mapping[str, Any] = field(default_factory=dict)
    """what was asked for: SLSA's external parameters"""
    internal: Mapping[str, Any] = field(default_factory=dict)
    dependencies: Sequence[Resource] = ()
    builder: str = ""
    versions: Mapping[str, str] = field(default_factory=dict)
    execution_id: str = ""
    started: datetime | None = None
    finished: datetime | None = None
    summary: Mapping[str, Any] = field(default_factory=dict)
    """a line for tables of many releases"""

    @property
    def content(self) -> bytes:
        subjects = [
            *(
                Resource(name, {"sha256": sha}, role=EVIDENCE_ROLE)
                for name, sha in sorted(self.files.items())
            ),
            *self.released,
        ]
        statement = {
            "_type": STATEMENT,
            "subject": [subject.told for subject in subjects],
            "predicateType": PREDICATE,
            "predicate": {
                "buildDefinition": {
                    "buildType": BUILD_TYPE,
                    "externalParameters": dict(self.external),
                    "internalParameters": dict(self.internal),
                    "resolvedDependencies": [resource.told for resource in self.dependencies],
                },
                "runDetails": {
                    "builder": {"id": self.builder, "version": dict(self.versions)},
                    "metadata": {
                        "invocationId": self.execution_id,
                        "startedOn": stamp(self.started),
                        "finishedOn": stamp(self.finished),
                    },
                    "byproducts": [],
                },
                EXTENSION: {
                    "format": FORMAT,
                    "record": self.record,
                    "sequence": self.sequence,
                    "former": self.former.told if self.former else None,
                    "written": stamp(self.written),
                    "summary": dict(self.summary),
                },
            },
        }
        return (dumps(_without_nulls(statement), indent=1) + "\n").encode()

    def link(self, name: str, content: bytes) -> Link:
        """This manifest as the former of the next one."""
        return Link(self.sequence, self.record, name, sha256(content))


def read_manifest(content: bytes, where: str) -> Manifest:
    """What verification and the store need of it. Raises RecordError."""
    found = loads(content, where)
    if found.get("_type") != STATEMENT or found.get("predicateType") != PREDICATE:
        raise RecordError(
            where, "it is no record: no in-toto statement of provenance", "name a record of gbg"
        )
    try:
        predicate = found["predicate"]
        told = predicate[EXTENSION]
        version = int(told["format"])
    except (KeyError, TypeError, ValueError) as error:
        raise RecordError(
            where, "it is provenance, but no record: another tool wrote it", "name a record of gbg"
        ) from error
    if version > FORMAT:
        raise RecordError(
            where,
            f"its format is {version}; this gbg reads up to {FORMAT}",
            "read it with the gbg that wrote it, or a newer one",
        )
    try:
        return _manifest(found, predicate, told)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise RecordError(where, f"it lacks a part: {error!r}", "the archive was altered") from error


def relinked(content: bytes, former: Link | None, where: str) -> bytes:
    """A manifest that nobody has yet, behind another one, or the first. Raises RecordError."""
    found = loads(content, where)
    place = found["predicate"][EXTENSION]
    place.pop("former", None)
    place |= {"sequence": former.sequence + 1, "former": former.told} if former else {"sequence": 1}
    return (dumps(found, indent=1) + "\n").encode()


def _manifest(found: Mapping[str, Any], predicate: Mapping[str, Any], told: Mapping[str, Any]) -> Manifest:
    definition, details = predicate["buildDefinition"], predicate["runDetails"]
    roles = [(one, one.get("annotations", {}).get("role")) for one in found["subject"]]
    files = {str(one["name"]): str(one["digest"]["sha256"]) for one, role in roles if role == EVIDENCE_ROLE}
    former, record = told.get("former"), str(told["record"])
    if not RECORD_NAME.fullmatch(record):
        raise ValueError(f"{record!r} is no record's name")
    return Manifest(
        record=record,
        sequence=int(told["sequence"]),
        former=Link(int(former["sequence"]), former["record"], former["manifest"], former["sha256"])
        if former
        else None,
        files=files,
        released=[_resource(one, RELEASED_ROLE) for one, role in roles if role == RELEASED_ROLE],
        external=definition["externalParameters"],
        internal=definition.get("internalParameters", {}),
        dependencies=[_resource(one) for one in definition.get("resolvedDependencies", [])],
        builder=details["builder"]["id"],
        versions=details["builder"].get("version", {}),
        execution_id=details["metadata"]["invocationId"],
        summary=dict(told["summary"]),
    )


def _resource(told: Mapping[str, Any], role: str = "") -> Resource:
    return Resource(told.get("name", ""), told.get("digest", {}), told.get("uri", ""), role)


def _without_nulls(value: Any) -> Any:
    """SLSA leaves out what is not known; `former` is null on purpose, at the beginning of a chain."""
    if isinstance(value, dict):
        return {
            key: _without_nulls(item) for key, item in value.items() if item is not None or key == "former"
        }
    return [_without_nulls(item) for item in value] if isinstance(value, list) else value


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
