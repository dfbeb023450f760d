"""Rules see the events they want and start their targets, with the rights that AWS asks for."""

from __future__ import annotations

import json
from typing import Any

import pytest
from botocore.exceptions import ClientError

from gbg_sandbox.cloud import Cloud
from gbg_sandbox.events import Event
from tests.sandbox.places import eventually
from tests.sandbox.test_lambda import ROLE, Workshop

PUSH = {"source": ["aws.codecommit"], "detail": {"referenceName": ["main"]}}


@pytest.fixture
def events(cloud: Cloud) -> Any:
    return cloud.client("events")


def push(cloud: Cloud, branch: str = "main") -> None:
    cloud.events.publish(
        "aws.codecommit", "CodeCommit Repository State Change", {"referenceName": branch, "commitId": "abc"}
    )


def told(cloud: Cloud, kind: str) -> list[Event]:
    return [event for event in cloud.events.since(0) if event.detail_type == kind]


def open_topic(cloud: Cloud) -> str:
    """A topic that EventBridge may publish to."""
    sns = cloud.client("sns")
    topic = str(sns.create_topic(Name="news")["TopicArn"])
    statement = {"Effect": "Allow", "Principal": {"Service": "events.amazonaws.com"}, "Action": "sns:Publish",
                 "Resource": topic}  # fmt: skip
    policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    sns.set_topic_attributes(TopicArn=topic, AttributeName="Policy", AttributeValue=policy)
    return topic


def test_a_function_is_started_by_leave_of_its_policy(cloud: Cloud, events: Any) -> None:
    workshop = Workshop(cloud)
    workshop.allow("sns:Publish")
    topic = cloud.client("sns").create_topic(Name="seen")["TopicArn"]
    arn = workshop.make(
        """
        import boto3, json, os
        def handler(event, context):
            boto3.client("sns").publish(TopicArn=os.environ["TOPIC"], Message=json.dumps(event))
        """,
        Environment={"Variables": {"TOPIC": topic}},
        Timeout=60,
    )
    rule = events.put_rule(Name="push", EventPattern=json.dumps(PUSH))["RuleArn"]
    events.put_targets(Rule="push", Targets=[{"Id": "f", "Arn": arn}])
    push(cloud)
    eventually(lambda: told(cloud, "EventBridge Delivery Failed"))
    assert "lambda:InvokeFunction" in told(cloud, "EventBridge Delivery Failed")[0].detail["error"]
    workshop.aws.add_permission(
        FunctionName=arn, StatementId="rule", Action="lambda:InvokeFunction",
        Principal="events.amazonaws.com", SourceArn=rule,
    )  # fmt: skip
    push(cloud, "other")
    push(cloud)
    eventually(lambda: told(cloud, "SNS Message Published"))
    event = json.loads(told(cloud, "SNS Message Published")[0].detail["message"])
    assert (event["detail-type"], event["account"]) == ("CodeCommit Repository State Change", cloud.account)
    assert event["detail"] == {"referenceName": "main", "commitId": "abc"}


def test_a_pipeline_is_started_under_the_targets_role(cloud: Cloud, events: Any) -> None:
    pipeline = cloud.arn("codepipeline", "release")
    events.put_rule(Name="push", EventPattern=json.dumps(PUSH))
    with pytest.raises(ClientError, match="RoleArn is required"):
        events.put_targets(Rule="push", Targets=[{"Id": "p", "Arn": pipeline}])
    Workshop(cloud)
    events.put_targets(Rule="push", Targets=[{"Id": "p", "Arn": pipeline, "RoleArn": ROLE}])
    push(cloud)
    eventually(lambda: told(cloud, "EventBridge Delivery Failed"))
    failure = told(cloud, "EventBridge Delivery Failed")[0].detail
    assert "events.amazonaws.com is not authorized to perform: sts:AssumeRole" in failure["error"]
    assert failure["retries"] == 0


def test_a_topic_gets_what_the_transformer_makes(cloud: Cloud, events: Any) -> None:
    topic = open_topic(cloud)
    events.put_rule(Name="push", EventPattern=json.dumps(PUSH))
    transformer = {"InputPathsMap": {"c": "$.detail.commitId"}, "InputTemplate": '"commit <c> was pushed"'}
    events.put_targets(Rule="push", Targets=[{"Id": "t", "Arn": topic, "InputTransformer": transformer}])
    push(cloud)
    eventually(lambda: told(cloud, "SNS Message Published"))
    assert told(cloud, "SNS Message Published")[0].detail["message"] == '"commit abc was pushed"'


