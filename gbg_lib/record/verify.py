"""Whether a record is what its recorder wrote, and whether its chain is whole."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from gbg_lib.errors import GbgError
from gbg_lib.record.archive import Archive, open_archive
from gbg_lib.record.format import NOTES
from gbg_lib.record.manifest import Link, Manifest


@dataclass(frozen=True)
class Finding:
    """Something that is wrong."""

    record: str
    file: str
    what: str


@dataclass(frozen=True)
class Verified:
    record: str
    files: int
    links: tuple[Link, ...]
    """its manifests as links of the chain"""
    formers: tuple[Link | None, ...]
    """what each of them is linked to"""
    findings: tuple[Finding, ...]


def verify(archive: Archive) -> Verified:
    """One archive by itself: every file against its hash. Raises RecordError when it can't be read at all."""
    manifests = archive.manifests
    listed = {name: sha for manifest in manifests for name, sha in manifest.files.items()}
    findings = [*_differing(archive, listed), *_unlisted(archive, listed), *_late(archive, manifests)]
    return Verified(
        archive.name,
        len(listed),
        _links(archive),
        tuple(manifest.former for manifest in manifests),
        tuple(findings),
    )


def verify_chain(records: Sequence[Verified]) -> list[Finding]:
    """All records of a deployment: one unbroken line of manifests from the first to the last."""
    pairs = sorted(
        ((link, former) for one in records for link, former in zip(one.links, one.formers, strict=True)),
        key=lambda pair: pair[0].sequence,
    )
    findings = []
    before: Link | None = None
    for link, former in pairs:
        expected = before.sequence + 1 if before else 1
        if link.sequence != expected:
            what = f"it is number {link.sequence} of the chain, after number {expected - 1}"
            what += ": one is missing or there twice"
            findings.append(Finding(link.record, link.manifest, what))
        elif former != before:
            told = f"{former.record}/{former.manifest}" if former else "nothing"
            findings.append(Finding(link.record, link.manifest, f"the chain is broken: it follows {told}"))
        before = link
    return findings


def verify_all(folders: Iterable[Path], last: Link | None = None) -> tuple[list[Verified], list[Finding]]:
    """Records of one deployment and their chain; `last` is the link that the index says was written last."""
    verified, findings = [], []
    for folder in folders:
        try:
            verified.append(verify(open_archive(folder)))
        except GbgError as error:
            findings.append(Finding(folder.name, "", error.what))
    findings += [finding for one in verified for finding in one.findings]
    findings += verify_chain(verified)
    there = [link for one in verified for link in one.links]
    if last is not None and last not in there:
        findings.append(Finding(last.record, last.manifest, "the index tells of it, and it is not there"))
    return verified, findings


def _differing(archive: Archive, listed: dict[str, str]) -> list[Finding]:
    found = []
    for name, sha in listed.items():
        if name not in archive.names:
            found.append(Finding(archive.name, name, "it is missing"))
        elif (now := hashlib.sha256(archive.read(name)).hexdigest()) != sha:
            what = f"it was altered: SHA-256 {now[:12]}…, written was {sha[:12]}…"
            found.append(Finding(archive.name, name, what))
    return found


def _unlisted(archive: Archive, listed: dict[str, str]) -> list[Finding]:
    own = {*archive.manifest_names, NOTES}
    return [
        Finding(archive.name, name, "it was added: no manifest lists it")
        for name in sorted(archive.names - own - listed.keys())
    ]


def _late(archive: Archive, manifests: Sequence[Manifest]) -> list[Finding]:
    """Late manifests belong to this record, and list nothing that was listed before."""
    found = []
    seen: set[str] = set()
    for name, manifest in zip(archive.manifest_names, manifests, strict=True):
        if manifest.record != archive.name:
            found.append(Finding(archive.name, name, f"it belongs to {manifest.record}"))
        for twice in sorted(seen & manifest.files.keys()):
            found.append(Finding(archive.name, name, f"it lists {twice} again"))
        seen |= manifest.files.keys()
    return found


def _links(archive: Archive) -> tuple[Link, ...]:
    return tuple(
        manifest.link(name, archive.read(name))
        for name, manifest in zip(archive.manifest_names, archive.manifests, strict=True)
    )
