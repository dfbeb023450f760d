"""EC2's records in the form that its Describe operations answer."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from gbg_sandbox.services.ec2.filters import tag_set
from gbg_sandbox.services.ec2.state import (
    STATE_CODES,
    BlockDevice,
    Image,
    Instance,
    LaunchTemplate,
    Snapshot,
    TemplateVersion,
    Volume,
)

Answer = dict[str, Any]


def timestamp(moment: datetime) -> str:
    """Where EC2 answers a time as text."""
    return f"{moment:%Y-%m-%dT%H:%M:%S}.000Z"


def state(name: str) -> Answer:
    return {"Code": STATE_CODES[name], "Name": name}


def reason(pair: tuple[str, str] | None) -> Answer:
    return {"StateReason": {"Code": pair[0], "Message": pair[1]}} if pair else {}


def group_set(groups: Sequence[tuple[str, str]]) -> list[Answer]:
    return [{"GroupId": group_id, "GroupName": name} for group_id, name in groups]


def instance(one: Instance, owner: str) -> Answer:
    answer: Answer = {
        "InstanceId": one.id,
        "ImageId": one.image_id,
        "State": state(one.state),
        "StateTransitionReason": one.transition_reason,
        "AmiLaunchIndex": one.index,
        "InstanceType": one.instance_type,
        "LaunchTime": one.launched,
        "Placement": {"AvailabilityZone": one.zone, "GroupName": "", "Tenancy": "default"},
        "Monitoring": {"State": "enabled" if one.monitoring else "disabled"},
        "Architecture": one.architecture,
        "ClientToken": one.client_token,
        "EbsOptimized": one.ebs_optimized,
        "EnaSupport": True,
        "Hypervisor": "xen",
        "RootDeviceName": one.root_device,
        "RootDeviceType": "ebs",
        "VirtualizationType": "hvm",
        "PlatformDetails": "Linux/UNIX",
        "UsageOperation": "RunInstances",
        "BootMode": "uefi-preferred",
        "CurrentInstanceBootMode": "uefi",
        "CpuOptions": {"CoreCount": 1, "ThreadsPerCore": 2},
        "HibernationOptions": {"Configured": False},
        "EnclaveOptions": {"Enabled": False},
        "MaintenanceOptions": {"AutoRecovery": "default"},
        "MetadataOptions": metadata_options(one),
        "PublicDnsName": "",
        "PrivateDnsName": "",
        "SecurityGroups": [],
        "BlockDeviceMappings": [attached(volume) for volume in one.volumes],
        "NetworkInterfaces": [],
        "Tags": tag_set(one.tags),
        **reason(one.state_reason),
    }
    if one.state != "terminated":
        answer |= _network(one, owner)
    if one.key_name:
        answer["KeyName"] = one.key_name
    if one.profile_arn:
        answer["IamInstanceProfile"] = {"Arn": one.profile_arn, "Id": one.profile_id}
    return answer


def _network(one: Instance, owner: str) -> Answer:
    groups = group_set(one.groups)
    interface = {
        "NetworkInterfaceId": one.interface_id,
        "Attachment": attachment(one),
        "Description": "",
        "Groups": groups,
        "InterfaceType": "interface",
        "MacAddress": one.mac,
        "OwnerId": owner,
        "PrivateDnsName": one.hostname,
        "PrivateIpAddress": one.address,
        "PrivateIpAddresses": [
            {"Primary": True, "PrivateIpAddress": one.address, "PrivateDnsName": one.hostname}
        ],
        "SourceDestCheck": True,
        "Status": "in-use",
        "SubnetId": one.subnet_id,
        "VpcId": one.vpc_id,
    }
    return {
        "PrivateDnsName": one.hostname,
        "PrivateIpAddress": one.address,
        "PrivateDnsNameOptions": {"HostnameType": "ip-name", "EnableResourceNameDnsARecord": False},
        "SubnetId": one.subnet_id,
        "VpcId": one.vpc_id,
        "SourceDestCheck": True,
        "SecurityGroups": groups,
        "NetworkInterfaces": [interface],
    }


def attachment(one: Instance) -> Answer:
    return {
        "AttachmentId": one.interface_id.replace("eni-", "eni-attach-"),
        "AttachTime": one.launched,
        "DeleteOnTermination": True,
        "DeviceIndex": 0,
        "Status": "attached",
    }


def metadata_options(one: Instance) -> Answer:
    return {
        "State": "applied",
        "HttpTokens": one.metadata.http_tokens,
        "HttpPutResponseHopLimit": one.metadata.hop_limit,
        "HttpEndpoint": one.metadata.http_endpoint,
        "HttpProtocolIpv6": "disabled",
        "InstanceMetadataTags": one.metadata.tags,
    }


def attached(volume: Volume) -> Answer:
    return {
        "DeviceName": volume.device.name,
        "Ebs": {
            "VolumeId": volume.id,
            "Status": "attached",
            "AttachTime": volume.created,
            "DeleteOnTermination": volume.device.delete_on_termination,
        },
    }


def instance_status(one: Instance) -> Answer:
    if one.state == "running":
        # The check is a command that the machine has carried out.
        passed = "passed" if one.reachable else "initializing"
        status = {
            "Status": "ok" if one.reachable else "initializing",
            "Details": [{"Name": "reachability", "Status": passed}],
        }
    else:
        status = {"Status": "not-applicable"}
    return {
        "InstanceId": one.id,
        "AvailabilityZone": one.zone,
        "InstanceState": state(one.state),
        "InstanceStatus": status,
        "SystemStatus": status,
        "AttachedEbsStatus": status,
    }


def volume(one: Volume) -> Answer:
    device = one.device
    answer: Answer = {
        "VolumeId": one.id,
        "Size": device.size_gib,
        "VolumeType": device.volume_type,
        "Encrypted": device.encrypted,
        "SnapshotId": device.snapshot_id,
        "AvailabilityZone": one.zone,
        "State": "in-use",
        "CreateTime": one.created,
        "MultiAttachEnabled": False,
        "Tags": tag_set(one.tags),
        "Attachments": [
            {
                "InstanceId": one.instance_id,
                "VolumeId": one.id,
                "Device": device.name,
                "State": "attached",
                "AttachTime": one.created,
                "DeleteOnTermination": device.delete_on_termination,
            }
        ],
        **_speed(device),
    }
    if device.kms_key:
        answer["KmsKeyId"] = device.kms_key
    return answer


def _speed(device: BlockDevice) -> Answer:
    if device.volume_type == "gp3":
        return {"Iops": device.iops, "Throughput": device.throughput}
    return {"Iops": device.iops} if device.volume_type in ("io1", "io2") else {}


def mapping(device: BlockDevice) -> Answer:
    """A device as images and requests have it."""
    ebs: Answer = {
        "VolumeSize": device.size_gib,
        "VolumeType": device.volume_type,
        "Encrypted": device.encrypted,
        "DeleteOnTermination": device.delete_on_termination,
        **_speed(device),
    }
    if device.snapshot_id:
        ebs["SnapshotId"] = device.snapshot_id
    return {"DeviceName": device.name, "Ebs": ebs}


def image(one: Image) -> Answer:
    answer: Answer = {
        "ImageId": one.id,
        "Name": one.name,
        "OwnerId": one.owner,
        "ImageLocation": f"{one.owner_alias or one.owner}/{one.name}",
        "CreationDate": timestamp(one.created),
        "State": one.state,
        "Public": one.public,
        "ImageType": "machine",
        "Architecture": one.architecture,
        "RootDeviceName": one.root_device,
        "RootDeviceType": "ebs",
        "VirtualizationType": "hvm",
        "Hypervisor": "xen",
        "EnaSupport": True,
        "SriovNetSupport": "simple",
        "PlatformDetails": "Linux/UNIX",
        "UsageOperation": "RunInstances",
        "BootMode": one.boot_mode,
        "BlockDeviceMappings": [mapping(device) for device in one.devices],
        "Tags": tag_set(one.tags),
        **reason(one.state_reason),
    }
    optional = {
        "Description": one.description,
        "ImageOwnerAlias": one.owner_alias,
        "ImdsSupport": one.imds_support,
        "SourceInstanceId": one.source_instance,
        "SourceImageId": one.source_image,
        "PublicSsmParameterName": one.parameter_name,
        "DeprecationTime": timestamp(one.deprecated) if one.deprecated else "",
        "LastLaunchedTime": timestamp(one.last_launched) if one.last_launched else "",
    }
    return answer | {key: value for key, value in optional.items() if value}


def snapshot(one: Snapshot) -> Answer:
    answer: Answer = {
        "SnapshotId": one.id,
        "VolumeId": one.volume_id,
        "VolumeSize": one.size_gib,
        "Description": one.description,
        "StartTime": one.started,
        "State": one.state,
        "Progress": "100%" if one.state == "completed" else "0%",
        "OwnerId": one.owner,
        "Encrypted": one.encrypted,
        "StorageTier": "standard",
        "Tags": tag_set(one.tags),
    }
    return answer | ({"KmsKeyId": one.kms_key} if one.kms_key else {})


def template(one: LaunchTemplate) -> Answer:
    return {
        "LaunchTemplateId": one.id,
        "LaunchTemplateName": one.name,
        "CreateTime": one.created,
        "CreatedBy": one.created_by,
        "DefaultVersionNumber": one.default_version,
        "LatestVersionNumber": one.latest_version,
        "Tags": tag_set(one.tags),
    }


def template_version(one: LaunchTemplate, version: TemplateVersion) -> Answer:
    answer: Answer = {
        "LaunchTemplateId": one.id,
        "LaunchTemplateName": one.name,
        "VersionNumber": version.number,
        "CreateTime": version.created,
        "CreatedBy": version.created_by,
        "DefaultVersion": version.number == one.default_version,
        "LaunchTemplateData": dict(version.data),
    }
    return answer | ({"VersionDescription": version.description} if version.description else {})
