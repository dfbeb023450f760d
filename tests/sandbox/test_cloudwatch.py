"""Metrics come back as they were put, alarms change state by them and start their actions."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError

from gbg_sandbox.cloud import Cloud
from gbg_sandbox.events import Event
from gbg_sandbox.service import Call
from tests.sandbox.places import eventually

DIMENSIONS = [{"Name": "Colour", "Value": "blue"}]


@pytest.fixture
def cloudwatch(cloud: Cloud) -> Any:
    """Over HTTP, in the protocol that boto3 speaks of itself."""
    root = cloud.credentials.issue(cloud.aws)
    return boto3.client(
        "cloudwatch",
        region_name=cloud.region,
        endpoint_url=cloud.endpoint_url,
        aws_access_key_id=root.access_key,
        aws_secret_access_key=root.secret_key,
    )


@pytest.fixture
def put(cloudwatch: Any) -> Callable[..., None]:
    def put(*values: float, **more: Any) -> None:
        data = [
            {"MetricName": "Errors", "Dimensions": DIMENSIONS, "Value": value, **more} for value in values
        ]
        cloudwatch.put_metric_data(Namespace="App", MetricData=data)

    return put


def alarm(cloudwatch: Any, **more: Any) -> None:
    cloudwatch.put_metric_alarm(
        **{
            "AlarmName": "errors", "Namespace": "App", "MetricName": "Errors", "Dimensions": DIMENSIONS,
            "Statistic": "Sum", "Period": 60, "EvaluationPeriods": 1, "Threshold": 3.0,
            "ComparisonOperator": "GreaterThanOrEqualToThreshold", "TreatMissingData": "notBreaching", **more,
        }
    )  # fmt: skip


def state(cloudwatch: Any) -> str:
    return str(cloudwatch.describe_alarms(AlarmNames=["errors"])["MetricAlarms"][0]["StateValue"])


def changes(cloud: Cloud) -> list[Event]:
    """An alarm's changes of state, oldest first."""
    return [event for event in cloud.events.since(0) if event.source == "aws.cloudwatch"]


def test_statistics_over_what_was_put(cloudwatch: Any, put: Callable[..., None]) -> None:
    minute = datetime.now(UTC).replace(second=0, microsecond=0) - timedelta(minutes=3)
    put(1.0, 2.0, Timestamp=minute + timedelta(seconds=5), Unit="Count")
    put(9.0, Timestamp=minute + timedelta(seconds=65), Unit="Count")
    span = {"StartTime": minute, "EndTime": minute + timedelta(minutes=5)}
    found = cloudwatch.get_metric_statistics(
        Namespace="App", MetricName="Errors", Dimensions=DIMENSIONS, Period=60,
        Statistics=["Sum", "Maximum", "SampleCount"], ExtendedStatistics=["p50"], **span,
    )["Datapoints"]  # fmt: skip
    assert [(one["Timestamp"], one["Sum"], one["SampleCount"], one["Unit"]) for one in found] == [
        (minute, 3.0, 2.0, "Count"),
        (minute + timedelta(minutes=1), 9.0, 1.0, "Count"),
    ]
    assert found[0]["ExtendedStatistics"] == {"p50": 1.0}
    metric = {"Namespace": "App", "MetricName": "Errors", "Dimensions": DIMENSIONS}
    query = {"Id": "e", "MetricStat": {"Metric": metric, "Period": 300, "Stat": "Maximum"}}
    result = cloudwatch.get_metric_data(MetricDataQueries=[query], **span)["MetricDataResults"][0]
    assert max(result["Values"]) == 9.0
    listed = cloudwatch.list_metrics(Namespace="App", Dimensions=[{"Name": "Colour"}])["Metrics"]
    assert listed == [metric]
    assert cloudwatch.list_metrics(Namespace="App", MetricName="Other")["Metrics"] == []


