"""S3's operations have other names than its actions.

https://docs.aws.amazon.com/AmazonS3/latest/userguide/using-with-s3-policy-actions.html
"""

from __future__ import annotations

from urllib.parse import unquote

from gbg_sandbox.authorisation.requests import Check, Request
from gbg_sandbox.authorisation.resources import table

ACTIONS = {
    "ListBuckets": "ListAllMyBuckets",
    "HeadBucket": "ListBucket",
    "ListObjects": "ListBucket",
    "ListObjectsV2": "ListBucket",
    "ListObjectVersions": "ListBucketVersions",
    "ListMultipartUploads": "ListBucketMultipartUploads",
    "ListParts": "ListMultipartUploadParts",
    "HeadObject": "GetObject",
    "CreateMultipartUpload": "PutObject",
    "UploadPart": "PutObject",
    "CompleteMultipartUpload": "PutObject",
    "DeleteObjects": "DeleteObject",
    "GetBucketEncryption": "GetEncryptionConfiguration",
    "PutBucketEncryption": "PutEncryptionConfiguration",
    "DeleteBucketEncryption": "PutEncryptionConfiguration",
    "GetBucketLifecycleConfiguration": "GetLifecycleConfiguration",
    "PutBucketLifecycleConfiguration": "PutLifecycleConfiguration",
    "DeleteBucketLifecycle": "PutLifecycleConfiguration",
    "GetPublicAccessBlock": "GetBucketPublicAccessBlock",
    "PutPublicAccessBlock": "PutBucketPublicAccessBlock",
    "DeletePublicAccessBlock": "PutBucketPublicAccessBlock",
    "GetBucketNotificationConfiguration": "GetBucketNotification",
    "PutBucketNotificationConfiguration": "PutBucketNotification",
    "GetBucketReplication": "GetReplicationConfiguration",
    "PutBucketReplication": "PutReplicationConfiguration",
    "GetBucketCors": "GetBucketCORS",
    "PutBucketCors": "PutBucketCORS",
    "DeleteBucketCors": "PutBucketCORS",
    "DeleteBucketTagging": "PutBucketTagging",
    "DeleteBucketOwnershipControls": "PutBucketOwnershipControls",
}
OF_A_VERSION = {"GetObject", "DeleteObject", "GetObjectTagging", "PutObjectTagging", "GetObjectAcl"}


def checks(request: Request) -> list[Check]:
    if request.operation in ("CopyObject", "UploadPartCopy"):
        return _copy(request)
    action = ACTIONS.get(request.operation, request.operation)
    bucket, key = request.params.get("Bucket", ""), request.params.get("Key", "")
    if request.operation == "DeleteObjects":
        return [
            Check(_of_version(action, "VersionId" in one), f"arn:aws:s3:::{bucket}/{one['Key']}")
            for one in request.params["Delete"]["Objects"]
        ]
    if not bucket:
        return [Check(f"s3:{action}")]
    if key and "bucket" not in "".join(table()["s3"]["actions"].get(action, [])):
        return [Check(_of_version(action, "VersionId" in request.params), f"arn:aws:s3:::{bucket}/{key}")]
    keys = {
        f"s3:{name}": str(request.params[param])
        for name, param in (("prefix", "Prefix"), ("delimiter", "Delimiter"), ("max-keys", "MaxKeys"))
        if param in request.params
    }
    return [Check(f"s3:{action}", f"arn:aws:s3:::{bucket}", keys)]


def _of_version(action: str, versioned: bool) -> str:
    if versioned and action in OF_A_VERSION:
        verb, _, rest = action.partition("Object")
        return f"s3:{verb}ObjectVersion{rest}"
    return f"s3:{action}"


def _copy(request: Request) -> list[Check]:
    source = request.params["CopySource"]
    if isinstance(source, dict):
        source = f"{source['Bucket']}/{source['Key']}"
    path, _, version = unquote(source).lstrip("/").partition("?versionId=")
    target = f"arn:aws:s3:::{request.params['Bucket']}/{request.params['Key']}"
    return [
        Check(_of_version("GetObject", bool(version)), f"arn:aws:s3:::{path}"),
        Check("s3:PutObject", target),
    ]
