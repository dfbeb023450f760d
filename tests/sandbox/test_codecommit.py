"""CodeCommit with a real git: clone, push, refusals, and the event of every changed reference."""

from __future__ import annotations

import json
import os
import secrets
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from gbg_lib import git_credentials
from gbg_sandbox.cloud import Cloud
from gbg_sandbox.credentials import Credential
from gbg_sandbox.service import Principal

STATE_CHANGE = "CodeCommit Repository State Change"


class GitUser:
    """Someone with keys and git's credential helper, in a folder of their own."""

    def __init__(self, home: Path, credential: Credential) -> None:
        home.mkdir(parents=True, exist_ok=True)
        self.home = home
        self.environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(home),
            "AWS_ACCESS_KEY_ID": credential.access_key,
            "AWS_SECRET_ACCESS_KEY": credential.secret_key,
            "AWS_SESSION_TOKEN": credential.token,
            "AWS_REGION": "us-east-1",
            "GIT_TERMINAL_PROMPT": "0",
        }
        self.git("config", "--global", "credential.helper", f"!{sys.executable} {git_credentials.__file__}")
        self.git("config", "--global", "credential.useHttpPath", "true")
        self.git("config", "--global", "user.name", "Ada")
        self.git("config", "--global", "user.email", "ada@example.com")
        self.git("config", "--global", "init.defaultBranch", "main")

    def git(self, *arguments: str, within: str = ".", check: bool = True) -> str:
        done = subprocess.run(
            ["git", *arguments],
            cwd=self.home / within,
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
        )
        said = done.stdout + done.stderr
        assert not check or done.returncode == 0, said
        assert check or done.returncode != 0, said
        return said

    def commit(self, name: str, content: str, within: str) -> str:
        (self.home / within / name).write_text(content)
        self.git("add", ".", within=within)
        self.git("commit", "-qm", f"Change {name}", within=within)
        return self.git("rev-parse", "HEAD", within=within).strip()


def iam_user(cloud: Cloud, name: str, actions: list[str]) -> Credential:
    """An IAM user with keys who may do `actions` on every repository."""
    iam: Any = cloud.stored("iam")
    name = f"{name}-{secrets.token_hex(4)}"
    iam.create_user(UserName=name)
    statement = {"Effect": "Allow", "Action": actions, "Resource": "*"}
    policy = str({"Version": "2012-10-17", "Statement": [statement]}).replace("'", '"')
    iam.put_user_policy(UserName=name, PolicyName="p", PolicyDocument=policy)
    arn = f"arn:aws:iam::{cloud.account}:user/{name}"
    return cloud.credentials.issue(Principal("user", arn, cloud.account, user_name=name))


@pytest.fixture
def ada(cloud: Cloud, tmp_path: Path) -> GitUser:
    return GitUser(tmp_path / "ada", iam_user(cloud, "ada", ["codecommit:*"]))


@pytest.fixture
def codecommit(client: Callable[[str], Any]) -> Any:
    made = client("codecommit")
    made.create_repository(repositoryName="app", repositoryDescription="An app", tags={"a": "b"})
    return made


def changes(cloud: Cloud) -> list[dict[str, Any]]:
    return [dict(event.detail) for event in cloud.events.since(0) if event.detail_type == STATE_CHANGE]


def seed(user: GitUser, codecommit: Any) -> str:
    """Clone the empty repository and push a first commit."""
    url = codecommit.get_repository(repositoryName="app")["repositoryMetadata"]["cloneUrlHttp"]
    user.git("clone", url, "app")
    commit = user.commit("index.html", "one", "app")
    user.git("push", "origin", "main", within="app")
    return commit


def test_push_to_an_empty_repository_sets_the_default_branch(
    cloud: Cloud, codecommit: Any, ada: GitUser
) -> None:
    metadata = codecommit.get_repository(repositoryName="app")["repositoryMetadata"]
    assert "defaultBranch" not in metadata
    commit = seed(ada, codecommit)
    assert codecommit.get_repository(repositoryName="app")["repositoryMetadata"]["defaultBranch"] == "main"
    assert codecommit.get_branch(repositoryName="app", branchName="main")["branch"]["commitId"] == commit
    (change,) = changes(cloud)
    assert change["event"] == "referenceCreated"
    assert (change["referenceType"], change["referenceName"]) == ("branch", "main")
    assert change["commitId"] == commit
    assert change["callerUserArn"].partition("user/")[2].startswith("ada-")


