"""CodeCommit's operations: repositories and branches here, what lies in a commit in content.py.

Refused by name at the gateway: pull requests, merges, comments, approval rules and triggers.
https://docs.aws.amazon.com/codecommit/latest/APIReference/
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from gbg_sandbox.service import AwsError, Call, Route, Service, runs, stored
from gbg_sandbox.services.codecommit.content import Content
from gbg_sandbox.services.codecommit.git import ABSENT, GitError
from gbg_sandbox.services.codecommit.smart_http import SmartHttp
from gbg_sandbox.services.codecommit.state import Repositories, Repository

if TYPE_CHECKING:
    from gbg_sandbox.cloud import Cloud

PAGE = 1000
BATCH = 25


class CodeCommit(Content, Service):
    name = "codecommit"

    def __init__(self, cloud: Cloud) -> None:
        super().__init__(cloud)
        self.repositories = Repositories(cloud.state_dir / "codecommit")
        self._http = SmartHttp(self)

    def routes(self) -> Sequence[Route]:
        return [Route(host=r".*", path=r"/v1/repos/.+", handler=self._http.handle)]

    # -- repositories

    @runs
    def create_repository(self, call: Call, params: dict[str, Any]) -> dict[str, Any]:
        name = params["repositoryName"]
        repository = self.repositories.create(name, self.cloud.arn("codecommit", name))
        repository.description = params.get("repositoryDescription", "")
        repository.tags.update(params.get("tags", {}))
        repository.kms_key = params.get("kmsKeyId", "")
        return {"repositoryMetadata": self._metadata(repository)}

    @runs
    def get_repository(self, call: Call, params: dict[str, Any]) -> dict[str, Any]:
        return {"repositoryMetadata": self._metadata(self.repositories.get(params["repositoryName"]))}

    @runs
    def batch_get_repositories(self, call: Call, params: dict[str, Any]) -> dict[str, Any]:
        names = params["repositoryNames"]
        if len(names) > BATCH:
            raise AwsError(
                "MaximumRepositoryNamesExceededException", f"At most {BATCH} repository names may be given"
            )
        known = {repository.name: repository for repository in self.repositories.all()}
        return {
            "repositories": [self._metadata(known[name]) for name in names if name in known],
            "repositoriesNotFound": [name for name in names if name not in known],
        }

    @runs
    def list_repositories(self, call: Call, params: dict[str, Any]) -> dict[str, Any]:
        by_date = params.get("sortBy", "repositoryName") == "lastModifiedDate"
        found = sorted(
            self.repositories.all(),
            key=lambda one: one.modified.isoformat() if by_date else one.name,
            reverse=params.get("order") == "descending",
        )
        chosen, token = _page(found, params.get("nextToken"))
        listed = [{"repositoryName": one.name, "repositoryId": one.id} for one in chosen]
        return {"repositories": listed, **token}

    @runs
    def delete_repository(self, call: Call, params: dict[str, Any]) -> dict[str, Any]:
        deleted = self.repositories.delete(params["repositoryName"])
        return {"repositoryId": deleted.id} if deleted else {}

    @runs
    def update_repository_name(self, call: Call, params: dict[str, Any]) -> None:
        new = params["newName"]
        self.repositories.rename(params["oldName"], new, self.cloud.arn("codecommit", new))

    @stored
    def update_repository_description(self, call: Call, params: dict[str, Any]) -> None:
        repository = self.repositories.get(params["repositoryName"])
        repository.description = params.get("repositoryDescription", "")
        repository.modified = self.cloud.clock.now()

    @stored
    def tag_resource(self, call: Call, params: dict[str, Any]) -> None:
        self.repositories.by_arn(params["resourceArn"]).tags.update(params["tags"])

    @stored
    def untag_resource(self, call: Call, params: dict[str, Any]) -> None:
        tags = self.repositories.by_arn(params["resourceArn"]).tags
        for key in params["tagKeys"]:
            tags.pop(key, None)

    @stored
    def list_tags_for_resource(self, call: Call, params: dict[str, Any]) -> dict[str, Any]:
        return {"tags": dict(self.repositories.by_arn(params["resourceArn"]).tags)}

    def tagged_resources(self) -> dict[str, dict[str, str]]:
        return {one.arn: dict(one.tags) for one in self.repositories.all()}

    # -- branches

    @runs
    def list_branches(self, call: Call, params: dict[str, Any]) -> dict[str, Any]:
        branches = self.repositories.get(params["repositoryName"]).git.branches()
        chosen, token = _page(branches, params.get("nextToken"))
        return {"branches": list(chosen), **token}

    @runs
    def get_branch(self, call: Call, params: dict[str, Any]) -> dict[str, Any]:
        name = _required(params, "branchName", "BranchNameRequiredException")
        repository = self.repositories.get(
            _required(params, "repositoryName", "RepositoryNameRequiredException")
        )
        return {"branch": {"branchName": name, "commitId": repository.branch(name)}}

    @runs
    def create_branch(self, call: Call, params: dict[str, Any]) -> None:
        repository = self.repositories.get(params["repositoryName"])
        name, commit = params["branchName"], params["commitId"]
        with self.changing(repository, call.principal.arn):
            if repository.git.resolve(commit) != commit:
                raise AwsError("CommitDoesNotExistException", f"Commit {commit} does not exist")
            if f"refs/heads/{name}" in repository.git.references():
                raise AwsError("BranchNameExistsException", f"Branch {name} already exists")
            try:
                repository.git.set_reference(f"refs/heads/{name}", commit)
            except GitError as error:
                raise AwsError(
                    "InvalidBranchNameException", f"{name!r} is not a branch name: {error}"
                ) from error

    @runs
    def delete_branch(self, call: Call, params: dict[str, Any]) -> dict[str, Any]:
        repository = self.repositories.get(params["repositoryName"])
        name = params["branchName"]
        if name == repository.default_branch:
            raise AwsError(
                "DefaultBranchCannotBeDeletedException",
                f"{name} is the default branch of {repository.name} and can't be deleted",
            )
        with self.changing(repository, call.principal.arn):
            commit = repository.git.references().get(f"refs/heads/{name}")
            if commit is None:
                return {}
            repository.git.set_reference(f"refs/heads/{name}", ABSENT, commit)
        return {"deletedBranch": {"branchName": name, "commitId": commit}}

    @runs
    def update_default_branch(self, call: Call, params: dict[str, Any]) -> None:
        repository = self.repositories.get(params["repositoryName"])
        name = params["defaultBranchName"]
        repository.branch(name)
        repository.default_branch = name
        repository.git.point_head(name)

    # -- changes of references, by API or by push

    @contextlib.contextmanager
    def changing(self, repository: Repository, caller_arn: str) -> Iterator[None]:
        """Whatever changes references within is announced, reference by reference."""
        with repository.writing:
            before = repository.git.references()
            try:
                yield
            finally:
                after = repository.git.references() if repository.git.path.exists() else before
                if after != before:
                    self._changed(repository, before, after, caller_arn)

    def _changed(
        self, repository: Repository, before: dict[str, str], after: dict[str, str], caller_arn: str
    ) -> None:
        repository.modified = self.cloud.clock.now()
        branches = sorted(name for name in after if name.startswith("refs/heads/"))
        if not repository.default_branch and branches:
            first = "refs/heads/main" if "refs/heads/main" in branches else branches[0]
            repository.default_branch = first.removeprefix("refs/heads/")
            repository.git.point_head(repository.default_branch)
        for reference in sorted({*before, *after}):
            old, new = before.get(reference), after.get(reference)
            if old != new:
                self._announce(repository, reference, old, new, caller_arn)

    def _announce(
        self, repository: Repository, reference: str, old: str | None, new: str | None, caller_arn: str
    ) -> None:
        kind, _, name = reference.removeprefix("refs/").partition("/")
        event = (
            "referenceDeleted" if new is None else "referenceCreated" if old is None else "referenceUpdated"
        )
        detail = {
            "event": event,
            "repositoryName": repository.name,
            "repositoryId": repository.id,
            "referenceType": {"heads": "branch", "tags": "tag"}.get(kind, kind),
            "referenceName": name,
            "referenceFullName": reference,
            "callerUserArn": caller_arn,
        }
        detail |= {"commitId": new} if new else {}
        detail |= {"oldCommitId": old} if old else {}
        self.cloud.events.publish(
            "aws.codecommit", "CodeCommit Repository State Change", detail, [repository.arn]
        )

    def _metadata(self, repository: Repository) -> dict[str, Any]:
        address = f"{self.cloud.endpoint_url}/v1/repos/{repository.name}"
        found = {
            "accountId": self.cloud.account,
            "repositoryId": repository.id,
            "repositoryName": repository.name,
            "repositoryDescription": repository.description,
            "defaultBranch": repository.default_branch,
            "creationDate": repository.created,
            "lastModifiedDate": repository.modified,
            "cloneUrlHttp": address,
            "Arn": repository.arn,
            "kmsKeyId": repository.kms_key,
        }
        return {key: value for key, value in found.items() if value != ""}


def _required(params: dict[str, Any], key: str, code: str) -> str:
    """What botocore's model calls optional and AWS demands all the same."""
    if not params.get(key):
        raise AwsError(code, f"A value for {key} is required")
    return str(params[key])


def _page(found: Sequence[Any], token: str | None) -> tuple[Sequence[Any], dict[str, str]]:
    """One page and the token of the next."""
    if token is not None and not token.isdigit():
        raise AwsError("InvalidContinuationTokenException", "The continuation token is not valid")
    start = int(token or 0)
    rest = {"nextToken": str(start + PAGE)} if start + PAGE < len(found) else {}
    return found[start : start + PAGE], rest


SERVICE = CodeCommit
