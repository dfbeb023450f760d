"""Part 2: the application in its CodeCommit repository, with plain git.

Nothing is ever forced: a repository with other content is left alone, and says so.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from urllib.parse import urlsplit

from gbg_lib import appearance
from gbg_lib.aws import Aws
from gbg_lib.errors import MisuseError, RepositoryError
from gbg_lib.git_credentials import sign
from gbg_lib.replay import clock
from gbg_lib.replay.tape import asked
from gbg_lib.secret.values import masking

GIT_SECONDS = 300.0
AUTHOR = ("golden-blue-green", "gbg@localhost")
NOT_SOURCE = {".git", "target", "__pycache__"}
SETTINGS = {
    "user.name": AUTHOR[0],
    "user.email": AUTHOR[1],
    "commit.gpgSign": "false",
    "core.autocrlf": "false",
    "core.excludesFile": "",
    "core.fileMode": "true",
    "core.hooksPath": os.devnull,
    "credential.helper": "",
}
"""so that a person's own git configuration changes no commit; an empty credential.helper forgets theirs"""

LOGIN = """!login() {
    test "$1" = get && printf 'username=%s\\npassword=%s\\n' "$GBG_GIT_USER" "$GBG_GIT_PASSWORD"
}; login"""
"""a credential helper that answers from its environment, where no list of processes shows it"""


@dataclass(frozen=True)
class Commit:
    id: str
    message: str
    author: str


@dataclass(frozen=True)
class SeedPlan:
    repository: str
    action: str
    """push | change | nothing"""
    reason: str
    files: tuple[str, ...]
    headline: str = ""
    """what the page is to say from one more commit on; empty leaves it as it is"""


