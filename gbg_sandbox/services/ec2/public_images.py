"""Amazon Linux 2023's images, as AWS offers them to everybody.

One image a release of the package catalogue. The public parameters of Systems Manager name the oldest one
(`latest`): so an update to an explicit newer release changes packages in the sandbox as it does on AWS.
"""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime

from gbg_sandbox.services.ec2.state import BlockDevice, Image, Snapshot

OWNER = "137112412989"
"""the account of Amazon Linux in us-east-1"""
KERNEL = "6.1"
ROOT_DEVICE = "/dev/xvda"
RELEASES = ("2023.8.20250818",)
PARAMETERS = (
    f"/aws/service/ami-amazon-linux-latest/al2023-ami-kernel-{KERNEL}-x86_64",
    "/aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-x86_64",
)


def image_name(release: str) -> str:
    return f"al2023-ami-{release}.0-kernel-{KERNEL}-x86_64"


def image_id(release: str, prefix: str = "ami") -> str:
    """The same in every sandbox."""
    return f"{prefix}-0{hashlib.sha256(image_name(release).encode()).hexdigest()[:16]}"


def public_image(release: str) -> tuple[Image, Snapshot]:
    """The image of a release such as `2023.8.20250818`, and its snapshot."""
    created = datetime.strptime(release.rpartition(".")[2], "%Y%m%d").replace(tzinfo=UTC)
    snapshot = Snapshot(
        id=image_id(release, "snap"),
        volume_id="vol-ffffffff",
        size_gib=8,
        description=image_name(release),
        started=created,
        state="completed",
        owner=OWNER,
    )
    root = BlockDevice(name=ROOT_DEVICE, size_gib=snapshot.size_gib, snapshot_id=snapshot.id)
    image = Image(
        id=image_id(release),
        name=image_name(release),
        owner=OWNER,
        owner_alias="amazon",
        created=created,
        layers=(),
        devices=(root,),
        description=f"Amazon Linux 2023 AMI {release}.0 x86_64 HVM kernel-{KERNEL}",
        root_device=ROOT_DEVICE,
        public=True,
        imds_support="v2.0",
        parameter_name=PARAMETERS[0].removeprefix("/aws/service/"),
    )
    return image, snapshot
