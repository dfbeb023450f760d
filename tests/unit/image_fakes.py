"""EC2, Auto Scaling and Logs in one: images with snapshots, launch templates, groups, package lists."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import Any

from gbg_lib.aws import Aws
from tests.unit.aws_fakes import connected, refusal

TEMPLATE = "lt-1"
AMAZON = "ami-amazon"


@dataclass
class FakeImages:
    images: dict[str, dict[str, Any]] = field(default_factory=dict)
    snapshots: set[str] = field(default_factory=set)
    versions: dict[int, str] = field(default_factory=lambda: {1: AMAZON})
    """version of the deployment's launch template → image"""
    groups: dict[str, str] = field(default_factory=dict)
    """group → the template version that it names"""
    machines: dict[str, tuple[str, str]] = field(default_factory=dict)
    """machine → image, group"""
    streams: dict[str, list[str]] = field(default_factory=dict)
    """log stream → events"""
    template_of: str = "gbg"
    """the deployment whose launch template it is"""
    stubborn: set[str] = field(default_factory=set)
    """snapshots that stay"""

    def __post_init__(self) -> None:
        self._image(AMAZON, "", {}, owner="amazon")

    @property
    def aws(self) -> Aws:
        return connected(ec2=self, autoscaling=self, logs=self)

    def bake(self, image: str, parent: str = AMAZON, *, deployment: str = "gbg", **tags: str) -> None:
        """An image and a template version that names it, with its snapshot."""
        told = {
            "gbg:deployment": deployment,
            "gbg:source-ami": parent,
            **{f"gbg:{k}": v for k, v in tags.items()},
        }
        self._image(image, f"snap-{image}", told, owner="self")
        self.snapshots.add(f"snap-{image}")
        self.versions[max(self.versions) + 1] = image

    def list_packages(self, image: str, golden: list[str], source: list[str], command: str) -> None:
        """What a bake leaves in the log, an event a line."""
        digest = hashlib.sha256("".join(f"{line}\n" for line in golden).encode()).hexdigest()[:16]
        self.tags(image).update({"gbg:packages": digest, "gbg:package-list": command})
        lines = ["# source", *source, "# golden", *golden]
        self.streams[f"{command}/i-1/aws-runShellScript/stdout"] = lines

    def tags(self, image: str) -> dict[str, str]:
        found: dict[str, str] = self.images[image]["tags"]
        return found

    def _image(self, image: str, snapshot: str, tags: dict[str, str], owner: str) -> None:
        self.images[image] = {"snapshot": snapshot, "tags": tags, "owner": owner, "state": "available"}

    # ------------------------------------------------------------ EC2

    def describe_images(self, **given: Any) -> dict[str, Any]:
        wanted = _filters(given)
        found = []
        for number, (name, image) in enumerate(self.images.items()):
            own = image["owner"] in given.get("Owners", [image["owner"]])
            disabled = image["state"] == "disabled" and not given.get("IncludeDisabled")
            if own and not disabled and _matches({"image-id": name, **_tags(image["tags"])}, wanted):
                found.append(_described(name, image, number))
        return {"Images": found}

    def describe_snapshots(self, **given: Any) -> dict[str, Any]:
        wanted = _filters(given)
        found = [one for one in sorted(self.snapshots) if _matches({"snapshot-id": one}, wanted)]
        return {"Snapshots": [{"SnapshotId": one} for one in found]}

    def deregister_image(self, **given: Any) -> dict[str, Any]:
        assert given["DeleteAssociatedSnapshots"]
        if given["ImageId"] not in self.images:
            raise refusal(
                "InvalidAMIID.Unavailable", f"The image ID '{given['ImageId']}' is no longer available"
            )
        snapshot = self.images.pop(given["ImageId"])["snapshot"]
        code = "internal-error" if snapshot in self.stubborn else "success"
        if code == "success":
            self.snapshots.discard(snapshot)
        return {"Return": True, "DeleteSnapshotResults": [{"SnapshotId": snapshot, "ReturnCode": code}]}

    def disable_image(self, **given: str) -> dict[str, Any]:
        assert self.images[given["ImageId"]]["owner"] == "self", "AWS lets only the owner do this"
        self.images[given["ImageId"]]["state"] = "disabled"
        return {"Return": True}

    def enable_image(self, **given: str) -> dict[str, Any]:
        self.images[given["ImageId"]]["state"] = "available"
        return {"Return": True}

    def create_tags(self, **given: Any) -> dict[str, Any]:
        for image in given["Resources"]:
            self.tags(image).update({tag["Key"]: tag["Value"] for tag in given["Tags"]})
        return {}

    def delete_tags(self, **given: Any) -> dict[str, Any]:
        for image in given["Resources"]:
            for tag in given["Tags"]:
                if self.tags(image).get(tag["Key"]) == tag["Value"]:
                    del self.tags(image)[tag["Key"]]
        return {}

    def describe_launch_templates(self, **given: Any) -> dict[str, Any]:
        ours = {"LaunchTemplateId": TEMPLATE, "LaunchTemplateName": "gbg", "DefaultVersionNumber": 1}
        tags = [{"Key": "gbg:deployment", "Value": self.template_of}]
        return {"LaunchTemplates": [{**ours, "LatestVersionNumber": max(self.versions), "Tags": tags}]}

    def describe_launch_template_versions(self, **given: Any) -> dict[str, Any]:
        assert given["LaunchTemplateId"] == TEMPLATE
        found = [
            {"VersionNumber": number, "LaunchTemplateData": {"ImageId": image}}
            for number, image in self.versions.items()
        ]
        return {"LaunchTemplateVersions": found}

    def delete_launch_template_versions(self, **given: Any) -> dict[str, Any]:
        gone, kept = [], []
        for number in map(int, given["Versions"]):
            told = {"LaunchTemplateId": TEMPLATE, "VersionNumber": number}
            if self.versions.pop(number, None):
                gone.append(told)
            else:
                code = {"Code": "launchTemplateVersionDoesNotExist", "Message": "no such version"}
                kept.append(told | {"ResponseError": code})
        return {
            "SuccessfullyDeletedLaunchTemplateVersions": gone,
            "UnsuccessfullyDeletedLaunchTemplateVersions": kept,
        }

    def describe_instances(self, **given: Any) -> dict[str, Any]:
        assert _filters(given).keys() == {"instance-state-name"}
        found = [
            {
                "InstanceId": one,
                "ImageId": image,
                "Tags": [{"Key": "aws:autoscaling:groupName", "Value": group}] if group else [],
            }
            for one, (image, group) in self.machines.items()
        ]
        return {"Reservations": [{"Instances": [one]} for one in found]}

    # ------------------------------------------------------------ the others

    def describe_auto_scaling_groups(self, **given: Any) -> dict[str, Any]:
        found = [
            {
                "AutoScalingGroupName": group,
                "LaunchTemplate": {"LaunchTemplateId": TEMPLATE, "Version": version},
            }
            for group, version in self.groups.items()
        ]
        return {"AutoScalingGroups": found}

    def describe_log_streams(self, **given: Any) -> dict[str, Any]:
        assert given["logGroupName"] == "/gbg/packages"
        found = [name for name in self.streams if name.startswith(given["logStreamNamePrefix"])]
        return {"logStreams": [{"logStreamName": name} for name in found]}

    def get_log_events(self, **given: Any) -> dict[str, Any]:
        """Two events a page; the end is told by the same token again."""
        events = self.streams[given["logStreamName"]]
        assert given["startFromHead"]
        begin = int(given.get("nextToken", "f/0")[2:])
        end = min(begin + 2, len(events))
        found = [{"message": line, "timestamp": 0} for line in events[begin:end]]
        return {"events": found, "nextForwardToken": f"f/{end}", "nextBackwardToken": f"b/{begin}"}


def _described(name: str, image: dict[str, Any], number: int) -> dict[str, Any]:
    devices = (
        [{"DeviceName": "/dev/xvda", "Ebs": {"SnapshotId": image["snapshot"]}}] if image["snapshot"] else []
    )
    return {
        "ImageId": name,
        "Name": name,
        "State": image["state"],
        "CreationDate": f"2026-11-24T01:{number:02}:00.000Z",
        "Tags": [{"Key": key, "Value": value} for key, value in image["tags"].items()],
        "BlockDeviceMappings": devices,
    }


def _filters(given: dict[str, Any]) -> dict[str, list[str]]:
    return {one["Name"]: one["Values"] for one in given.get("Filters", [])}


def _tags(tags: dict[str, str]) -> dict[str, str]:
    return {f"tag:{key}": value for key, value in tags.items()}


def _matches(facts: dict[str, str], wanted: dict[str, list[str]]) -> bool:
    return all(facts.get(name) in values for name, values in wanted.items())
