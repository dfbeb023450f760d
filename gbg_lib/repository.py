"""Part 2: the application in its CodeCommit repository, with plain git.

Nothing is ever forced: a repository with other content is left alone, and says so.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from gbg_lib.aws import Aws
from gbg_lib.errors import MisuseError, RepositoryError

GIT_SECONDS = 300
AUTHOR = ("golden-blue-green", "gbg@localhost")
NOT_SOURCE = shutil.ignore_patterns("target", ".git", "__pycache__")


@dataclass(frozen=True)
class Commit:
    id: str
    message: str
    author: str


@dataclass(frozen=True)
class SeedPlan:
    repository: str
    action: str
    """push | nothing"""
    reason: str
    files: tuple[str, ...]


class Repository:
    def __init__(self, aws: Aws, name: str, url: str, branch: str) -> None:
        self.aws = aws
        self.name = name
        self.url = url
        self.branch = branch

    def plan_seed(self, folder: Path) -> SeedPlan:
        """What pushing `folder` as first commit would do. Raises RepositoryError, MisuseError."""
        if not folder.is_dir():
            raise MisuseError(
                "application_folder", f"{folder} is not a folder", "name a folder with an appspec.yml"
            )
        wanted = files_of(folder)
        if "appspec.yml" not in wanted:
            raise RepositoryError(str(folder), "it holds no appspec.yml", "name the application's own folder")
        if not self.branches():
            return SeedPlan(self.name, "push", "the repository is empty", tuple(wanted))
        with self.clone() as work:
            if files_of(work) == wanted:
                return SeedPlan(
                    self.name, "nothing", "the branch holds this application already", tuple(wanted)
                )
        raise RepositoryError(
            f"repository {self.name}",
            f"it isn't empty: {self.branch} holds other files than {folder}",
            "clone it and push your change as a commit of your own; nothing was overwritten",
        )

    def seed(self, plan: SeedPlan, folder: Path, message: str) -> Commit:
        """Push `folder` as the first commit."""
        with tempfile.TemporaryDirectory(prefix="gbg-") as temporary:
            work = Path(temporary) / "work"
            shutil.copytree(folder, work, ignore=NOT_SOURCE)
            self._git(work, "init", "-q", "-b", self.branch)
            return self._commit_and_push(work, message)

    def change(self, edit: Callable[[Path], None], message: str) -> Commit:
        """Clone, let `edit` change files, commit and push."""
        with self.clone() as work:
            edit(work)
            return self._commit_and_push(work, message)

    def head(self) -> Commit | None:
        """The branch's newest commit; None while there is none."""
        if self.branch not in self.branches():
            return None
        branch = self.aws.call("codecommit", "get_branch", repositoryName=self.name, branchName=self.branch)
        found = self.aws.call(
            "codecommit", "get_commit", repositoryName=self.name, commitId=branch["branch"]["commitId"]
        )["commit"]
        return Commit(found["commitId"], found["message"].strip(), found["author"]["name"])

    def branches(self) -> list[str]:
        return list(self.aws.call("codecommit", "list_branches", repositoryName=self.name)["branches"])

    @contextmanager
    def clone(self) -> Iterator[Path]:
        """A clone that is removed at the end."""
        with tempfile.TemporaryDirectory(prefix="gbg-") as temporary:
            work = Path(temporary) / "work"
            self._git(Path(temporary), "clone", "-q", "--branch", self.branch, self.url, str(work))
            yield work

    def _commit_and_push(self, work: Path, message: str) -> Commit:
        self._git(work, "add", "--all")
        if not self._git(work, "status", "--porcelain"):
            raise RepositoryError(f"repository {self.name}", "nothing has changed", "edit a file first")
        self._git(work, "commit", "-q", "-m", message)
        self._git(work, "push", "-q", self.url, f"HEAD:refs/heads/{self.branch}")
        return Commit(self._git(work, "rev-parse", "HEAD"), message, AUTHOR[0])

    def _git(self, directory: Path, *words: str) -> str:
        helper = f"!{sys.executable} -m gbg_lib.git_credentials --profile {self.aws.profile or 'default'}"
        settings = [
            *(
                "-c",
                "credential.helper=",
                "-c",
                f"credential.helper={helper}",
                "-c",
                "credential.useHttpPath=true",
            ),
            *("-c", f"user.name={AUTHOR[0]}", "-c", f"user.email={AUTHOR[1]}", "-c", "core.fileMode=true"),
        ]
        done = subprocess.run(
            ["git", *settings, *words],
            cwd=directory,
            env=self._environment(),
            capture_output=True,
            text=True,
            timeout=GIT_SECONDS,
            check=False,
        )
        if done.returncode != 0:
            last = (done.stderr.strip().splitlines() or ["no output"])[-1]
            raise RepositoryError(
                f"git {words[0]} ({self.name})",
                last,
                "check git's access with `git ls-remote " + self.url + "`",
            )
        return done.stdout.strip()

    def _environment(self) -> dict[str, str]:
        root = str(Path(__file__).resolve().parent.parent)
        return {
            **os.environ,
            "GIT_TERMINAL_PROMPT": "0",
            "PYTHONPATH": os.pathsep.join(filter(None, [root, os.environ.get("PYTHONPATH", "")])),
            **self.aws.environment,
        }


def files_of(folder: Path) -> dict[str, bytes]:
    """Path below the folder → content, of what belongs into a repository."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and not {".git", "target", "__pycache__"} & set(path.relative_to(folder).parts)
    }
