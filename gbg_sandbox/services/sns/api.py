"""SNS: moto keeps topics and subscriptions; a message goes to Lambda subscribers and onto the event stream.

No mail, text message or HTTP request leaves this machine: e-mail and SMS subscriptions are kept, the message
itself is published as a notice that the sandbox's page shows. Other protocols are refused.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator, Mapping
from typing import Any

from gbg_sandbox.authorisation import authorise_service, resource_policies
from gbg_sandbox.service import AwsError, Call, Service, runs, stored

KEPT_PROTOCOLS = ("email", "email-json", "sms")
KEPT_ATTRIBUTES = ("RawMessageDelivery",)
PRINCIPAL = "sns.amazonaws.com"
MOST_MESSAGE_BYTES = 256 * 1024
MOST_SUBJECT = 100
ALARMS = "cloudwatch.amazonaws.com"


class Sns(Service):
    name = "sns"
    forwards = frozenset(
        {
            *("DeleteTopic", "ListTopics", "GetTopicAttributes"),
            *("ListSubscriptions", "ListSubscriptionsByTopic", "Unsubscribe"),
            "GetSubscriptionAttributes",
            *("AddPermission", "RemovePermission"),
            *("TagResource", "UntagResource", "ListTagsForResource"),
        }
    )

    @stored
    def create_topic(self, call: Call, params: dict[str, Any]) -> dict[str, Any]:
        _check_policy(params.get("Attributes", {}).get("Policy"))
        return self._stored("create_topic", **params)

    @runs
    def set_topic_attributes(self, call: Call, params: dict[str, Any]) -> None:
        """A topic's policy decides at once who may publish."""
        if params["AttributeName"] == "Policy":
            _check_policy(params.get("AttributeValue"))
        self._stored("set_topic_attributes", **params)

    @runs
    def subscribe(self, call: Call, params: dict[str, Any]) -> dict[str, Any]:
        protocol = params["Protocol"]
        if protocol not in (*KEPT_PROTOCOLS, "lambda"):
            raise _invalid(
                f"gbg_sandbox does not deliver SNS messages by {protocol}; "
                f"it has {', '.join((*KEPT_PROTOCOLS, 'lambda'))}"
            )
        if "FilterPolicy" in params.get("Attributes", {}):
            raise _invalid("gbg_sandbox does not filter SNS messages")
        wanted = {key: value for key, value in params.items() if key != "ReturnSubscriptionArn"}
        arn = self._stored("subscribe", **wanted)["SubscriptionArn"]
        pending = protocol.startswith("email") and not params.get("ReturnSubscriptionArn")
        return {"SubscriptionArn": "pending confirmation" if pending else arn}

    @stored
    def set_subscription_attributes(self, call: Call, params: dict[str, Any]) -> None:
        if params["AttributeName"] not in KEPT_ATTRIBUTES:
            raise _invalid(f"gbg_sandbox does not run the subscription attribute {params['AttributeName']}")
        self._stored("set_subscription_attributes", **params)

    @runs
    def publish(self, call: Call, params: dict[str, Any]) -> dict[str, Any]:
        topic = params.get("TopicArn") or params.get("TargetArn")
        if not topic:
            raise _invalid("gbg_sandbox publishes to topics only")
        for name in ("MessageGroupId", "MessageDeduplicationId"):
            if params.get(name):
                raise _invalid(f"gbg_sandbox has no FIFO topics, which {name} is for")
        self._stored("get_topic_attributes", TopicArn=topic)
        message = _message(params)
        attributes = {
            name: {"Type": one["DataType"], "Value": one.get("StringValue", "")}
            for name, one in params.get("MessageAttributes", {}).items()
        }
        return {"MessageId": self._publish(topic, message, params.get("Subject", ""), attributes)}

    def publish_for_service(
        self, topic_arn: str, message: str, *, acting: str, source_arn: str, subject: str = ""
    ) -> str:
        """Publish as an AWS service, if the topic's own policy lets it; returns the message id.

        Raises AwsError. A topic's default policy lets CloudWatch's alarms in, but not EventBridge, as on AWS.
        """
        self._stored("get_topic_attributes", TopicArn=topic_arn)
        context = {"aws:SourceArn": source_arn}
        if acting != ALARMS:
            context["aws:SourceOwner"] = ""
        authorise_service(self.cloud, acting, "SNS:Publish", topic_arn, context)
        return self._publish(topic_arn, message, subject)

    def _publish(
        self, topic: str, message: str, subject: str, attributes: Mapping[str, dict[str, str]] | None = None
    ) -> str:
        message_id = str(uuid.uuid4())
        subscribers = list(self._subscribers(topic))
        notice = {
            "topicArn": topic,
            "messageId": message_id,
            "subject": subject,
            "message": message,
            "attributes": attributes or {},
            "subscribers": [f"{one['Protocol']}:{one['Endpoint']}" for one in subscribers],
        }
        self.cloud.events.publish("gbg.sandbox", "SNS Message Published", notice, [topic])
        for one in subscribers:
            if one["Protocol"] == "lambda":
                self.cloud.spawn(f"sns to {one['Endpoint']}", self._to_lambda, one, notice)
        return message_id

    def _subscribers(self, topic: str) -> Iterator[dict[str, Any]]:
        token: dict[str, str] = {}
        while True:
            answer = self._stored("list_subscriptions_by_topic", TopicArn=topic, **token)
            yield from answer["Subscriptions"]
            if not answer.get("NextToken"):
                return
            token = {"NextToken": answer["NextToken"]}

    def _to_lambda(self, subscription: dict[str, Any], notice: dict[str, Any]) -> None:
        record = {
            "EventSource": "aws:sns",
            "EventVersion": "1.0",
            "EventSubscriptionArn": subscription["SubscriptionArn"],
            "Sns": {
                "Type": "Notification",
                "MessageId": notice["messageId"],
                "TopicArn": notice["topicArn"],
                "Subject": notice["subject"] or None,
                "Message": notice["message"],
                "Timestamp": self.cloud.clock.now().strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z",
                "MessageAttributes": notice["attributes"],
            },
        }
        self.cloud.service("lambda").invoke_for_service(
            subscription["Endpoint"],
            json.dumps({"Records": [record]}).encode(),
            acting=PRINCIPAL,
            source_arn=notice["topicArn"],
        )


def _check_policy(document: str | None) -> None:
    if document:
        try:
            resource_policies.check(document)
        except ValueError as error:
            raise _invalid(f"Policy Error: {error}") from error


def _invalid(message: str) -> AwsError:
    return AwsError("InvalidParameter", f"Invalid parameter: {message}")


def _message(params: dict[str, Any]) -> str:
    """The message that subscribers get. Raises AwsError."""
    message: str = params["Message"]
    if not message:
        raise _invalid("Empty message")
    if len(message.encode()) > MOST_MESSAGE_BYTES:
        raise _invalid("Message too long")
    if len(params.get("Subject", "")) > MOST_SUBJECT:
        raise _invalid("Subject")
    if params.get("MessageStructure") != "json":
        return message
    try:
        return str(json.loads(message)["default"])
    except (ValueError, KeyError, TypeError) as error:
        raise _invalid("Message Structure - No default entry in JSON message body") from error


SERVICE = Sns
