"""Public parameters under /aws/service: the newest Amazon Linux 2023 image that this sandbox has.

https://docs.aws.amazon.com/systems-manager/latest/userguide/parameter-store-public-parameters-ami.html
"""

from __future__ import annotations

import re
from datetime import datetime
from typing import Any

ROOT = "/aws/service/"
FOLDER = "/aws/service/ami-amazon-linux-latest"
IMAGE_NAME = re.compile(
    r"al2023-ami-(?P<release>2023\.\d+\.\d{8})(?:\.\d+)?-kernel-(?P<kernel>[\d.]+)-(?P<arch>x86_64|arm64)"
)


def is_public(name: str) -> bool:
    return name.startswith(ROOT)


def public_parameters(ec2: Any, account: str, region: str) -> dict[str, dict[str, Any]]:
    """name → parameter, made from what DescribeImages tells of Amazon's images."""
    found: dict[str, tuple[tuple[int, ...], dict[str, Any]]] = {}
    for image in ec2.describe_images(Owners=["amazon"])["Images"]:
        named = IMAGE_NAME.match(image.get("Name", ""))
        if named is None or image.get("State") != "available":
            continue
        release = tuple(int(part) for part in named["release"].split("."))
        for kernel in ("default", named["kernel"]):
            name = f"{FOLDER}/al2023-ami-kernel-{kernel}-{named['arch']}"
            if name not in found or found[name][0] < release:
                found[name] = (release, image)
    return {name: _parameter(name, image, region) for name, (_, image) in found.items()}


def _parameter(name: str, image: dict[str, Any], region: str) -> dict[str, Any]:
    return {
        "Name": name,
        "Type": "String",
        "Value": image["ImageId"],
        "Version": 1,
        "LastModifiedDate": datetime.fromisoformat(image["CreationDate"].replace("Z", "+00:00")),
        "ARN": f"arn:aws:ssm:{region}::parameter{name}",
        "DataType": "aws:ec2:image",
    }
