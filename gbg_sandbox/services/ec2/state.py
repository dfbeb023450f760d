"""What EC2 remembers of its own: instances, images, snapshots, launch templates.

Networks (VPCs, subnets, groups, interfaces …) are kept by moto.
"""

from __future__ import annotations

import secrets
import threading
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from gbg_sandbox.service import AwsError

STATE_CODES = {
    "pending": 0,
    "running": 16,
    "shutting-down": 32,
    "terminated": 48,
    "stopping": 64,
    "stopped": 80,
}

Tags = dict[str, str]


def new_id(prefix: str) -> str:
    return f"{prefix}-{secrets.token_hex(9)[:17]}"


@dataclass(frozen=True)
class MetadataOptions:
    """https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_InstanceMetadataOptionsRequest.html"""

    http_tokens: str = "optional"
    hop_limit: int = 1
    http_endpoint: str = "enabled"
    tags: str = "disabled"


@dataclass(frozen=True)
class BlockDevice:
    """A volume's settings; `snapshot_id` is empty for an empty volume."""

    name: str
    size_gib: int
    volume_type: str = "gp3"
    encrypted: bool = False
    kms_key: str = ""
    iops: int = 3000
    throughput: int = 125
    delete_on_termination: bool = True
    snapshot_id: str = ""


@dataclass
class Volume:
    id: str
    device: BlockDevice
    zone: str
    instance_id: str
    created: datetime
    tags: Tags = field(default_factory=dict)


@dataclass
class Instance:
    id: str
    reservation_id: str
    image_id: str
    instance_type: str
    subnet_id: str
    vpc_id: str
    zone: str
    address: str
    hostname: str
    mac: str
    interface_id: str
    groups: tuple[tuple[str, str], ...]
    """security groups as (id, name)"""
    launched: datetime
    metadata: MetadataOptions
    architecture: str
    root_device: str
    index: int = 0
    user_data: str = ""
    """base64, as given"""
    profile_arn: str = ""
    profile_id: str = ""
    association_id: str = ""
    key_name: str = ""
    client_token: str = ""
    shutdown_behavior: str = "stop"
    protected: bool = False
    monitoring: bool = False
    ebs_optimized: bool = False
    console: str = ""
    """its last words, kept after it is gone"""
    state: str = "pending"
    state_reason: tuple[str, str] | None = None
    """code and message"""
    transition_reason: str = ""
    reachable: bool = False
    tags: Tags = field(default_factory=dict)
    volumes: list[Volume] = field(default_factory=list)
    layers: tuple[Path, ...] = ()
    ended: datetime | None = None
    work: threading.Lock = field(default_factory=threading.Lock)
    """held while its machine is being started, stopped or removed"""

    @property
    def exists(self) -> bool:
        return self.state not in ("shutting-down", "terminated")


@dataclass
class Snapshot:
    id: str
    volume_id: str
    size_gib: int
    description: str
    started: datetime
    encrypted: bool = False
    kms_key: str = ""
    state: str = "pending"
    owner: str = ""
    tags: Tags = field(default_factory=dict)


@dataclass
class Image:
    id: str
    name: str
    owner: str
    created: datetime
    layers: tuple[Path, ...]
    """topmost first"""
    devices: tuple[BlockDevice, ...]
    description: str = ""
    owner_alias: str = ""
    architecture: str = "x86_64"
    root_device: str = "/dev/xvda"
    state: str = "available"
    state_reason: tuple[str, str] | None = None
    public: bool = False
    boot_mode: str = "uefi-preferred"
    imds_support: str = ""
    source_instance: str = ""
    source_image: str = ""
    parameter_name: str = ""
    deprecated: datetime | None = None
    last_launched: datetime | None = None
    tags: Tags = field(default_factory=dict)


@dataclass
class TemplateVersion:
    number: int
    data: Mapping[str, Any]
    """LaunchTemplateData as AWS's API has it"""
    created: datetime
    created_by: str
    description: str = ""


@dataclass
class LaunchTemplate:
    id: str
    name: str
    created: datetime
    created_by: str
    versions: dict[int, TemplateVersion] = field(default_factory=dict)
    default_version: int = 1
    last_number: int = 0
    """numbers are never given twice, also not after a version's deletion"""
    tags: Tags = field(default_factory=dict)

    @property
    def latest_version(self) -> int:
        return max(self.versions)

    def version(self, wanted: str) -> TemplateVersion:
        """By number, `$Latest` or `$Default`; empty means the default one."""
        number = {
            "": self.default_version,
            "$Default": self.default_version,
            "$Latest": self.latest_version,
        }.get(wanted, int(wanted) if wanted.isdecimal() else 0)
        if number not in self.versions:
            raise AwsError(
                "InvalidLaunchTemplateId.VersionNotFound",
                f"Could not find the specified version {wanted} for the launch template with ID {self.id}.",
            )
        return self.versions[number]


