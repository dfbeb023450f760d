"""CodeCommit's operations on what lies in commits: commits, files, folders, differences."""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any

from gbg_sandbox.service import AwsError, Call, runs
from gbg_sandbox.services.codecommit.git import (
    ABSENT,
    FILE_MODES,
    MODE_NAMES,
    Commit,
    Difference,
    Entry,
    GitError,
    Person,
    Write,
)

if TYPE_CHECKING:
    from gbg_sandbox.cloud import Cloud
    from gbg_sandbox.services.codecommit.state import Repositories, Repository

LARGEST_FILE = 6 * 1024 * 1024
DIFFERENCES_PAGE = 100


class Content:
    """The part of CodeCommit that reads and writes commits through the API."""

    cloud: Cloud
    repositories: Repositories

    if TYPE_CHECKING:

        def changing(self, repository: Repository, caller_arn: str) -> AbstractContextManager[None]: ...

    # -- reading

    @runs
    def get_commit(self, call: Call, params: dict[str, Any]) -> dict[str, Any]:
        repository = self.repositories.get(params["repositoryName"])
        return {"commit": _told(self._commit(repository, params["commitId"]))}

    @runs
    def batch_get_commits(self, call: Call, params: dict[str, Any]) -> dict[str, Any]:
        repository = self.repositories.get(params["repositoryName"])
        found, errors = [], []
        for commit_id in params["commitIds"]:
            try:
                found.append(_told(self._commit(repository, commit_id)))
            except AwsError as error:
                errors.append({"commitId": commit_id, "errorCode": error.code, "errorMessage": error.message})
        return {"commits": found, "errors": errors}

    @runs
    def get_blob(self, call: Call, params: dict[str, Any]) -> dict[str, Any]:
        repository = self.repositories.get(params["repositoryName"])
        return {"content": self._blob(repository, params["blobId"])}

    @runs
    def get_file(self, call: Call, params: dict[str, Any]) -> dict[str, Any]:
        repository = self.repositories.get(params["repositoryName"])
        commit = repository.commit(params.get("commitSpecifier", ""))
        path = params["filePath"].strip("/")
        entry = repository.git.entry(commit, path)
        if entry is None or entry.kind != "blob":
            raise AwsError(
                "FileDoesNotExistException", f"{path} does not exist in {repository.name} at {commit}"
            )
        return {
            "commitId": commit,
            "blobId": entry.id,
            "filePath": entry.path,
            "fileMode": MODE_NAMES[entry.mode],
            "fileSize": entry.size,
            "fileContent": self._blob(repository, entry.id),
        }

    @runs
    def get_folder(self, call: Call, params: dict[str, Any]) -> dict[str, Any]:
        repository = self.repositories.get(params["repositoryName"])
        commit = repository.commit(params.get("commitSpecifier", ""))
        path = params["folderPath"].strip("/")
        tree = repository.git.tree(commit, path)
        if tree is None:
            raise AwsError(
                "FolderDoesNotExistException", f"{path} does not exist in {repository.name} at {commit}"
            )
        entries = repository.git.entries(tree)
        return {
            "commitId": commit,
            "folderPath": path,
            "treeId": tree,
            "subFolders": [_placed(one, path, "treeId") for one in entries if one.kind == "tree"],
            "files": [
                {**_placed(one, path, "blobId"), "fileMode": MODE_NAMES[one.mode]}
                for one in entries
                if one.kind == "blob" and one.mode != FILE_MODES["SYMLINK"]
            ],
            "symbolicLinks": [
                {**_placed(one, path, "blobId"), "fileMode": "SYMLINK"}
                for one in entries
                if one.mode == FILE_MODES["SYMLINK"]
            ],
            "subModules": [_placed(one, path, "commitId") for one in entries if one.kind == "commit"],
        }

    @runs
    def get_differences(self, call: Call, params: dict[str, Any]) -> dict[str, Any]:
        repository = self.repositories.get(params["repositoryName"])
        before = params.get("beforeCommitSpecifier")
        found = repository.git.differences(
            repository.commit(before) if before else None, repository.commit(params["afterCommitSpecifier"])
        )
        wanted = params.get("afterPath") or params.get("beforePath") or ""
        found = [one for one in found if _under(one.path, wanted)]
        start, size = int(params.get("NextToken", 0)), params.get("MaxResults", DIFFERENCES_PAGE)
        rest = {"NextToken": str(start + size)} if start + size < len(found) else {}
        return {"differences": [_difference(one) for one in found[start : start + size]], **rest}

    # -- writing

    @runs
    def put_file(self, call: Call, params: dict[str, Any]) -> dict[str, Any]:
        repository = self.repositories.get(params["repositoryName"])
        path = params["filePath"].strip("/")
        mode = FILE_MODES[params.get("fileMode", "NORMAL")]
        with self.changing(repository, call.principal.arn):
            parent = self._tip(repository, params)
            existing = repository.git.entry(parent, path) if parent else None
            commit = self._write_path(repository, parent, Write(path, params["fileContent"], mode), params)
            entry = repository.git.entry(commit, path)
            assert entry is not None
            if existing is not None and (existing.id, existing.mode) == (entry.id, entry.mode):
                raise AwsError("SameFileContentException", f"{path} has this content and mode already")
            self._move_branch(repository, params["branchName"], commit, parent)
        return {"commitId": commit, "blobId": entry.id, "treeId": repository.git.commit(commit).tree}

    @runs
    def delete_file(self, call: Call, params: dict[str, Any]) -> dict[str, Any]:
        repository = self.repositories.get(params["repositoryName"])
        path = params["filePath"].strip("/")
        with self.changing(repository, call.principal.arn):
            parent = self._tip(repository, params)
            entry = repository.git.entry(parent, path) if parent else None
            if entry is None:
                raise AwsError("FileDoesNotExistException", f"{path} does not exist in {repository.name}")
            commit = self._write_path(repository, parent, Write(path), params)
            self._move_branch(repository, params["branchName"], commit, parent)
        tree = repository.git.commit(commit).tree
        return {"commitId": commit, "blobId": entry.id, "treeId": tree, "filePath": path}

    @runs
    def create_commit(self, call: Call, params: dict[str, Any]) -> dict[str, Any]:
        if params.get("keepEmptyFolders"):
            raise AwsError(
                "ValidationException", "gbg_sandbox does not keep empty folders; leave keepEmptyFolders out"
            )
        repository = self.repositories.get(params["repositoryName"])
        writes = _writes(params)
        with self.changing(repository, call.principal.arn):
            parent = self._tip(repository, params)
            try:
                commit = self._write(repository, parent, writes, params)
            except (GitError, IndexError) as error:
                raise AwsError("FileDoesNotExistException", f"the commit can't be made: {error}") from error
            if parent and repository.git.commit(parent).tree == repository.git.commit(commit).tree:
                raise AwsError("NoChangeException", "The commit contains no changes to the branch's tip")
            self._move_branch(repository, params["branchName"], commit, parent)
        changes = repository.git.differences(parent, commit)
        keys = {"A": "filesAdded", "M": "filesUpdated", "D": "filesDeleted"}
        told: dict[str, Any] = {key: [] for key in keys.values()}
        for change in changes:
            told[keys[change.change]].append(_file(change))
        return {"commitId": commit, "treeId": repository.git.commit(commit).tree, **told}

    def _tip(self, repository: Repository, params: dict[str, Any]) -> str | None:
        """The branch's tip that the new commit grows on; None in an empty repository."""
        references = repository.git.references()
        tip = references.get(f"refs/heads/{params['branchName']}")
        if tip is None and references:
            raise AwsError("BranchDoesNotExistException", f"Branch {params['branchName']} does not exist")
        told = params.get("parentCommitId")
        if tip is not None and told is None:
            raise AwsError("ParentCommitIdRequiredException", "A parent commit ID is required")
        if tip is not None and told != tip:
            raise AwsError(
                "ParentCommitIdOutdatedException",
                f"{told} is not the tip of {params['branchName']}; the tip is {tip}",
            )
        return tip

    def _write_path(
        self, repository: Repository, parent: str | None, write: Write, params: dict[str, Any]
    ) -> str:
        try:
            return self._write(repository, parent, [write], params)
        except (GitError, IndexError) as error:
            raise AwsError("InvalidPathException", f"{write.path} can't be a file's path: {error}") from error

    def _write(
        self, repository: Repository, parent: str | None, writes: list[Write], params: dict[str, Any]
    ) -> str:
        too_large = [
            one.path for one in writes if one.content is not None and len(one.content) > LARGEST_FILE
        ]
        if too_large:
            raise AwsError("FileContentSizeLimitExceededException", f"{too_large[0]} is larger than 6 MB")
        author = Person(
            params.get("authorName") or params.get("name") or "AWS CodeCommit",
            params.get("email") or "codecommit@example.com",
            f"{int(self.cloud.clock.now().timestamp())} +0000",
        )
        message = params.get("commitMessage") or f"Change {', '.join(one.path for one in writes)}"
        return repository.git.write_commit(parent, writes, message, author)

    def _move_branch(self, repository: Repository, branch: str, commit: str, parent: str | None) -> None:
        repository.git.set_reference(f"refs/heads/{branch}", commit, parent or ABSENT)

    def _commit(self, repository: Repository, commit_id: str) -> Commit:
        try:
            return repository.git.commit(commit_id)
        except GitError as error:
            raise AwsError("CommitIdDoesNotExistException", f"Commit {commit_id} does not exist") from error

    def _blob(self, repository: Repository, blob_id: str) -> bytes:
        try:
            return repository.git.blob(blob_id)
        except GitError as error:
            raise AwsError("BlobIdDoesNotExistException", f"Blob {blob_id} does not exist") from error


