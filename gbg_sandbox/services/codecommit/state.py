"""What CodeCommit remembers besides the git repositories themselves."""

from __future__ import annotations

import re
import threading
import uuid
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from gbg_sandbox.service import AwsError
from gbg_sandbox.services.codecommit.git import Git

NAME = re.compile(r"[\w.-]{1,100}")


@dataclass
class Repository:
    name: str
    arn: str
    git: Git
    description: str = ""
    tags: dict[str, str] = field(default_factory=dict)
    kms_key: str = ""
    default_branch: str = ""
    id: str = field(default_factory=lambda: str(uuid.uuid4()))
    created: datetime = field(default_factory=lambda: datetime.now(UTC))
    modified: datetime = field(default_factory=lambda: datetime.now(UTC))
    writing: threading.Lock = field(default_factory=threading.Lock)
    """held while references change, so that each change is announced once"""

    def commit(self, specifier: str = "") -> str:
        """The commit id behind a branch, tag, HEAD or id. Raises AwsError as GetFile and its like do."""
        wanted = specifier or self.default_branch
        if not wanted:
            raise AwsError("CommitDoesNotExistException", f"Repository {self.name} has no commits yet")
        found = self.git.resolve(self.default_branch if wanted == "HEAD" else wanted)
        if found is None:
            raise AwsError("CommitDoesNotExistException", f"Commit {wanted} does not exist in {self.name}")
        return found

    def branch(self, name: str) -> str:
        """The tip of a branch. Raises AwsError BranchDoesNotExistException."""
        found = self.git.references().get(f"refs/heads/{name}")
        if found is None:
            raise AwsError("BranchDoesNotExistException", f"Branch {name} does not exist")
        return found


class Repositories:
    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._known: dict[str, Repository] = {}
        self._lock = threading.Lock()

    def create(self, name: str, arn: str) -> Repository:
        if not NAME.fullmatch(name) or name.endswith(".git"):
            raise AwsError(
                "InvalidRepositoryNameException",
                "Repository names are 1 to 100 letters, digits, periods, underscores and dashes; "
                "they may not end in .git",
            )
        with self._lock:
            if name in self._known:
                raise AwsError("RepositoryNameExistsException", f"Repository named {name} already exists")
            repository = Repository(name, arn, Git.create(self._path(name)))
            self._known[name] = repository
        return repository

    def get(self, name: str) -> Repository:
        with self._lock:
            if name not in self._known:
                raise AwsError("RepositoryDoesNotExistException", f"{name} does not exist")
            return self._known[name]

    def by_arn(self, arn: str) -> Repository:
        return self.get(arn.rpartition(":")[2])

    def delete(self, name: str) -> Repository | None:
        with self._lock:
            repository = self._known.pop(name, None)
        if repository is not None:
            with repository.writing:
                repository.git.remove()
        return repository

    def rename(self, old: str, new: str, arn: str) -> None:
        repository = self.get(old)
        if not NAME.fullmatch(new):
            raise AwsError("InvalidRepositoryNameException", f"{new!r} is not a valid repository name")
        with self._lock, repository.writing:
            if new in self._known:
                raise AwsError("RepositoryNameExistsException", f"Repository named {new} already exists")
            repository.git.move(self._path(new))
            repository.name, repository.arn = new, arn
            self._known[new] = self._known.pop(old)

    def all(self) -> list[Repository]:
        with self._lock:
            return list(self._known.values())

    def _path(self, name: str) -> Path:
        return self._directory / f"{name}.git"
