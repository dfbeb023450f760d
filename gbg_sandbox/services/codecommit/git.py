"""One bare git repository, through git's own plumbing commands."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

ABSENT = "0" * 40
FILE_MODES = {"NORMAL": "100644", "EXECUTABLE": "100755", "SYMLINK": "120000"}
MODE_NAMES = {mode: name for name, mode in FILE_MODES.items()}


class GitError(Exception):
    """git refused; carries what it said."""


@dataclass(frozen=True)
class Person:
    name: str
    email: str
    date: str
    """seconds since 1970 and offset from UTC: `1484167798 -0800`"""


@dataclass(frozen=True)
class Commit:
    id: str
    tree: str
    parents: tuple[str, ...]
    author: Person
    committer: Person
    message: str


@dataclass(frozen=True)
class Entry:
    mode: str
    kind: str
    """blob | tree | commit"""
    id: str
    path: str
    size: int = 0


@dataclass(frozen=True)
class Difference:
    change: str
    """A | M | D"""
    path: str
    before: tuple[str, str]
    """mode and blob id"""
    after: tuple[str, str]


@dataclass(frozen=True)
class Write:
    """One file of a commit made through the API; `content` None removes it, mode alone changes it."""

    path: str
    content: bytes | None = None
    mode: str = ""


def environment() -> dict[str, str]:
    """git without the person's own configuration."""
    return {
        "PATH": os.environ.get("PATH", "/usr/bin:/bin"),
        "HOME": "/nonexistent",
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_CONFIG_COUNT": "1",
        "GIT_CONFIG_KEY_0": "safe.directory",
        "GIT_CONFIG_VALUE_0": "*",
        "LC_ALL": "C",
    }


