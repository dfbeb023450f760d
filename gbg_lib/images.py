"""Golden AMIs: which there are, and what each was made from."""

from __future__ import annotations

from dataclasses import dataclass

from gbg_lib.aws import Aws


@dataclass(frozen=True)
class GoldenImage:
    id: str
    name: str
    state: str
    created: str
    tags: dict[str, str]


def golden_images(aws: Aws, deployment: str) -> list[GoldenImage]:
    """The deployment's images, newest first."""
    found = aws.call(
        "ec2",
        "describe_images",
        Owners=["self"],
        Filters=[{"Name": "tag:gbg:deployment", "Values": [deployment]}],
    )["Images"]
    images = [
        GoldenImage(
            item["ImageId"],
            item["Name"],
            item["State"],
            item["CreationDate"],
            {tag["Key"]: tag["Value"] for tag in item.get("Tags", [])},
        )
        for item in found
    ]
    return sorted(images, key=lambda image: image.created, reverse=True)
