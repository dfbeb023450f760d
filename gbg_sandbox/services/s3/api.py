"""S3: moto keeps buckets and objects as they are.

Bucket policies are kept here: the gateway enforces them with their conditions, which moto would leave out.
"""

from __future__ import annotations

import json
import threading
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from gbg_sandbox.authorisation import resource_policies
from gbg_sandbox.service import AwsError, Call, Service, modelled, runs

if TYPE_CHECKING:
    from gbg_sandbox.cloud import Cloud


class S3(Service):
    name = "s3"
    forwards = frozenset(
        {
            *("CreateBucket", "HeadBucket", "ListBuckets", "GetBucketLocation"),
            *("PutBucketVersioning", "GetBucketVersioning", "ListObjectVersions"),
            *("PutBucketEncryption", "GetBucketEncryption", "DeleteBucketEncryption"),
            *("PutPublicAccessBlock", "GetPublicAccessBlock", "DeletePublicAccessBlock"),
            *("PutBucketOwnershipControls", "GetBucketOwnershipControls", "DeleteBucketOwnershipControls"),
            *("PutBucketTagging", "GetBucketTagging", "DeleteBucketTagging"),
            *("PutBucketLifecycleConfiguration", "GetBucketLifecycleConfiguration", "DeleteBucketLifecycle"),
            *("PutBucketAcl", "GetBucketAcl", "PutBucketLogging", "GetBucketLogging"),
            *("PutObject", "GetObject", "HeadObject", "DeleteObject", "DeleteObjects", "CopyObject"),
            *("ListObjects", "ListObjectsV2", "GetObjectAttributes"),
            *("PutObjectTagging", "GetObjectTagging", "DeleteObjectTagging", "GetObjectAcl", "PutObjectAcl"),
            *("CreateMultipartUpload", "UploadPart", "CompleteMultipartUpload", "AbortMultipartUpload"),
            *("ListMultipartUploads", "ListParts"),
        }
    )

    def __init__(self, cloud: Cloud) -> None:
        super().__init__(cloud)
        self._policies: dict[str, str] = {}
        self._lock = threading.Lock()

    def resource_policy(self, arn: str) -> str | None:
        """The policy of the bucket that an ARN (`arn:aws:s3:::bucket/key`) lies in."""
        with self._lock:
            return self._policies.get(arn.rpartition(":::")[2].partition("/")[0])

    @runs
    def put_bucket_policy(self, call: Call, params: dict[str, Any]) -> None:
        bucket = self._existing(params["Bucket"])
        try:
            resource_policies.check(params["Policy"])
        except json.JSONDecodeError as error:
            raise AwsError("MalformedPolicy", f"Policies must be valid JSON: {error}") from error
        except ValueError as error:
            raise AwsError("MalformedPolicy", str(error)) from error
        with self._lock:
            self._policies[bucket] = params["Policy"]

    @runs
    def get_bucket_policy(self, call: Call, params: dict[str, Any]) -> dict[str, Any]:
        bucket = self._existing(params["Bucket"])
        with self._lock:
            if bucket not in self._policies:
                raise AwsError("NoSuchBucketPolicy", "The bucket policy does not exist", 404)
            return {"Policy": self._policies[bucket]}

    @runs
    def delete_bucket_policy(self, call: Call, params: dict[str, Any]) -> None:
        bucket = self._existing(params["Bucket"])
        with self._lock:
            self._policies.pop(bucket, None)

    @modelled
    def delete_bucket(self, call: Call, params: dict[str, Any]) -> None:
        self._stored("delete_bucket", Bucket=params["Bucket"])
        with self._lock:
            self._policies.pop(params["Bucket"], None)

    def _existing(self, bucket: str) -> str:
        try:
            self.cloud.stored("s3").head_bucket(Bucket=bucket)
        except ClientError as error:
            raise AwsError("NoSuchBucket", "The specified bucket does not exist", 404) from error
        return bucket


SERVICE = S3
