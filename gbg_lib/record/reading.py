"""Finds the record that is named: an execution id, a path, an s3:// address, the newest, or the example."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gbg_lib.errors import MisuseError
from gbg_lib.parameters import Parameters
from gbg_lib.record.archive import Archive, open_archive
from gbg_lib.record.format import odd_is_refused
from gbg_lib.record.store import INDEX, Store, latest, read_index, records
from gbg_lib.record.verify import Verified, verify

ROOT = Path(__file__).resolve().parents[2]
EXAMPLES = ROOT / "tests" / "records"
EXAMPLE, NEWEST = "example", "newest"
PAGES = "pages"
FAILED, SUCCEEDED = "failed-by-a-hook.zip", "succeeded.zip"


@dataclass(frozen=True)
class Read:
    archive: Archive
    path: Path
    verified: Verified
    former: Archive | None
    """the last good release before it, where it is at hand"""
    releases: tuple[Mapping[str, Any], ...]
    """a summary each of the releases that were recorded with it, oldest first"""
    pages: Path
    """where pages made of it go"""


def read(parameters: Parameters, folder: Path | None = None) -> Read:
    """Without AWS, unless the record is named by an s3:// address. Raises MisuseError, RecordError."""
    word, store = parameters.record, Store(folder or records(), parameters.deployment)
    if word == EXAMPLE:
        path, former = EXAMPLES / FAILED, open_archive(EXAMPLES / SUCCEEDED)
        entries = read_index((EXAMPLES / INDEX).read_bytes(), str(EXAMPLES / INDEX))
        return _read(path, former, [entry.summary for entry in latest(list(entries))], store)
    path = _downloaded(parameters, word, store) if word.startswith("s3://") else _here(word, store)
    beside = Store(path.parent.parent, path.parent.name)
    return _read(path, last_good(open_archive(path), beside), beside.summaries(), store)


@odd_is_refused
def last_good(archive: Archive, store: Store) -> Archive | None:
    """The last release that succeeded before this one, from the same store."""
    started = str(archive.manifest.summary.get("started"))
    for entry in reversed(store.summaries()):
        if str(entry["started"]) < started and entry["status"] == "Succeeded":
            path = store.find(str(entry["execution"]))
            if path is not None:
                return open_archive(path)
    return None


def _read(path: Path, former: Archive | None, releases: Sequence[Mapping[str, Any]], store: Store) -> Read:
    archive = open_archive(path)
    told = tuple(releases) or (archive.manifest.summary,)
    return Read(archive, path, verify(archive), former, told, store.folder / PAGES)


def _here(word: str, store: Store) -> Path:
    if word == NEWEST:
        if names := store.names():
            return store.folder / names[-1]
        raise MisuseError(
            "record", f"{store.folder} holds none yet", "`./gbg record --all-new`, or record=example"
        )
    found = store.find(word) if "/" not in word else None
    if found is not None:
        return found
    if Path(word).exists():
        return Path(word).resolve()
    raise MisuseError(
        "record",
        f"{word!r} is no execution in {store.folder}, and no path",
        "`./gbg record --all-new` records what AWS still knows; an s3:// address fetches one",
    )


def _downloaded(parameters: Parameters, address: str, store: Store) -> Path:
    """Into the store of its own deployment, or beside it where it is another's."""
    from gbg_lib.aws import open_aws  # half a second, and what is here needs none of it
    from gbg_lib.record.bucket import Bucket, parse_address

    name, deployment, record = parse_address(address)
    if (here := store.folder / record).is_dir() and deployment == store.deployment:
        return here
    folder = Path(tempfile.mkdtemp(prefix="gbg-record-")) / deployment
    folder.mkdir()
    bucket = Bucket(open_aws(parameters), name, deployment)
    return bucket.download(f"{deployment}/{record}/", folder / record)