class Git:
    def __init__(self, path: Path) -> None:
        self.path = path

    @classmethod
    def create(cls, path: Path) -> Git:
        if path.exists():
            shutil.rmtree(path)
        path.parent.mkdir(parents=True, exist_ok=True)
        git = cls(path)
        git._run("init", "--quiet", "--bare", "--initial-branch=main", str(path), inside=False)
        git._run("config", "http.receivepack", "true")
        git._run("config", "gc.auto", "0")
        return git

    def remove(self) -> None:
        shutil.rmtree(self.path, ignore_errors=True)

    def move(self, path: Path) -> None:
        self.path = self.path.rename(path)

    def point_head(self, branch: str) -> None:
        """What a clone checks out."""
        self._run("symbolic-ref", "HEAD", f"refs/heads/{branch}")

    def references(self) -> dict[str, str]:
        """Full reference name → object id."""
        lines = self._text("for-each-ref", "--format=%(refname) %(objectname)").splitlines()
        return dict(line.rsplit(" ", 1) for line in lines)

    def branches(self) -> list[str]:
        prefix = "refs/heads/"
        return sorted(name.removeprefix(prefix) for name in self.references() if name.startswith(prefix))

    def resolve(self, specifier: str) -> str | None:
        """The commit behind a name or id, or None."""
        if specifier.startswith("-"):
            return None
        for name in (f"refs/heads/{specifier}", specifier):
            found = self._run("rev-parse", "--verify", "--quiet", f"{name}^{{commit}}", check=False)
            if found.returncode == 0:
                return found.stdout.decode().strip()
        return None

    def commit(self, commit_id: str) -> Commit:
        """Raises GitError when there is no such commit."""
        head, _, message = self._text("cat-file", "commit", commit_id).partition("\n\n")
        fields = [line.partition(" ")[::2] for line in head.splitlines() if not line.startswith(" ")]
        first = dict(reversed(fields))
        parents = tuple(value for key, value in fields if key == "parent")
        return Commit(
            commit_id, first["tree"], parents, _person(first["author"]), _person(first["committer"]), message
        )

    def tree(self, commit_id: str, path: str = "") -> str | None:
        """The id of a folder's tree object, or None."""
        found = self._run("rev-parse", "--verify", "--quiet", f"{commit_id}:{path}", check=False)
        tree = found.stdout.decode().strip()
        return (
            tree if found.returncode == 0 and self._text("cat-file", "-t", tree).strip() == "tree" else None
        )

    def entries(self, tree: str) -> list[Entry]:
        """What lies directly in a tree."""
        return [_entry(line) for line in self._text("ls-tree", "-z", "--long", tree).split("\0") if line]

    def entry(self, commit_id: str, path: str) -> Entry | None:
        lines = self._text("ls-tree", "-z", "--long", commit_id, "--", path).split("\0")
        return _entry(lines[0]) if lines[0] else None

    def blob(self, blob_id: str) -> bytes:
        """Raises GitError."""
        return self._run("cat-file", "blob", blob_id).stdout

    def differences(self, before: str | None, after: str) -> list[Difference]:
        """Without `before`, everything in `after` is added."""
        if before is None:
            before = self._run("hash-object", "-t", "tree", "--stdin", stdin=b"").stdout.decode().strip()
        text = self._text("diff-tree", "-r", "-z", "--no-renames", before, after)
        fields = [field for field in text.split("\0") if field]
        found = []
        for head, path in zip(fields[::2], fields[1::2], strict=True):
            old_mode, new_mode, old_id, new_id, change = head.lstrip(":").split(" ")
            found.append(
                Difference("M" if change == "T" else change, path, (old_mode, old_id), (new_mode, new_id))
            )
        return found

    def set_reference(self, name: str, new: str, old: str = ABSENT) -> None:
        """Move, create or (new ABSENT) delete a reference that is at `old`. Raises GitError when it isn't."""
        if new == ABSENT:
            self._run("update-ref", "-d", name, old)
        else:
            self._run("update-ref", name, new, old)

    def write_commit(
        self,
        parent: str | None,
        writes: Sequence[Write],
        message: str,
        author: Person,
        encoding: str = "utf-8",
    ) -> str:
        """A new commit on top of `parent`; no reference is moved."""
        with tempfile.TemporaryDirectory() as scratch:
            index = {"GIT_INDEX_FILE": str(Path(scratch) / "index")}
            if parent:
                self._run("read-tree", parent, extra=index)
            for write in writes:
                self._stage(write, index)
            tree = self._run("write-tree", extra=index).stdout.decode().strip()
        who = {
            f"GIT_{role}_{key}": value
            for role in ("AUTHOR", "COMMITTER")
            for key, value in (("NAME", author.name), ("EMAIL", author.email), ("DATE", author.date))
        }
        parents = ["-p", parent] if parent else []
        made = self._run("commit-tree", tree, *parents, stdin=message.encode(encoding), extra=who)
        return made.stdout.decode().strip()

    def zip(self, commit_id: str) -> bytes:
        """The commit's files as CodePipeline stores them: no git metadata, modes kept."""
        return self._run("archive", "--format=zip", commit_id).stdout

    def _stage(self, write: Write, index: Mapping[str, str]) -> None:
        if write.content is None and not write.mode:
            self._run("update-index", "--force-remove", "--", write.path, extra=index)
            return
        if write.content is None:
            line = self._text("ls-files", "--stage", "--", write.path, extra=index)
            blob = line.split()[1]
        else:
            blob = self._run("hash-object", "-w", "--stdin", stdin=write.content).stdout.decode().strip()
        self._run("update-index", "--add", "--cacheinfo", f"{write.mode},{blob},{write.path}", extra=index)

    def _text(self, *arguments: str, extra: Mapping[str, str] | None = None) -> str:
        return self._run(*arguments, extra=extra).stdout.decode("utf-8", "surrogateescape")

    def _run(
        self,
        *arguments: str,
        stdin: bytes | None = None,
        inside: bool = True,
        check: bool = True,
        extra: Mapping[str, str] | None = None,
    ) -> subprocess.CompletedProcess[bytes]:
        where = ["--git-dir", str(self.path)] if inside else []
        done = subprocess.run(
            ["git", *where, *arguments],
            input=stdin if stdin is not None else b"",
            capture_output=True,
            env={**environment(), **(extra or {})},
            check=False,
        )
        if check and done.returncode:
            raise GitError(done.stderr.decode(errors="replace").strip() or f"git {arguments[0]} failed")
        return done


def _person(line: str) -> Person:
    who, _, rest = line.partition(" <")
    email, _, date = rest.partition("> ")
    return Person(who, email, date)


def _entry(line: str) -> Entry:
    head, _, path = line.partition("\t")
    mode, kind, object_id, size = head.split()
    return Entry(mode, kind, object_id, path, int(size) if size.isdigit() else 0)
