"""Fleets before, during and after: groups, launch template versions, machines, scaling activities."""

from __future__ import annotations

from datetime import datetime

from gbg_lib.aws import Aws
from gbg_lib.deployment_group import green_group
from gbg_lib.record.gathering import MISSING, Gathering, Subject
from gbg_lib.replay import clock

FLEET_BEFORE = "fleet before"
"""under which it is missing; whoever watched may have noted why"""


def groups(subject: Subject, found: Gathering) -> None:
    """As they are now, and as whoever watched saw them; with policies, hooks and scheduled actions."""
    for one in subject.observed:
        found.evidence[one.id] = one
    known = any(one.data.get("moment") == "before" for one in found.of("group"))
    told = any(one.data["what"] == FLEET_BEFORE for one in found.of(MISSING))
    if not known and not told:
        found.miss(FLEET_BEFORE, "nobody watched it, and the release before has no record here", "gbg record")
    names = snapshot(subject.aws, subject.deployment, found, "after", clock.now())
    if not names:
        return
    for kind, operation, key in (
        ("scaling.policy", "describe_policies", "ScalingPolicies"),
        ("scheduled.action", "describe_scheduled_actions", "ScheduledUpdateGroupActions"),
    ):
        for item in subject.aws.pages("autoscaling", operation, key):
            if item["AutoScalingGroupName"] in names:
                called = item.get("PolicyName") or item.get("ScheduledActionName")
                found.add(kind, f"{item['AutoScalingGroupName']}:{called}", f"autoscaling:{operation}", item)
    for name in names:
        hooks = subject.aws.call("autoscaling", "describe_lifecycle_hooks", AutoScalingGroupName=name)
        for hook in hooks["LifecycleHooks"]:
            key = f"{name}:{hook['LifecycleHookName']}"
            found.add("lifecycle.hook", key, "autoscaling:describe_lifecycle_hooks", hook)


def snapshot(aws: Aws, deployment: str, found: Gathering, moment: str, at: datetime) -> list[str]:
    """The deployment's groups at a moment; their names."""
    told = list(
        aws.pages(
            "autoscaling",
            "describe_auto_scaling_groups",
            "AutoScalingGroups",
            Filters=[{"Name": "tag:gbg:deployment", "Values": [deployment]}],
        )
    )
    for group in told:
        name = group["AutoScalingGroupName"]
        told_now = {"moment": moment, **group}
        found.add("group", f"{moment}:{name}", "autoscaling:describe_auto_scaling_groups", told_now, at=at)
    return [str(group["AutoScalingGroupName"]) for group in told]


def template_versions(subject: Subject, found: Gathering) -> None:
    """Every version of the launch template: few, and each names the release that wrote it."""
    versions = subject.aws.pages(
        "ec2",
        "describe_launch_template_versions",
        "LaunchTemplateVersions",
        LaunchTemplateId=subject.base["LaunchTemplateId"],
    )
    for version in versions:
        number = str(version["VersionNumber"])
        source = "ec2:describe_launch_template_versions"
        found.add("template.version", number, source, version, at=version.get("CreateTime"))


def instances(subject: Subject, found: Gathering) -> None:
    """Every machine of the deployment that EC2 still knows; a terminated one is forgotten within the hour."""
    reservations = subject.aws.pages(
        "ec2",
        "describe_instances",
        "Reservations",
        Filters=[{"Name": "tag:gbg:deployment", "Values": [subject.deployment]}],
    )
    known = set()
    for reservation in reservations:
        for instance in reservation["Instances"]:
            known.add(instance["InstanceId"])
            found.add(
                "instance",
                instance["InstanceId"],
                "ec2:describe_instances",
                instance,
                at=instance.get("LaunchTime"),
            )
    lost = {one.data["targetId"] for one in found.of("machine")} - known
    if lost:
        found.miss(
            f"instances {', '.join(sorted(lost))}",
            "they are terminated, and EC2 has forgotten them",
            "ec2:describe_instances",
        )


def activities(subject: Subject, found: Gathering) -> None:
    """Of every group of the deployment, deleted ones too."""
    begin = subject.begin
    names = {one.data["AutoScalingGroupName"] for one in found.of("group")}
    names |= {green_group(subject.base["DeploymentGroupName"], one) for one in subject.deployments}
    told = subject.aws.pages(
        "autoscaling", "describe_scaling_activities", "Activities", IncludeDeletedGroups=True
    )
    prefix = green_group(subject.base["DeploymentGroupName"])
    for activity in told:
        name = activity["AutoScalingGroupName"]
        if activity["StartTime"] < begin:
            if "EndTime" not in activity:
                continue  # those in progress come first, however old
            break
        if activity["StartTime"] <= subject.end and (name in names or name.startswith(prefix)):
            found.add(
                "scaling.activity",
                activity["ActivityId"],
                "autoscaling:describe_scaling_activities",
                activity,
                at=activity["StartTime"],
                until=activity.get("EndTime"),
            )
