"""EC2 launches touch many resources at once, each checked by itself; so do groups with a launch template.

https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/ExamplePolicies_EC2.html
https://docs.aws.amazon.com/autoscaling/ec2/userguide/ec2-auto-scaling-launch-template-permissions.html
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from botocore.exceptions import ClientError

from gbg_sandbox.authorisation.conditions import Value
from gbg_sandbox.authorisation.context import request_tags, tags_in
from gbg_sandbox.authorisation.passed_roles import of_profile
from gbg_sandbox.authorisation.requests import Check, Request, Rule, by_reference
from gbg_sandbox.authorisation.resources import KINDS, arn_of, arns, table
from gbg_sandbox.authorisation.system_requests import parameter_arn

KIND_OF = {
    "ami": "image",
    "eipalloc": "elastic-ip",
    "eni": "network-interface",
    "i": "instance",
    "igw": "internet-gateway",
    "lt": "launch-template",
    "nat": "natgateway",
    "acl": "network-acl",
    "rtb": "route-table",
    "sg": "security-group",
    "snap": "snapshot",
    "subnet": "subnet",
    "vol": "volume",
    "vpc": "vpc",
    "vpce": "vpc-endpoint",
}
"""what stands before the hyphen of an id → kind of resource"""


def checks(request: Request) -> list[Check]:
    """An EC2 operation; a required resource that the request doesn't name is one to be made: `volume/*`."""
    kinds = table()["ec2"]["actions"].get(request.operation, [])
    params = _with_template_id(request)
    found: list[Check] = []
    for kind in kinds:
        plain = kind.rstrip("*")
        named = arns("ec2", plain, params, request.cloud.region, request.cloud.account)
        if not named and kind.endswith("*"):
            named = [_arn(request, plain, "*")]
        tags = request_tags(_specified(params, plain))
        found += [Check(request.action, arn, {**_known(request, plain, arn), **tags}) for arn in named]
    return (found or [Check(request.action)]) + _tagging(request, params)


def _arn(request: Request, kind: str, name: str) -> str:
    (placeholder,) = KINDS["ec2"][kind]
    return arn_of("ec2", kind, request.cloud.region, request.cloud.account, **{placeholder: name})


def _specified(params: Mapping[str, Any], kind: str) -> dict[str, str]:
    """Tags that the request would put on resources of one kind."""
    found: dict[str, str] = {}
    for specification in params.get("TagSpecifications", []):
        if specification.get("ResourceType") == kind:
            found.update(tags_in(specification))
    return found


def _tagging(request: Request, params: Mapping[str, Any], error: str = "") -> list[Check]:
    """ec2:CreateTags for what is tagged while it is made."""
    made: list[Check] = []
    action = "RunInstances" if request.service == "autoscaling" else request.operation
    for specification in params.get("TagSpecifications", []):
        kind = specification.get("ResourceType", "")
        if kind in KIND_OF.values() and specification.get("Tags"):
            keys: dict[str, Value] = {"ec2:createaction": action, **request_tags(tags_in(specification))}
            made.append(Check("ec2:CreateTags", _arn(request, kind, "*"), keys, error))
    return made


def _known(request: Request, kind: str, arn: str) -> dict[str, Value]:
    """Condition keys that follow from the resource itself."""
    name = arn.rpartition("/")[2]
    if name == "*":
        return {}
    if kind == "image":
        return _of_image(request, name)
    if kind == "subnet":
        found = request.cloud.stored("ec2").describe_subnets(
            Filters=[{"Name": "subnet-id", "Values": [name]}]
        )
        return _in_vpc(request, found["Subnets"])
    if kind == "security-group":
        groups = request.cloud.stored("ec2").describe_security_groups(
            Filters=[{"Name": "group-id", "Values": [name]}]
        )
        return _in_vpc(request, groups["SecurityGroups"])
    return {}


