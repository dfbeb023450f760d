"""What a RunInstances request comes to: template, image, subnet, groups and volumes resolved and checked.

Decides only; `engine` acts. Errors are those of
https://docs.aws.amazon.com/AWSEC2/latest/APIReference/errors-overview.html
"""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from gbg_sandbox.service import AwsError, Principal
from gbg_sandbox.services.ec2.records import NetworkRecords
from gbg_sandbox.services.ec2.state import BlockDevice, Ec2State, Image, LaunchTemplate, MetadataOptions, Tags

if TYPE_CHECKING:
    from gbg_sandbox.cloud import Cloud

RUN = frozenset(
    {
        "ImageId",
        "InstanceType",
        "MinCount",
        "MaxCount",
        "KeyName",
        "SecurityGroupIds",
        "SubnetId",
        "UserData",
        "TagSpecifications",
        "LaunchTemplate",
        "MetadataOptions",
        "DisableApiTermination",
        "InstanceInitiatedShutdownBehavior",
        "PrivateIpAddress",
        "ClientToken",
        "NetworkInterfaces",
        "IamInstanceProfile",
        "BlockDeviceMappings",
        "Monitoring",
        "EbsOptimized",
        "Placement",
        "CreditSpecification",
        "MaintenanceOptions",
        "DryRun",
    }
)
"""Parameters of RunInstances and LaunchTemplateData that are acted on, or change nothing visible on AWS."""

NAMED_FOR_REQUEST = frozenset(["instance", "volume", "network-interface"])
ARM_TYPES = re.compile(r"(a1|[a-z]+\d+g[a-z]*)\..+")
USER_DATA_LIMIT_BYTES = 16384


@dataclass(frozen=True)
class Profile:
    arn: str
    id: str
    role_arn: str


@dataclass(frozen=True)
class LaunchPlan:
    """One instance's making, the same for all of a request."""

    image: Image
    instance_type: str
    subnet_id: str
    vpc_id: str
    zone: str
    groups: tuple[tuple[str, str], ...]
    devices: tuple[BlockDevice, ...]
    metadata: MetadataOptions
    address: str = ""
    user_data: str = ""
    profile: Profile | None = None
    key_name: str = ""
    shutdown_behavior: str = "stop"
    protected: bool = False
    monitoring: bool = False
    ebs_optimized: bool = False
    tags: Mapping[str, Tags] = field(default_factory=dict)
    """resource type → tags"""
    template: LaunchTemplate | None = None
    template_version: int = 0


def resolve(
    cloud: Cloud,
    state: Ec2State,
    records: NetworkRecords,
    params: Mapping[str, Any],
    principal: Principal,
) -> LaunchPlan:
    """Everything looked up and checked. Raises AwsError as RunInstances does."""
    template, number, request = _with_template(state, params)
    _refuse_unknown(request)
    image = _image(cloud, state, request.get("ImageId", ""), principal)
    network = _network(records, request)
    plan = LaunchPlan(
        image=image,
        instance_type=_instance_type(cloud, request.get("InstanceType", "m1.small"), image),
        devices=_encrypted_by_default(
            records, block_devices(image.devices, request.get("BlockDeviceMappings", ()), state)
        ),
        metadata=_metadata(request.get("MetadataOptions", {}), image),
        user_data=_user_data(request.get("UserData", "")),
        profile=find_profile(cloud, request["IamInstanceProfile"])
        if request.get("IamInstanceProfile")
        else None,
        key_name=_key_name(records, request.get("KeyName", "")),
        shutdown_behavior=request.get("InstanceInitiatedShutdownBehavior", "stop"),
        protected=request.get("DisableApiTermination", False),
        monitoring=request.get("Monitoring", {}).get("Enabled", False),
        ebs_optimized=request.get("EbsOptimized", False),
        tags=_tags(request.get("TagSpecifications", ()), principal),
        template=template,
        template_version=number,
        **network,
    )
    _check_placement(request.get("Placement", {}), plan.zone)
    return plan


def _with_template(
    state: Ec2State, params: Mapping[str, Any]
) -> tuple[LaunchTemplate | None, int, dict[str, Any]]:
    """The request with the template's values where it has none of its own; tags are put together by key."""
    chosen = params.get("LaunchTemplate")
    if not chosen:
        return None, 0, dict(params)
    with state.lock:
        template = state.template(chosen.get("LaunchTemplateId", ""), chosen.get("LaunchTemplateName", ""))
        version = template.version(chosen.get("Version", ""))
    request = {**version.data, **params}
    specifications = [*version.data.get("TagSpecifications", ()), *params.get("TagSpecifications", ())]
    launched_by = {
        "aws:ec2launchtemplate:id": template.id,
        "aws:ec2launchtemplate:version": str(version.number),
    }
    own = [{"Key": key, "Value": value} for key, value in launched_by.items()]
    request["TagSpecifications"] = [*specifications, {"ResourceType": "instance", "Tags": own, "Own": True}]
    return template, version.number, request


