"""What a request says about a group, checked: template, subnets, sizes, tags.

The checks and their words follow CreateAutoScalingGroup and UpdateAutoScalingGroup.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from gbg_sandbox.service import AwsError, Principal
from gbg_sandbox.services.autoscaling.base import one_of, refuse_others
from gbg_sandbox.services.autoscaling.entering import in_subnet
from gbg_sandbox.services.autoscaling.plan import TERMINATION_POLICIES
from gbg_sandbox.services.autoscaling.state import Group, Tag, TemplateChoice

if TYPE_CHECKING:
    from gbg_sandbox.cloud import Cloud

NEUTRAL: dict[str, tuple[Any, ...]] = {
    "CapacityRebalance": (True, False),
    "MaxInstanceLifetime": (0,),
    "DesiredCapacityType": ("units",),
    "InstanceMaintenancePolicy": ({"MinHealthyPercentage": -1, "MaxHealthyPercentage": -1},),
    "AvailabilityZoneDistribution": ({"CapacityDistributionStrategy": "balanced-best-effort"},),
    "AvailabilityZoneImpairmentPolicy": (
        {"ZonalShiftEnabled": False},
        {"ZonalShiftEnabled": False, "ImpairedZoneHealthCheckBehavior": "IgnoreUnhealthy"},
        {"ZonalShiftEnabled": False, "ImpairedZoneHealthCheckBehavior": "ReplaceUnhealthy"},
    ),
    "CapacityReservationSpecification": ({"CapacityReservationPreference": "default"},),
    "InstanceLifecyclePolicy": ({"RetentionTriggers": {"TerminateHookAbandon": "terminate"}},),
}
"""settings that this Auto Scaling keeps only with the values that change nothing"""
KEPT = (*NEUTRAL, "Context", "DefaultInstanceWarmup")
KNOWN = (
    "AutoScalingGroupName",
    "AvailabilityZones",
    "DefaultCooldown",
    "DeletionProtection",
    "DesiredCapacity",
    "HealthCheckGracePeriod",
    "HealthCheckType",
    "LaunchConfigurationName",
    "LaunchTemplate",
    "LifecycleHookSpecificationList",
    "MaxSize",
    "MinSize",
    "NewInstancesProtectedFromScaleIn",
    "ServiceLinkedRoleARN",
    "SkipZonalShiftValidation",
    "Tags",
    "TargetGroupARNs",
    "TerminationPolicies",
    "TrafficSources",
    "VPCZoneIdentifier",
    *KEPT,
)
HEALTH_CHECKS = ("EC2", "ELB")
PROTECTIONS = ("none", "prevent-force-deletion", "prevent-all-deletion")


def check_known(params: Mapping[str, Any]) -> None:
    if params.get("LaunchConfigurationName"):
        raise AwsError(
            "ValidationError",
            f"Launch configuration name not found - Launch configuration {params['LaunchConfigurationName']} "
            "not found",
        )
    refuse_others(params, KNOWN, "groups")
    for name, values in NEUTRAL.items():
        if name in params and params[name] not in values:
            raise AwsError("ValidationError", f"gbg_sandbox does not run groups with {name}={params[name]}.")


def choose_template(cloud: Cloud, named: Mapping[str, str]) -> tuple[TemplateChoice, dict[str, Any]]:
    """The template that a group names and the data of that version."""
    ec2: Any = cloud.client("ec2")
    which = {key: named[key] for key in ("LaunchTemplateId", "LaunchTemplateName") if named.get(key)}
    version = named.get("Version") or "$Default"
    try:
        found = ec2.describe_launch_template_versions(**which, Versions=[version])["LaunchTemplateVersions"][
            0
        ]
    except ClientError as error:
        raise _malformed(error.response["Error"]["Message"]) from error
    choice = TemplateChoice(found["LaunchTemplateId"], found["LaunchTemplateName"], version)
    return choice, found["LaunchTemplateData"]


def check_launch(
    cloud: Cloud, principal: Principal, choice: TemplateChoice, data: Mapping[str, Any], subnet: str
) -> None:
    """Whether EC2 would launch from the template into the subnet. The gateway has checked the rights."""
    request = {
        "LaunchTemplate": {"LaunchTemplateId": choice.id, "Version": choice.version},
        **in_subnet(data, subnet),
    }
    try:
        cloud.service("ec2").plan_launch(principal, request)
    except AwsError as error:
        raise _malformed(error.message) from error


def _malformed(message: str) -> AwsError:
    return AwsError("ValidationError", f"You must use a valid fully-formed launch template. {message}")


def find_subnets(cloud: Cloud, params: Mapping[str, Any]) -> dict[str, str]:
    """Subnet → zone, of VPCZoneIdentifier."""
    wanted = [one.strip() for one in params.get("VPCZoneIdentifier", "").split(",") if one.strip()]
    if not wanted:
        raise AwsError(
            "ValidationError", "No default VPC for this user: give the subnets as VPCZoneIdentifier."
        )
    ec2: Any = cloud.client("ec2")
    try:
        found = ec2.describe_subnets(SubnetIds=wanted)["Subnets"]
    except ClientError as error:
        raise AwsError("ValidationError", error.response["Error"]["Message"]) from error
    if len({subnet["VpcId"] for subnet in found}) > 1:
        raise AwsError("ValidationError", "The subnets of a group must be in one VPC.")
    zones = {subnet["SubnetId"]: subnet["AvailabilityZone"] for subnet in found}
    named = params.get("AvailabilityZones")
    if named and set(named) != set(zones.values()):
        raise AwsError(
            "ValidationError",
            "The availability zones of the specified subnets and the AutoScalingGroup do not match",
        )
    return {subnet: zones[subnet] for subnet in wanted}


def check_sizes(low: int, high: int, desired: int) -> None:
    if low > high:
        raise AwsError(
            "ValidationError", f"Max bound, {high}, must be greater than or equal to min bound, {low}"
        )
    if min(low, desired) < 0 or not low <= desired <= high:
        raise AwsError(
            "ValidationError",
            f"Desired capacity:{desired} must be between the specified min size:{low} and max size:{high}",
        )


def apply(group: Group, params: Mapping[str, Any]) -> None:
    """The settings that stand for themselves."""
    if "DefaultCooldown" in params:
        group.cooldown_seconds = params["DefaultCooldown"]
    if "HealthCheckType" in params:
        for kind in params["HealthCheckType"].split(","):
            one_of(kind, HEALTH_CHECKS, "HealthCheckType")
        group.health_check = params["HealthCheckType"]
    if "HealthCheckGracePeriod" in params:
        group.grace_seconds = params["HealthCheckGracePeriod"]
    if "TerminationPolicies" in params:
        for policy in params["TerminationPolicies"]:
            one_of(policy, TERMINATION_POLICIES, "TerminationPolicy")
        group.termination_policies = params["TerminationPolicies"] or ["Default"]
    if "NewInstancesProtectedFromScaleIn" in params:
        group.protect_new = params["NewInstancesProtectedFromScaleIn"]
    if "DeletionProtection" in params:
        group.deletion_protection = one_of(params["DeletionProtection"], PROTECTIONS, "DeletionProtection")
    if "ServiceLinkedRoleARN" in params:
        group.service_linked_role = params["ServiceLinkedRoleARN"]
    group.kept |= {name: params[name] for name in KEPT if name in params}


def target_groups(params: Mapping[str, Any]) -> list[str]:
    """The target groups named by TargetGroupARNs and TrafficSources, each once."""
    arns = [*params.get("TargetGroupARNs", ()), *traffic_sources(params.get("TrafficSources", ()))]
    return list(dict.fromkeys(arns))


def traffic_sources(sources: Iterable[Mapping[str, str]]) -> list[str]:
    for source in sources:
        if source.get("Type", "elbv2") != "elbv2":
            raise AwsError("ValidationError", "gbg_sandbox runs traffic sources of type elbv2 only.")
    return [source["Identifier"] for source in sources]


def read_tags(tags: Sequence[Mapping[str, Any]], principal: Principal) -> dict[str, Tag]:
    found = {}
    for tag in tags:
        if not principal.may_tag_as_aws and tag["Key"].lower().startswith("aws:"):
            raise AwsError("ValidationError", "Tag keys starting with 'aws:' are reserved for internal use")
        found[tag["Key"]] = Tag(tag["Key"], tag.get("Value", ""), tag.get("PropagateAtLaunch", False))
    return found
