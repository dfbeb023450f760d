"""Part 1 after a release has moved its fleet: the stack names one that is gone, another serves."""

from __future__ import annotations

import json
from typing import Any

from gbg_lib.blueprint import template
from gbg_lib.mending.repair import Repair
from gbg_lib.parameters import Parameters
from tests.unit.aws_fakes import connected, refusal
from tests.unit.bucket_fakes import FakeBucket

GREEN, DEAD = "CodeDeploy_gbg-fleet_d-2", "CodeDeploy_gbg-fleet_d-1"
ARN = "arn:aws:autoscaling:us-east-1:1:scalingPolicy:1:autoScalingGroupName/{}:policyName/cpu"
WHOLE = json.loads(template(1))


class FakeAutoScaling:
    def __init__(self, **groups: list[str]) -> None:
        self.groups = groups

    def describe_auto_scaling_groups(self, **asked: Any) -> dict[str, Any]:
        names = asked.get("AutoScalingGroupNames", list(self.groups))
        return {"AutoScalingGroups": [self._group(name) for name in names if name in self.groups]}

    def _group(self, name: str) -> dict[str, Any]:
        instances = [
            {"InstanceId": one, "AvailabilityZone": "us-east-1a", "LifecycleState": "InService"}
            for one in self.groups[name]
        ]
        return {
            "AutoScalingGroupName": name,
            "LaunchTemplate": {"LaunchTemplateId": "lt-1", "Version": "4"},
            "MinSize": 2,
            "DesiredCapacity": 2,
            "MaxSize": 4,
            "Instances": instances,
        }

    def describe_policies(self, **asked: str) -> dict[str, Any]:
        arn = ARN.format(asked["AutoScalingGroupName"])
        tracked = {"PredefinedMetricSpecification": {"PredefinedMetricType": "ASGAverageCPUUtilization"}}
        ours = {"PolicyARN": arn, "TargetTrackingConfiguration": {**tracked, "TargetValue": 60}}
        return {"ScalingPolicies": [{"PolicyARN": f"{arn}-of-another"}, ours]}


class FakeCodeDeploy:
    def __init__(self) -> None:
        self.under_way: list[str] = []

    def get_deployment_group(self, **asked: str) -> dict[str, Any]:
        return {"deploymentGroupInfo": {"autoScalingGroups": [{"name": GREEN}]}}

    def list_deployments(self, **asked: Any) -> dict[str, Any]:
        return {"deployments": self.under_way}


class FakeTargets:
    def __init__(self, **health: str) -> None:
        self.health = {name.replace("_", "-"): state for name, state in health.items()}

    def describe_target_health(self, **asked: str) -> dict[str, Any]:
        return {
            "TargetHealthDescriptions": [
                {"Target": {"Id": one}, "TargetHealth": {"State": state}}
                for one, state in self.health.items()
            ]
        }


class FakeEc2:
    def describe_launch_template_versions(self, **asked: Any) -> dict[str, Any]:
        return {"LaunchTemplateVersions": [{"LaunchTemplateData": {"ImageId": "ami-4"}}]}

    def describe_instances(self, **asked: Any) -> dict[str, Any]:
        found = [{"InstanceId": one, "ImageId": "ami-4"} for one in asked["Filters"][0]["Values"]]
        return {"Reservations": [{"Instances": found}]}


class FakeStack:
    """Part 1, which believes in a fleet that is gone; there is no Part 3."""

    status = "UPDATE_COMPLETE"

    def describe_stacks(self, **asked: str) -> dict[str, Any]:
        if asked["StackName"] != "gbg-base":
            raise refusal("ValidationError", f"Stack with id {asked['StackName']} does not exist")
        outputs = (
            *("ApplicationName", "DeploymentGroupName", "TargetGroupArn", "SiteUrl"),
            "ArtifactBucketName",
        )
        return {
            "Stacks": [
                {
                    "StackStatus": self.status,
                    "Outputs": [{"OutputKey": one, "OutputValue": one} for one in outputs],
                    "Parameters": [],
                }
            ]
        }

    def describe_stack_resources(self, **asked: str) -> dict[str, Any]:
        known = {"BlueGroup": DEAD, "CpuTarget": ARN.format(DEAD)}
        return {
            "StackResources": [
                {
                    "LogicalResourceId": name,
                    "PhysicalResourceId": value,
                    "Timestamp": None,
                    "ResourceType": "",
                    "ResourceStatus": "CREATE_COMPLETE",
                }
                for name, value in known.items()
            ]
        }

    def get_template(self, **asked: str) -> dict[str, Any]:
        return {"TemplateBody": WHOLE}


class World:
    def __init__(self, **health: str) -> None:
        self.stack, self.codedeploy = FakeStack(), FakeCodeDeploy()
        self.aws = connected(
            cloudformation=self.stack,
            codedeploy=self.codedeploy,
            autoscaling=FakeAutoScaling(**{GREEN: ["i-1", "i-2"]}),
            elbv2=FakeTargets(**health),
            ec2=FakeEc2(),
            s3=FakeBucket(),
        )
        self.repair = Repair(Parameters(), self.aws)
