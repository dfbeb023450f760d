"""The pipeline's execution with its actions, and what it was started for: commits and the source archive."""

from __future__ import annotations

import hashlib
import io
import zipfile
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

from gbg_lib.errors import GbgError
from gbg_lib.record.gathering import Gathering, Subject

MOST_COMMITS = 50
MOST_ARCHIVE_BYTES = 100_000_000
MOST_MEMBER_BYTES = 50_000_000


def execution(subject: Subject, found: Gathering) -> None:
    told = subject.aws.call(
        "codepipeline",
        "get_pipeline_execution",
        pipelineName=subject.pipeline,
        pipelineExecutionId=subject.execution_id,
    )["pipelineExecution"]
    source = "codepipeline:get_pipeline_execution"
    found.add("execution", "", source, told, at=subject.started, until=subject.finished)
    for action in subject.actions:
        found.add(
            "action",
            action["actionExecutionId"],
            "codepipeline:list_action_executions",
            action,
            at=action["startTime"],
            until=action["lastUpdateTime"],
        )
    structure = subject.aws.call("codepipeline", "get_pipeline", name=subject.pipeline)
    found.add("pipeline", "", "codepipeline:get_pipeline", structure)


def commits(subject: Subject, found: Gathering) -> None:
    """What this release brings beyond the former one, newest first; and the files that differ."""
    repository = subject.base["RepositoryName"]
    wanted, seen = [subject.commit] if subject.commit else [], {subject.former_commit}
    while wanted and len(seen) <= MOST_COMMITS:
        batch = list(dict.fromkeys(one for one in wanted if one not in seen))
        if not batch:
            break
        seen.update(batch)
        told = subject.aws.call(
            "codecommit", "batch_get_commits", repositoryName=repository, commitIds=batch[:100]
        )["commits"]
        for commit in told:
            at = git_time(commit["committer"]["date"])
            found.add("commit", commit["commitId"], "codecommit:batch_get_commits", commit, at=at)
        wanted = [parent for commit in told for parent in commit["parents"]] if subject.former_commit else []
    if subject.former_commit and subject.commit:
        _differences(subject, found, repository)


def _differences(subject: Subject, found: Gathering, repository: str) -> None:
    files = list(
        subject.aws.pages(
            "codecommit",
            "get_differences",
            "differences",
            repositoryName=repository,
            beforeCommitSpecifier=subject.former_commit,
            afterCommitSpecifier=subject.commit,
        )
    )
    told = {"before": subject.former_commit, "after": subject.commit, "files": files}
    found.add("commit.differences", "", "codecommit:get_differences", told)


def archive(subject: Subject, found: Gathering) -> None:
    """The source as the pipeline passed it on. Its texts are masked; its own hash is in the evidence."""
    place = source_place(subject.actions)
    if place is None:
        return
    told, content = fetched(subject, place)
    kept, masked = masked_zip(content, found)
    file = found.keep("source.zip", kept)
    found.files[file] = kept  # masked by its members: a zip's bytes show no text
    found.add("source", "", "s3:get_object", {**told, "masked": masked}, file=file)


def source_place(actions: Iterable[Mapping[str, Any]]) -> dict[str, str] | None:
    """Where the source action put what it took."""
    places = [
        dict(artifact["s3location"])
        for action in actions
        if action["input"]["actionTypeId"]["category"] == "Source"
        for artifact in action.get("output", {}).get("outputArtifacts", [])
    ]
    return places[0] if places else None


def fetched(subject: Subject, place: dict[str, str]) -> tuple[dict[str, Any], bytes]:
    """An artifact: what identifies it, and its bytes. Raises NotThere, AwsError."""
    answer = subject.aws.call("s3", "get_object", Bucket=place["bucket"], Key=place["key"])
    size = int(answer["ContentLength"])
    if size > MOST_ARCHIVE_BYTES:
        raise GbgError(place["key"], f"it has {size} bytes", "fetch it from the artifact bucket")
    content: bytes = answer["Body"].read()
    told = {
        "bucket": place["bucket"],
        "key": place["key"],
        "version": answer.get("VersionId", ""),
        "etag": answer.get("ETag", "").strip('"'),
        "bytes": size,
        "sha256": hashlib.sha256(content).hexdigest(),
        "members": members(content),
    }
    return told, content


def members(content: bytes) -> dict[str, str]:
    """SHA-256 of each file in a zip; empty for what is none."""
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as file:
            return {
                info.filename: hashlib.sha256(file.read(info)).hexdigest()
                for info in file.infolist()
                if not info.is_dir() and info.file_size <= MOST_MEMBER_BYTES
            }
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError):
        return {}


def masked_zip(content: bytes, found: Gathering) -> tuple[bytes, list[str]]:
    """The zip with secrets masked, and in which of its files; the same bytes where there is none."""
    masked: dict[str, bytes] = {}
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as file:
            infos = [info for info in file.infolist() if info.file_size <= MOST_MEMBER_BYTES]
            for info in infos:
                before = file.read(info)
                if (after := found.masking.content(before)) != before:
                    masked[info.filename] = after
            if not masked and len(infos) == len(file.infolist()):
                return content, []
            target = io.BytesIO()
            with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as made:
                for info in infos:
                    made.writestr(info, masked.get(info.filename, file.read(info)))
            return target.getvalue(), sorted(masked)
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError) as error:
        raise GbgError("source archive", f"it can't be looked into: {error}", "it is in S3") from error


def git_time(text: str) -> datetime | None:
    """`1795862922 +0000`, as git and CodeCommit tell the time of a commit."""
    seconds = text.partition(" ")[0]
    return datetime.fromtimestamp(int(seconds), UTC) if seconds.isdigit() else None