def test_a_disabled_rule_sees_nothing_and_a_rate_goes_on(cloud: Cloud, events: Any) -> None:
    topic = open_topic(cloud)
    events.put_rule(Name="push", EventPattern=json.dumps(PUSH), State="DISABLED")
    events.put_targets(Rule="push", Targets=[{"Id": "t", "Arn": topic, "Input": '"never"'}])
    push(cloud)
    events.put_rule(Name="often", ScheduleExpression="rate(5 minutes)")
    events.put_targets(Rule="often", Targets=[{"Id": "t", "Arn": topic}])
    eventually(lambda: len(told(cloud, "SNS Message Published")) >= 2)
    messages = [json.loads(event.detail["message"]) for event in told(cloud, "SNS Message Published")]
    assert {message["detail-type"] for message in messages} == {"Scheduled Event"}
    with pytest.raises(ClientError, match="cron"):
        events.put_rule(Name="daily", ScheduleExpression="cron(0 9 * * ? *)")


def test_own_events_can_be_put(cloud: Cloud, events: Any) -> None:
    good = {"Source": "my.app", "DetailType": "Released", "Detail": '{"version": 2}'}
    answer = events.put_events(
        Entries=[good, good | {"Source": "aws.s3"}, good | {"Detail": "[]"}, good | {"EventBusName": "other"}]
    )
    assert answer["FailedEntryCount"] == 3
    codes = [entry.get("ErrorCode") for entry in answer["Entries"]]
    assert codes == [None, "NotAuthorizedForSourceException", "MalformedDetail", "ResourceNotFoundException"]
    assert told(cloud, "Released")[0].detail == {"version": 2}


def test_rules_and_targets_are_listed_changed_and_removed(events: Any) -> None:
    arn = events.put_rule(Name="push", EventPattern=json.dumps(PUSH), Tags=[{"Key": "a", "Value": "b"}])[
        "RuleArn"
    ]
    target = {"Id": "t", "Arn": "arn:aws:sns:us-east-1:123456789012:news"}
    events.put_targets(Rule="push", Targets=[target])
    assert events.list_targets_by_rule(Rule="push")["Targets"] == [target]
    assert events.list_rule_names_by_target(TargetArn=target["Arn"])["RuleNames"] == ["push"]
    assert events.list_tags_for_resource(ResourceARN=arn)["Tags"] == [{"Key": "a", "Value": "b"}]
    with pytest.raises(ClientError, match="has targets"):
        events.delete_rule(Name="push")
    assert events.remove_targets(Rule="push", Ids=["t", "u"])["FailedEntryCount"] == 1
    events.delete_rule(Name="push")
    assert events.list_rules()["Rules"] == []
    with pytest.raises(ClientError) as error:
        events.describe_rule(Name="push")
    assert error.value.response["Error"]["Code"] == "ResourceNotFoundException"


@pytest.mark.parametrize(
    ("target", "message"),
    [
        ({"Arn": "arn:aws:sqs:us-east-1:123456789012:queue"}, "does not deliver events to arn:aws:sqs"),
        ({"DeadLetterConfig": {"Arn": "arn:aws:sqs:us-east-1:123456789012:q"}}, "DeadLetterConfig"),
        ({"Input": "{}", "InputPath": "$.detail"}, "Only one of Input"),
        ({"InputPath": "detail"}, "Invalid JSON path"),
    ],
)
def test_targets_that_can_not_be_started_are_refused(
    events: Any, target: dict[str, Any], message: str
) -> None:
    events.put_rule(Name="push", EventPattern=json.dumps(PUSH))
    with pytest.raises(ClientError, match=message):
        events.put_targets(
            Rule="push", Targets=[{"Id": "t", "Arn": "arn:aws:sns:us-east-1:123456789012:news", **target}]
        )
    assert events.list_targets_by_rule(Rule="push")["Targets"] == []


def test_a_pattern_can_be_tried(events: Any) -> None:
    event = {
        "id": "1", "account": "1", "source": "aws.codecommit", "time": "2026-11-24T10:00:00Z",
        "region": "us-east-1", "resources": [], "detail-type": "x", "detail": {"referenceName": "main"},
    }  # fmt: skip
    assert events.test_event_pattern(EventPattern=json.dumps(PUSH), Event=json.dumps(event))["Result"] is True
    with pytest.raises(ClientError) as error:
        events.test_event_pattern(EventPattern='{"source": "x"}', Event=json.dumps(event))
    assert error.value.response["Error"]["Code"] == "InvalidEventPatternException"