def _in_vpc(request: Request, found: list[dict[str, Any]]) -> dict[str, Value]:
    return {"ec2:vpc": request.arn(f"vpc/{found[0]['VpcId']}", "ec2")} if found else {}


def _of_image(request: Request, image_id: str) -> dict[str, Value]:
    found = request.cloud.client("ec2").describe_images(Filters=[{"Name": "image-id", "Values": [image_id]}])
    for image in found["Images"]:
        owner = image.get("ImageOwnerAlias") or image.get("OwnerId", "")
        return {
            "ec2:owner": owner,
            "ec2:public": str(image.get("Public", False)).lower(),
            "ec2:imageid": image_id,
        }
    return {}


def _create_tags(request: Request) -> list[Check]:
    keys = request_tags(tags_in(request.params))
    resources = request.params.get("Resources", [])
    kinds = {name: KIND_OF.get(name.partition("-")[0], "") for name in resources}
    return [
        Check(request.action, _arn(request, kind, name) if kind else request.arn(f"*/{name}"), keys)
        for name, kind in kinds.items()
    ] or [Check(request.action, "*", keys)]


def _with_template_id(request: Request) -> Mapping[str, Any]:
    name = request.params.get("LaunchTemplateName")
    if not name or (
        request.operation.startswith(("Describe", "Create")) and "Version" not in request.operation
    ):
        return request.params
    found = _template(request, {"LaunchTemplateName": name})
    return {**request.params, **({"LaunchTemplateId": found["LaunchTemplateId"]} if found else {})}


def _template(request: Request, named: Mapping[str, str]) -> dict[str, Any] | None:
    """The version of a launch template that a specification means, or None when there is none."""
    which = {key: named[key] for key in ("LaunchTemplateId", "LaunchTemplateName") if named.get(key)}
    version = str(named.get("Version") or "$Default")
    try:
        found = request.cloud.client("ec2").describe_launch_template_versions(**which, Versions=[version])
    except ClientError:
        return None
    return next(iter(found["LaunchTemplateVersions"]), None)


def run_instances(request: Request) -> list[Check]:
    return _launch(request, dict(request.params), request.params.get("LaunchTemplate"))


def _launch(
    request: Request, params: dict[str, Any], named: Mapping[str, str] | None, error: str = ""
) -> list[Check]:
    template = _template(request, named) if named else None
    params = {**(template["LaunchTemplateData"] if template else {}), **params}
    common: dict[str, Value] = {"ec2:islaunchtemplateresource": str(template is not None).lower()}
    if template:
        common["ec2:launchtemplate"] = _arn(request, "launch-template", template["LaunchTemplateId"])
    made = [
        Check("ec2:RunInstances", arn, {**common, **keys}, error)
        for arn, keys in _touched(request, params, template)
    ]
    made += _tagging(request, params, error)
    if profile := params.get("IamInstanceProfile"):
        made += of_profile(request, profile, error)
    image = str(params.get("ImageId", ""))
    if image.startswith("resolve:ssm:"):
        arn = parameter_arn(request, image.removeprefix("resolve:ssm:"))
        made.append(Check("ssm:GetParameters", arn, {}, error))
    return made


