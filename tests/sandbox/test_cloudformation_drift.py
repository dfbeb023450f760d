"""Drift: what a stack believes, against what is there."""

from __future__ import annotations

import json
from typing import Any

import pytest

from gbg_sandbox.cloud import Cloud
from gbg_sandbox.service import Principal
from tests.sandbox.stack_steps import Steps, refused

TEMPLATE = """
Resources:
  Topic: {Type: AWS::SNS::Topic}
  Note:
    Type: AWS::SSM::Parameter
    Properties: {Name: /note, Type: String, Value: one, Description: never given back, Tags: {team: web}}
  Logs: {Type: AWS::Logs::LogGroup, Properties: {LogGroupName: /shop, RetentionInDays: 7}}
  Alarm:
    Type: AWS::CloudWatch::Alarm
    Properties: {AlarmName: shop, MetricName: Errors, Namespace: Shop, Period: 60, EvaluationPeriods: 1,
      Threshold: 5, Statistic: Sum, ComparisonOperator: GreaterThanThreshold,
      Dimensions: [{Name: A, Value: "1"}, {Name: B, Value: "2"}]}
  Role:
    Type: AWS::IAM::Role
    Properties:
      RoleName: shop
      AssumeRolePolicyDocument:
        Version: "2012-10-17"
        Statement: [{Effect: Allow, Principal: {Service: ec2.amazonaws.com}, Action: sts:AssumeRole}]
      Policies:
        - PolicyName: read
          PolicyDocument:
            Version: "2012-10-17"
            Statement: [{Effect: Allow, Action: s3:GetObject, Resource: "*"}]
  Door:
    Type: AWS::EC2::SecurityGroup
    Properties:
      GroupDescription: door
      SecurityGroupIngress: [{IpProtocol: tcp, FromPort: 80, ToPort: 80, CidrIp: 0.0.0.0/0}]
"""


@pytest.fixture
def stacks(cloud: Cloud) -> Steps:
    made = Steps(cloud)
    stack = made.create("shop", TEMPLATE, Capabilities=["CAPABILITY_NAMED_IAM"])
    assert stack["StackStatus"] == "CREATE_COMPLETE", made.failures("shop")
    return made


def detect(stacks: Steps, **options: Any) -> dict[str, Any]:
    asked = stacks.client.detect_stack_drift(StackName="shop", **options)
    detection = asked["StackDriftDetectionId"]

    def status() -> dict[str, Any]:
        found: dict[str, Any] = stacks.client.describe_stack_drift_detection_status(
            StackDriftDetectionId=detection
        )
        return found

    over = stacks.cloud.clock.wait_until(
        lambda: status()["DetectionStatus"] != "DETECTION_IN_PROGRESS", aws_seconds=0, real_floor=60
    )
    assert over
    return status()


def drifts(stacks: Steps, **options: Any) -> dict[str, dict[str, Any]]:
    found = stacks.client.describe_stack_resource_drifts(StackName="shop", **options)["StackResourceDrifts"]
    return {one["LogicalResourceId"]: one for one in found}


def paths(drift: dict[str, Any]) -> list[tuple[str, str, str, str]]:
    return [
        (one["PropertyPath"], one["DifferenceType"], one["ExpectedValue"], one["ActualValue"])
        for one in drift["PropertyDifferences"]
    ]


def test_a_stack_as_it_was_made_is_in_sync(stacks: Steps) -> None:
    assert stacks.stack("shop")["DriftInformation"] == {"StackDriftStatus": "NOT_CHECKED"}
    status = detect(stacks)
    found = {name: paths(one) for name, one in drifts(stacks).items()}
    assert (status["DetectionStatus"], status["StackDriftStatus"]) == ("DETECTION_COMPLETE", "IN_SYNC"), found
    assert status["DriftedStackResourceCount"] == 0
    assert stacks.stack("shop")["DriftInformation"]["StackDriftStatus"] == "IN_SYNC"
    assert sorted(found) == ["Alarm", "Door", "Logs", "Note", "Role"]
    assert "Description" not in json.loads(drifts(stacks)["Note"]["ExpectedProperties"])


