"""Part 2 with a real git: what is pushed, what is skipped, what is refused."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from gbg_lib import appearance
from gbg_lib.appearance import APPEARANCE
from gbg_lib.aws import Aws
from gbg_lib.errors import MisuseError, RepositoryError
from gbg_lib.repository import LOGIN, Repository
from tests.unit.aws_fakes import connected


def git(folder: Path, *words: str) -> str:
    identity = ("-c", "user.name=Ada", "-c", "user.email=ada@example.com")
    done = subprocess.run(["git", *identity, *words], cwd=folder, check=True, capture_output=True, text=True)
    return done.stdout.strip()


class FakeCodeCommit:
    """CodeCommit's API over a bare repository on disk."""

    def __init__(self, bare: Path) -> None:
        self.bare = bare

    def list_branches(self, **given: str) -> dict[str, Any]:
        return {"branches": git(self.bare, "for-each-ref", "--format=%(refname:short)").split()}

    def get_branch(self, **given: str) -> dict[str, Any]:
        return {"branch": {"commitId": git(self.bare, "rev-parse", given["branchName"])}}

    def get_commit(self, **given: str) -> dict[str, Any]:
        words = git(self.bare, "log", "-1", "--format=%H%n%an%n%B", given["commitId"]).split("\n", 2)
        return {"commit": {"commitId": words[0], "author": {"name": words[1]}, "message": words[2] + "\n"}}


@pytest.fixture
def application(tmp_path: Path) -> Path:
    """A folder worth releasing, with things in it that don't belong into a repository."""
    folder = tmp_path / "application"
    (folder / "scripts").mkdir(parents=True)
    (folder / "appspec.yml").write_text("version: 0.0\n")
    (folder / "scripts" / "start.sh").write_text("#!/bin/sh\n")
    (folder / "scripts" / "start.sh").chmod(0o755)
    (folder / "target").mkdir()
    (folder / "target" / "app.war").write_text("built")
    return folder


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    bare = tmp_path / "shop.git"
    git(tmp_path, "init", "-q", "--bare", "-b", "main", str(bare))
    aws: Aws = connected(codecommit=FakeCodeCommit(bare))
    return Repository(aws, "shop", str(bare), "main")


def seed(repository: Repository, application: Path) -> str:
    return repository.seed(repository.plan_seed(application), application, "First").id


def test_an_empty_repository_gets_the_application(repository: Repository, application: Path) -> None:
    plan = repository.plan_seed(application)
    assert (plan.action, plan.reason) == ("push", "the repository is empty")
    assert plan.files == ("appspec.yml", "scripts/start.sh")
    assert repository.head() is None
    made = repository.seed(plan, application, "First")
    head = repository.head()
    assert head == made and head.message == "First"
    listed = git(Path(repository.url), "ls-tree", "-r", "main").splitlines()
    assert [line.split()[0] + " " + line.split("\t")[1] for line in listed] == [
        "100644 appspec.yml",
        "100755 scripts/start.sh",
    ]


def test_what_is_there_already_is_skipped(repository: Repository, application: Path) -> None:
    seed(repository, application)
    plan = repository.plan_seed(application)
    assert (plan.action, plan.reason) == ("nothing", "main holds this application already")


def test_later_commits_are_kept_and_told(repository: Repository, application: Path) -> None:
    seed(repository, application)

    def edit(work: Path) -> None:
        (work / "new.txt").write_text("new")

    made = repository.change(edit, "Second")
    plan = repository.plan_seed(application)
    assert plan.action == "nothing"
    assert plan.reason == "main holds this application already, and 1 later commit"
    assert repository.head() == made


def test_other_content_is_never_overwritten(repository: Repository, application: Path) -> None:
    first = seed(repository, application)
    (application / "appspec.yml").write_text("version: 0.1\n")
    with pytest.raises(RepositoryError) as refused:
        repository.plan_seed(application)
    assert "isn't empty" in refused.value.what and "nothing was overwritten" in refused.value.try_this
    head = repository.head()
    assert head is not None and head.id == first


def test_another_branch_only_is_not_empty(repository: Repository, application: Path) -> None:
    git(Path(repository.url), "symbolic-ref", "HEAD", "refs/heads/trunk")
    seed(Repository(repository.aws, "shop", repository.url, "trunk"), application)
    with pytest.raises(RepositoryError, match="it has trunk and no main"):
        repository.plan_seed(application)


def test_a_changed_file_mode_is_another_application(repository: Repository, application: Path) -> None:
    seed(repository, application)
    (application / "scripts" / "start.sh").chmod(0o644)
    with pytest.raises(RepositoryError, match="isn't empty"):
        repository.plan_seed(application)


def test_folders_that_hold_no_application_are_refused(repository: Repository, tmp_path: Path) -> None:
    with pytest.raises(MisuseError, match="not a folder"):
        repository.plan_seed(tmp_path / "none")
    (tmp_path / "empty").mkdir()
    with pytest.raises(RepositoryError, match=r"no appspec\.yml"):
        repository.plan_seed(tmp_path / "empty")


def test_a_change_of_nothing_is_refused(repository: Repository, application: Path) -> None:
    seed(repository, application)
    with pytest.raises(RepositoryError, match="nothing has changed"):
        repository.change(lambda work: None, "Nothing")