def _refuse_unknown(request: Mapping[str, Any]) -> None:
    for name in sorted(set(request) - RUN):
        if request[name] not in (None, [], {}, ""):
            raise AwsError(
                "UnsupportedOperation", f"gbg_sandbox does not run instances with {name}; leave it out."
            )


def _image(cloud: Cloud, state: Ec2State, image_id: str, principal: Principal) -> Image:
    if not image_id:
        raise AwsError("MissingParameter", "The request must contain the parameter ImageId")
    if image_id.startswith("resolve:ssm:"):
        image_id = _from_parameter(cloud, image_id.removeprefix("resolve:ssm:"), principal)
    with state.lock:
        image = state.image(image_id)
    if image.state == "disabled":
        raise AwsError("InvalidAMIID.Unavailable", f"The image ID '{image_id}' is disabled")
    if image.state != "available":
        raise AwsError(
            "InvalidAMIID.Unavailable", f"The image ID '{image_id}' is not available; it is {image.state}"
        )
    return image


def _from_parameter(cloud: Cloud, name: str, principal: Principal) -> str:
    """https://docs.aws.amazon.com/autoscaling/ec2/userguide/using-systems-manager-parameters.html"""
    ssm: Any = cloud.client("ssm", principal=principal)
    found = ssm.get_parameters(Names=[name])["Parameters"]
    if not found:
        raise AwsError("InvalidParameterValue", f"The parameter {name} of resolve:ssm does not exist.")
    return str(found[0]["Value"])


def _instance_type(cloud: Cloud, wanted: str, image: Image) -> str:
    ec2: Any = cloud.stored("ec2")
    if wanted not in ec2.meta.service_model.shape_for("InstanceType").enum:
        raise AwsError("InvalidParameterValue", f"Invalid value '{wanted}' for InstanceType.")
    architecture = "arm64" if ARM_TYPES.fullmatch(wanted) else "x86_64"
    if architecture != image.architecture:
        raise AwsError(
            "InvalidParameterValue",
            f"The architecture '{architecture}' of the specified instance type does not match the "
            f"architecture '{image.architecture}' of the specified AMI. Specify an instance type and an AMI "
            "that have matching architectures, and try again.",
        )
    return wanted


def _network(records: NetworkRecords, request: Mapping[str, Any]) -> dict[str, Any]:
    """Subnet, groups and address, from the request or from its one network interface."""
    interfaces = request.get("NetworkInterfaces") or []
    if len(interfaces) > 1:
        raise AwsError("UnsupportedOperation", "gbg_sandbox runs instances with one network interface.")
    asked: Mapping[str, Any] = interfaces[0] if interfaces else request
    if interfaces and request.get("SubnetId"):
        raise AwsError(
            "InvalidParameterCombination",
            "Network interfaces and an instance-level subnet ID may not be specified on the same request",
        )
    if interfaces and request.get("SecurityGroupIds"):
        raise AwsError(
            "InvalidParameterCombination",
            "Network interfaces and an instance-level security groups may not be specified on the same "
            "request",
        )
    if asked.get("NetworkInterfaceId"):
        raise AwsError("UnsupportedOperation", "gbg_sandbox does not attach an existing network interface.")
    if not asked.get("SubnetId"):
        raise AwsError("VPCIdNotSpecified", "No default VPC for this user. Give a SubnetId.")
    subnet = records.subnet(asked["SubnetId"])
    wanted = asked.get("Groups" if interfaces else "SecurityGroupIds") or []
    return {
        "subnet_id": subnet["SubnetId"],
        "vpc_id": subnet["VpcId"],
        "zone": subnet["AvailabilityZone"],
        "groups": records.groups(wanted, subnet),
        "address": asked.get("PrivateIpAddress", ""),
    }


def block_devices(
    own: tuple[BlockDevice, ...], mappings: Any, state: Ec2State, *, launching: bool = True
) -> tuple[BlockDevice, ...]:
    """An image's (or instance's) devices as BlockDeviceMappings change them."""
    devices = {device.name: device for device in own}
    for mapping in mappings or ():
        name = mapping.get("DeviceName", "")
        if "NoDevice" in mapping:
            devices.pop(name, None)
            continue
        ebs = mapping.get("Ebs", {})
        if mapping.get("VirtualName"):
            raise AwsError("UnsupportedOperation", "gbg_sandbox has no instance store volumes.")
        devices[name] = _changed(devices.get(name), name, ebs, state, launching)
    return tuple(devices.values())


def _encrypted_by_default(
    records: NetworkRecords, devices: tuple[BlockDevice, ...]
) -> tuple[BlockDevice, ...]:
    """The account's setting wins over the request's."""
    if not records.ask("get_ebs_encryption_by_default")["EbsEncryptionByDefault"]:
        return devices
    return tuple(replace(device, encrypted=True) for device in devices)