def test_edits_from_outside_are_told_by_property(stacks: Steps, cloud: Cloud) -> None:
    cloud.client("ssm").put_parameter(Name="/note", Value="two", Type="String", Overwrite=True)
    cloud.client("logs").delete_log_group(logGroupName="/shop")
    cloud.client("iam").attach_role_policy(
        RoleName="shop", PolicyArn="arn:aws:iam::aws:policy/AmazonSSMManagedInstanceCore"
    )
    cloud.client("iam").delete_role_policy(RoleName="shop", PolicyName="read")
    alarm = cloud.client("cloudwatch").describe_alarms(AlarmNames=["shop"])["MetricAlarms"][0]
    kept = ("AlarmName", "MetricName", "Namespace", "Period", "EvaluationPeriods", "Threshold", "Statistic")
    cloud.client("cloudwatch").put_metric_alarm(
        **{name: alarm[name] for name in kept},
        ComparisonOperator="GreaterThanThreshold",
        Dimensions=[{"Name": "B", "Value": "2"}, {"Name": "A", "Value": "9"}],
    )
    group = stacks.physical("shop")["Door"]
    cloud.client("ec2").authorize_security_group_ingress(
        GroupId=group,
        IpPermissions=[
            {"IpProtocol": "tcp", "FromPort": 22, "ToPort": 22, "IpRanges": [{"CidrIp": "10.0.0.0/8"}]}
        ],
    )
    status = detect(stacks)
    assert (status["StackDriftStatus"], status["DriftedStackResourceCount"]) == ("DRIFTED", 5)

    found = drifts(stacks)
    assert {name: one["StackResourceDriftStatus"] for name, one in found.items()} == {
        "Note": "MODIFIED",
        "Logs": "DELETED",
        "Alarm": "MODIFIED",
        "Role": "MODIFIED",
        "Door": "MODIFIED",
    }
    assert paths(found["Note"]) == [("/Value", "NOT_EQUAL", "one", "two")]
    assert paths(found["Alarm"]) == [("/Dimensions/0/Value", "NOT_EQUAL", "1", "9")]
    assert [one[:2] for one in paths(found["Role"])] == [("/Policies/0", "REMOVE")]
    assert [one[:2] for one in paths(found["Door"])] == [("/SecurityGroupIngress/1", "ADD")]
    assert list(drifts(stacks, StackResourceDriftStatusFilters=["DELETED"])) == ["Logs"]
    listed = stacks.client.describe_stack_resource(StackName="shop", LogicalResourceId="Logs")
    drift = listed["StackResourceDetail"]["DriftInformation"]
    assert drift["StackResourceDriftStatus"] == "DELETED"


def test_one_resource_is_looked_at_by_itself(stacks: Steps, cloud: Cloud) -> None:
    cloud.client("ssm").put_parameter(Name="/note", Value="two", Type="String", Overwrite=True)
    answer = stacks.client.detect_stack_resource_drift(StackName="shop", LogicalResourceId="Note")
    assert answer["StackResourceDrift"]["StackResourceDriftStatus"] == "MODIFIED"
    assert list(drifts(stacks)) == ["Note"]
    _, message = refused(
        stacks.client.detect_stack_resource_drift, StackName="shop", LogicalResourceId="Topic"
    )
    assert message == "Drift detection is not supported for the resource type AWS::SNS::Topic"


def test_an_update_of_a_resource_forgets_its_drift(stacks: Steps) -> None:
    detect(stacks)
    stacks.update("shop", TEMPLATE.replace("Value: one", "Value: two"), Capabilities=["CAPABILITY_NAMED_IAM"])
    assert stacks.stack("shop")["DriftInformation"] == {"StackDriftStatus": "NOT_CHECKED"}
    assert "Note" not in drifts(stacks)
    assert detect(stacks)["StackDriftStatus"] == "IN_SYNC"


def test_who_may_not_read_a_resource_gets_a_failed_detection(stacks: Steps, cloud: Cloud) -> None:
    iam = cloud.client("iam")
    user = iam.create_user(UserName="looker")["User"]
    allowed = ["cloudformation:*", "ssm:*", "cloudwatch:*", "iam:*", "ec2:*"]
    policy = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": allowed, "Resource": "*"}]}
    iam.put_user_policy(UserName="looker", PolicyName="look", PolicyDocument=json.dumps(policy))
    principal = Principal("user", user["Arn"], cloud.account, user_name="looker")
    stacks.client = cloud.client("cloudformation", principal=principal)
    status = detect(stacks)
    assert status["DetectionStatus"] == "DETECTION_FAILED"
    assert "[Logs]" in status["DetectionStatusReason"]
    assert "logs:DescribeLogGroups" in status["DetectionStatusReason"]
    assert "Note" in drifts(stacks)


def test_a_stack_at_work_has_no_drift_yet(cloud: Cloud) -> None:
    stacks = Steps(cloud)
    _, message = refused(stacks.client.detect_stack_drift, StackName="shop")
    assert message == "Stack [shop] does not exist"
    stacks.change("shop", TEMPLATE, ChangeSetType="CREATE", Capabilities=["CAPABILITY_NAMED_IAM"])
    _, message = refused(stacks.client.detect_stack_drift, StackName="shop")
    assert message.endswith("in REVIEW_IN_PROGRESS state")
