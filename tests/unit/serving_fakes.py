"""A deployment that serves, with all that has a say in it: one object behind every service of the door."""

from __future__ import annotations

import base64
from typing import Any

from gbg_lib.aws import Aws
from tests.unit.aws_fakes import connected, refusal
from tests.unit.serving_releases import FakeReleases
from tests.unit.serving_state import LOAD_BALANCER, TARGET_GROUP, Group
from tests.unit.shapes import checked
from tests.unit.stack_fakes import FakeCloudFormation, FakeStack


class FakeServing(FakeReleases):
    """Every operation that its services have is a method."""

    def connect(self) -> Aws:
        stacks = FakeCloudFormation([])
        stacks.edited = self.edited
        stacks.stacks["gbg-base"] = FakeStack(self.stack_status, self.base)
        stacks.stacks["gbg-pipeline"] = FakeStack("CREATE_COMPLETE", {"PipelineName": "gbg-release"})
        return connected(
            cloudformation=stacks,
            autoscaling=self,
            cloudwatch=self,
            codedeploy=self,
            codepipeline=self,
            ec2=self,
            elbv2=self,
            ssm=self,
            s3=self.bucket,
            sts=self,
        )

    def get_caller_identity(self) -> dict[str, Any]:
        return {"Account": "123456789012", "Arn": "arn:aws:iam::123456789012:user/ada"}

    def describe_listeners(self, **given: str) -> dict[str, Any]:
        assert given == {"LoadBalancerArn": LOAD_BALANCER}
        return {"Listeners": [{"Port": 80, "DefaultActions": [self.answering]}]}

    # -- Auto Scaling

    def describe_auto_scaling_groups(self, **given: Any) -> dict[str, Any]:
        names = given.get("AutoScalingGroupNames") or list(self.groups)
        found = [self._group(name, self.groups[name]) for name in names if name in self.groups]
        return {"AutoScalingGroups": found}

    @staticmethod
    def _group(name: str, group: Group) -> dict[str, Any]:
        machines = [
            {
                "InstanceId": one,
                "AvailabilityZone": "us-east-1a",
                "LifecycleState": group.lifecycle,
                "LaunchTemplate": {"LaunchTemplateId": group.template, "Version": version},
            }
            for one, version in group.machines.items()
        ]
        return {
            "AutoScalingGroupName": name,
            "DesiredCapacity": len(machines),
            "LaunchTemplate": {"LaunchTemplateId": group.template, "Version": group.version},
            "Instances": machines,
            "TargetGroupARNs": [TARGET_GROUP] if group.attached else [],
            **({"Status": group.status} if group.status else {}),
        }

    def update_auto_scaling_group(self, **given: Any) -> dict[str, Any]:
        self.changes += 1
        self.groups[given["AutoScalingGroupName"]].version = given["LaunchTemplate"]["Version"]
        return {}

    def delete_auto_scaling_group(self, **given: Any) -> dict[str, Any]:
        self.changes += 1
        del self.groups[given["AutoScalingGroupName"]]
        return {}

    # -- EC2, Systems Manager, load balancer, CloudWatch

    def describe_instances(self, **given: Any) -> dict[str, Any]:
        versions = {one: version for group in self.groups.values() for one, version in group.machines.items()}
        [asked] = [one["Values"] for one in given["Filters"] if one["Name"] == "instance-id"]
        found = [{"InstanceId": one, "ImageId": self.versions[versions[one]]} for one in asked]
        return {"Reservations": [{"Instances": found}]}

    def describe_launch_template_versions(self, **given: Any) -> dict[str, Any]:
        found = [
            {"VersionNumber": int(number), "LaunchTemplateData": {"ImageId": image}}
            for number, image in self.versions.items()
        ]
        return {"LaunchTemplateVersions": found}

    def create_launch_template_version(self, **given: Any) -> dict[str, Any]:
        self.changes += 1
        number = str(max(map(int, self.versions)) + 1)
        self.versions[number] = given["LaunchTemplateData"]["ImageId"]
        return {"LaunchTemplateVersion": {"VersionNumber": int(number)}}

    def describe_images(self, **given: Any) -> dict[str, Any]:
        wanted = {one["Name"]: one["Values"] for one in given.get("Filters", [])}
        by_filter = [
            name
            for name in self.images
            if ("image-id" in wanted or name != "ami-source") and name in wanted.get("image-id", [name])
        ]
        asked = given.get("ImageIds", by_filter)
        missing = [name for name in asked if name not in self.images]
        if missing:
            raise refusal("InvalidAMIID.NotFound", f"The image id '[{missing[0]}]' does not exist")
        return {
            "Images": [
                {
                    "ImageId": name,
                    "Name": name,
                    "State": self.images[name]["State"],
                    "CreationDate": "2026-11-24T01:00:00.000Z",
                    "Tags": [{"Key": k, "Value": v} for k, v in self.images[name]["tags"].items()],
                }
                for name in asked
            ]
        }

    def get_parameter(self, **given: Any) -> dict[str, Any]:
        return {"Parameter": {"Value": self.parameters[given["Name"]]}}

    def put_parameter(self, **given: Any) -> dict[str, Any]:
        assert given["Overwrite"]
        self.changes += 1
        self.parameters[given["Name"]] = given["Value"]
        return {}

    def send_command(self, **given: Any) -> dict[str, Any]:
        assert "curl" in given["Parameters"]["commands"][0]
        return {"Command": {"CommandId": "00000000-0000-0000-0000-000000000000"}}

    def get_command_invocation(self, **given: Any) -> dict[str, Any]:
        body = self.answers.get(given["InstanceId"])
        lines = (
            ["000", ""] * 2 if body is None else ["200", "", "200", base64.b64encode(body.encode()).decode()]
        )
        return {"Status": "Success", "StandardOutputContent": "\n".join(lines) + "\n"}

    def describe_target_health(self, **given: Any) -> dict[str, Any]:
        found = [{"Target": {"Id": one}, "TargetHealth": {"State": s}} for one, s in self.health.items()]
        return {"TargetHealthDescriptions": found}

    def put_metric_alarm(self, **given: Any) -> dict[str, Any]:
        checked("cloudwatch", "put_metric_alarm", given)
        self.changes += 1
        dimensions = {one["Name"]: one["Value"] for one in given["Dimensions"]}
        self.alarms[given["AlarmName"]] = ("OK", dimensions)
        self.acting[given["AlarmName"]] = given.get("AlarmActions", [])
        return {}

    def describe_alarms(self, **given: Any) -> dict[str, Any]:
        found = [
            {
                "AlarmName": name,
                "AlarmActions": self.acting.get(name, []),
                "MetricName": "CPUUtilization",
                "EvaluationPeriods": 1,
                "ComparisonOperator": "GreaterThanThreshold",
                "StateValue": state,
                "Dimensions": [{"Name": key, "Value": value} for key, value in dimensions.items()],
            }
            for name, (state, dimensions) in self.alarms.items()
            if name in given.get("AlarmNames", self.alarms)
        ]
        return {"MetricAlarms": found}

    def get_metric_data(self, **given: Any) -> dict[str, Any]:
        """Blue's figures before the traffic moved, green's after it."""
        told = self.blue if given["EndTime"] <= self.moved else self.green
        asked = [one["MetricStat"] for one in given["MetricDataQueries"]]
        values = [told[one["Metric"]["MetricName"], one["Stat"]] for one in asked]
        found = [{"Id": f"m{n}", "Values": [value] if value else []} for n, value in enumerate(values)]
        return {"MetricDataResults": found}
