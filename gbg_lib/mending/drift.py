"""Drift in words: what Part 1's stack believes, against what is there.

A release replaces the stack's own fleet by one that no stack knows, and moves the launch template and the
golden AMI's parameter. That is drift by design, and the repair (repair.py) mends it. Whatever else differs
was edited from outside: CloudFormation's own drift detection tells it property by property.
https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/using-cfn-stack-drift.html
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from gbg_lib.aws import Aws
from gbg_lib.deployment_group import is_fleet
from gbg_lib.errors import AwsError
from gbg_lib.stacks import Stacks
from gbg_lib.waiting import wait_until
from gbg_lib.way_back.situation import GROUP_DIMENSION

FLEET, POLICY, TEMPLATE, GOLDEN_AMI = "BlueGroup", "CpuTarget", "LaunchTemplate", "GoldenAmi"
"""logical ids in Part 1"""
CPU = "ASGAverageCPUUtilization"
DETECTION_SECONDS = 600
MOVED_BY_RELEASES = frozenset({(GOLDEN_AMI, "/Value")})
ALARM = (
    *("Metric", "Namespace", "Dimensions", "Threshold", "Comparison", "Statistic", "Period"),
    *("EvaluationPeriods", "DatapointsToAlarm", "TreatMissingData"),
)
MATTERS: dict[str, tuple[str, ...]] = {
    "TargetErrors": ALARM,
    "LoadBalancerErrors": ALARM,
    "UnhealthyHosts": ALARM,
    "TargetGroup": ("HealthCheck", "HealthyThreshold", "UnhealthyThreshold", "Matcher", "Port"),
    "LoadBalancerSecurityGroup": ("SecurityGroup",),
    "InstanceSecurityGroup": ("SecurityGroup",),
}
"""logical id → beginnings of properties that a release counts on: to see that green is sick, to reach it"""
Cause = Literal["a release", "outside"]


@dataclass(frozen=True)
class Serving:
    """The fleet that the deployment group names."""

    group: str
    template_version: str
    image: str
    desired: int
    policies: tuple[str, ...]
    """ARNs of those that keep its processors at a target: one at most, AWS takes no second"""


@dataclass(frozen=True)
class Believed:
    """What the stack believes of its fleet."""

    group: str
    """the physical Auto Scaling group; empty when the stack has none"""
    group_exists: bool
    policy: str
    """the scaling policy's ARN; empty when the stack has none"""
    template_version: str
    """the version that the group is pinned to; empty when the template takes its latest"""
    image: str
    """the golden AMI; empty when the template takes the source AMI"""
    unfinished: bool
    """whether a repair has begun and not ended"""


@dataclass(frozen=True)
class Drift:
    what: str
    believed: str
    live: str
    cause: Cause
    mended_by: str


def read_serving(aws: Aws, application: str, deployment_group: str) -> Serving:
    """Raises NotThere, AwsError when the deployment group does not name exactly one group that exists."""
    info = aws.call(
        "codedeploy",
        "get_deployment_group",
        applicationName=application,
        deploymentGroupName=deployment_group,
    )["deploymentGroupInfo"]
    names = [group["name"] for group in info.get("autoScalingGroups", [])]
    found = [group for name in names if (group := _group(aws, name))]
    if len(found) != 1:
        raise AwsError(
            f"deployment group {deployment_group}",
            f"it names {', '.join(names) or 'no Auto Scaling group'}, of which {len(found)} exist",
            "it must name the one fleet that serves: `aws deploy update-deployment-group` sets it",
        )
    [group] = found
    template = group.get("LaunchTemplate", {})
    name = group["AutoScalingGroupName"]
    policies = aws.pages("autoscaling", "describe_policies", "ScalingPolicies", AutoScalingGroupName=name)
    return Serving(
        name,
        template.get("Version", ""),
        _image(aws, template),
        group["DesiredCapacity"],
        tuple(one["PolicyARN"] for one in policies if _follows_cpu(one)),
    )


def read_believed(aws: Aws, stacks: Stacks, stack: str) -> Believed:
    """Raises NotThere."""
    resources = {one.logical_id: one.id for one in stacks.resources(stack)}
    given = stacks.parameters(stack)
    group, taken_over = resources.get(FLEET, ""), bool(given.get("FleetGroupName"))
    return Believed(
        group,
        bool(group) and _group(aws, group) is not None,
        resources.get(POLICY, ""),
        given.get("FleetTemplateVersion", "") if taken_over else "",
        given.get("FleetImageId", "") if taken_over else "",
        UNFINISHED in stacks.template(stack).get("Metadata", {}),
    )


UNFINISHED = "gbg:repair"
"""in the metadata of a template that a repair has given to the stack on its way"""


def fleet_drift(believed: Believed, serving: Serving) -> Iterator[Drift]:
    """What a release has moved, for the stack as it is."""
    if believed.group == serving.group and not believed.template_version:
        return  # the first fleet serves: nothing was released yet
    if believed.group != serving.group:
        told = f"{believed.group}, which {'exists' if believed.group_exists else 'is gone'}"
        way = "the repair imports it"
        yield Drift("fleet", told if believed.group else "no fleet", serving.group, "a release", way)
    if believed.policy not in serving.policies:
        told = f"a policy of {_group_of(believed.policy)}" if believed.policy else "no policy"
        live = f"{len(serving.policies)} of {serving.group}"
        yield Drift("scaling policy", told, live, "a release", "the repair imports it, or makes a new one")
    if believed.template_version != serving.template_version:
        yield Drift(
            "launch template version of the fleet",
            believed.template_version or "the one that Part 1 wrote",
            serving.template_version,
            "a release",
            "the repair pins it, so that no update of the stack moves the fleet",
        )
    if believed.image != serving.image:
        told = believed.image or "the source AMI"
        yield Drift("golden AMI", told, serving.image, "a release", "the repair writes it into the stack")


