"""Auto Scaling groups for tests."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from gbg_sandbox.cloud import Cloud
from tests.sandbox.places import Place, eventually, make_place


@dataclass(frozen=True)
class Fleet:
    place: Place

    @property
    def autoscaling(self) -> Any:
        return self.place.cloud.client("autoscaling")

    def request(self, name: str, size: int, version: str = "$Latest") -> dict[str, Any]:
        return {
            "AutoScalingGroupName": name,
            "LaunchTemplate": {"LaunchTemplateName": "web", "Version": version},
            "MinSize": min(1, size),
            "MaxSize": 8,
            "DesiredCapacity": size,
            "VPCZoneIdentifier": ",".join(self.place.subnets),
        }

    def create(
        self, name: str, size: int, *, version: str = "$Latest", wait: bool = True, **params: Any
    ) -> None:
        self.autoscaling.create_auto_scaling_group(**{**self.request(name, size, version), **params})
        if wait:
            eventually(lambda: len(self.serving(name)) == size)

    def groups(self, name: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.autoscaling.describe_auto_scaling_groups(
            AutoScalingGroupNames=[name]
        )["AutoScalingGroups"]
        return found

    def group(self, name: str) -> dict[str, Any]:
        return self.groups(name)[0]

    def members(self, name: str) -> list[str]:
        return [one["InstanceId"] for one in self.group(name)["Instances"]]

    def serving(self, name: str) -> list[str]:
        members = self.group(name)["Instances"]
        return [one["InstanceId"] for one in members if one["LifecycleState"] == "InService"]

    def lifecycle_state(self, instance_id: str) -> str:
        found = self.autoscaling.describe_auto_scaling_instances(InstanceIds=[instance_id])
        return str(found["AutoScalingInstances"][0]["LifecycleState"])

    def activities(self, name: str) -> list[dict[str, Any]]:
        """Newest first."""
        found: list[dict[str, Any]] = self.autoscaling.describe_scaling_activities(AutoScalingGroupName=name)[
            "Activities"
        ]
        return found


def make_fleet(cloud: Cloud) -> Fleet:
    """A place with the launch template `web`."""
    place = make_place(cloud)
    data = {"ImageId": place.image_id, "InstanceType": "t3.micro"}
    place.ec2.create_launch_template(LaunchTemplateName="web", LaunchTemplateData=data)
    return Fleet(place)
