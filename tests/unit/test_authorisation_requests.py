"""Which rights a request needs, read from its parameters alone."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import pytest

from gbg_sandbox.authorisation.requests import Check, Request, needed
from gbg_sandbox.authorisation.resources import KINDS, table

ACCOUNT = "123456789012"


@dataclass
class Nowhere:
    """A cloud with nothing in it."""

    account: str = ACCOUNT
    region: str = "us-east-1"

    def arn(self, service: str, resource: str) -> str:
        return f"arn:aws:{service}:{self.region}:{self.account}:{resource}"


def checks(service: str, operation: str, **params: Any) -> list[Check]:
    cloud: Any = Nowhere()
    return needed(Request(cloud, service, operation, params))


def rights(service: str, operation: str, **params: Any) -> list[str]:
    prefix = f"arn:aws:{service}:us-east-1:{ACCOUNT}:"
    return [
        f"{one.action} {one.resource.removeprefix(prefix)}" for one in checks(service, operation, **params)
    ]


@pytest.mark.parametrize("prefix", sorted(KINDS))
def test_every_placeholder_of_an_arn_is_filled(prefix: str) -> None:
    given = {"Partition", "Region", "Account"}
    for kind, placeholders in KINDS[prefix].items():
        wanted = set(re.findall(r"\$\{(\w+)\}", table()[prefix]["arns"][kind])) - given
        assert set(placeholders) == wanted, kind


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        (rights("ec2", "DescribeInstances"), ["ec2:DescribeInstances *"]),
        (rights("ec2", "TerminateInstances", InstanceIds=["i-1", "i-2"]),
         ["ec2:TerminateInstances instance/i-1", "ec2:TerminateInstances instance/i-2"]),
        (rights("ec2", "CreateVolume"), ["ec2:CreateVolume volume/*"]),
        (rights("autoscaling", "DeleteAutoScalingGroup", AutoScalingGroupName="blue"),
         ["autoscaling:DeleteAutoScalingGroup autoScalingGroup:*:autoScalingGroupName/blue"]),
        (rights("autoscaling", "DescribeAutoScalingGroups", AutoScalingGroupNames=["blue"]),
         ["autoscaling:DescribeAutoScalingGroups *"]),
        (rights("codedeploy", "CreateDeployment", applicationName="app", deploymentGroupName="fleet"),
         ["codedeploy:CreateDeployment deploymentgroup:app/fleet"]),
        (rights("codedeploy", "GetDeploymentConfig", deploymentConfigName="c"),
         ["codedeploy:GetDeploymentConfig deploymentconfig:c"]),
        (rights("codebuild", "BatchGetBuilds", ids=["build:1", "build:2"]),
         ["codebuild:BatchGetBuilds project/build"]),
        (rights("codebuild", "StartBuild", projectName="build"), ["codebuild:StartBuild project/build"]),
        (rights("codepipeline", "StartPipelineExecution", name="release"),
         ["codepipeline:StartPipelineExecution release"]),
        (rights("codepipeline", "PutJobSuccessResult", jobId="1"), ["codepipeline:PutJobSuccessResult *"]),
        (rights("codecommit", "GetBranch", repositoryName="app", branchName="main"),
         ["codecommit:GetBranch app"]),
        (rights("ssm", "PutParameter", Name="/gbg/ami"), ["ssm:PutParameter parameter/gbg/ami"]),
        (rights("ssm", "GetAutomationExecution", AutomationExecutionId="1"),
         ["ssm:GetAutomationExecution automation-execution/1"]),
        (rights("ssm", "StartAutomationExecution", DocumentName="gbg-bake"),
         ["ssm:StartAutomationExecution automation-definition/gbg-bake:$DEFAULT",
          "ssm:StartAutomationExecution document/gbg-bake"]),
        (rights("logs", "PutLogEvents", logGroupName="/a", logStreamName="s"),
         ["logs:PutLogEvents log-group:/a:log-stream:s"]),
        (rights("logs", "CreateLogGroup", logGroupName="/a"),
         ["logs:CreateLogGroup log-group:/a:log-stream:"]),
        (rights("lambda", "Invoke", FunctionName="bake"), ["lambda:InvokeFunction function:bake"]),
        (rights("lambda", "Invoke", FunctionName="bake", Qualifier="2"),
         ["lambda:InvokeFunction function:bake:2"]),
        (rights("cloudformation", "CreateStack", StackName="gbg-base"),
         ["cloudformation:CreateStack stack/gbg-base/*"]),
        (rights("cloudwatch", "PutMetricAlarm", AlarmName="errors"),
         ["cloudwatch:PutMetricAlarm alarm:errors"]),
        (rights("events", "PutRule", Name="push"), ["events:PutRule rule/push"]),
        (rights("sns", "Publish", TopicArn=f"arn:aws:sns:us-east-1:{ACCOUNT}:t"), ["sns:Publish t"]),
        (rights("sts", "GetCallerIdentity"), []),
    ],
)  # fmt: skip
def test_resources_are_named_from_parameters(found: list[str], expected: list[str]) -> None:
    assert found == expected


@pytest.mark.parametrize(
    ("operation", "params", "expected"),
    [
        ("GetObject", {"Key": "k"}, ["s3:GetObject arn:aws:s3:::b/k"]),
        ("HeadObject", {"Key": "k"}, ["s3:GetObject arn:aws:s3:::b/k"]),
        ("GetObject", {"Key": "k", "VersionId": "v"}, ["s3:GetObjectVersion arn:aws:s3:::b/k"]),
        ("PutObject", {"Key": "k"}, ["s3:PutObject arn:aws:s3:::b/k"]),
        ("UploadPart", {"Key": "k"}, ["s3:PutObject arn:aws:s3:::b/k"]),
        ("DeleteObject", {"Key": "k", "VersionId": "v"}, ["s3:DeleteObjectVersion arn:aws:s3:::b/k"]),
        ("ListObjectsV2", {"Prefix": "a/"}, ["s3:ListBucket arn:aws:s3:::b"]),
        ("HeadBucket", {}, ["s3:ListBucket arn:aws:s3:::b"]),
        ("PutPublicAccessBlock", {}, ["s3:PutBucketPublicAccessBlock arn:aws:s3:::b"]),
        ("GetBucketVersioning", {}, ["s3:GetBucketVersioning arn:aws:s3:::b"]),
        (
            "CopyObject",
            {"Key": "k", "CopySource": "other/x"},
            ["s3:GetObject arn:aws:s3:::other/x", "s3:PutObject arn:aws:s3:::b/k"],
        ),
    ],
)
def test_s3_actions(operation: str, params: dict[str, str], expected: list[str]) -> None:
    assert rights("s3", operation, Bucket="b", **params) == expected


def test_public_documents_and_parameters_belong_to_no_account() -> None:
    (document, instance) = checks(
        "ssm", "SendCommand", DocumentName="AWS-RunShellScript", InstanceIds=["i-1"]
    )
    assert document.resource == "arn:aws:ssm:us-east-1::document/AWS-RunShellScript"
    assert instance.resource == f"arn:aws:ec2:us-east-1:{ACCOUNT}:instance/i-1"
    (parameter,) = checks("ssm", "GetParameter", Name="/aws/service/ami-amazon-linux-latest/x")
    assert parameter.resource == "arn:aws:ssm:us-east-1::parameter/aws/service/ami-amazon-linux-latest/x"


@pytest.mark.parametrize(
    ("service", "operation", "params", "to"),
    [
        ("lambda", "CreateFunction", {"FunctionName": "f", "Role": "arn:aws:iam::1:role/r"}, "lambda"),
        ("codebuild", "CreateProject", {"name": "p", "serviceRole": "arn:aws:iam::1:role/r"}, "codebuild"),
        (
            "codepipeline",
            "CreatePipeline",
            {"pipeline": {"name": "p", "roleArn": "arn:aws:iam::1:role/r", "stages": []}},
            "codepipeline",
        ),
        (
            "ssm",
            "StartAutomationExecution",
            {"DocumentName": "d", "Parameters": {"AutomationAssumeRole": ["arn:aws:iam::1:role/r"]}},
            "ssm",
        ),
        ("events", "PutTargets", {"Rule": "r", "Targets": [{"RoleArn": "arn:aws:iam::1:role/r"}]}, "events"),
    ],
)
def test_a_role_is_passed_to_its_service(
    service: str, operation: str, params: dict[str, Any], to: str
) -> None:
    passed = [one for one in checks(service, operation, **params) if one.action == "iam:PassRole"]
    assert [(one.resource, one.keys) for one in passed] == [
        ("arn:aws:iam::1:role/r", {"iam:passedtoservice": f"{to}.amazonaws.com"})
    ]


def test_request_tags_are_condition_keys() -> None:
    tags = [{"Key": "Team", "Value": "app"}, {"Key": "env", "Value": "test"}]
    (check,) = checks("codecommit", "CreateRepository", repositoryName="app", tags={"Team": "app"})
    assert check.keys == {"aws:requesttag/team": "app", "aws:tagkeys": ["Team"]}
    (check,) = checks("sns", "CreateTopic", Name="t", Tags=tags)
    assert check.keys["aws:tagkeys"] == ["Team", "env"]
