"""Auto Scaling, EC2 and the load balancer in one object: groups of machines, their images and health."""

from __future__ import annotations

from typing import Any


class FakeGroups:
    def __init__(self, groups: dict[str, list[str]], health: dict[str, str]) -> None:
        self.groups = groups
        self.health = health
        self.image = "ami-1"
        """what every machine runs"""
        self.golden: list[str] = []
        self.unknown: set[str] = set()
        """machines that Auto Scaling has and EC2 doesn't show"""

    def describe_auto_scaling_groups(self, **given: Any) -> dict[str, Any]:
        """Of the deployment, or those asked for by name; AWS leaves out a name that it doesn't know."""
        asked = given.get("AutoScalingGroupNames")
        if asked is None:
            assert given["Filters"] == [{"Name": "tag:gbg:deployment", "Values": ["gbg"]}]
        names = [name for name in self.groups if asked is None or name in asked]
        return {"AutoScalingGroups": [self._group(name) for name in names]}

    def _group(self, name: str) -> dict[str, Any]:
        template = {"LaunchTemplate": {"LaunchTemplateId": "lt-1", "Version": "2"}}
        machines = [
            {"InstanceId": one, "AvailabilityZone": "us-east-1a", "LifecycleState": "InService", **template}
            for one in self.groups[name]
        ]
        return {"AutoScalingGroupName": name, "DesiredCapacity": 2, "Instances": machines, **template}

    def describe_instances(self, **given: Any) -> dict[str, Any]:
        """AWS refuses to tell anything by ids where one of them is unknown; a filter leaves that one out."""
        assert "InstanceIds" not in given
        [wanted] = given["Filters"]
        assert wanted["Name"] == "instance-id" and wanted["Values"], "AWS would list every machine"
        shown = [one for one in wanted["Values"] if one not in self.unknown]
        found = [{"InstanceId": one, "ImageId": self.image} for one in shown]
        return {"Reservations": [{"Instances": [one]} for one in found]}

    def describe_target_health(self, **given: Any) -> dict[str, Any]:
        found = [{"Target": {"Id": one}, "TargetHealth": {"State": s}} for one, s in self.health.items()]
        return {"TargetHealthDescriptions": found}

    def describe_images(self, **given: Any) -> dict[str, Any]:
        assert given["Owners"] == ["self"]
        images = [
            {"ImageId": one, "Name": one, "State": "available", "CreationDate": f"2026-11-24T01:00:0{n}.000Z"}
            for n, one in enumerate(self.golden)
        ]
        return {"Images": images}
