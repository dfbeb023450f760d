"""Buckets and their policies."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from gbg_sandbox.services.cloudformation.errors import ResourceFailed
from gbg_sandbox.services.cloudformation.resources.base import (
    Made,
    Properties,
    Provider,
    Task,
    changed,
    given,
    ignore_missing,
    names,
    tag_map,
)
from gbg_sandbox.services.cloudformation.resources.iam import as_json

LIFECYCLE = frozenset(
    {
        "Id", "Status", "Prefix", "ExpirationInDays", "NoncurrentVersionExpiration",
        "NoncurrentVersionExpirationInDays", "AbortIncompleteMultipartUpload", "ExpiredObjectDeleteMarker",
    }
)  # fmt: skip


class Bucket(Provider):
    type = "AWS::S3::Bucket"
    properties = names(
        "BucketName", "VersioningConfiguration", "BucketEncryption", "PublicAccessBlockConfiguration",
        "OwnershipControls", "LifecycleConfiguration", "NotificationConfiguration", "Tags",
    )  # fmt: skip
    attributes = names("Arn", "DomainName", "RegionalDomainName", "DualStackDomainName")
    name_property = "BucketName"

    def create(self, task: Task, new: Properties) -> Made:
        s3 = task.client("s3")
        name = new.get("BucketName") or task.name(63, lower=True)
        region = task.cloud.region
        place = {} if region == "us-east-1" else {"CreateBucketConfiguration": {"LocationConstraint": region}}
        s3.create_bucket(Bucket=name, **place)
        task.initiated(name)
        self._set(s3, name, {}, new)
        return Made(
            name,
            {
                "Arn": f"arn:aws:s3:::{name}",
                "DomainName": f"{name}.s3.amazonaws.com",
                "RegionalDomainName": f"{name}.s3.{region}.amazonaws.com",
                "DualStackDomainName": f"{name}.s3.dualstack.{region}.amazonaws.com",
            },
        )

    def update(self, task: Task, made: Made, old: Properties, new: Properties) -> Made:
        self._set(task.client("s3"), made.physical_id, old, new)
        return made

    def delete(self, task: Task, made: Made, old: Properties) -> None:
        ignore_missing(task.client("s3").delete_bucket, Bucket=made.physical_id)

    @staticmethod
    def _set(s3: Any, name: str, old: Properties, new: Properties) -> None:
        for prop, put, delete, argument in SETTINGS:
            if not changed(old, new, prop):
                continue
            if prop in new:
                getattr(s3, put)(Bucket=name, **{argument: CONVERT[prop](new[prop])})
            elif delete:
                getattr(s3, delete)(Bucket=name)
            else:
                getattr(s3, put)(Bucket=name, **{argument: EMPTY[prop]})
        own = {key: value for key, value in tag_map(new).items() if not key.startswith("aws:")}
        if changed(old, new, "Tags") and own:
            tags = [{"Key": key, "Value": value} for key, value in own.items()]
            s3.put_bucket_tagging(Bucket=name, Tagging={"TagSet": tags})


def _encryption(value: Properties) -> dict[str, Any]:
    rules = []
    for rule in value["ServerSideEncryptionConfiguration"]:
        made = given(rule, "BucketKeyEnabled")
        made["ApplyServerSideEncryptionByDefault"] = rule["ServerSideEncryptionByDefault"]
        rules.append(made)
    return {"Rules": rules}


def _lifecycle(value: Properties) -> dict[str, Any]:
    rules = []
    for rule in value["Rules"]:
        strange = set(rule) - LIFECYCLE
        if strange:
            raise ResourceFailed(
                f"gbg_sandbox does not run lifecycle rules with {', '.join(sorted(strange))}"
            )
        made = given(rule, "Status", "NoncurrentVersionExpiration", "AbortIncompleteMultipartUpload", ID="Id")
        made["Filter"] = {"Prefix": rule.get("Prefix", "")}
        if "ExpirationInDays" in rule:
            made["Expiration"] = {"Days": rule["ExpirationInDays"]}
        if "ExpiredObjectDeleteMarker" in rule:
            made["Expiration"] = {"ExpiredObjectDeleteMarker": rule["ExpiredObjectDeleteMarker"]}
        if "NoncurrentVersionExpirationInDays" in rule:
            days = rule["NoncurrentVersionExpirationInDays"]
            made["NoncurrentVersionExpiration"] = {"NoncurrentDays": days}
        rules.append(made)
    return {"Rules": rules}


def _notification(value: Properties) -> dict[str, Any]:
    if set(value) - {"EventBridgeConfiguration"}:
        raise ResourceFailed("gbg_sandbox runs bucket notifications to EventBridge only")
    enabled = value.get("EventBridgeConfiguration", {}).get("EventBridgeEnabled", True)
    return {"EventBridgeConfiguration": {}} if enabled else {}


SETTINGS = (
    ("VersioningConfiguration", "put_bucket_versioning", "", "VersioningConfiguration"),
    (
        "BucketEncryption",
        "put_bucket_encryption",
        "delete_bucket_encryption",
        "ServerSideEncryptionConfiguration",
    ),
    (
        "PublicAccessBlockConfiguration",
        "put_public_access_block",
        "delete_public_access_block",
        "PublicAccessBlockConfiguration",
    ),
    (
        "OwnershipControls",
        "put_bucket_ownership_controls",
        "delete_bucket_ownership_controls",
        "OwnershipControls",
    ),
    (
        "LifecycleConfiguration",
        "put_bucket_lifecycle_configuration",
        "delete_bucket_lifecycle",
        "LifecycleConfiguration",
    ),
    ("NotificationConfiguration", "put_bucket_notification_configuration", "", "NotificationConfiguration"),
)
CONVERT: dict[str, Callable[[Properties], dict[str, Any]]] = {
    "VersioningConfiguration": dict,
    "BucketEncryption": _encryption,
    "PublicAccessBlockConfiguration": dict,
    "OwnershipControls": dict,
    "LifecycleConfiguration": _lifecycle,
    "NotificationConfiguration": _notification,
}
EMPTY: dict[str, dict[str, Any]] = {
    "VersioningConfiguration": {"Status": "Suspended"},
    "NotificationConfiguration": {},
}


class BucketPolicy(Provider):
    type = "AWS::S3::BucketPolicy"
    properties = names("Bucket", "PolicyDocument")

    def create(self, task: Task, new: Properties) -> Made:
        task.client("s3").put_bucket_policy(Bucket=new["Bucket"], Policy=as_json(new["PolicyDocument"]))
        return Made(new["Bucket"])

    def update(self, task: Task, made: Made, old: Properties, new: Properties) -> Made:
        return self.create(task, new)

    def delete(self, task: Task, made: Made, old: Properties) -> None:
        ignore_missing(task.client("s3").delete_bucket_policy, Bucket=made.physical_id)
