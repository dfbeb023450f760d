"""What a build takes from S3 and CodeCommit and gives to S3, all under the project's service role."""

from __future__ import annotations

import hashlib
import io
import zipfile
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from gbg_sandbox.service import AwsError, Principal
from gbg_sandbox.services.codebuild.state import Input, Output

if TYPE_CHECKING:
    from gbg_sandbox.cloud import Cloud


class SourceError(Exception):
    """A source can't be had; the text is CodeBuild's CLIENT_ERROR."""


@dataclass(frozen=True)
class Source:
    archive: bytes
    """zip"""
    revision: str


class Transfer:
    def __init__(self, cloud: Cloud, principal: Principal) -> None:
        self._cloud = cloud
        self._principal = principal

    def source(self, wanted: Input) -> Source:
        """Raises SourceError."""
        if wanted.type == "CODECOMMIT":
            return self._commit(wanted)
        return self._object(wanted)

    def upload(self, output: Output, archive: bytes, kms_key: str) -> dict[str, Any]:
        """Store one artifact; returns the API's BuildArtifacts. Raises botocore's ClientError."""
        s3: Any = self._cloud.client("s3", principal=self._principal)
        sealed = {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": kms_key} if output.encrypted else {}
        if output.packaging == "NONE":
            with zipfile.ZipFile(io.BytesIO(archive)) as files:
                for name in files.namelist():
                    key = f"{output.key}/{name}".lstrip("/")
                    s3.put_object(Bucket=output.bucket, Key=key, Body=files.read(name), **sealed)
        else:
            s3.put_object(Bucket=output.bucket, Key=output.key, Body=archive, **sealed)
        told: dict[str, Any] = {"location": f"arn:aws:s3:::{output.bucket}/{output.key}"}
        if output.packaging == "ZIP":
            told["sha256sum"] = hashlib.sha256(archive).hexdigest()
            told["md5sum"] = hashlib.md5(archive, usedforsecurity=False).hexdigest()
        if output.identifier:
            told["artifactIdentifier"] = output.identifier
        return {**told, "encryptionDisabled": not output.encrypted}

    def _commit(self, wanted: Input) -> Source:
        """The files of a commit. Unlike AWS no clone: the build has no `.git` folder."""
        name = wanted.location.rstrip("/").rpartition("/")[2]
        version = wanted.version or "HEAD"
        try:
            self._cloud.authorise(self._principal, "codecommit:GitPull", self._cloud.arn("codecommit", name))
        except AwsError as error:
            raise SourceError(
                f"authorization failed for primary source and source version {version}: {error.message}"
            ) from error
        try:
            repository = self._cloud.service("codecommit").repositories.get(name)
            commit = repository.commit(version.removeprefix("refs/heads/").removeprefix("refs/tags/"))
        except AwsError as error:
            raise SourceError(
                f"reference not found for primary source and source version {version}: {error.message}"
            ) from error
        return Source(repository.git.zip(commit), commit)

    def _object(self, wanted: Input) -> Source:
        bucket, _, key = wanted.location.removeprefix("arn:aws:s3:::").partition("/")
        s3: Any = self._cloud.client("s3", principal=self._principal)
        version = {"VersionId": wanted.version} if wanted.version else {}
        try:
            found = s3.get_object(Bucket=bucket, Key=key, **version)
        except ClientError as error:
            told = error.response["Error"]
            raise SourceError(
                f"{told['Code']}: {told['Message']} "
                f"for primary source and source version arn:aws:s3:::{bucket}/{key}"
            ) from error
        content = found["Body"].read()
        if not zipfile.is_zipfile(io.BytesIO(content)):
            raise SourceError(f"invalid zip file for primary source arn:aws:s3:::{bucket}/{key}")
        return Source(content, found.get("VersionId", ""))
