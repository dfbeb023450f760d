"""A leftover of every kind is named by the proof of a teardown, and goes with the next one.

None is in a stack; most have names that say nothing of the deployment.
"""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Mapping
from typing import Any

import pytest

from gbg_lib.aws import Aws
from gbg_lib.errors import CheckFailed
from gbg_lib.parameters import Parameters
from gbg_lib.teardown import Teardown, read_inventory
from gbg_lib.teardown.kinds import KINDS
from gbg_sandbox.cloud import Cloud
from tests.sandbox.doors import door
from tests.sandbox.places import Place, eventually, make_place

NAME = "shop"
TAGS = {"gbg:deployment": NAME}
LISTED = [{"Key": key, "Value": value} for key, value in TAGS.items()]
IMAGE = "aws/codebuild/amazonlinux-x86_64-standard:5.0"
SERVICES = ("ec2", "codepipeline", "codebuild", "lambda")
DOCUMENT = {
    "schemaVersion": "0.3",
    "mainSteps": [{"name": "wait", "action": "aws:sleep", "inputs": {"Duration": "PT1S"}}],
}
HANDLER = "def handler(event, context): return {}"


class Planted:
    """One thing of each kind: its kind → how the proof calls it."""

    def __init__(self, cloud: Cloud) -> None:
        self.cloud = cloud
        self.place: Place = make_place(cloud)
        self.names: dict[str, str] = {}
        for plant in (self._iam, self._compute, self._balancer, self._network, self._code, self._records):
            plant()

    def __getattr__(self, service: str) -> Any:
        return self.cloud.client(service)

    def _tag(self, resource: str) -> str:
        self.ec2.create_tags(Resources=[resource], Tags=LISTED)
        return resource

    def _iam(self) -> None:
        """The tagging API tells nothing of roles, so these are found by their names."""
        for name, tags in ((f"{NAME}-left", LISTED), ("elsewhere", [])):
            statement = {
                "Effect": "Allow",
                "Principal": {"Service": [f"{one}.amazonaws.com" for one in SERVICES]},
                "Action": "sts:AssumeRole",
            }
            trust = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
            role = self.iam.create_role(RoleName=name, AssumeRolePolicyDocument=trust, Tags=tags)
            self.role = role["Role"]["Arn"]
        allowed = {"Effect": "Allow", "Action": "s3:ListAllMyBuckets", "Resource": "*"}
        document = json.dumps({"Version": "2012-10-17", "Statement": [allowed]})
        policy = self.iam.create_policy(PolicyName=f"{NAME}-left", PolicyDocument=document, Tags=LISTED)
        self.iam.attach_role_policy(RoleName=f"{NAME}-left", PolicyArn=policy["Policy"]["Arn"])
        self.iam.put_role_policy(RoleName=f"{NAME}-left", PolicyName="own", PolicyDocument=document)
        self.iam.create_instance_profile(InstanceProfileName=f"{NAME}-left", Tags=LISTED)
        self.iam.add_role_to_instance_profile(InstanceProfileName=f"{NAME}-left", RoleName=f"{NAME}-left")
        self.names |= dict.fromkeys(("role", "policy", "instance profile"), f"{NAME}-left")

    def _compute(self) -> None:
        template = {"ImageId": self.place.image_id, "InstanceType": "t3.micro"}
        marked = [{"ResourceType": "launch-template", "Tags": LISTED}]
        self.ec2.create_launch_template(
            LaunchTemplateName="web", LaunchTemplateData=template, TagSpecifications=marked
        )
        kinds = [{"ResourceType": kind, "Tags": LISTED} for kind in ("instance", "volume")]
        [builder] = self.place.launch(TagSpecifications=kinds)
        kinds = [{"ResourceType": kind, "Tags": LISTED} for kind in ("image", "snapshot")]
        image = self.ec2.create_image(InstanceId=builder, Name="golden", TagSpecifications=kinds)["ImageId"]
        eventually(lambda: self.ec2.describe_images(ImageIds=[image])["Images"][0]["State"] == "available")
        [device] = self.place.instance(builder)["BlockDeviceMappings"]
        [snapshot] = self.ec2.describe_snapshots(OwnerIds=["self"])["Snapshots"]
        self.autoscaling.create_auto_scaling_group(
            AutoScalingGroupName="CodeDeploy_shop-fleet_d-GONE",
            LaunchTemplate={"LaunchTemplateName": "web", "Version": "$Latest"},
            MinSize=1,
            MaxSize=1,
            VPCZoneIdentifier=self.place.subnets[0],
            Tags=[{**LISTED[0], "PropagateAtLaunch": True}],
        )
        self.names |= {"launch template": "web", "instance": builder, "volume": device["Ebs"]["VolumeId"]}
        self.names |= {"image": image, "snapshot": snapshot["SnapshotId"]}
        self.names |= {"group": "CodeDeploy_shop-fleet_d-GONE"}

    def _balancer(self) -> None:
        self.elbv2.create_target_group(
            Name="front", Protocol="HTTP", Port=80, VpcId=self.place.vpc_id, Tags=LISTED
        )
        gateway = self.ec2.create_internet_gateway()["InternetGateway"]["InternetGatewayId"]
        self.ec2.attach_internet_gateway(InternetGatewayId=self._tag(gateway), VpcId=self.place.vpc_id)
        self.elbv2.create_load_balancer(Name="front", Subnets=list(self.place.subnets), Tags=LISTED)
        self.names |= {"load balancer": "front", "target group": "front", "internet gateway": gateway}

    def _network(self) -> None:
        vpc, subnet = self.place.vpc_id, self.place.subnets[0]
        group = self.ec2.create_security_group(GroupName="odd", Description="odd", VpcId=vpc)["GroupId"]
        routes = self.ec2.create_route_table(VpcId=vpc)["RouteTable"]["RouteTableId"]
        self.ec2.associate_route_table(RouteTableId=self._tag(routes), SubnetId=subnet)
        card = self.ec2.create_network_interface(SubnetId=subnet)["NetworkInterface"]["NetworkInterfaceId"]
        for one in (group, card, vpc, *self.place.subnets):
            self._tag(one)
        self.names |= {"security group": "odd", "route table": routes, "network interface": card}
        self.names |= {"subnet": subnet, "network": vpc}

    def _code(self) -> None:
        self.codecommit.create_repository(repositoryName="src", tags=TAGS)
        self.codebuild.create_project(
            name="make",
            serviceRole=self.role,
            source={"type": "CODEPIPELINE"},
            artifacts={"type": "CODEPIPELINE"},
            environment={"type": "LINUX_CONTAINER", "image": IMAGE, "computeType": "BUILD_GENERAL1_SMALL"},
            tags=[{"key": "gbg:deployment", "value": NAME}],
        )
        self.codedeploy.create_application(applicationName="app", computePlatform="Server", tags=LISTED)
        self.cloud.client("lambda").create_function(
            FunctionName="answerer",
            Runtime="python3.13",
            Role=self.role,
            Handler="index.handler",
            Code={"ZipFile": zipped(HANDLER)},
            Tags=TAGS,
        )
        code = [{"name": "code"}]
        source = action(
            "Source", "CodeCommit", RepositoryName="src", BranchName="main", PollForSourceChanges="false"
        )
        build = action("Build", "CodeBuild", ProjectName="make")
        stages = [
            {"name": "Source", "actions": [source | {"outputArtifacts": code}]},
            {"name": "Build", "actions": [build | {"inputArtifacts": code}]},
        ]
        self.codepipeline.create_pipeline(
            pipeline={
                "name": "line",
                "roleArn": self.role,
                "artifactStore": {"type": "S3", "location": "pictures"},
                "stages": stages,
            },
            tags=[{"key": "gbg:deployment", "value": NAME}],
        )
        self.names |= {"repository": "src", "build project": "make", "application": "app"}
        self.names |= {"function": "answerer", "pipeline": "line"}

    def _records(self) -> None:
        self.s3.create_bucket(Bucket="pictures")
        self.s3.put_bucket_tagging(Bucket="pictures", Tagging={"TagSet": LISTED})
        self.s3.put_bucket_versioning(Bucket="pictures", VersioningConfiguration={"Status": "Enabled"})
        for body in (b"old", b"new"):
            self.s3.put_object(Bucket="pictures", Key="cat", Body=body)
        self.s3.delete_object(Bucket="pictures", Key="cat")
        self.s3.create_multipart_upload(Bucket="pictures", Key="half")
        self.logs.create_log_group(logGroupName="/odd/lines", tags=TAGS)
        self.ssm.put_parameter(Name="/odd/size", Value="1", Type="String", Tags=LISTED)
        self.ssm.create_document(
            Name="steps", Content=json.dumps(DOCUMENT), DocumentType="Automation", Tags=LISTED
        )
        topic = self.sns.create_topic(Name="news", Tags=LISTED)["TopicArn"]
        rule = self.events.put_rule(Name="often", ScheduleExpression="rate(5 minutes)", Tags=LISTED)
        self.events.put_targets(Rule=rule["RuleArn"].rpartition("/")[2], Targets=[{"Id": "1", "Arn": topic}])
        self.alarm("of-anybody", "elsewhere", Tags=LISTED)
        self.names |= {"bucket": "pictures", "log group": "/odd/lines", "parameter": "/odd/size"}
        self.names |= {"document": "steps", "topic": topic, "rule": "often", "alarm": "of-anybody"}

    def alarm(self, name: str, group: str, **more: Any) -> None:
        self.cloudwatch.put_metric_alarm(
            AlarmName=name,
            Namespace="AWS/EC2",
            MetricName="CPUUtilization",
            Statistic="Average",
            Period=60,
            EvaluationPeriods=1,
            Threshold=1,
            ComparisonOperator="GreaterThanThreshold",
            Dimensions=[{"Name": "AutoScalingGroupName", "Value": group}],
            **more,
        )


