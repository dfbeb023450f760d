"""Amazon Linux 2023's images, as AWS offers them to everybody.

There is one for each release of the package catalogue but the newest: the public parameters of Systems
Manager name the newest *image*, and the package repositories are a release ahead of it. So an update to an
explicit release changes packages here as it does on AWS.
"""

from __future__ import annotations

import hashlib
import json
from datetime import UTC, datetime
from pathlib import Path

from gbg_sandbox.machines.catalogue import INVENTORY, Catalogue, release_files
from gbg_sandbox.services.ec2.state import BlockDevice, Image, Snapshot

OWNER = "137112412989"
"""the account of Amazon Linux in us-east-1"""
KERNEL = "6.1"
ROOT_DEVICE = "/dev/xvda"
PARAMETER = f"ami-amazon-linux-latest/al2023-ami-kernel-{KERNEL}-x86_64"


def public_images(catalogue: Catalogue, directory: Path) -> list[tuple[Image, Snapshot]]:
    """Each image with its snapshot; layers are written below `directory`."""
    releases = catalogue.releases[:-1] or catalogue.releases
    return [_image(release, _layers(catalogue, release, directory)) for release in releases]


def _layers(catalogue: Catalogue, release: str, directory: Path) -> tuple[Path, ...]:
    """What a release's image has above the base system: its name and the versions of its packages."""
    if release == catalogue.source_release:
        return ()
    inventory = json.loads(catalogue.source_inventory())
    for name, entry in inventory.items():
        entry["version"] = catalogue.package(name).version(release)
    layer = directory / f"al2023-{release}"
    for path, text in {**release_files(release), INVENTORY: json.dumps(inventory, indent=1)}.items():
        target = layer / path.lstrip("/")
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text, encoding="utf-8")
    return (layer,)


def image_name(release: str) -> str:
    return f"al2023-ami-{release}.0-kernel-{KERNEL}-x86_64"


def image_id(release: str, prefix: str = "ami") -> str:
    """The same in every sandbox."""
    return f"{prefix}-0{hashlib.sha256(image_name(release).encode()).hexdigest()[:16]}"


def _image(release: str, layers: tuple[Path, ...]) -> tuple[Image, Snapshot]:
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
        layers=layers,
        devices=(root,),
        description=f"Amazon Linux 2023 AMI {release}.0 x86_64 HVM kernel-{KERNEL}",
        root_device=ROOT_DEVICE,
        public=True,
        imds_support="v2.0",
        parameter_name=PARAMETER,
    )
    return image, snapshot
