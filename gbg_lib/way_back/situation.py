"""What serves, read at one moment from everything that has a say in it.

Fleets, the deployment group, the launch template's versions, the golden AMI parameter, the alarms and the
page: `consistency` says whether they agree, `ways` which way back they leave open.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass

from gbg_lib.aws import Aws
from gbg_lib.deployment_group import Deployment, DeploymentGroup, deployment_group, going_on, is_fleet
from gbg_lib.fleet import Fleet, Page, fleets, read_page

GROUP_DIMENSION = "AutoScalingGroupName"


@dataclass(frozen=True)
class TemplateVersion:
    number: str
    image: str
    made_by: Mapping[str, str]
    """release, bake, group, former: what the pin action wrote; empty for a version of another maker"""


@dataclass(frozen=True)
class Alarm:
    name: str
    state: str
    """OK | ALARM | INSUFFICIENT_DATA"""
    dimensions: Mapping[str, str]


@dataclass(frozen=True)
class Situation:
    fleets: tuple[Fleet, ...]
    group: DeploymentGroup
    going_on: Deployment | None
    template: str
    """id of Part 1's launch template"""
    versions: Mapping[str, TemplateVersion]
    """by number"""
    golden_image: str
    """what the golden AMI parameter names"""
    alarms: tuple[Alarm, ...]
    """those that the deployment group watches and those that name an Auto Scaling group of this deployment"""
    target_group: str
    load_balancer: str
    page: Page
    """the site's /health"""

    @property
    def serving(self) -> Fleet | None:
        """The fleet with most healthy machines behind the load balancer."""
        best = max(self.fleets, key=lambda fleet: fleet.serving, default=None)
        return best if best is not None and best.serving else None

    @property
    def listed(self) -> Fleet | None:
        """The one fleet that the deployment group names."""
        if len(self.group.groups) != 1:
            return None
        return self.fleet(self.group.groups[0])

    def fleet(self, group: str) -> Fleet | None:
        return next((fleet for fleet in self.fleets if fleet.group == group), None)

    def image(self, fleet: Fleet) -> str:
        """What the fleet would launch next; empty when its version is none of the template's."""
        version = self.versions.get(fleet.template_version)
        return version.image if version is not None and fleet.template == self.template else ""


def read_situation(aws: Aws, base: Mapping[str, str]) -> Situation:
    """`base` holds Part 1's outputs. Raises NotThere when one of its parts is gone."""
    group = deployment_group(aws, base["ApplicationName"], base["DeploymentGroupName"])
    parameter = aws.call("ssm", "get_parameter", Name=base["GoldenAmiParameterName"])["Parameter"]
    found = fleets(aws, base["Deployment"], base["TargetGroupArn"])
    return Situation(
        tuple(found),
        group,
        going_on(aws, group.application, group.name),
        base["LaunchTemplateId"],
        template_versions(aws, base["LaunchTemplateId"]),
        parameter["Value"],
        alarms(aws, group, base["Deployment"]),
        base["TargetGroupArn"],
        base["LoadBalancerArn"],
        read_page(base["SiteUrl"] + "health"),
    )


def template_versions(aws: Aws, template: str) -> dict[str, TemplateVersion]:
    found = aws.pages(
        "ec2", "describe_launch_template_versions", "LaunchTemplateVersions", LaunchTemplateId=template
    )
    return {
        str(one["VersionNumber"]): TemplateVersion(
            str(one["VersionNumber"]),
            one["LaunchTemplateData"].get("ImageId", ""),
            made_by(one.get("VersionDescription", "")),
        )
        for one in found
    }


def made_by(description: str) -> dict[str, str]:
    """What the pin action wrote into a version's description."""
    try:
        made = json.loads(description)
    except ValueError:
        return {}
    return {str(key): str(value) for key, value in made.items()} if isinstance(made, dict) else {}


def alarms(aws: Aws, group: DeploymentGroup, deployment: str) -> tuple[Alarm, ...]:
    """Those that the group watches, and those about a fleet of this deployment, also one that is gone."""
    found = [
        Alarm(
            one["AlarmName"],
            one["StateValue"],
            {dimension["Name"]: dimension["Value"] for dimension in one.get("Dimensions", [])},
        )
        for one in aws.pages("cloudwatch", "describe_alarms", "MetricAlarms")
    ]
    return tuple(
        alarm
        for alarm in found
        if alarm.name in group.alarms or is_fleet(alarm.dimensions.get(GROUP_DIMENSION, ""), deployment)
    )
