"""S3: moto keeps buckets and objects as they are; bucket policies are enforced at the gateway."""

from __future__ import annotations

from gbg_sandbox.service import Service


class S3(Service):
    name = "s3"
    forwards = frozenset(
        {
            *("CreateBucket", "DeleteBucket", "HeadBucket", "ListBuckets", "GetBucketLocation"),
            *("PutBucketVersioning", "GetBucketVersioning", "ListObjectVersions"),
            *("PutBucketEncryption", "GetBucketEncryption", "DeleteBucketEncryption"),
            *("PutPublicAccessBlock", "GetPublicAccessBlock", "DeletePublicAccessBlock"),
            *("PutBucketOwnershipControls", "GetBucketOwnershipControls", "DeleteBucketOwnershipControls"),
            *("PutBucketPolicy", "GetBucketPolicy", "DeleteBucketPolicy"),
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


SERVICE = S3