def _touched(
    request: Request, params: Mapping[str, Any], template: dict[str, Any] | None
) -> list[tuple[str, dict[str, Value]]]:
    """Every resource of a launch with its condition keys."""
    interfaces = params.get("NetworkInterfaces", [])
    subnets = {params.get("SubnetId"), *(one.get("SubnetId") for one in interfaces)} - {None}
    groups = [
        *params.get("SecurityGroupIds", []),
        *(group for one in interfaces for group in one.get("Groups", [])),
    ]
    image = str(params.get("ImageId", "*"))
    named = [
        ("subnet", sorted(subnets) or ["*"]),
        ("security-group", list(dict.fromkeys(groups)) or ["*"]),
        ("image", ["*" if image.startswith("resolve:") else image]),
        ("key-pair", [params["KeyName"]] if params.get("KeyName") else []),
        ("launch-template", [template["LaunchTemplateId"]] if template else []),
    ]
    found: list[tuple[str, dict[str, Value]]] = []
    for kind, names in named:
        for name in names:
            arn = _arn(request, kind, name)
            found.append((arn, _known(request, kind, arn)))
    network = next((keys for arn, keys in found if ":subnet/" in arn), {})
    made = {
        "instance": _instance_keys(request, params),
        "network-interface": {
            **network,
            "ec2:subnet": [_arn(request, "subnet", one) for one in sorted(subnets)],
        },
        "volume": _volume_keys(params),
    }
    for kind, keys in made.items():
        found.append((_arn(request, kind, "*"), {**keys, **request_tags(_specified(params, kind))}))
    return found


def _instance_keys(request: Request, params: Mapping[str, Any]) -> dict[str, Value]:
    from gbg_sandbox.authorisation.door import door

    metadata = params.get("MetadataOptions", {})
    keys: dict[str, Value] = {
        "ec2:instancetype": params.get("InstanceType", "m1.small"),
        "ec2:metadatahttptokens": metadata.get("HttpTokens", "optional"),
        "ec2:metadatahttpputresponsehoplimit": str(metadata.get("HttpPutResponseHopLimit", 1)),
        "ec2:tenancy": params.get("Placement", {}).get("Tenancy", "default"),
        "ec2:ebsoptimized": str(params.get("EbsOptimized", False)).lower(),
    }
    profile = params.get("IamInstanceProfile", {})
    if named := profile.get("Arn") or profile.get("Name"):
        found = door(request.cloud).directory.profile(named)
        keys["ec2:instanceprofile"] = found.arn if found else named
    return keys


def _volume_keys(params: Mapping[str, Any]) -> dict[str, Value]:
    disks = [one["Ebs"] for one in params.get("BlockDeviceMappings", []) if one.get("Ebs")]
    if not disks:
        return {}
    keys: dict[str, Value] = {"ec2:encrypted": str(all(disk.get("Encrypted") for disk in disks)).lower()}
    if disks[0].get("VolumeType"):
        keys["ec2:volumetype"] = disks[0]["VolumeType"]
    if disks[0].get("VolumeSize"):
        keys["ec2:volumesize"] = str(disks[0]["VolumeSize"])
    return keys


def _group_with_template(request: Request) -> list[Check]:
    """Making or changing a group with a launch template needs the rights to launch from it."""
    params = request.params
    mixed = params.get("MixedInstancesPolicy", {}).get("LaunchTemplate", {})
    named = params.get("LaunchTemplate") or mixed.get("LaunchTemplateSpecification")
    found = by_reference(request)
    if not named:
        return found
    template = named.get("LaunchTemplateId") or named.get("LaunchTemplateName")
    named_subnets = params.get("VPCZoneIdentifier") or _subnets_of_group(
        request, params["AutoScalingGroupName"]
    )
    subnets = [one for one in named_subnets.split(",") if one]
    network = {"SubnetId": subnets[0].strip()} if subnets else {}
    return found + _launch(
        request, network, named, f"You are not authorized to use launch template: {template}"
    )


def _subnets_of_group(request: Request, name: str) -> str:
    """An update that names no subnets is checked with those that the group has."""
    groups = request.cloud.client("autoscaling").describe_auto_scaling_groups(AutoScalingGroupNames=[name])
    return next((str(group.get("VPCZoneIdentifier", "")) for group in groups["AutoScalingGroups"]), "")


RULES: dict[str, Rule] = {
    "ec2:RunInstances": run_instances,
    "ec2:CreateTags": _create_tags,
    "ec2:DeleteTags": _create_tags,
    "autoscaling:CreateAutoScalingGroup": _group_with_template,
    "autoscaling:UpdateAutoScalingGroup": _group_with_template,
}