class Repository:
    def __init__(self, aws: Aws, name: str, url: str, branch: str) -> None:
        self.aws = aws
        self.name = name
        self.url = url
        self.branch = branch
        self.limit_seconds = GIT_SECONDS

    def plan_seed(self, folder: Path) -> SeedPlan:
        """What pushing `folder` as first commit would do. Raises RepositoryError, MisuseError."""
        if not folder.is_dir():
            raise MisuseError(
                "application_folder", f"{folder} is not a folder", "name a folder with an appspec.yml"
            )
        wanted = files_of(folder)
        if "appspec.yml" not in wanted:
            raise RepositoryError(str(folder), "it holds no appspec.yml", "name the application's own folder")
        found = self.branches()
        if not found:
            return SeedPlan(self.name, "push", "the repository is empty", wanted)
        if self.branch not in found:
            raise self._not_empty(f"it has {', '.join(found)} and no {self.branch}")
        later = self._commits_since(folder)
        if later is None:
            raise self._not_empty(f"{self.branch} never held what is in {folder}")
        since = f", and {later} later commit{'s' * (later > 1)}" if later else ""
        return SeedPlan(self.name, "nothing", f"{self.branch} holds this application already{since}", wanted)

    def plan_headline(self, plan: SeedPlan, folder: Path, text: str) -> SeedPlan:
        """The plan, and a commit with another headline of the sample application's page.

        Raises RepositoryError where `folder`, or what the branch holds, is another application.
        """
        if plan.action == "push":
            return plan if appearance.says(folder, text) else replace(plan, headline=text)
        with self.clone() as work:
            if appearance.says(work, text):
                return plan
        reason = f"the page is to say {text!r}"
        return SeedPlan(self.name, "change", reason, (str(appearance.APPEARANCE),), text)

    def give_headline(self, text: str) -> Commit:
        return self.change(lambda work: appearance.write(work, headline=text), f"New headline: {text}")

    def _not_empty(self, what: str) -> RepositoryError:
        return RepositoryError(
            f"repository {self.name}",
            f"it isn't empty: {what}",
            "clone it and push your change as a commit of your own; nothing was overwritten",
        )

    def _commits_since(self, folder: Path) -> int | None:
        """How many commits ago the branch held exactly these files; None when it never did."""
        with self.clone() as work, tempfile.TemporaryDirectory(prefix="gbg-") as temporary:
            wanted = self._tree(folder, Path(temporary) / "work")
            trees = self.git(work, "log", "--first-parent", "--format=%T", self.branch).split()
        return trees.index(wanted) if wanted in trees else None

    def _tree(self, folder: Path, work: Path) -> str:
        """git's name for the folder's content, file modes included; `work` becomes a repository with it."""
        shutil.copytree(folder, work, ignore=shutil.ignore_patterns(*NOT_SOURCE))
        self.git(work, "init", "-q", "-b", self.branch)
        self.git(work, "add", "--all")
        return self.git(work, "write-tree")

    def seed(self, plan: SeedPlan, folder: Path, message: str) -> Commit:
        """Push `folder` as the first commit."""
        with tempfile.TemporaryDirectory(prefix="gbg-") as temporary:
            work = Path(temporary) / "work"
            self._tree(folder, work)
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
        found = self.aws.pages("codecommit", "list_branches", "branches", repositoryName=self.name)
        return [str(name) for name in found]

    @contextmanager
    def clone(self) -> Iterator[Path]:
        """A clone that is removed at the end."""
        with tempfile.TemporaryDirectory(prefix="gbg-") as temporary:
            work = Path(temporary) / "work"
            content = asked(
                "git clone", {"url": self.url, "branch": self.branch}, lambda: self._cloned(Path(temporary))
            )
            bundle = Path(temporary) / "bundle"
            if not bundle.exists():  # in a replay
                bundle.write_bytes(self._kept(content))
            self.git(Path(temporary), "clone", "-q", "--branch", self.branch, str(bundle), str(work))
            yield work

    def _cloned(self, folder: Path) -> bytes:
        """What the repository holds, as one file that git clones from; empty where it holds a secret."""
        self.git(folder, "clone", "-q", "--bare", "--branch", self.branch, self.url, "there")
        self.git(folder / "there", "bundle", "create", "-q", "../bundle", "--branches")
        told = self.git(folder / "there", "log", "--branches", "--patch", "--text")
        return (folder / "bundle").read_bytes() if masking().text(told) == told else b""

    def _kept(self, content: bytes) -> bytes:
        if not content:
            raise RepositoryError(
                f"git clone ({self.name})",
                "its files are not kept with the run: they hold what looks like a secret",
                "a run can't be replayed beyond this point",
            )
        return content

    def _commit_and_push(self, work: Path, message: str) -> Commit:
        self.git(work, "add", "--all")
        if not self.git(work, "status", "--porcelain"):
            raise RepositoryError(f"repository {self.name}", "nothing has changed", "edit a file first")
        self.git(work, "commit", "-q", "-m", message, now=clock.now())
        self.aws.acts(f"git push {self.url} HEAD:refs/heads/{self.branch}")
        commit = self.git(work, "rev-parse", "HEAD")
        asked(
            "git push",
            {"url": self.url, "branch": self.branch, "commit": commit},
            lambda: self.git(work, "push", "-q", self.url, f"HEAD:refs/heads/{self.branch}"),
        )
        return Commit(commit, message, AUTHOR[0])

    def git(self, directory: Path, *words: str, now: datetime | None = None) -> str:
        """What git says in a folder, with this repository's rights; `now` dates a commit.

        Raises RepositoryError.
        """
        settings = [*SETTINGS.items(), ("credential.helper", LOGIN)]
        try:
            done = subprocess.run(
                ["git", *(word for name, value in settings for word in ("-c", f"{name}={value}")), *words],
                cwd=directory,
                env=self._environment() | _dated(now),
                capture_output=True,
                text=True,
                timeout=self.limit_seconds,
                check=False,
            )
        except subprocess.TimeoutExpired as error:
            raise RepositoryError(
                f"git {words[0]} ({self.name})",
                f"no answer within {self.limit_seconds:.0f} s",
                f"try `git ls-remote {self.url}`: is the network there?",
            ) from error
        if done.returncode != 0:
            last = (done.stderr.strip().splitlines() or ["no output"])[-1]
            raise RepositoryError(
                f"git {words[0]} ({self.name})",
                last,
                "check git's access with `git ls-remote " + self.url + "`",
            )
        return done.stdout.strip()

    def _environment(self) -> dict[str, str]:
        return {**os.environ, "GIT_TERMINAL_PROMPT": "0", **self._login(), **self.aws.environment}

    def _login(self) -> dict[str, str]:
        """For this repository alone, and good for 15 minutes. Raises AccessRefused."""
        address = urlsplit(self.url)
        if not address.netloc:
            return {}
        user, password = sign(address.netloc, address.path, self.aws.region, self.aws.keys())
        return {"GBG_GIT_USER": user, "GBG_GIT_PASSWORD": password}


def _dated(now: datetime | None) -> dict[str, str]:
    told = "" if now is None else f"{int(now.timestamp())} +0000"
    return {"GIT_AUTHOR_DATE": told, "GIT_COMMITTER_DATE": told} if told else {}


def files_of(folder: Path) -> tuple[str, ...]:
    """Paths below the folder of what belongs into a repository."""
    below = (path.relative_to(folder) for path in sorted(folder.rglob("*")) if path.is_file())
    return tuple(str(path) for path in below if not NOT_SOURCE & set(path.parts))