def test_update_and_delete_of_references_are_announced(cloud: Cloud, codecommit: Any, ada: GitUser) -> None:
    first = seed(ada, codecommit)
    second = ada.commit("index.html", "two", "app")
    ada.git("tag", "v1", within="app")
    ada.git("push", "origin", "main", "v1", "main:next", within="app")
    ada.git("push", "origin", ":next", within="app")
    ada.git("push", "origin", "main", within="app")
    told = [(one["event"], one["referenceFullName"]) for one in changes(cloud)[1:]]
    assert told == [
        ("referenceUpdated", "refs/heads/main"),
        ("referenceCreated", "refs/heads/next"),
        ("referenceCreated", "refs/tags/v1"),
        ("referenceDeleted", "refs/heads/next"),
    ]
    update = changes(cloud)[1]
    assert (update["oldCommitId"], update["commitId"]) == (first, second)


def test_push_that_is_not_fast_forward_is_refused(cloud: Cloud, codecommit: Any, ada: GitUser) -> None:
    seed(ada, codecommit)
    url = codecommit.get_repository(repositoryName="app")["repositoryMetadata"]["cloneUrlHttp"]
    ada.git("clone", url, "other")
    ada.commit("other.html", "theirs", "other")
    ada.git("push", within="other")
    ada.commit("index.html", "mine", "app")
    assert "rejected" in ada.git("push", "origin", "main", within="app", check=False)
    assert len(changes(cloud)) == 2


def test_large_push_arrives_whole(codecommit: Any, ada: GitUser) -> None:
    seed(ada, codecommit)
    content = os.urandom(3_000_000)
    (ada.home / "app" / "large.bin").write_bytes(content)
    ada.git("add", ".", within="app")
    ada.git("commit", "-qm", "Large", within="app")
    ada.git("push", "origin", "main", within="app")
    assert codecommit.get_file(repositoryName="app", filePath="large.bin")["fileContent"] == content


def test_rights_decide_over_pull_and_push(
    cloud: Cloud, codecommit: Any, ada: GitUser, tmp_path: Path
) -> None:
    seed(ada, codecommit)
    url = codecommit.get_repository(repositoryName="app")["repositoryMetadata"]["cloneUrlHttp"]
    reader = GitUser(tmp_path / "bob", iam_user(cloud, "bob", ["codecommit:GitPull"]))
    reader.git("clone", url, "app")
    reader.commit("index.html", "bob was here", "app")
    assert "403" in reader.git("push", "origin", "main", within="app", check=False)
    stranger = GitUser(tmp_path / "eve", iam_user(cloud, "eve", ["s3:*"]))
    assert "403" in stranger.git("clone", url, "app", check=False)


def test_wrong_secret_and_unknown_repository_are_refused(cloud: Cloud, codecommit: Any, ada: GitUser) -> None:
    assert "not found" in ada.git("clone", f"{cloud.endpoint_url}/v1/repos/nothing", check=False)
    ada.environment["AWS_SECRET_ACCESS_KEY"] = "guess"
    assert "403" in ada.git("clone", f"{cloud.endpoint_url}/v1/repos/app", check=False)


