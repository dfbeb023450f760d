"""Source actions: a commit of CodeCommit or an object of S3 becomes the pipeline's first artifact."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from botocore.exceptions import ClientError

from gbg_sandbox.service import AwsError
from gbg_sandbox.services.codepipeline.actions.context import ActionContext, ActionFailed
from gbg_sandbox.services.codepipeline.state import Revision


def codecommit_source(context: ActionContext) -> None:
    """https://docs.aws.amazon.com/codepipeline/latest/userguide/action-reference-CodeCommit.html"""
    wanted = context.run.configuration
    repository, branch = wanted["RepositoryName"], wanted["BranchName"]
    codecommit = context.client("codecommit")
    commit_id = context.execution.source_overrides.get(context.run.name, {}).get("revisionValue", "")
    try:
        tip = codecommit.get_branch(repositoryName=repository, branchName=branch)["branch"]["commitId"]
        commit = codecommit.get_commit(repositoryName=repository, commitId=commit_id or tip)["commit"]
        archive = _archive(context, repository, commit["commitId"])
    except ClientError as error:
        raise _explained(error, repository, branch) from error
    context.store(archive)
    found = commit["commitId"]
    url = context.console(f"codecommit/repositories/{repository}/commit/{found}")
    context.run.external_id = found
    context.run.external_url = url
    context.run.summary = commit["message"]
    context.run.variables = {
        "AuthorDate": _iso(commit["author"]["date"]),
        "BranchName": branch,
        "CommitId": found,
        "CommitMessage": commit["message"],
        "CommitterDate": _iso(commit["committer"]["date"]),
        "RepositoryName": repository,
    }
    context.revise(found)
    _note(context, found, commit["message"], url)


def s3_source(context: ActionContext) -> None:
    """https://docs.aws.amazon.com/codepipeline/latest/userguide/action-reference-S3.html"""
    wanted = context.run.configuration
    bucket, key = wanted["S3Bucket"], wanted["S3ObjectKey"]
    version = context.execution.source_overrides.get(context.run.name, {}).get("revisionValue")
    s3 = context.client("s3")
    if s3.get_bucket_versioning(Bucket=bucket).get("Status") != "Enabled":
        raise ActionFailed("ConfigurationError", f"The S3 bucket {bucket} must have versioning enabled")
    try:
        found = s3.get_object(Bucket=bucket, Key=key, **({"VersionId": version} if version else {}))
    except s3.exceptions.NoSuchKey as error:
        raise ActionFailed(
            "ConfigurationError", f"The S3 object {key} is not in the bucket {bucket}"
        ) from error
    context.store(found["Body"].read())
    context.run.external_id = found["VersionId"]
    context.run.summary = f"Amazon S3 version id: {found['VersionId']}"
    context.run.variables = {
        "BucketName": bucket,
        "ETag": found["ETag"],
        "ObjectKey": key,
        "VersionId": found["VersionId"],
    }
    context.revise(found["VersionId"])
    _note(context, found["VersionId"], context.run.summary, "")


def _archive(context: ActionContext, repository: str, commit: str) -> bytes:
    """UploadArchive has no public API: the right to it is checked, the commit's files are zipped."""
    cloud = context.service.cloud
    principal = context.principal()
    arn = cloud.arn("codecommit", repository)
    for action in ("codecommit:UploadArchive", "codecommit:GetUploadArchiveStatus"):
        try:
            cloud.authorise(principal, action, arn)
        except AwsError as error:
            told: Any = {"Error": {"Code": error.code, "Message": error.message}}
            raise ClientError(told, action.partition(":")[2]) from error
    archive: bytes = cloud.service("codecommit").repositories.get(repository).git.zip(commit)
    return archive


def _explained(error: ClientError, repository: str, branch: str) -> ActionFailed:
    """AWS's sentences for the usual mistakes."""
    code, text = error.response["Error"]["Code"], error.response["Error"]["Message"]
    if code == "BranchDoesNotExistException":
        return ActionFailed(
            "ConfigurationError",
            f"The action failed because no branch named {branch} was found in the selected AWS CodeCommit "
            f"repository {repository}. Make sure you are using the correct branch name, and then try again. "
            f"Error: {text}",
        )
    if code == "RepositoryDoesNotExistException":
        return ActionFailed(
            "ConfigurationError",
            f"The action failed because the AWS CodeCommit repository {repository} could not be found. "
            f"Make sure you are using the correct repository name, and then try again. Error: {text}",
        )
    if code.startswith("AccessDenied"):
        return ActionFailed(
            "PermissionError",
            "The service role or action role doesn’t have the permissions required to access "  # noqa: RUF001
            f"the AWS CodeCommit repository named {repository}. Update the IAM role permissions, and then "
            f"try again. Error: {text}",
        )
    return ActionFailed("JobFailed", f"{code}: {text}")


def _note(context: ActionContext, revision: str, summary: str, url: str) -> None:
    artifact = context.run.outputs[0].name
    context.execution.revisions = [
        one for one in context.execution.revisions if one.action != context.run.name
    ] + [Revision(context.run.name, artifact, revision, summary, url)]


def _iso(date: str) -> str:
    """git's `1484167798 -0800` as CodePipeline writes it."""
    return datetime.fromtimestamp(int(date.split()[0]), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
