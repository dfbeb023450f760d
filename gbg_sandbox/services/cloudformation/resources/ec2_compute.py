"""Launch templates and instances."""

from __future__ import annotations

from typing import Any

from gbg_sandbox.services.cloudformation.errors import ResourceFailed
from gbg_sandbox.services.cloudformation.resources.base import (
    Made,
    Properties,
    Provider,
    Task,
    changed,
    given,
    ignore_missing,
    names,
    only_tags,
)
from gbg_sandbox.services.cloudformation.resources.ec2_network import retag, tag_specifications
from gbg_sandbox.services.cloudformation.resources.shapes import to_api


class LaunchTemplate(Provider):
    type = "AWS::EC2::LaunchTemplate"
    properties = names("LaunchTemplateName", "LaunchTemplateData", "VersionDescription", "TagSpecifications")
    attributes = names("LaunchTemplateId", "LatestVersionNumber", "DefaultVersionNumber")
    volatile = names("LatestVersionNumber", "DefaultVersionNumber")
    name_property = "LaunchTemplateName"

    def create(self, task: Task, new: Properties) -> Made:
        ec2 = task.client("ec2")
        wanted = {"LaunchTemplateName": task.name(128), **new}
        answer = ec2.create_launch_template(**to_api(ec2, "CreateLaunchTemplate", wanted))
        return self._made(ec2, answer["LaunchTemplate"]["LaunchTemplateId"])

    def update(self, task: Task, made: Made, old: Properties, new: Properties) -> Made:
        ec2 = task.client("ec2")
        if changed(old, new, "LaunchTemplateData", "VersionDescription"):
            wanted = {
                "LaunchTemplateId": made.physical_id,
                **given(new, "LaunchTemplateData", "VersionDescription"),
            }
            ec2.create_launch_template_version(**to_api(ec2, "CreateLaunchTemplateVersion", wanted))
        if changed(old, new, "TagSpecifications"):
            retag(ec2, made.physical_id, _own_tags(old), _own_tags(new))
        return self._made(ec2, made.physical_id)

    def delete(self, task: Task, made: Made, old: Properties) -> None:
        ignore_missing(task.client("ec2").delete_launch_template, LaunchTemplateId=made.physical_id)

    @staticmethod
    def _made(ec2: Any, template_id: str) -> Made:
        found = ec2.describe_launch_templates(LaunchTemplateIds=[template_id])["LaunchTemplates"][0]
        numbers = {name: str(found[name]) for name in ("LatestVersionNumber", "DefaultVersionNumber")}
        return Made(template_id, {"LaunchTemplateId": template_id, **numbers})


def _own_tags(source: Properties) -> Properties:
    tags = [tag for group in source.get("TagSpecifications", []) for tag in group.get("Tags", [])]
    return {"Tags": tags}


INSTANCE = (
    "ImageId",
    "InstanceType",
    "SubnetId",
    "SecurityGroupIds",
    "UserData",
    "KeyName",
    "LaunchTemplate",
    "BlockDeviceMappings",
    "MetadataOptions",
    "PrivateIpAddress",
    "EbsOptimized",
)


class Instance(Provider):
    type = "AWS::EC2::Instance"
    properties = names("IamInstanceProfile", "Tags", *INSTANCE)
    attributes = names(
        "InstanceId", "AvailabilityZone", "PrivateIp", "PrivateDnsName", "PublicIp", "PublicDnsName", "VpcId"
    )

    def create(self, task: Task, new: Properties) -> Made:
        ec2 = task.client("ec2")
        wanted: dict[str, Any] = given(new, *INSTANCE) | {"MinCount": 1, "MaxCount": 1}
        if "IamInstanceProfile" in new:
            wanted["IamInstanceProfile"] = {"Name": new["IamInstanceProfile"]}
        arguments = to_api(ec2, "RunInstances", wanted)
        answer = ec2.run_instances(**arguments, **tag_specifications("instance", new))
        instance: str = answer["Instances"][0]["InstanceId"]
        task.initiated(instance)
        task.wait(lambda: self._state(task, instance) == "running", f"{instance} did not stabilize")
        found = self._describe(task, instance)
        return Made(
            instance,
            {
                "InstanceId": instance,
                "AvailabilityZone": found["Placement"]["AvailabilityZone"],
                "PrivateIp": found.get("PrivateIpAddress", ""),
                "PublicIp": found.get("PublicIpAddress", ""),
                **{name: found.get(name, "") for name in ("PrivateDnsName", "PublicDnsName", "VpcId")},
            },
        )

    def update(self, task: Task, made: Made, old: Properties, new: Properties) -> Made:
        if not only_tags(old, new):
            return super().update(task, made, old, new)
        retag(task.client("ec2"), made.physical_id, old, new)
        return made

    def delete(self, task: Task, made: Made, old: Properties) -> None:
        ignore_missing(task.client("ec2").terminate_instances, InstanceIds=[made.physical_id])
        task.wait(
            lambda: self._state(task, made.physical_id) in ("terminated", ""),
            f"{made.physical_id} did not terminate",
        )

    def replaces(self, old: Properties, new: Properties) -> bool:
        return not only_tags(old, new)

    @staticmethod
    def _describe(task: Task, instance: str) -> dict[str, Any]:
        answer = task.client("ec2").describe_instances(InstanceIds=[instance])
        found = [item for group in answer["Reservations"] for item in group["Instances"]]
        return found[0] if found else {}

    def _state(self, task: Task, instance: str) -> str:
        found = self._describe(task, instance)
        state = str(found.get("State", {}).get("Name", ""))
        if state == "terminated" and task.cancellable:
            why = found.get("StateReason", {}).get("Message", "")
            raise ResourceFailed(f"Instance {instance} terminated while it was being created. {why}")
        return state