class Ec2State:
    """Everything by id. `lock` guards it; never hold it during real work or a call to another service."""

    def __init__(self) -> None:
        self.lock = threading.RLock()
        self.instances: dict[str, Instance] = {}
        self.images: dict[str, Image] = {}
        self.snapshots: dict[str, Snapshot] = {}
        self.templates: dict[str, LaunchTemplate] = {}
        self.launches: dict[str, tuple[str, tuple[str, ...]]] = {}
        """client token → digest of the request, instance ids"""
        self.deregistered: set[str] = set()

    def instance(self, instance_id: str) -> Instance:
        return self.chosen_instances([instance_id])[0]

    def chosen_instances(self, ids: Iterable[str]) -> list[Instance]:
        """Instances by id, in this order. Raises InvalidInstanceID.Malformed or .NotFound."""
        wanted = list(ids)
        for instance_id in wanted:
            if not _looks_like(instance_id, "i"):
                raise AwsError("InvalidInstanceID.Malformed", f'Invalid id: "{instance_id}"')
        missing = [one for one in wanted if one not in self.instances]
        if missing:
            these = "ID" if len(missing) == 1 else "IDs"
            verb = "does" if len(missing) == 1 else "do"
            raise AwsError(
                "InvalidInstanceID.NotFound", f"The instance {these} '{', '.join(missing)}' {verb} not exist"
            )
        return [self.instances[one] for one in wanted]

    def image(self, image_id: str) -> Image:
        """Raises InvalidAMIID.Malformed, .Unavailable (deregistered) or .NotFound."""
        if not _looks_like(image_id, "ami"):
            raise AwsError("InvalidAMIID.Malformed", f'Invalid id: "{image_id}" (expecting "ami-...")')
        if image_id in self.deregistered:
            raise AwsError("InvalidAMIID.Unavailable", f"The image ID '{image_id}' is no longer available")
        if image_id not in self.images:
            raise AwsError("InvalidAMIID.NotFound", f"The image id '[{image_id}]' does not exist")
        return self.images[image_id]

    def snapshot(self, snapshot_id: str) -> Snapshot:
        if not _looks_like(snapshot_id, "snap"):
            raise AwsError(
                "InvalidSnapshotID.Malformed", f'Invalid id: "{snapshot_id}" (expecting "snap-...")'
            )
        if snapshot_id not in self.snapshots:
            raise AwsError("InvalidSnapshot.NotFound", f"The snapshot '{snapshot_id}' does not exist.")
        return self.snapshots[snapshot_id]

    def template(self, template_id: str = "", name: str = "") -> LaunchTemplate:
        """By exactly one of id and name, with AWS's errors for both, none and unknown ones."""
        if bool(template_id) == bool(name):
            raise AwsError(
                "InvalidParameterCombination" if name else "MissingParameter",
                "Specify either a launch template ID or a launch template name, "
                + ("but not both." if name else "and try again."),
            )
        if name:
            found = next((one for one in self.templates.values() if one.name == name), None)
            if found is None:
                raise AwsError(
                    "InvalidLaunchTemplateName.NotFoundException",
                    f"The specified launch template, with template name {name}, does not exist.",
                )
            return found
        if not _looks_like(template_id, "lt"):
            raise AwsError("InvalidLaunchTemplateId.Malformed", f"Invalid id: {template_id}.")
        if template_id not in self.templates:
            raise AwsError(
                "InvalidLaunchTemplateId.NotFound",
                f"The specified launch template, with template ID {template_id}, does not exist.",
            )
        return self.templates[template_id]

    def tags_of(self, resource_id: str) -> Tags | None:
        """The tags of a resource kept here, or None when it is not ours."""
        found = (
            self.instances.get(resource_id)
            or self.images.get(resource_id)
            or self.snapshots.get(resource_id)
            or self.templates.get(resource_id)
            or next((volume for volume in self.volumes() if volume.id == resource_id), None)
        )
        return found.tags if found else None

    def volumes(self) -> list[Volume]:
        return [volume for instance in self.instances.values() for volume in instance.volumes]


def _looks_like(value: str, prefix: str) -> bool:
    head, dash, tail = value.partition("-")
    return (
        head == prefix and bool(dash) and bool(tail) and all(letter in "0123456789abcdef" for letter in tail)
    )