def zipped(source: str) -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as archive:
        archive.writestr("index.py", source)
    return made.getvalue()


def action(category: str, provider: str, **configuration: str) -> dict[str, Any]:
    kind = {"category": category, "owner": "AWS", "provider": provider, "version": "1"}
    return {"name": category, "actionTypeId": kind, "configuration": configuration}


def teardown(aws: Aws, rest_seconds: float = 60) -> Teardown:
    return Teardown(Parameters(deployment=NAME, confirm=NAME), aws, rest_seconds)


def named(aws: Aws) -> Mapping[str, list[str]]:
    """What the inventory tells by kind."""
    things = read_inventory(aws, NAME).things
    return {kind.name: [one.name for one in things if one.kind == kind.name] for kind in KINDS}


@pytest.fixture
def planted(cloud: Cloud) -> Planted:
    return Planted(cloud)


def test_each_kind_is_named_and_goes(cloud: Cloud, planted: Planted) -> None:
    aws = door(cloud)
    assert planted.names.keys() == {kind.name for kind in KINDS}
    with pytest.raises(CheckFailed) as told:
        teardown(aws, rest_seconds=0).check()
    missing = {kind: name for kind, name in planted.names.items() if f"{kind} {name}" not in str(told.value)}
    assert missing == {}
    step = teardown(aws)
    for _ in step.apply(step.plan()):
        pass
    assert step.check()
    assert {kind: found for kind, found in named(aws).items() if found} == {}
    assert [one["RoleName"] for one in planted.iam.list_roles()["Roles"] if one["RoleName"] == "elsewhere"]