def test_an_alarm_follows_its_metric_and_tells_everyone(
    cloud: Cloud, cloudwatch: Any, put: Callable[..., None]
) -> None:
    topic = cloud.client("sns").create_topic(Name="alarms")["TopicArn"]
    alarm(cloudwatch, AlarmActions=[topic], OKActions=[topic])
    eventually(lambda: state(cloudwatch) == "OK")
    put(1.0, 2.0)
    eventually(lambda: len(changes(cloud)) == 3)
    assert state(cloudwatch) == "OK"
    found = changes(cloud)
    assert {event.detail_type for event in found} == {"CloudWatch Alarm State Change"}
    assert [event.detail["state"]["value"] for event in found] == ["OK", "ALARM", "OK"]
    previous = [event.detail["previousState"]["value"] for event in found]
    assert previous == ["INSUFFICIENT_DATA", "OK", "ALARM"]
    assert "Threshold Crossed: 1 out of the last 1 datapoints [3.0" in found[1].detail["state"]["reason"]

    def published() -> list[Any]:
        return [event for event in cloud.events.since(0) if event.detail_type == "SNS Message Published"]

    eventually(lambda: len(published()) == 3)
    message = json.loads(published()[1].detail["message"])
    assert (message["NewStateValue"], message["AlarmName"]) == ("ALARM", "errors")
    history = cloudwatch.describe_alarm_history(AlarmName="errors", HistoryItemType="StateUpdate")
    assert [item["HistorySummary"] for item in history["AlarmHistoryItems"]] == [
        "Alarm updated from ALARM to OK",
        "Alarm updated from OK to ALARM",
        "Alarm updated from INSUFFICIENT_DATA to OK",
    ]
    told = json.loads(history["AlarmHistoryItems"][1]["HistoryData"])
    assert (told["oldState"]["stateValue"], told["newState"]["stateValue"]) == ("OK", "ALARM")
    assert told["newState"]["stateReason"] == found[1].detail["state"]["reason"]
    assert told["newState"]["stateReasonData"]["recentDatapoints"] == [3.0]


def test_a_reason_that_is_no_json_changes_no_state(cloud: Cloud, cloudwatch: Any) -> None:
    alarm(cloudwatch)
    before = state(cloudwatch)
    with pytest.raises(ClientError, match=r"InvalidFormat.*StateReasonData"):
        cloudwatch.set_alarm_state(
            AlarmName="errors", StateValue="ALARM", StateReason="a try", StateReasonData="{"
        )
    assert state(cloudwatch) in (before, "OK")


def test_a_look_that_comes_late_makes_up_for_the_periods_before(cloud: Cloud, cloudwatch: Any) -> None:
    """As on a machine that is busy with other things for some seconds."""
    alarm(cloudwatch)
    eventually(lambda: state(cloudwatch) == "OK")
    service = cloud.service("cloudwatch")
    with service.lock:
        service.record("App", "Errors", {"Colour": "blue"}, 9.0, "None")
        cloud.clock.pause(3)
    eventually(lambda: len(changes(cloud)) == 3)
    assert [event.detail["state"]["value"] for event in changes(cloud)] == ["OK", "ALARM", "OK"]


def recorded(cloud: Cloud) -> None:
    """By an AWS service."""
    cloud.service("cloudwatch").record("App", "Errors", {"Colour": "blue"}, 9.0, "None")


def sent(cloud: Cloud) -> None:
    """By anybody else."""
    datum = {"MetricName": "Errors", "Dimensions": DIMENSIONS, "Value": 9.0}
    asked = {"Namespace": "App", "MetricData": [datum]}
    cloud.service("cloudwatch").put_metric_data(Call("a request", cloud.aws, cloud.region), asked)


