"""Who would miss an image: machines, Auto Scaling groups, launch templates of the whole account.

Of a launch template the versions count that something would launch from: those that a group names, the
default and the latest. The others are history.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from gbg_lib.aws import Aws
from gbg_lib.errors import NotThere
from gbg_lib.images.golden import DEPLOYMENT

ALIVE = ("pending", "running", "stopping", "stopped")
GROUP = "aws:autoscaling:groupName"
Several = Mapping[str, tuple[str, ...]]


@dataclass(frozen=True)
class TemplateVersion:
    template_id: str
    template: str
    number: int
    image: str
    deployment: str
    """whose template it is; empty for others"""

    def __str__(self) -> str:
        return f"{self.template} version {self.number}"


@dataclass(frozen=True)
class Usage:
    groups: Several
    """image → groups that would launch it"""
    machines: Several
    """image → groups with machines of it, and machines that are in no group"""
    templates: Several
    """image → launch template versions that something would launch from"""
    history: tuple[TemplateVersion, ...]
    """the versions that nothing would launch from"""

    def running(self, image_id: str) -> tuple[str, ...]:
        """What runs from the image, or would not scale without it."""
        return tuple(dict.fromkeys([*self.groups.get(image_id, ()), *self.machines.get(image_id, ())]))


@dataclass(frozen=True)
class Template:
    id: str
    default: int
    latest: int
    versions: Mapping[int, TemplateVersion]

    def version(self, named: str) -> TemplateVersion | None:
        """By number, `$Latest`, `$Default` or nothing, which is the default."""
        number = {"$Latest": self.latest, "$Default": self.default, "": self.default}.get(named)
        return self.versions.get(int(named) if number is None else number)


def read_usage(aws: Aws) -> Usage:
    templates = {template.id: template for template in _templates(aws)}
    launched = list(_launched(aws, templates))
    marked = [one.version(word) for one in templates.values() for word in ("$Default", "$Latest")]
    wanted = {version for version in (*marked, *(version for _, version in launched)) if version}
    every = [version for template in templates.values() for version in template.versions.values()]
    return Usage(
        groups=_gathered((version.image, group) for group, version in launched),
        machines=_gathered(_machines(aws)),
        templates=_gathered((version.image, str(version)) for version in every if version in wanted),
        history=tuple(version for version in every if version not in wanted),
    )


def _templates(aws: Aws) -> Iterator[Template]:
    """But those that are deleted while they are looked at: the account has other deployments."""
    for found in list(aws.pages("ec2", "describe_launch_templates", "LaunchTemplates")):
        key, name = found["LaunchTemplateId"], found["LaunchTemplateName"]
        owner = {tag["Key"]: tag["Value"] for tag in found.get("Tags", [])}.get(DEPLOYMENT, "")
        listed = aws.pages(
            "ec2", "describe_launch_template_versions", "LaunchTemplateVersions", LaunchTemplateId=key
        )
        try:
            images = {one["VersionNumber"]: one["LaunchTemplateData"].get("ImageId", "") for one in listed}
        except NotThere:
            continue
        versions = {number: TemplateVersion(key, name, number, images[number], owner) for number in images}
        yield Template(key, found["DefaultVersionNumber"], found["LatestVersionNumber"], versions)


def _launched(aws: Aws, templates: Mapping[str, Template]) -> Iterator[tuple[str, TemplateVersion]]:
    """Group and version that it would launch from, for each group of the account."""
    for group in aws.pages("autoscaling", "describe_auto_scaling_groups", "AutoScalingGroups"):
        named = group.get("LaunchTemplate") or _mixed(group)
        template = templates.get(named.get("LaunchTemplateId", ""))
        version = template.version(named.get("Version", "")) if template else None
        if version is not None:
            yield group["AutoScalingGroupName"], version


def _mixed(group: Mapping[str, Any]) -> Mapping[str, str]:
    policy = group.get("MixedInstancesPolicy", {}).get("LaunchTemplate", {})
    found: Mapping[str, str] = policy.get("LaunchTemplateSpecification", {})
    return found


def _machines(aws: Aws) -> Iterator[tuple[str, str]]:
    """Image and group, or the machine where it is in none."""
    alive = [{"Name": "instance-state-name", "Values": list(ALIVE)}]
    for found in aws.pages("ec2", "describe_instances", "Reservations", Filters=alive):
        for machine in found["Instances"]:
            tags = {tag["Key"]: tag["Value"] for tag in machine.get("Tags", [])}
            yield machine["ImageId"], tags.get(GROUP, machine["InstanceId"])


def _gathered(pairs: Iterable[tuple[str, str]]) -> dict[str, tuple[str, ...]]:
    found: dict[str, dict[str, None]] = {}
    for key, value in pairs:
        found.setdefault(key, {})[value] = None
    return {key: tuple(sorted(values)) for key, values in found.items()}