def test_gits_own_words_are_passed_on(repository: Repository, application: Path) -> None:
    lost = Repository(repository.aws, "shop", repository.url + "-gone", "main")
    with pytest.raises(RepositoryError) as refused:
        lost.seed(repository.plan_seed(application), application, "First")
    assert refused.value.where == "git push (shop)" and "ls-remote" in refused.value.try_this


def test_a_persons_git_configuration_changes_no_commit(
    repository: Repository, application: Path, tmp_path: Path
) -> None:
    """Signing, hooks, ignored files and line ends of their own would."""
    hooks = tmp_path / "hooks"
    hooks.mkdir()
    (hooks / "pre-commit").write_text("#!/bin/sh\nexit 1\n")
    (hooks / "pre-commit").chmod(0o755)
    (tmp_path / "ignored").write_text("*.yml\n")
    configuration = tmp_path / "gitconfig"
    configuration.write_text(
        f"[core]\nhooksPath = {hooks}\nexcludesFile = {tmp_path / 'ignored'}\nautocrlf = true\n"
        "[commit]\ngpgSign = true\n"
    )
    repository.aws.environment["GIT_CONFIG_GLOBAL"] = str(configuration)
    seed(repository, application)
    assert "appspec.yml" in git(Path(repository.url), "ls-tree", "--name-only", "main")
    assert repository.plan_seed(application).action == "nothing"


def test_git_is_given_the_login_and_keeps_nothing(tmp_path: Path) -> None:
    login = {"GBG_GIT_USER": "AKIAX%to/ken=", "GBG_GIT_PASSWORD": "20261124T010203Zab'c"}
    done = subprocess.run(
        ["git", "-c", "credential.helper=", "-c", f"credential.helper={LOGIN}", "credential", "fill"],
        input="protocol=http\nhost=h\n\n",
        env={"PATH": os.environ["PATH"], "HOME": str(tmp_path), **login},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.split("\n")[2:4] == ["username=AKIAX%to/ken=", "password=20261124T010203Zab'c"]
    assert list(tmp_path.iterdir()) == []


def test_a_git_that_does_not_answer_is_an_error_of_ours(tmp_path: Path) -> None:
    slow = tmp_path / "bin" / "git"
    slow.parent.mkdir()
    slow.write_text("#!/bin/sh\nexec /bin/sleep 60\n")
    slow.chmod(0o755)
    repository = Repository(connected({"PATH": str(slow.parent)}), "shop", str(tmp_path), "main")
    repository.limit_seconds = 0.2
    with pytest.raises(RepositoryError, match=r"git status \(shop\): no answer within"):
        repository.git(tmp_path, "status")


class TestAHeadline:
    @pytest.fixture
    def sample(self, application: Path) -> Path:
        (application / APPEARANCE).parent.mkdir(parents=True)
        (application / APPEARANCE).write_text("headline=Hello\ncolour=#123456\n")
        return application

    def test_it_is_a_commit_of_its_own(self, repository: Repository, sample: Path) -> None:
        repository.seed(repository.plan_seed(sample), sample, "Add it")
        plan = repository.plan_headline(repository.plan_seed(sample), sample, "Mine")
        assert (plan.action, plan.files) == ("change", (str(APPEARANCE),))
        assert repository.give_headline(plan.headline).message == "New headline: Mine"
        text = git(Path(repository.url), "show", f"main:{APPEARANCE}")
        assert text == "headline=Mine\ncolour=#123456"
        again = repository.plan_headline(repository.plan_seed(sample), sample, "Mine")
        assert again.action == "nothing"

    def test_it_comes_after_the_first_commit(self, repository: Repository, sample: Path) -> None:
        plan = repository.plan_headline(repository.plan_seed(sample), sample, "Mine")
        assert (plan.action, plan.headline) == ("push", "Mine")
        assert "appspec.yml" in plan.files
        as_it_is = repository.plan_headline(repository.plan_seed(sample), sample, "Hello")
        assert as_it_is.headline == ""

    def test_another_application_is_refused(self, repository: Repository, application: Path) -> None:
        with pytest.raises(RepositoryError, match="not the sample application"):
            repository.plan_headline(repository.plan_seed(application), application, "Mine")


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("Grüße", r"Gr\u00fc\u00dfe"),
        ("a\\b", r"a\\b"),
        ("🚀 off", r"\ud83d\ude80 off"),
        (" x=1 ", "x=1"),
        ("a\nb", r"a\u000ab"),
    ],
)
def test_a_headline_is_written_as_java_reads_it(tmp_path: Path, text: str, written: str) -> None:
    page = tmp_path / APPEARANCE
    page.parent.mkdir(parents=True)
    page.write_text("headline=\n")
    appearance.write(tmp_path, headline=text)
    assert page.read_text() == f"headline={written}\n"
    assert appearance.says(tmp_path, text)


def test_a_word_that_the_page_does_not_have_is_refused(tmp_path: Path) -> None:
    (tmp_path / APPEARANCE).parent.mkdir(parents=True)
    (tmp_path / APPEARANCE).write_text("colour=red\n")
    with pytest.raises(RepositoryError, match="has no headline"):
        appearance.write(tmp_path, headline="x")
