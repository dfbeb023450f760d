"""Files and commits of a record, as git takes them: what was released, and what served before it.

A source archive comes from a record that may come from anywhere: names that lead out of its folder, links and
bombs are refused. A commit gets the recorded author, times and message; where its tree and its parents are
the recorded ones, too, it is the same commit, with the same id.
"""

from __future__ import annotations

import io
import tempfile
import zipfile
from collections.abc import Container, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from gbg_lib.record.archive import UNREADABLE, Archive
from gbg_lib.record.format import Evidence, RecordError
from gbg_lib.record.manifest import sha256
from gbg_lib.repository import AUTHOR, Repository

MOST_FILES, MOST_BYTES = 10_000, 200_000_000
LONGEST_NAME = 255
"""bytes that a name may have on Linux"""
EXECUTABLE, REGULAR = 0o755, 0o644
SOURCE, FORMER_SOURCE = "source", "source.former"


@dataclass(frozen=True)
class File:
    content: bytes
    mode: int = REGULAR


@dataclass(frozen=True)
class Commit:
    """As CodeCommit tells it; times are `1795865380 +0000`."""

    id: str
    message: str
    author: tuple[str, str, str]
    """name, address, time"""
    committer: tuple[str, str, str]
    tree: str = ""
    parents: tuple[str, ...] = ()


@dataclass(frozen=True)
class Source:
    """The files of one commit, and the commits that led to it, oldest first; it is the last."""

    files: Mapping[str, File]
    commits: tuple[Commit, ...]
    masked: tuple[str, ...] = field(default=())
    """files in which a secret was masked, so that they are not what was released"""

    @property
    def id(self) -> str:
        return self.commits[-1].id


def source_of(archive: Archive) -> Source:
    """What was released. Raises RecordError where the record lacks it, or holds what no build was given."""
    found = archive.one(SOURCE)
    if found is None or not found.file:
        raise RecordError(
            archive.where,
            "it holds no source archive: what was to be built is not known",
            "its page tells what is missing and why (`gbg run 6 -p record=…`)",
        )
    files = unpacked(archive.read(found.file), f"{archive.where}/{found.file}")
    masked = tuple(str(name) for name in found.data.get("masked", []))
    return Source(files, commits_of(archive), masked)


def former_source(archive: Archive, former: Archive | None) -> Source | None:
    """What served before: from the former release's record, or from this one; None where neither knows."""
    wanted = str(archive.manifest.summary.get("former_commit", ""))
    if former is not None and wanted and former.manifest.summary.get("commit") == wanted:
        return source_of(former)
    found = archive.one(FORMER_SOURCE)
    if found is None or not found.file:
        return None
    kept = unpacked(archive.read(found.file), f"{archive.where}/{found.file}")
    files = _joined(archive, found, kept)
    return Source(files, (_bare(wanted, "What served before"),), tuple(found.data.get("masked", [])))


def _joined(archive: Archive, found: Evidence, kept: Mapping[str, File]) -> dict[str, File]:
    """Files that did not change are in the new source already."""
    source = source_of(archive)
    masked = {*source.masked, *found.data.get("masked", [])}
    files = {}
    for name, sha in found.data["members"].items():
        file = kept.get(name) or source.files.get(name)
        if file is None or (sha256(file.content) != sha and name not in masked):
            raise RecordError(
                archive.where, f"what served before lacks {name}", "`gbg record verify` tells more"
            )
        files[name] = file
    return files


def unpacked(content: bytes, where: str, most_bytes: int = MOST_BYTES) -> dict[str, File]:
    """Raises RecordError, before anything is unpacked where it would come to more than `most_bytes`."""
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            infos = [info for info in archive.infolist() if not info.is_dir()]
            if len(infos) > MOST_FILES or sum(info.file_size for info in infos) > most_bytes:
                raise RecordError(where, "it is larger than any source archive", "don't trust it")
            folders = {str(parent) for info in infos for parent in PurePosixPath(info.filename).parents}
            for info in infos:
                _require_plain(info, folders, where)
            return {info.filename: File(archive.read(info), _mode(info)) for info in infos}
    except UNREADABLE as error:
        raise RecordError(where, f"it can't be unpacked: {error}", "fetch the archive again") from error