def test_pushes_at_once_lose_nothing(cloud: Cloud, codecommit: Any, ada: GitUser) -> None:
    seed(ada, codecommit)
    url = codecommit.get_repository(repositoryName="app")["repositoryMetadata"]["cloneUrlHttp"]
    names = [f"topic-{number}" for number in range(4)]
    for name in names:
        ada.git("clone", "-q", url, name)
        ada.commit(f"{name}.txt", name, name)
    threads = [
        threading.Thread(target=ada.git, args=("push", "origin", f"main:{name}"), kwargs={"within": name})
        for name in names
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert codecommit.list_branches(repositoryName="app")["branches"] == ["main", *names]
    assert sorted(one["referenceName"] for one in changes(cloud)) == ["main", *names]


def test_files_written_through_the_api_are_in_git(codecommit: Any, ada: GitUser) -> None:
    first = codecommit.create_commit(
        repositoryName="app",
        branchName="main",
        authorName="Ada",
        email="ada@example.com",
        commitMessage="Begin",
        putFiles=[
            {"filePath": "a/run.sh", "fileContent": b"#!/bin/sh\n", "fileMode": "EXECUTABLE"},
            {"filePath": "b.txt", "fileContent": b"b"},
        ],
    )
    second = codecommit.put_file(
        repositoryName="app",
        branchName="main",
        filePath="b.txt",
        fileContent=b"bb",
        parentCommitId=first["commitId"],
    )
    ada.git(
        "clone", codecommit.get_repository(repositoryName="app")["repositoryMetadata"]["cloneUrlHttp"], "app"
    )
    assert (ada.home / "app/b.txt").read_text() == "bb"
    assert os.access(ada.home / "app/a/run.sh", os.X_OK)
    folder = codecommit.get_folder(repositoryName="app", folderPath="/")
    assert [one["absolutePath"] for one in folder["subFolders"]] == ["a"]
    (difference,) = codecommit.get_differences(
        repositoryName="app", beforeCommitSpecifier=first["commitId"], afterCommitSpecifier="main"
    )["differences"]
    assert (difference["changeType"], difference["afterBlob"]["path"]) == ("M", "b.txt")
    commit = codecommit.get_commit(repositoryName="app", commitId=second["commitId"])["commit"]
    assert commit["parents"] == [first["commitId"]]
    with pytest.raises(ClientError, match="ParentCommitIdOutdatedException"):
        codecommit.delete_file(
            repositoryName="app", branchName="main", filePath="b.txt", parentCommitId=first["commitId"]
        )


def test_errors_have_awss_codes(codecommit: Any) -> None:
    with pytest.raises(ClientError, match="RepositoryNameExistsException"):
        codecommit.create_repository(repositoryName="app")
    with pytest.raises(ClientError, match="BranchDoesNotExistException"):
        codecommit.get_branch(repositoryName="app", branchName="main")
    with pytest.raises(ClientError, match="RepositoryDoesNotExistException"):
        codecommit.list_branches(repositoryName="nothing")
    with pytest.raises(ClientError, match="does not have codecommit:CreatePullRequest"):
        codecommit.create_pull_request(title="t", targets=[{"repositoryName": "app", "sourceReference": "x"}])


@pytest.mark.parametrize("path", [".git/config", "a/../b", "a//b"])
def test_a_path_that_git_refuses_is_an_invalid_one(codecommit: Any, path: str) -> None:
    with pytest.raises(ClientError, match="InvalidPathException"):
        codecommit.put_file(repositoryName="app", branchName="main", filePath=path, fileContent=b"x")


def test_a_protected_branch_is_so_for_git_and_for_the_api(
    cloud: Cloud, codecommit: Any, ada: GitUser, tmp_path: Path
) -> None:
    """https://docs.aws.amazon.com/codecommit/latest/userguide/how-to-conditional-branch.html"""
    tip = seed(ada, codecommit)
    key = iam_user(cloud, "bob", ["codecommit:*"])
    protect = {
        "Effect": "Deny",
        "Action": ["codecommit:GitPush", "codecommit:DeleteBranch", "codecommit:PutFile"],
        "Resource": "*",
        "Condition": {
            "StringEqualsIfExists": {"codecommit:References": ["refs/heads/main"]},
            "Null": {"codecommit:References": "false"},
        },
    }
    cloud.client("iam").put_user_policy(
        UserName=key.principal.user_name,
        PolicyName="protect",
        PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [protect]}),
    )
    bob = GitUser(tmp_path / "bob", key)
    url = codecommit.get_repository(repositoryName="app")["repositoryMetadata"]["cloneUrlHttp"]
    bob.git("clone", url, "app")
    bob.commit("index.html", "bob was here", "app")
    assert "403" in bob.git("push", "origin", "main", within="app", check=False)
    api = cloud.client("codecommit", principal=key.principal)
    file = {"repositoryName": "app", "filePath": "b.txt", "fileContent": b"b", "parentCommitId": tip}
    with pytest.raises(ClientError, match="explicit deny"):
        api.put_file(branchName="main", **file)
    with pytest.raises(ClientError, match="explicit deny"):
        api.delete_branch(repositoryName="app", branchName="main")
    api.create_branch(repositoryName="app", branchName="side", commitId=tip)
    assert api.put_file(branchName="side", **file)["commitId"]


def test_deleted_repository_is_gone_for_git_too(codecommit: Any, ada: GitUser, cloud: Cloud) -> None:
    seed(ada, codecommit)
    assert codecommit.delete_repository(repositoryName="app")["repositoryId"]
    assert codecommit.delete_repository(repositoryName="app").get("repositoryId") is None
    assert "not found" in ada.git("clone", f"{cloud.endpoint_url}/v1/repos/app", "again", check=False)
