"""A deployment group, its Auto Scaling groups and a launch template, for the functions that pin a fleet."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from tests.unit.shapes import checked

TEMPLATE = "lt-0123456789abcdef0"


class FakeFleet:
    """CodeDeploy, Auto Scaling and EC2 in one: the deployment group lists `serving`."""

    def __init__(self) -> None:
        self.serving = ["gbg-blue"]
        self.pinned: dict[str, str] = {"gbg-blue": "1"}
        self.versions: list[dict[str, Any]] = [
            {"VersionNumber": 1, "VersionDescription": "base page", "ImageId": "ami-source"}
        ]
        self.tokens: dict[str, int] = {}
        self.updates = 0
        self.image_states: dict[str, dict[str, Any]] = {}
        """what describe_images tells of an image, where it is not just available and without tags"""

    def describe_images(self, **given: Any) -> dict[str, Any]:
        """AWS leaves disabled images out where they aren't asked for."""
        [image] = checked("ec2", "describe_images", given)["Filters"][0]["Values"]
        told = {"ImageId": image, "State": "available", "Tags": []} | self.image_states.get(image, {})
        left_out = {"gone"} if given.get("IncludeDisabled") else {"gone", "disabled"}
        return {"Images": [told] if told["State"] not in left_out else []}

    def get_deployment_group(self, **given: Any) -> dict[str, Any]:
        checked("codedeploy", "get_deployment_group", given)
        return {"deploymentGroupInfo": {"autoScalingGroups": [{"name": name} for name in self.serving]}}

    def describe_auto_scaling_groups(self, **given: Any) -> dict[str, Any]:
        names = checked("autoscaling", "describe_auto_scaling_groups", given)["AutoScalingGroupNames"]
        found = {name: self.pinned[name] for name in names if name in self.pinned}
        return {
            "AutoScalingGroups": [
                {
                    "AutoScalingGroupName": name,
                    "LaunchTemplate": {"LaunchTemplateId": TEMPLATE, "Version": version},
                }
                for name, version in found.items()
            ]
        }

    def update_auto_scaling_group(self, **given: Any) -> None:
        checked("autoscaling", "update_auto_scaling_group", given)
        assert given["LaunchTemplate"]["LaunchTemplateId"] == TEMPLATE
        self.pinned[given["AutoScalingGroupName"]] = given["LaunchTemplate"]["Version"]
        self.updates += 1

    def get_paginator(self, operation: str) -> FakeFleet:
        assert operation == "describe_launch_template_versions"
        return self

    def paginate(self, **given: Any) -> Iterator[dict[str, Any]]:
        for version in reversed(self.versions):
            yield {"LaunchTemplateVersions": [version]}

    def describe_launch_template_versions(self, **given: Any) -> dict[str, Any]:
        asked = checked("ec2", "describe_launch_template_versions", given)["Versions"]
        return {
            "LaunchTemplateVersions": [one for one in self.versions if str(one["VersionNumber"]) in asked]
        }

    def create_launch_template_version(self, **given: Any) -> dict[str, Any]:
        checked("ec2", "create_launch_template_version", given)
        assert len(given["VersionDescription"]) <= 255
        number = self.tokens.setdefault(given["ClientToken"], len(self.versions) + 1)
        if number > len(self.versions):
            source = self.versions[int(given["SourceVersion"]) - 1]
            made = {"VersionNumber": number, "VersionDescription": given["VersionDescription"]}
            self.versions.append(source | made | given["LaunchTemplateData"])
        return {"LaunchTemplateVersion": self.versions[number - 1]}

    def image(self, group: str) -> str:
        """The image that the group would launch."""
        return str(self.versions[int(self.pinned[group]) - 1]["ImageId"])
