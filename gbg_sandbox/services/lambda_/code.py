"""Deployment packages: fetched, checked, unpacked."""

from __future__ import annotations

import base64
import hashlib
import io
import shutil
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from gbg_sandbox.service import AwsError, Principal
from gbg_sandbox.services.lambda_.state import Code

if TYPE_CHECKING:
    from gbg_sandbox.cloud import Cloud

MOST_ZIPPED = 50 * 1024 * 1024
MOST_UNZIPPED = 250 * 1024 * 1024


def read_archive(cloud: Cloud, told: dict[str, Any], caller: Principal) -> bytes:
    """The zip file, inline or from S3 by the caller's own rights. Raises AwsError."""
    if told.get("ZipFile"):
        archive: bytes = told["ZipFile"]
        if len(archive) > MOST_ZIPPED:
            raise AwsError(
                "RequestEntityTooLargeException", "Request must be smaller than 70167211 bytes", 413
            )
        return archive
    if not told.get("S3Bucket") or not told.get("S3Key"):
        raise AwsError("InvalidParameterValueException", "Please provide a source for function code.")
    version = {"VersionId": told["S3ObjectVersion"]} if told.get("S3ObjectVersion") else {}
    s3 = cloud.client("s3", principal=caller)
    try:
        body: bytes = s3.get_object(Bucket=told["S3Bucket"], Key=told["S3Key"], **version)["Body"].read()
    except ClientError as error:
        code, message = error.response["Error"]["Code"], error.response["Error"]["Message"]
        raise AwsError(
            "InvalidParameterValueException",
            f"Error occurred while GetObject. S3 Error Code: {code}. S3 Error Message: {message}",
        ) from error
    return body


def unpack(archive: bytes, folder: Path) -> Code:
    """Unpack into a folder named after the content. Raises AwsError."""
    digest = hashlib.sha256(archive)
    root = folder / digest.hexdigest()[:32]
    kept = root.with_suffix(".zip")
    if not root.exists():
        unfinished = root.with_suffix(".part")
        shutil.rmtree(unfinished, ignore_errors=True)
        unfinished.mkdir(parents=True)
        _extract(archive, unfinished)
        kept.write_bytes(archive)
        unfinished.rename(root)
    return Code(root, kept, base64.b64encode(digest.digest()).decode(), len(archive))


def _extract(archive: bytes, into: Path) -> None:
    try:
        with zipfile.ZipFile(io.BytesIO(archive)) as opened:
            if sum(info.file_size for info in opened.infolist()) > MOST_UNZIPPED:
                raise AwsError(
                    "InvalidParameterValueException",
                    f"Unzipped size must be smaller than {MOST_UNZIPPED} bytes",
                )
            for info in opened.infolist():
                path = Path(opened.extract(info, into))
                mode = info.external_attr >> 16 & 0o777
                if mode and path.is_file():
                    path.chmod(mode | 0o600)
    except (zipfile.BadZipFile, NotImplementedError, OSError) as error:
        raise AwsError(
            "InvalidParameterValueException",
            "Could not unzip uploaded file. Please check your file, then try to upload again.",
        ) from error
