"""Schedules call their targets at their hour, under their own role and with no right more."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from botocore.exceptions import ClientError

from gbg_sandbox.cloud import Cloud
from gbg_sandbox.events import Event
from tests.sandbox.places import eventually
from tests.sandbox.stack_steps import Steps
from tests.sandbox.test_authorisation import Role, refusal, statement

TRUST = {
    "Version": "2012-10-17",
    "Statement": {
        "Effect": "Allow",
        "Principal": {"Service": "scheduler.amazonaws.com"},
        "Action": "sts:AssumeRole",
        "Condition": {"StringEquals": {"aws:SourceAccount": "123456789012"}},
    },
}
OFF = {"Mode": "OFF"}
STACK = """
Parameters: {Expression: {Type: String}, Zone: {Type: String, Default: Europe/Berlin}}
Resources:
  Role:
    Type: AWS::IAM::Role
    Properties:
      AssumeRolePolicyDocument:
        Version: "2012-10-17"
        Statement:
          - {Effect: Allow, Principal: {Service: scheduler.amazonaws.com}, Action: "sts:AssumeRole"}
  Group: {Type: AWS::Scheduler::ScheduleGroup, Properties: {Tags: [{Key: mark, Value: x}]}}
  Schedule:
    Type: AWS::Scheduler::Schedule
    Properties:
      GroupName: !Ref Group
      ScheduleExpression: !Ref Expression
      ScheduleExpressionTimezone: !Ref Zone
      FlexibleTimeWindow: {Mode: "OFF"}
      Target: {Arn: !Sub "arn:aws:sns:${AWS::Region}:${AWS::AccountId}:news", RoleArn: !GetAtt Role.Arn}
Outputs:
  Name: {Value: !Ref Schedule}
  Group: {Value: !Ref Group}
  Arn: {Value: !GetAtt Schedule.Arn}
