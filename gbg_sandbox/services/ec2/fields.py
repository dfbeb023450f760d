"""The filters that each Describe operation knows, and what they compare."""

from __future__ import annotations

from collections.abc import Mapping

from gbg_sandbox.services.ec2.answers import timestamp
from gbg_sandbox.services.ec2.filters import Field
from gbg_sandbox.services.ec2.state import STATE_CODES

INSTANCE_FILTERS: Mapping[str, Field] = {
    "architecture": lambda one: one.architecture,
    "availability-zone": lambda one: one.zone,
    "block-device-mapping.volume-id": lambda one: [volume.id for volume in one.volumes],
    "client-token": lambda one: one.client_token,
    "dns-name": lambda one: "",
    "iam-instance-profile.arn": lambda one: one.profile_arn,
    "iam-instance-profile.id": lambda one: one.profile_id,
    "image-id": lambda one: one.image_id,
    "instance-id": lambda one: one.id,
    "instance-state-code": lambda one: STATE_CODES[one.state],
    "instance-state-name": lambda one: one.state,
    "instance-type": lambda one: one.instance_type,
    "instance.group-id": lambda one: [group_id for group_id, _ in one.groups],
    "instance.group-name": lambda one: [name for _, name in one.groups],
    "ip-address": lambda one: None,
    "key-name": lambda one: one.key_name,
    "launch-time": lambda one: timestamp(one.launched),
    "metadata-options.http-tokens": lambda one: one.metadata.http_tokens,
    "network-interface.network-interface-id": lambda one: one.interface_id,
    "network-interface.subnet-id": lambda one: one.subnet_id,
    "network-interface.vpc-id": lambda one: one.vpc_id,
    "private-dns-name": lambda one: one.hostname,
    "private-ip-address": lambda one: one.address,
    "reservation-id": lambda one: one.reservation_id,
    "root-device-name": lambda one: one.root_device,
    "state-reason-code": lambda one: one.state_reason[0] if one.state_reason else None,
    "subnet-id": lambda one: one.subnet_id,
    "vpc-id": lambda one: one.vpc_id,
}

IMAGE_FILTERS: Mapping[str, Field] = {
    "architecture": lambda one: one.architecture,
    "block-device-mapping.encrypted": lambda one: [str(device.encrypted).lower() for device in one.devices],
    "block-device-mapping.snapshot-id": lambda one: [device.snapshot_id for device in one.devices],
    "creation-date": lambda one: timestamp(one.created),
    "description": lambda one: one.description,
    "image-id": lambda one: one.id,
    "image-type": lambda one: "machine",
    "is-public": lambda one: one.public,
    "name": lambda one: one.name,
    "owner-alias": lambda one: one.owner_alias,
    "owner-id": lambda one: one.owner,
    "platform-details": lambda one: "Linux/UNIX",
    "root-device-name": lambda one: one.root_device,
    "root-device-type": lambda one: "ebs",
    "source-image-id": lambda one: one.source_image,
    "source-instance-id": lambda one: one.source_instance,
    "state": lambda one: one.state,
    "virtualization-type": lambda one: "hvm",
}

SNAPSHOT_FILTERS: Mapping[str, Field] = {
    "description": lambda one: one.description,
    "encrypted": lambda one: one.encrypted,
    "owner-id": lambda one: one.owner,
    "snapshot-id": lambda one: one.id,
    "status": lambda one: one.state,
    "volume-id": lambda one: one.volume_id,
    "volume-size": lambda one: one.size_gib,
}

VOLUME_FILTERS: Mapping[str, Field] = {
    "attachment.delete-on-termination": lambda one: one.device.delete_on_termination,
    "attachment.device": lambda one: one.device.name,
    "attachment.instance-id": lambda one: one.instance_id,
    "availability-zone": lambda one: one.zone,
    "encrypted": lambda one: one.device.encrypted,
    "snapshot-id": lambda one: one.device.snapshot_id,
    "status": lambda one: "in-use",
    "volume-id": lambda one: one.id,
    "volume-type": lambda one: one.device.volume_type,
}

TEMPLATE_FILTERS: Mapping[str, Field] = {
    "create-time": lambda one: timestamp(one.created),
    "launch-template-name": lambda one: one.name,
}

VERSION_FILTERS: Mapping[str, Field] = {
    "create-time": lambda pair: timestamp(pair[1].created),
    "image-id": lambda pair: pair[1].data.get("ImageId"),
    "instance-type": lambda pair: pair[1].data.get("InstanceType"),
    "is-default-version": lambda pair: pair[1].number == pair[0].default_version,
    "iam-instance-profile": lambda pair: list(pair[1].data.get("IamInstanceProfile", {}).values()),
}