@pytest.mark.parametrize("add", [recorded, sent])
def test_what_comes_in_slowly_is_missed_by_no_alarm(
    cloud: Cloud, cloudwatch: Any, add: Callable[[Cloud], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """As on such a machine, too: it is dated, and takes long until it is there."""
    alarm(cloudwatch)
    eventually(lambda: state(cloudwatch) == "OK")
    usual = cloud.clock.now

    def slow() -> datetime:
        told = usual()
        monkeypatch.setattr(cloud.clock, "now", usual)
        cloud.clock.pause(2)
        return told

    monkeypatch.setattr(cloud.clock, "now", slow)
    add(cloud)
    eventually(lambda: len(changes(cloud)) == 3, 20)
    assert [event.detail["state"]["value"] for event in changes(cloud)] == ["OK", "ALARM", "OK"]


def test_a_topic_that_does_not_let_alarms_in_is_in_the_history(cloud: Cloud, cloudwatch: Any) -> None:
    sns = cloud.client("sns")
    topic = sns.create_topic(Name="closed")["TopicArn"]
    statement = {"Effect": "Allow", "Principal": {"Service": "events.amazonaws.com"}, "Action": "sns:Publish",
                 "Resource": topic}  # fmt: skip
    policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    sns.set_topic_attributes(TopicArn=topic, AttributeName="Policy", AttributeValue=policy)
    alarm(cloudwatch, AlarmActions=[topic])
    cloudwatch.set_alarm_state(AlarmName="errors", StateValue="ALARM", StateReason="a drill")

    def actions() -> list[str]:
        found = cloudwatch.describe_alarm_history(AlarmName="errors", HistoryItemType="Action")
        return [item["HistorySummary"] for item in found["AlarmHistoryItems"]]

    eventually(actions)
    assert actions()[0].startswith(f"Failed to execute action {topic}. Received error:")


def test_disabled_actions_are_not_started(cloud: Cloud, cloudwatch: Any) -> None:
    topic = cloud.client("sns").create_topic(Name="alarms")["TopicArn"]
    alarm(cloudwatch, AlarmActions=[topic])
    cloudwatch.disable_alarm_actions(AlarmNames=["errors"])
    cloudwatch.set_alarm_state(AlarmName="errors", StateValue="ALARM", StateReason="a drill")
    eventually(lambda: state(cloudwatch) == "OK")
    assert "SNS Message Published" not in [event.detail_type for event in cloud.events.since(0)]


def test_alarms_are_found_changed_and_deleted(cloudwatch: Any) -> None:
    alarm(cloudwatch, Tags=[{"Key": "gbg:deployment", "Value": "gbg"}])
    alarm(cloudwatch, Threshold=7.0)
    (found,) = cloudwatch.describe_alarms_for_metric(
        Namespace="App", MetricName="Errors", Dimensions=DIMENSIONS
    )["MetricAlarms"]
    assert found["Threshold"] == 7.0
    tags = cloudwatch.list_tags_for_resource(ResourceARN=found["AlarmArn"])["Tags"]
    assert tags == [{"Key": "gbg:deployment", "Value": "gbg"}]
    cloudwatch.delete_alarms(AlarmNames=["errors"])
    assert cloudwatch.describe_alarms(AlarmNamePrefix="err")["MetricAlarms"] == []
    with pytest.raises(ClientError) as error:
        cloudwatch.set_alarm_state(AlarmName="errors", StateValue="OK", StateReason="x")
    assert error.value.response["Error"]["Code"] == "ResourceNotFound"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"Period": 45}, "Period"),
        ({"DatapointsToAlarm": 2}, "DatapointsToAlarm"),
        ({"AlarmActions": ["arn:aws:automate:us-east-1:ec2:stop"]}, "arn:aws:automate"),
        ({"ComparisonOperator": "GreaterThanUpperThreshold"}, "anomaly"),
        ({"TreatMissingData": "guess"}, "guess"),
        ({"EvaluateLowSampleCountPercentile": "ignore"}, "EvaluateLowSampleCountPercentile"),
    ],
)
def test_alarms_that_are_not_run_are_refused(cloudwatch: Any, change: dict[str, Any], message: str) -> None:
    with pytest.raises(ClientError, match=message):
        alarm(cloudwatch, **change)


def test_aws_namespaces_are_reserved(cloudwatch: Any) -> None:
    with pytest.raises(ClientError) as error:
        cloudwatch.put_metric_data(Namespace="AWS/EC2", MetricData=[{"MetricName": "x", "Value": 1.0}])
    assert error.value.response["Error"]["Code"] == "InvalidParameterValue"
