"""The images of a deployment, as EC2 and the tags of their bake tell them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from gbg_lib.aws import Aws

DEPLOYMENT = "gbg:deployment"
PARENT, COMMIT, RELEASE = "gbg:source-ami", "gbg:commit", "gbg:pipeline-execution"
OS_RELEASE, FINGERPRINT, PACKAGE_LIST = "gbg:os-release", "gbg:packages", "gbg:package-list"
REVOKED = "gbg:revoked"


@dataclass(frozen=True)
class GoldenImage:
    id: str
    name: str
    state: str
    created: str
    tags: dict[str, str]
    snapshots: tuple[str, ...] = ()

    @property
    def parent(self) -> str:
        """The image it was made from."""
        return self.tags.get(PARENT, "")

    @property
    def commit(self) -> str:
        return self.tags.get(COMMIT, "")

    @property
    def release(self) -> str:
        """The pipeline execution that asked for it."""
        return self.tags.get(RELEASE, "")

    @property
    def os_release(self) -> str:
        return self.tags.get(OS_RELEASE, "")

    @property
    def fingerprint(self) -> str:
        return self.tags.get(FINGERPRINT, "")


def golden_images(aws: Aws, deployment: str) -> list[GoldenImage]:
    """The deployment's images, newest first; disabled ones too."""
    found = aws.pages(
        "ec2",
        "describe_images",
        "Images",
        Owners=["self"],
        IncludeDisabled=True,
        Filters=[{"Name": "tag:gbg:deployment", "Values": [deployment]}],
    )
    return sorted(map(read_image, found), key=lambda image: image.created, reverse=True)


def read_image(item: Mapping[str, Any]) -> GoldenImage:
    devices = item.get("BlockDeviceMappings", [])
    return GoldenImage(
        item["ImageId"],
        item["Name"],
        item["State"],
        item["CreationDate"],
        {tag["Key"]: tag["Value"] for tag in item.get("Tags", [])},
        tuple(one["Ebs"]["SnapshotId"] for one in devices if one.get("Ebs", {}).get("SnapshotId")),
    )
