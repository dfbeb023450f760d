"""What an alarm starts: a message to a topic, a scaling policy, a function."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

from gbg_sandbox.service import AwsError
from gbg_sandbox.services.cloudwatch.state import Alarm

if TYPE_CHECKING:
    from gbg_sandbox.cloud import Cloud

SCALING_POLICY = re.compile(r"arn:aws:autoscaling:[^:]+:\d+:scalingPolicy:.+")
TOPIC = re.compile(r"arn:aws:sns:[^:]+:\d+:[^:]+")
FUNCTION = re.compile(r"arn:aws:lambda:[^:]+:\d+:function:.+")
PRINCIPAL = "cloudwatch.amazonaws.com"
FUNCTION_PRINCIPAL = "lambda.alarms.cloudwatch.amazonaws.com"


def check_action(arn: str) -> None:
    """Raise AwsError for an action that the sandbox can't start."""
    if not any(kind.fullmatch(arn) for kind in (SCALING_POLICY, TOPIC, FUNCTION)):
        raise AwsError(
            "ValidationError",
            f"gbg_sandbox's alarms start SNS topics, scaling policies and functions, not {arn}",
        )


def run_action(
    cloud: Cloud, alarm: Alarm, arn: str, described: dict[str, Any], event: dict[str, Any]
) -> None:
    """Start one action of an alarm that was as `described`, and told as `event`, when it changed.

    Raises AwsError or botocore's ClientError.
    """
    if SCALING_POLICY.fullmatch(arn):
        cloud.service("autoscaling").alarm_action(arn, described)
    elif TOPIC.fullmatch(arn):
        subject = f'{event["state"]["value"]}: "{alarm.name}" in {cloud.region}'[:100]
        message = json.dumps(_message(cloud, alarm, event), default=str)
        cloud.service("sns").publish_for_service(
            arn, message, acting=PRINCIPAL, source_arn=alarm.arn, subject=subject
        )
    else:
        payload = {
            "source": "aws.cloudwatch",
            "alarmArn": alarm.arn,
            "accountId": cloud.account,
            "time": event["state"]["timestamp"],
            "region": cloud.region,
            "alarmData": event,
        }
        cloud.service("lambda").invoke_for_service(
            arn, json.dumps(payload).encode(), acting=FUNCTION_PRINCIPAL, source_arn=alarm.arn
        )


def state_change(alarm: Alarm, previous: dict[str, Any]) -> dict[str, Any]:
    """The detail of a "CloudWatch Alarm State Change" event, of the state that the alarm has now.

    https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/cloudwatch-and-eventbridge.html
    """
    return {
        "alarmName": alarm.name,
        "state": state_told(alarm),
        "previousState": previous,
        "configuration": {
            "description": alarm.settings.get("AlarmDescription", ""),
            "metrics": [
                {
                    "id": "m1",
                    "metricStat": {
                        "metric": {
                            "namespace": alarm.metric.namespace,
                            "name": alarm.metric.name,
                            "dimensions": dict(alarm.metric.dimensions),
                        },
                        "period": alarm.period_seconds,
                        "stat": alarm.statistic,
                    },
                    "returnData": True,
                }
            ],
        },
    }


def state_told(alarm: Alarm) -> dict[str, Any]:
    return {
        "value": alarm.state.value,
        "reason": alarm.reason,
        "reasonData": alarm.reason_data,
        "timestamp": alarm.state_updated.strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "+0000",
    }


def state_kept(alarm: Alarm) -> dict[str, Any]:
    """The same in an alarm's history, which has names of its own.

    https://docs.aws.amazon.com/cli/latest/reference/cloudwatch/describe-alarm-history.html#examples
    """
    told = {"stateValue": alarm.state.value, "stateReason": alarm.reason}
    data = json.loads(alarm.reason_data or "{}")
    return told | ({"stateReasonData": data} if data else {})


def _message(cloud: Cloud, alarm: Alarm, event: dict[str, Any]) -> dict[str, Any]:
    """What SNS subscribers get of an alarm."""
    return {
        "AlarmName": alarm.name,
        "AlarmDescription": alarm.settings.get("AlarmDescription"),
        "AWSAccountId": cloud.account,
        "AlarmArn": alarm.arn,
        "NewStateValue": event["state"]["value"],
        "NewStateReason": event["state"]["reason"],
        "StateChangeTime": event["state"]["timestamp"],
        "Region": cloud.region,
        "OldStateValue": event["previousState"]["value"],
        "Trigger": {
            "MetricName": alarm.metric.name,
            "Namespace": alarm.metric.namespace,
            "Statistic": alarm.statistic,
            "Dimensions": [{"name": name, "value": value} for name, value in alarm.metric.dimensions],
            "Period": alarm.period_seconds,
            "EvaluationPeriods": alarm.condition.periods,
            "DatapointsToAlarm": alarm.condition.datapoints,
            "ComparisonOperator": alarm.condition.comparison,
            "Threshold": alarm.condition.threshold,
            "TreatMissingData": alarm.condition.missing,
        },
    }