def _require_plain(info: zipfile.ZipInfo, folders: Container[str], where: str) -> None:
    """`folders` are those that other files are in: what is one is no file."""
    path = PurePosixPath(info.filename)
    odd = path.is_absolute() or ".." in path.parts or "\\" in info.filename or "\0" in info.filename
    odd = odd or str(path) != info.filename or str(path) in folders
    odd = odd or any(part.lower() == ".git" or len(part.encode()) > LONGEST_NAME for part in path.parts)
    if odd:
        raise RecordError(where, f"it has a file {info.filename[:120]!r}", "don't trust it")
    kind = (info.external_attr >> 16) & 0o170000
    if kind not in (0, 0o100000):
        raise RecordError(where, f"{info.filename[:120]!r} is no plain file", "don't trust it")


def _mode(info: zipfile.ZipInfo) -> int:
    return EXECUTABLE if (info.external_attr >> 16) & 0o111 else REGULAR


def commits_of(archive: Archive) -> tuple[Commit, ...]:
    """The range that the record has, oldest first. CodeCommit may have lost them: then the last one, bare."""
    wanted = str(archive.manifest.summary.get("commit", ""))
    former = str(archive.manifest.summary.get("former_commit", ""))
    told = {one.id.partition(":")[2]: one for one in archive.of("commit")}
    line: list[Commit] = []
    next_id = wanted
    while next_id in told and next_id != former:
        commit = _commit(told.pop(next_id))
        line.append(commit)
        next_id = next(iter(commit.parents), "")
    return tuple(reversed(line)) or (_bare(wanted, str(archive.manifest.summary.get("message", ""))),)


def _commit(one: Evidence) -> Commit:
    people = [
        tuple(str(one.data.get(who, {}).get(key, "")) for key in ("name", "email", "date"))
        for who in ("author", "committer")
    ]
    return Commit(
        str(one.data["commitId"]),
        str(one.data.get("message", "")),
        people[0],  # type: ignore[arg-type]
        people[1],  # type: ignore[arg-type]
        str(one.data.get("treeId", "")),
        tuple(map(str, one.data.get("parents", []))),
    )


def _bare(commit: str, message: str) -> Commit:
    who = (*AUTHOR, "0 +0000")
    return Commit(commit, message or "A commit of which the record tells no more", who, who)


def push(repository: Repository, source: Source) -> str:
    """Its commits on top of the branch, in a repository that may be empty. Raises RepositoryError.

    The last one's id there: the recorded one where tree and parents are the recorded ones, too. Of commits
    before the last the record keeps no files: they change none here.
    """
    head = repository.head()
    with ExitStack() as stack:
        if head is not None:
            work = stack.enter_context(repository.clone())
        else:
            work = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="gbg-")))
            repository.git(work, "init", "-q", "-b", repository.branch)
        parent = head.id if head else ""
        before = repository.git(work, "rev-parse", "HEAD^{tree}") if head else ""
        tree = _tree(repository, source.files, work)
        for commit in source.commits:
            last = commit is source.commits[-1]
            if last or before:
                parent = _written(repository, commit, tree if last else before, parent, work)
        refs = f"{parent}:refs/heads/{repository.branch}"
        repository.aws.acts(f"git push {repository.url} {refs}")
        repository.git(work, "push", "-q", repository.url, refs)
    return parent


def _tree(repository: Repository, files: Mapping[str, File], work: Path) -> str:
    for entry in work.iterdir():
        if entry.name != ".git":
            repository.git(work, "rm", "-rqf", "--ignore-unmatch", "--", entry.name)
    for name, file in files.items():
        path = work / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(file.content)
        path.chmod(file.mode)
    repository.git(work, "add", "--all", "--force")
    return repository.git(work, "write-tree")


def _written(repository: Repository, commit: Commit, tree: str, parent: str, work: Path) -> str:
    """A commit object, byte for byte as git would write it."""
    lines = [f"tree {tree}", *([f"parent {parent}"] if parent else [])]
    for role, (name, address, time) in (("author", commit.author), ("committer", commit.committer)):
        lines.append(f"{role} {_word(name)} <{_word(address)}> {time}")
    path = work / ".git" / "commit"
    path.write_text("\n".join([*lines, "", commit.message]))
    return repository.git(work, "hash-object", "-t", "commit", "-w", str(path))


def _word(text: str) -> str:
    """A name as git keeps it: nothing that ends a line or an address."""
    return "".join(letter for letter in text if letter not in "<>\n\0").strip()
