"""SNS: moto keeps topics and subscriptions; a message goes to Lambda subscribers and onto the event stream.

No mail, text message or HTTP request leaves this machine: e-mail and SMS subscriptions are kept, the message
itself is published as a notice that the sandbox's page shows. Other protocols are refused.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from botocore.exceptions import ClientError

from gbg_sandbox.authorisation import authorise_service
from gbg_sandbox.service import AwsError, Call, Service, runs

KEPT_PROTOCOLS = ("email", "email-json", "sms")
PRINCIPAL = "sns.amazonaws.com"
ALARMS = "cloudwatch.amazonaws.com"


class Sns(Service):
    name = "sns"
    forwards = frozenset(
        {
            *("CreateTopic", "DeleteTopic", "ListTopics", "GetTopicAttributes", "SetTopicAttributes"),
            *("ListSubscriptions", "ListSubscriptionsByTopic", "Unsubscribe"),
            *("GetSubscriptionAttributes", "SetSubscriptionAttributes"),
            *("AddPermission", "RemovePermission"),
            *("TagResource", "UntagResource", "ListTagsForResource"),
        }
    )

    @runs
    def subscribe(self, call: Call, params: dict[str, Any]) -> dict[str, Any]:
        protocol = params["Protocol"]
        if protocol not in (*KEPT_PROTOCOLS, "lambda"):
            raise AwsError(
                "InvalidParameter",
                f"Invalid parameter: gbg_sandbox does not deliver SNS messages by {protocol}; "
                f"it has {', '.join((*KEPT_PROTOCOLS, 'lambda'))}",
            )
        if "FilterPolicy" in params.get("Attributes", {}):
            raise AwsError("InvalidParameter", "Invalid parameter: gbg_sandbox does not filter SNS messages")
        wanted = {key: value for key, value in params.items() if key != "ReturnSubscriptionArn"}
        arn = self._stored("subscribe", **wanted)["SubscriptionArn"]
        pending = protocol.startswith("email") and not params.get("ReturnSubscriptionArn")
        return {"SubscriptionArn": "pending confirmation" if pending else arn}

    @runs
    def publish(self, call: Call, params: dict[str, Any]) -> dict[str, Any]:
        if "TopicArn" not in params and "TargetArn" not in params:
            raise AwsError("InvalidParameter", "Invalid parameter: gbg_sandbox publishes to topics only")
        return {"MessageId": self._publish(params)}

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
        return self._publish(
            {"TopicArn": topic_arn, "Message": message, **({"Subject": subject} if subject else {})}
        )

    def _publish(self, params: dict[str, Any]) -> str:
        topic = params.get("TopicArn") or params["TargetArn"]
        message_id = str(self._stored("publish", **params)["MessageId"])
        subscribers = list(self._subscribers(topic))
        notice = {
            "topicArn": topic,
            "messageId": message_id,
            "subject": params.get("Subject", ""),
            "message": params["Message"],
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
                "MessageAttributes": {},
            },
        }
        self.cloud.service("lambda").invoke_for_service(
            subscription["Endpoint"],
            json.dumps({"Records": [record]}).encode(),
            acting=PRINCIPAL,
            source_arn=notice["topicArn"],
        )

    def _stored(self, operation: str, **params: Any) -> dict[str, Any]:
        try:
            answer: dict[str, Any] = getattr(self.cloud.stored("sns"), operation)(**params)
        except ClientError as error:
            told = error.response["Error"]
            status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 400)
            raise AwsError(told["Code"], told["Message"], status) from error
        return answer


SERVICE = Sns
