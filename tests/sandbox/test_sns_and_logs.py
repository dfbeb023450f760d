"""Messages reach functions and the event stream; logs are read as the command line reads them."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest
from botocore.exceptions import ClientError

from gbg_sandbox.cloud import Cloud
from tests.sandbox.places import eventually
from tests.sandbox.test_lambda import Workshop


def test_a_message_is_seen_and_reaches_a_function(cloud: Cloud) -> None:
    workshop = Workshop(cloud)
    workshop.allow("logs:*")
    arn = workshop.make("def handler(event, context):\n    print(event['Records'][0]['Sns']['Message'])\n")
    sns = cloud.client("sns")
    topic = sns.create_topic(Name="news")["TopicArn"]
    workshop.aws.add_permission(
        FunctionName=arn, StatementId="s", Action="lambda:InvokeFunction", Principal="sns.amazonaws.com",
        SourceArn=topic,
    )  # fmt: skip
    sns.subscribe(TopicArn=topic, Protocol="lambda", Endpoint=arn)
    mail = sns.subscribe(TopicArn=topic, Protocol="email", Endpoint="eve@example.com")
    assert mail["SubscriptionArn"] == "pending confirmation"
    sns.publish(TopicArn=topic, Subject="a release", Message="it is green")
    eventually(lambda: "it is green" in workshop.logged())
    notice = next(event for event in cloud.events.since(0) if event.detail_type == "SNS Message Published")
    assert (notice.detail["subject"], notice.detail["message"]) == ("a release", "it is green")
    assert sorted(notice.detail["subscribers"]) == ["email:eve@example.com", f"lambda:{arn}"]


def test_messages_do_not_leave_this_machine(cloud: Cloud) -> None:
    sns = cloud.client("sns")
    topic = sns.create_topic(Name="news")["TopicArn"]
    with pytest.raises(ClientError, match="does not deliver SNS messages by https"):
        sns.subscribe(TopicArn=topic, Protocol="https", Endpoint="https://example.com")
    with pytest.raises(ClientError) as error:
        sns.publish(TopicArn=f"{topic}-not", Message="x")
    assert error.value.response["Error"]["Code"] == "NotFound"


def test_logs_are_filtered_and_followed(cloud: Cloud) -> None:
    logs = cloud.client("logs")
    logs.create_log_group(logGroupName="/gbg/x", tags={"gbg:deployment": "gbg"})
    logs.put_retention_policy(logGroupName="/gbg/x", retentionInDays=14)
    logs.create_log_stream(logGroupName="/gbg/x", logStreamName="s")
    now = int(time.time() * 1000)
    for number, text in enumerate(["first", json.dumps({"n": 2}), "ERROR third"]):
        event = {"timestamp": now + number, "message": text}
        logs.put_log_events(logGroupName="/gbg/x", logStreamName="s", logEvents=[event])
    found = logs.filter_log_events(logGroupName="/gbg/x", startTime=now + 1)["events"]
    assert [event["message"] for event in found] == ['{"n": 2}', "ERROR third"]
    assert len({event["eventId"] for event in found}) == 2
    assert [event["message"] for event in logs.filter_log_events(
        logGroupName="/gbg/x", filterPattern="ERROR")["events"]] == ["ERROR third"]  # fmt: skip
    assert logs.describe_log_groups(logGroupNamePrefix="/gbg")["logGroups"][0]["retentionInDays"] == 14
    with pytest.raises(ClientError, match="gbg_sandbox does not have logs:PutMetricFilter"):
        logs.put_metric_filter(
            logGroupName="/gbg/x", filterName="f", filterPattern="ERROR",
            metricTransformations=[{"metricName": "m", "metricNamespace": "n", "metricValue": "1"}],
        )  # fmt: skip


def test_events_are_searched_in_streams_by_name_or_prefix(cloud: Cloud) -> None:
    logs = cloud.client("logs")
    logs.create_log_group(logGroupName="/gbg/x")
    for number, name in enumerate(["a/1", "a/2", "b/1"]):
        logs.create_log_stream(logGroupName="/gbg/x", logStreamName=name)
        event = {"timestamp": int(time.time() * 1000) + number, "message": f"of {name}"}
        logs.put_log_events(logGroupName="/gbg/x", logStreamName=name, logEvents=[event])

    def messages(**asked: Any) -> list[str]:
        found = logs.filter_log_events(logGroupName="/gbg/x", **asked)["events"]
        return [event["message"] for event in found]

    assert messages(logStreamNamePrefix="a/") == ["of a/1", "of a/2"]
    assert messages(logStreamNamePrefix="c/") == []
    assert messages(logStreamNames=["b/1"]) == ["of b/1"]
    assert messages(filterPattern='"of b"') == ["of b/1"]
    with pytest.raises(ClientError, match="mutually exclusive"):
        messages(logStreamNames=["b/1"], logStreamNamePrefix="b")
    for pattern in ("{ $.level = ERROR }", "?this ?that", "of -b", "%of [ab]%"):
        with pytest.raises(ClientError, match="gbg_sandbox does not run the filter pattern"):
            messages(filterPattern=pattern)
    with pytest.raises(ClientError, match="ResourceNotFoundException"):
        logs.filter_log_events(logGroupName="/gbg/not", logStreamNamePrefix="a")