"""


@pytest.fixture
def scheduler(cloud: Cloud) -> Any:
    return cloud.client("scheduler")


@pytest.fixture
def topic(cloud: Cloud) -> str:
    return str(cloud.client("sns").create_topic(Name="news")["TopicArn"])


@pytest.fixture
def role(cloud: Cloud) -> str:
    return str(
        cloud.client("iam").create_role(RoleName="calls", AssumeRolePolicyDocument=json.dumps(TRUST))["Role"][
            "Arn"
        ]
    )


def allow(cloud: Cloud, action: str, resource: str) -> None:
    document = {"Version": "2012-10-17", "Statement": [statement(action, resource)]}
    cloud.client("iam").put_role_policy(
        RoleName="calls", PolicyName="rights", PolicyDocument=json.dumps(document)
    )


def soon(seconds: float = 4) -> str:
    return f"at({datetime.now(UTC) + timedelta(seconds=seconds):%Y-%m-%dT%H:%M:%S})"


def told(cloud: Cloud, kind: str) -> list[Event]:
    return [event for event in cloud.events.since(0) if event.detail_type == kind]


def test_a_topic_is_told_at_the_hour_once_and_the_schedule_is_gone(
    cloud: Cloud, scheduler: Any, topic: str, role: str
) -> None:
    allow(cloud, "sns:Publish", topic)
    scheduler.create_schedule(
        Name="once", ScheduleExpression=soon(), FlexibleTimeWindow=OFF, ActionAfterCompletion="DELETE",
        Target={"Arn": topic, "RoleArn": role, "Input": "it is time"},
    )  # fmt: skip
    assert scheduler.get_schedule(Name="once")["State"] == "ENABLED"
    eventually(lambda: told(cloud, "SNS Message Published"))
    eventually(lambda: not scheduler.list_schedules()["Schedules"])
    [message] = told(cloud, "SNS Message Published")
    assert message.detail["message"] == "it is time"


def test_a_rate_begins_at_once_and_goes_on_until_it_is_disabled(
    cloud: Cloud, scheduler: Any, topic: str, role: str
) -> None:
    allow(cloud, "sns:Publish", topic)
    target = {"Arn": topic, "RoleArn": role}
    given = {"Name": "often", "ScheduleExpression": "rate(1 minutes)", "FlexibleTimeWindow": OFF}
    scheduler.create_schedule(**given, Target=target)
    eventually(lambda: len(told(cloud, "SNS Message Published")) >= 2)
    scheduler.update_schedule(**given, Target=target, State="DISABLED")
    listed = scheduler.list_schedules(State="DISABLED")["Schedules"]
    assert [one["Name"] for one in listed] == ["often"]
    assert not scheduler.list_schedules(State="ENABLED")["Schedules"]


def test_any_operation_is_called_by_its_name_with_names_as_scheduler_spells_them(
    cloud: Cloud, scheduler: Any, role: str
) -> None:
    allow(cloud, "ssm:PutParameter", "*")
    scheduler.create_schedule(
        Name="put", ScheduleExpression=soon(), FlexibleTimeWindow=OFF,
        Target={
            "Arn": "arn:aws:scheduler:::aws-sdk:ssm:putParameter",
            "RoleArn": role,
            "Input": json.dumps({"Name": "/night", "Value": "came", "Type": "String"}),
        },
    )  # fmt: skip
    ssm = cloud.client("ssm")
    eventually(lambda: ssm.describe_parameters()["Parameters"])
    assert ssm.get_parameter(Name="/night")["Parameter"]["Value"] == "came"


def test_a_right_that_the_role_lacks_is_a_dropped_invocation(
    cloud: Cloud, scheduler: Any, topic: str, role: str
) -> None:
    scheduler.create_schedule(
        Name="may-not", ScheduleExpression=soon(), FlexibleTimeWindow=OFF,
        Target={"Arn": topic, "RoleArn": role},
    )  # fmt: skip
    eventually(lambda: told(cloud, "Schedule Invocation Dropped"))
    [dropped] = told(cloud, "Schedule Invocation Dropped")
    assert "sns:Publish" in dropped.detail["error"].replace("SNS", "sns")
    assert dropped.detail["retries"] == 0
    assert not told(cloud, "SNS Message Published")
    counted = cloud.client("cloudwatch").list_metrics(Namespace="AWS/Scheduler")["Metrics"]
    names = {metric["MetricName"] for metric in counted}
    assert names == {"InvocationAttemptCount", "TargetErrorCount", "InvocationDroppedCount"}


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"ScheduleExpression": "cron(0 2 * * * *)"}, "Invalid Schedule Expression cron"),
        ({"ScheduleExpression": "at(2020-01-01T00:00:00)"}, "in the past"),
        ({"ScheduleExpression": "cron(0 2 L * ? *)"}, "does not run L"),
        ({"ScheduleExpressionTimezone": "Europe/Atlantis"}, "ScheduleExpressionTimezone"),
        ({"ScheduleExpressionTimezone": "../etc/passwd"}, "ScheduleExpressionTimezone"),
        ({"FlexibleTimeWindow": {"Mode": "FLEXIBLE"}}, "MaximumWindowInMinutes"),
        ({"EndDate": datetime(2020, 1, 1, tzinfo=UTC)}, "EndDate"),
        ({"Arn": "arn:aws:sqs:us-east-1:123456789012:queue"}, "does not call"),
        ({"Arn": "arn:aws:scheduler:::aws-sdk:ecs:runTask"}, "no service ecs"),
        ({"Arn": "arn:aws:scheduler:::aws-sdk:ssm:getParameter"}, "read-only"),
        ({"Arn": "arn:aws:scheduler:::aws-sdk:ssm:brewCoffee"}, "no operation brewCoffee"),
        ({"Arn": "arn:aws:scheduler:::aws-sdk:ssm:putParameter", "Input": "["}, "not valid JSON"),
        (
            {"DeadLetterConfig": {"Arn": "arn:aws:sqs:us-east-1:123456789012:dead"}},
            "does not run targets with DeadLetterConfig",
        ),
        ({"GroupName": "nobody"}, "Schedule group nobody does not exist"),
    ],
)
def test_what_would_not_run_is_refused(
    scheduler: Any, topic: str, role: str, change: dict[str, Any], said: str
) -> None:
    parts = ("Arn", "Input", "DeadLetterConfig")
    target = {"Arn": topic, "RoleArn": role} | {key: change[key] for key in parts if key in change}
    given = {"Name": "x", "ScheduleExpression": "cron(0 2 * * ? *)", "FlexibleTimeWindow": OFF}
    own = {key: value for key, value in change.items() if key not in parts}
    with pytest.raises(ClientError, match=said):
        scheduler.create_schedule(**(given | own), Target=target)


def test_two_of_a_name_are_a_conflict_and_a_group_takes_its_schedules_along(
    scheduler: Any, topic: str, role: str
) -> None:
    scheduler.create_schedule_group(Name="nights")
    given = {
        "Name": "x", "GroupName": "nights", "ScheduleExpression": "cron(0 2 * * ? *)",
        "FlexibleTimeWindow": OFF, "Target": {"Arn": topic, "RoleArn": role},
    }  # fmt: skip
    scheduler.create_schedule(**given)
    with pytest.raises(ClientError) as twice:
        scheduler.create_schedule(**given)
    assert twice.value.response["Error"]["Code"] == "ConflictException"
    scheduler.delete_schedule_group(Name="nights")
    assert not scheduler.list_schedules()["Schedules"]
    with pytest.raises(scheduler.exceptions.ResourceNotFoundException):
        scheduler.get_schedule(Name="x", GroupName="nights")


def test_creating_needs_the_right_to_it_and_to_pass_the_role(cloud: Cloud, topic: str, role: str) -> None:
    maker = Role(cloud, "maker")

    def create() -> Any:
        return maker.client("scheduler").create_schedule(
            Name="x", ScheduleExpression="cron(0 2 * * ? *)", FlexibleTimeWindow=OFF,
            Target={"Arn": topic, "RoleArn": role},
        )  # fmt: skip

    own = statement("scheduler:CreateSchedule", cloud.arn("scheduler", "schedule/default/x"))
    assert "scheduler:CreateSchedule" in refusal(create)[1]
    maker.may(own)
    assert "iam:PassRole" in refusal(create)[1]
    service = {"StringEquals": {"iam:PassedToService": "scheduler.amazonaws.com"}}
    maker.may(own, statement("iam:PassRole", role, Condition=service))
    assert create()["ScheduleArn"].endswith(":schedule/default/x")


def test_a_stack_makes_changes_and_deletes_schedules(cloud: Cloud, scheduler: Any, topic: str) -> None:
    steps = Steps(cloud)

    def parameters(expression: str) -> list[dict[str, str]]:
        return [{"ParameterKey": "Expression", "ParameterValue": expression}]

    made = steps.create(
        "nights", STACK, Parameters=parameters("cron(0 2 * * ? *)"), Capabilities=["CAPABILITY_IAM"]
    )
    assert made["StackStatus"] == "CREATE_COMPLETE", steps.events("nights")
    outputs = steps.outputs("nights")
    there = scheduler.get_schedule(Name=outputs["Name"], GroupName=outputs["Group"])
    assert (there["Arn"], there["ScheduleExpressionTimezone"]) == (outputs["Arn"], "Europe/Berlin")
    changed = steps.update(
        "nights", STACK, Parameters=parameters("cron(0 3 * * ? *)"), Capabilities=["CAPABILITY_IAM"]
    )
    assert changed["StackStatus"] == "UPDATE_COMPLETE", steps.events("nights")
    there = scheduler.get_schedule(Name=outputs["Name"], GroupName=outputs["Group"])
    assert there["ScheduleExpression"] == "cron(0 3 * * ? *)"
    steps.delete("nights")
    assert not scheduler.list_schedules()["Schedules"]