def test_what_no_runbook_makes_is_named_and_left_alone(cloud: Cloud) -> None:
    aws = door(cloud)
    client: Any = cloud.client("scheduler")
    client.create_schedule_group(Name="nightly", Tags=LISTED)
    step = teardown(aws)
    arn = cloud.arn("scheduler", "schedule-group/nightly")
    assert step.plan().kept == (f"{arn} (no runbook makes such)",)
    assert step.check()[-1].found == f"kept, as no runbook makes such: {arn}"
    assert client.get_schedule_group(Name="nightly")["Arn"] == arn


def test_an_alarm_that_outlived_its_fleet_goes_and_one_that_a_person_made_stays(cloud: Cloud) -> None:
    aws = door(cloud)
    planted = object.__new__(Planted)
    planted.cloud = cloud
    dead = f"CodeDeploy_{NAME}-fleet_d-GONE"
    for name, group in (
        (f"TargetTracking-{dead}-AlarmHigh-1", dead),
        (f"TargetTracking-{NAME}-blue-AlarmLow-1", f"{NAME}-blue"),
        (f"TargetTracking-{NAME}-blue-blue-AlarmLow-1", f"{NAME}-blue-blue"),
        (f"{NAME}-mine", dead),
    ):
        planted.alarm(name, group)
    step = teardown(aws)
    for _ in step.apply(step.plan()):
        pass
    assert step.check()
    left = [one["AlarmName"] for one in aws.pages("cloudwatch", "describe_alarms", "MetricAlarms")]
    assert left == [f"TargetTracking-{NAME}-blue-blue-AlarmLow-1", f"{NAME}-mine"]