def _changed(
    former: BlockDevice | None, name: str, ebs: Mapping[str, Any], state: Ec2State, launching: bool
) -> BlockDevice:
    snapshot_id = ebs.get("SnapshotId", former.snapshot_id if former else "")
    if snapshot_id:
        with state.lock:
            smallest = state.snapshot(snapshot_id).size_gib
    else:
        smallest = former.size_gib if former else 0
    size = ebs.get("VolumeSize", smallest)
    if not size:
        raise AwsError(
            "MissingParameter", f"The request must contain the parameter size or snapshotId for {name}"
        )
    if size < smallest:
        raise AwsError(
            "InvalidBlockDeviceMapping",
            f"Volume of size {size}GB is smaller than snapshot '{snapshot_id}', expect size >= {smallest}GB",
        )
    encrypted = ebs.get("Encrypted", former.encrypted if former else False)
    if former and former.encrypted != encrypted and (former.encrypted or not launching):
        raise AwsError(
            "InvalidParameterCombination" if launching else "InvalidParameterValue",
            f"The encrypted flag of the volume on {name} can't be changed here.",
        )
    base = former or BlockDevice(name=name, size_gib=size)
    return replace(
        base,
        size_gib=size,
        volume_type=ebs.get("VolumeType", base.volume_type),
        encrypted=encrypted,
        kms_key=ebs.get("KmsKeyId", base.kms_key),
        iops=ebs.get("Iops", base.iops),
        throughput=ebs.get("Throughput", base.throughput),
        delete_on_termination=ebs.get("DeleteOnTermination", base.delete_on_termination),
        snapshot_id=snapshot_id,
    )


def _metadata(options: Mapping[str, Any], image: Image) -> MetadataOptions:
    """The request's options over the image's: ImdsSupport v2.0 means tokens required and two hops."""
    v2 = image.imds_support == "v2.0"
    if options.get("HttpProtocolIpv6") == "enabled":
        raise AwsError("UnsupportedOperation", "gbg_sandbox has no IPv6 endpoint for instance metadata.")
    return MetadataOptions(
        http_tokens=options.get("HttpTokens", "required" if v2 else "optional"),
        hop_limit=options.get("HttpPutResponseHopLimit", 2 if v2 else 1),
        http_endpoint=options.get("HttpEndpoint", "enabled"),
        tags=options.get("InstanceMetadataTags", "disabled"),
    )


def _user_data(text: str) -> str:
    try:
        content = base64.b64decode(text, validate=True)
    except ValueError as error:
        raise AwsError("InvalidUserData.Malformed", "Invalid BASE64 encoding of user data.") from error
    if len(content) > USER_DATA_LIMIT_BYTES:
        raise AwsError("InvalidParameterValue", f"User data is limited to {USER_DATA_LIMIT_BYTES} bytes")
    return text


def find_profile(cloud: Cloud, wanted: Mapping[str, str]) -> Profile:
    """By `Name` or `Arn`; raises RunInstances' InvalidParameterValue when there is none."""
    kind = "name" if "Name" in wanted else "arn"
    value = wanted.get("Name") or wanted.get("Arn", "")
    iam: Any = cloud.client("iam")
    try:
        found = iam.get_instance_profile(InstanceProfileName=value.rpartition("/")[2])
    except ClientError as error:
        if error.response["Error"]["Code"] != "NoSuchEntity":
            raise
        what = "Name" if kind == "name" else "ARN"
        raise AwsError(
            "InvalidParameterValue",
            f"Value ({value}) for parameter iamInstanceProfile.{kind} is invalid. "
            f"Invalid IAM Instance Profile {what}",
        ) from error
    profile = found["InstanceProfile"]
    roles = profile["Roles"]
    return Profile(profile["Arn"], profile["InstanceProfileId"], roles[0]["Arn"] if roles else "")


def _key_name(records: NetworkRecords, name: str) -> str:
    if name:
        records.ask("describe_key_pairs", KeyNames=[name])
    return name


def _tags(specifications: Any, principal: Principal) -> dict[str, Tags]:
    found: dict[str, Tags] = {}
    for specification in specifications:
        kind = specification["ResourceType"]
        if kind not in NAMED_FOR_REQUEST:
            raise AwsError(
                "InvalidParameterValue", f"'{kind}' is not a valid taggable resource type for this operation."
            )
        tags = {tag["Key"]: tag.get("Value", "") for tag in specification.get("Tags", ())}
        if not specification.get("Own"):
            check_tag_keys(tags, principal)
        found.setdefault(kind, {}).update(tags)
    return found


def check_tag_keys(tags: Mapping[str, str], principal: Principal) -> None:
    """`aws:` is for AWS's own services."""
    if not principal.may_tag_as_aws and any(key.lower().startswith("aws:") for key in tags):
        raise AwsError(
            "InvalidParameterValue",
            "Tag keys starting with 'aws:' are reserved for internal use",
        )


def _check_placement(placement: Mapping[str, Any], zone: str) -> None:
    if placement.get("AvailabilityZone", zone) != zone:
        raise AwsError(
            "InvalidParameterValue",
            f"The zone {placement['AvailabilityZone']} is not the subnet's zone {zone}.",
        )
    others = {name for name, value in placement.items() if value not in ("", "default", None)} - {
        "AvailabilityZone"
    }
    if others:
        raise AwsError(
            "UnsupportedOperation", f"gbg_sandbox does not place instances by {', '.join(sorted(others))}."
        )