def dead_alarms(aws: Aws, deployment: str) -> list[Drift]:
    """Alarms on a group of this deployment that is gone: they watch nothing."""
    found = []
    for alarm in aws.pages("cloudwatch", "describe_alarms", "MetricAlarms"):
        named = [one["Value"] for one in alarm.get("Dimensions", []) if one["Name"] == GROUP_DIMENSION]
        ours = [name for name in named if is_fleet(name, deployment)]
        dead = [name for name in ours if _group(aws, name) is None]
        if dead:
            name = alarm["AlarmName"]
            way = f"put it on the new fleet, or `aws cloudwatch delete-alarms --alarm-names {name}`"
            found.append(Drift(f"alarm {name}", f"watches {dead[0]}", "which is gone", "outside", way))
    return found


def edits(aws: Aws, stack: str) -> list[Drift]:
    """What CloudFormation's drift detection finds that no release does. Raises TimedOut, AwsError."""
    detection = aws.call("cloudformation", "detect_stack_drift", StackName=stack)["StackDriftDetectionId"]

    def over() -> Mapping[str, Any] | None:
        status = aws.call(
            "cloudformation", "describe_stack_drift_detection_status", StackDriftDetectionId=detection
        )
        return None if status["DetectionStatus"] == "DETECTION_IN_PROGRESS" else status

    status = wait_until(
        aws,
        over,
        limit_seconds=DETECTION_SECONDS,
        what=f"drift detection of {stack}",
        try_this="look at the stack's drift in the CloudFormation console",
    )
    if status["DetectionStatus"] != "DETECTION_COMPLETE":
        raise AwsError(
            f"drift detection of {stack}",
            status.get("DetectionStatusReason", status["DetectionStatus"]),
            "it reads every resource with your own rights: check those",
        )
    drifted = aws.pages(
        "cloudformation",
        "describe_stack_resource_drifts",
        "StackResourceDrifts",
        StackName=stack,
        StackResourceDriftStatusFilters=["MODIFIED", "DELETED"],
    )
    return [drift for resource in drifted for drift in _edited(resource)]


def edits_that_matter(aws: Aws, stack: str) -> list[Drift]:
    """Edits from outside of what a release counts on. Each is asked for: nobody waits for the whole stack.

    Raises NotThere, AwsError.
    """
    found = []
    for name in MATTERS:
        resource = aws.call(
            "cloudformation", "detect_stack_resource_drift", StackName=stack, LogicalResourceId=name
        )["StackResourceDrift"]
        if resource["StackResourceDriftStatus"] in ("MODIFIED", "DELETED"):
            found += [drift for drift in _edited(resource) if _matters(drift)]
    return found


def _matters(drift: Drift) -> bool:
    """`what` is a logical id and the path of a property; of what was deleted, the id alone."""
    name, _, path = drift.what.partition("/")
    return not path or path.startswith(MATTERS.get(name, ()))


def _edited(resource: Mapping[str, Any]) -> Iterator[Drift]:
    name = resource["LogicalResourceId"]
    if resource["StackResourceDriftStatus"] == "DELETED":
        if name not in (FLEET, POLICY):
            yield Drift(name, resource["PhysicalResourceId"], "deleted", "outside", "make it again by hand")
        return
    for one in resource["PropertyDifferences"]:
        path = one["PropertyPath"]
        if (name, path) in MOVED_BY_RELEASES or _made_by_codedeploy(name, path, one["DifferenceType"]):
            continue
        yield Drift(
            f"{name}{path}",
            one["ExpectedValue"],
            one["ActualValue"],
            "outside",
            "set it back, or write it into the template and update the stack",
        )


def _made_by_codedeploy(name: str, path: str, kind: str) -> bool:
    """Green carries CodeDeploy's own tag, and scales; its template version is told with the fleet."""
    added = kind == "ADD" and path.startswith("/Tags/")
    return name == FLEET and (added or path == "/DesiredCapacity" or path.startswith("/LaunchTemplate/"))


def _follows_cpu(policy: Mapping[str, Any]) -> bool:
    tracked = policy.get("TargetTrackingConfiguration", {}).get("PredefinedMetricSpecification", {})
    return bool(tracked.get("PredefinedMetricType") == CPU)


def _group(aws: Aws, name: str) -> dict[str, Any] | None:
    found = aws.call("autoscaling", "describe_auto_scaling_groups", AutoScalingGroupNames=[name])
    groups: list[dict[str, Any]] = found["AutoScalingGroups"]
    return next((group for group in groups if group.get("Status") is None), None)


def _group_of(policy_arn: str) -> str:
    """arn:…:autoScalingGroupName/NAME:policyName/POLICY"""
    return policy_arn.partition("autoScalingGroupName/")[2].partition(":")[0] or policy_arn


def _image(aws: Aws, template: Mapping[str, str]) -> str:
    if not template:
        return ""
    versions = aws.call(
        "ec2",
        "describe_launch_template_versions",
        LaunchTemplateId=template["LaunchTemplateId"],
        Versions=[template["Version"]],
    )["LaunchTemplateVersions"]
    return str(versions[0]["LaunchTemplateData"].get("ImageId", "")) if versions else ""
