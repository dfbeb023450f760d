"""What serves: Auto Scaling groups with their instances, and their health behind the load balancer."""

from __future__ import annotations

import http.client
import json
import urllib.error
import urllib.request
from dataclasses import dataclass

from gbg_lib.aws import Aws
from gbg_lib.replay.tape import asked

PAGE_SECONDS = 10


@dataclass(frozen=True)
class Instance:
    id: str
    zone: str
    lifecycle: str
    image: str
    template_version: str
    target_health: str
    """healthy | unhealthy | initial | draining | unused, or empty where it is no target"""


@dataclass(frozen=True)
class Fleet:
    group: str
    desired: int
    template_version: str
    instances: tuple[Instance, ...]
    template: str = ""
    """the launch template's id"""
    target_groups: tuple[str, ...] = ()
    """ARNs of those that its instances are registered with"""
    status: str = ""
    """empty, or what becomes of the group: `Delete in progress`"""

    @property
    def ids(self) -> frozenset[str]:
        return frozenset(instance.id for instance in self.instances)

    @property
    def serving(self) -> int:
        return sum(instance.target_health == "healthy" for instance in self.instances)


@dataclass(frozen=True)
class Page:
    """What the site answers."""

    url: str
    status: int
    body: str

    @property
    def facts(self) -> dict[str, str]:
        """What /health tells of the release that serves; empty for the base page."""
        try:
            found = json.loads(self.body)
        except json.JSONDecodeError:
            return {}
        return {str(key): str(value) for key, value in found.items()} if isinstance(found, dict) else {}


def fleets(aws: Aws, deployment: str, target_group_arn: str) -> list[Fleet]:
    """Every group that carries the deployment's tag, by name."""
    health = target_health(aws, target_group_arn)
    groups = aws.pages(
        "autoscaling",
        "describe_auto_scaling_groups",
        "AutoScalingGroups",
        Filters=[{"Name": "tag:gbg:deployment", "Values": [deployment]}],
    )
    found = []
    for group in sorted(groups, key=lambda group: str(group["AutoScalingGroupName"])):
        ids = [instance["InstanceId"] for instance in group["Instances"]]
        images = images_of(aws, ids)
        found.append(
            Fleet(
                group["AutoScalingGroupName"],
                group["DesiredCapacity"],
                group.get("LaunchTemplate", {}).get("Version", ""),
                tuple(
                    Instance(
                        item["InstanceId"],
                        item["AvailabilityZone"],
                        item["LifecycleState"],
                        images.get(item["InstanceId"], ""),
                        item.get("LaunchTemplate", {}).get("Version", ""),
                        health.get(item["InstanceId"], ""),
                    )
                    for item in group["Instances"]
                ),
                group.get("LaunchTemplate", {}).get("LaunchTemplateId", ""),
                tuple(group.get("TargetGroupARNs", [])),
                group.get("Status", ""),
            )
        )
    return found


def target_health(aws: Aws, target_group_arn: str) -> dict[str, str]:
    """instance id → state behind the load balancer."""
    found = aws.call("elbv2", "describe_target_health", TargetGroupArn=target_group_arn)
    return {item["Target"]["Id"]: item["TargetHealth"]["State"] for item in found["TargetHealthDescriptions"]}


def images_of(aws: Aws, instance_ids: list[str]) -> dict[str, str]:
    """instance id → image id. By filter and not by id: one that EC2 doesn't show yet would be an error."""
    if not instance_ids:
        return {}
    wanted = [{"Name": "instance-id", "Values": instance_ids}]
    reservations = aws.pages("ec2", "describe_instances", "Reservations", Filters=wanted)
    return {item["InstanceId"]: item["ImageId"] for found in reservations for item in found["Instances"]}


def read_page(url: str) -> Page:
    """One look at the site; a refusal to connect is status 0 with its reason as body."""
    status, body = asked("site", {"url": url}, lambda: _visited(url))
    return Page(url, status, body)


def _visited(url: str) -> tuple[int, str]:
    try:
        with urllib.request.urlopen(url, timeout=PAGE_SECONDS) as answer:
            return answer.status, answer.read().decode(errors="replace")
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode(errors="replace")
    except (urllib.error.URLError, OSError, http.client.HTTPException) as error:
        return 0, str(error)