def _writes(params: dict[str, Any]) -> list[Write]:
    writes = []
    for put in params.get("putFiles", []):
        if "sourceFile" in put:
            raise AwsError(
                "ValidationException", "gbg_sandbox does not run putFiles.sourceFile; give fileContent"
            )
        writes.append(
            Write(
                put["filePath"].strip("/"),
                put.get("fileContent", b""),
                FILE_MODES[put.get("fileMode", "NORMAL")],
            )
        )
    writes += [Write(one["filePath"].strip("/")) for one in params.get("deleteFiles", [])]
    writes += [
        Write(one["filePath"].strip("/"), None, FILE_MODES[one["fileMode"]])
        for one in params.get("setFileModes", [])
    ]
    if not writes:
        raise AwsError("FileEntryRequiredException", "The commit has to name at least one file")
    return writes


def _told(commit: Commit) -> dict[str, Any]:
    return {
        "commitId": commit.id,
        "treeId": commit.tree,
        "parents": list(commit.parents),
        "message": commit.message,
        "author": _person(commit.author),
        "committer": _person(commit.committer),
        "additionalData": "",
    }


def _person(person: Person) -> dict[str, str]:
    return {"name": person.name, "email": person.email, "date": person.date}


def _placed(entry: Entry, folder: str, id_key: str) -> dict[str, str]:
    absolute = f"{folder}/{entry.path}" if folder else entry.path
    return {id_key: entry.id, "absolutePath": absolute, "relativePath": entry.path}


def _under(path: str, folder: str) -> bool:
    folder = folder.strip("/")
    return not folder or path == folder or path.startswith(folder + "/")


def _difference(one: Difference) -> dict[str, Any]:
    told: dict[str, Any] = {"changeType": one.change}
    for key, (mode, blob) in {"beforeBlob": one.before, "afterBlob": one.after}.items():
        if blob != ABSENT:
            told[key] = {"blobId": blob, "path": one.path, "mode": mode}
    return told


def _file(one: Difference) -> dict[str, str]:
    mode, blob = one.before if one.change == "D" else one.after
    return {"absolutePath": one.path, "blobId": blob, "fileMode": MODE_NAMES[mode]}
