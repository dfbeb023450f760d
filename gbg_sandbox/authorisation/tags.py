"""Tags that conditions ask for: of resources and of the caller."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from gbg_sandbox.service import AwsError

if TYPE_CHECKING:
    from gbg_sandbox.cloud import Cloud

SERVICE_OF = {"elasticloadbalancing": "elbv2"}


def of_resource(cloud: Cloud, arn: str) -> Mapping[str, str]:
    """Tags of the resource with this ARN; empty for one that doesn't exist yet or is `*`.

    A service tells them itself by a method `resource_tags(arn)`; EC2's lie with moto.
    """
    parts = arn.split(":", 5)
    if len(parts) < 6 or arn.endswith("*"):
        return {}
    name = SERVICE_OF.get(parts[2], parts[2])
    tell = getattr(cloud.services.get(name), "resource_tags", None)
    if tell is not None:
        told: Mapping[str, str] = tell(arn)
        return told
    if name == "ec2":
        return _ec2(cloud, parts[5].rpartition("/")[2])
    if name == "autoscaling":
        return _autoscaling(cloud, arn.rpartition("/")[2])
    return {}


def _ec2(cloud: Cloud, resource_id: str) -> dict[str, str]:
    found = cloud.stored("ec2").describe_tags(Filters=[{"Name": "resource-id", "Values": [resource_id]}])
    return {tag["Key"]: tag["Value"] for tag in found["Tags"]}


def _autoscaling(cloud: Cloud, group: str) -> dict[str, str]:
    found = cloud.client("autoscaling").describe_auto_scaling_groups(AutoScalingGroupNames=[group])
    return {tag["Key"]: tag["Value"] for one in found["AutoScalingGroups"] for tag in one.get("Tags", [])}


def of_iam(found: object) -> dict[str, str]:
    """Tags of moto's role or user."""
    tags = getattr(found, "tags", None) or {}
    if isinstance(tags, Mapping):
        return {one["Key"]: one["Value"] for one in tags.values()}
    if isinstance(tags, list):
        return {one["Key"]: one["Value"] for one in tags}
    raise AwsError("InternalFailure", f"gbg_sandbox can't read tags of the form {type(tags).__name__}", 500)
