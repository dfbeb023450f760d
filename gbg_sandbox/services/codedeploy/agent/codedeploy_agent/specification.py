"""The deployment specification that the service gives to a host."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

BUNDLE_TYPES = ("tar", "tgz", "zip")


@dataclass(frozen=True)
class Specification:
    deployment_id: str
    group_id: str
    group_name: str
    application: str
    creator: str
    type: str
    bucket: str
    key: str
    bundle_type: str
    version: str = ""
    etag: str = ""
    file_exists: str = "DISALLOW"
    events: frozenset[str] = field(default_factory=frozenset)

    @property
    def rolls_back_blue_green(self) -> bool:
        return self.creator == "codeDeployRollback" and self.type == "BLUE_GREEN"


def read(envelope: Mapping[str, Any]) -> Specification:
    """Raises ValueError when something is missing."""
    if envelope.get("Format") != "TEXT/JSON":
        raise ValueError(f"Unsupported DeploymentSpecification format: {envelope.get('Format')}")
    found = json.loads(envelope["Payload"])
    for name in ("DeploymentId", "DeploymentGroupId", "DeploymentGroupName", "ApplicationName", "Revision"):
        if not found.get(name):
            raise ValueError(f"Deployment Spec has no {name}")
    revision = found["Revision"].get("S3Revision")
    if not revision or not all(revision.get(name) for name in ("Bucket", "Key", "BundleType")):
        raise ValueError("S3Revision in Deployment Spec must specify Bucket, Key and BundleType")
    if revision["BundleType"] not in BUNDLE_TYPES:
        raise ValueError("BundleType in S3Revision must be tar, tgz or zip")
    overrides = found.get("AgentActionOverrides", {}).get("AgentOverrides", {})
    return Specification(
        deployment_id=found["DeploymentId"].rpartition("/")[2],
        group_id=found["DeploymentGroupId"],
        group_name=found["DeploymentGroupName"],
        application=found["ApplicationName"],
        creator=found.get("DeploymentCreator", "user"),
        type=found.get("DeploymentType", "IN_PLACE"),
        bucket=revision["Bucket"],
        key=revision["Key"],
        bundle_type=revision["BundleType"],
        version=revision.get("Version") or "",
        etag=(revision.get("ETag") or "").strip('"'),
        file_exists=overrides.get("FileExistsBehavior", "DISALLOW").upper(),
        events=frozenset(found.get("AllPossibleLifecycleEvents", ())),
    )
