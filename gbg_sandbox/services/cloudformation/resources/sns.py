"""Topics, their policies and subscriptions."""

from __future__ import annotations

import json
from typing import Any

from gbg_sandbox.services.cloudformation.intrinsics import as_text
from gbg_sandbox.services.cloudformation.resources.base import (
    Made,
    Properties,
    Provider,
    Task,
    changed,
    given,
    ignore_missing,
    names,
    tag_changes,
    tag_list,
)
from gbg_sandbox.services.cloudformation.resources.iam import as_json

TOPIC_ATTRIBUTES = ("DisplayName", "KmsMasterKeyId", "SignatureVersion", "TracingConfig")
SUBSCRIPTION_ATTRIBUTES = (
    "DeliveryPolicy", "FilterPolicy", "FilterPolicyScope", "RawMessageDelivery", "RedrivePolicy",
    "SubscriptionRoleArn",
)  # fmt: skip


def owner_policy(topic: str, account: str) -> str:
    """The policy that a topic has when nobody gave it one: everything for its own account."""
    statement = {
        "Sid": "__default_statement_ID",
        "Effect": "Allow",
        "Principal": {"AWS": "*"},
        "Action": ["SNS:Publish", "SNS:Subscribe", "SNS:GetTopicAttributes", "SNS:SetTopicAttributes"],
        "Resource": topic,
        "Condition": {"StringEquals": {"AWS:SourceOwner": account}},
    }
    return json.dumps({"Version": "2008-10-17", "Statement": [statement]})


class Topic(Provider):
    type = "AWS::SNS::Topic"
    properties = names("TopicName", "Subscription", "Tags", *TOPIC_ATTRIBUTES)
    attributes = names("TopicArn", "TopicName")
    name_property = "TopicName"

    def create(self, task: Task, new: Properties) -> Made:
        sns = task.client("sns")
        name = new.get("TopicName") or task.name(256)
        wanted = {key: as_text(value) for key, value in given(new, *TOPIC_ATTRIBUTES).items()}
        arn: str = sns.create_topic(Name=name, Attributes=wanted, Tags=tag_list(new))["TopicArn"]
        task.initiated(arn)
        self._subscribe(sns, arn, {}, new)
        return Made(arn, {"TopicArn": arn, "TopicName": name})

    def update(self, task: Task, made: Made, old: Properties, new: Properties) -> Made:
        sns = task.client("sns")
        arn = made.physical_id
        for name in TOPIC_ATTRIBUTES:
            if changed(old, new, name):
                value = as_text(new.get(name, ""))
                sns.set_topic_attributes(TopicArn=arn, AttributeName=name, AttributeValue=value)
        self._subscribe(sns, arn, old, new)
        added, removed = tag_changes(old, new)
        if removed:
            sns.untag_resource(ResourceArn=arn, TagKeys=removed)
        if added:
            sns.tag_resource(ResourceArn=arn, Tags=tag_list({"Tags": added}))
        return made

    def delete(self, task: Task, made: Made, old: Properties) -> None:
        ignore_missing(task.client("sns").delete_topic, TopicArn=made.physical_id)

    @staticmethod
    def _subscribe(sns: Any, arn: str, old: Properties, new: Properties) -> None:
        had = old.get("Subscription", [])
        for subscription in new.get("Subscription", []):
            if subscription not in had:
                sns.subscribe(
                    TopicArn=arn, Protocol=subscription["Protocol"], Endpoint=subscription["Endpoint"]
                )


class TopicPolicy(Provider):
    type = "AWS::SNS::TopicPolicy"
    properties = names("PolicyDocument", "Topics")
    attributes = names("Id")

    def create(self, task: Task, new: Properties) -> Made:
        self._put(task, new["Topics"], as_json(new["PolicyDocument"]))
        name = task.name(64)
        return Made(name, {"Id": name})

    def update(self, task: Task, made: Made, old: Properties, new: Properties) -> Made:
        self._put(task, new["Topics"], as_json(new["PolicyDocument"]))
        self._reset(task, [topic for topic in old["Topics"] if topic not in new["Topics"]])
        return made

    def delete(self, task: Task, made: Made, old: Properties) -> None:
        self._reset(task, old.get("Topics", []))

    @staticmethod
    def _put(task: Task, topics: list[str], document: str) -> None:
        for topic in topics:
            task.client("sns").set_topic_attributes(
                TopicArn=topic, AttributeName="Policy", AttributeValue=document
            )

    @staticmethod
    def _reset(task: Task, topics: list[str]) -> None:
        for topic in topics:
            ignore_missing(
                task.client("sns").set_topic_attributes,
                TopicArn=topic,
                AttributeName="Policy",
                AttributeValue=owner_policy(topic, task.cloud.account),
            )


class Subscription(Provider):
    type = "AWS::SNS::Subscription"
    properties = names("TopicArn", "Protocol", "Endpoint", *SUBSCRIPTION_ATTRIBUTES)
    attributes = names("Arn")

    def create(self, task: Task, new: Properties) -> Made:
        wanted = {key: self._text(value) for key, value in given(new, *SUBSCRIPTION_ATTRIBUTES).items()}
        answer = task.client("sns").subscribe(
            **given(new, "TopicArn", "Protocol", "Endpoint"), Attributes=wanted, ReturnSubscriptionArn=True
        )
        return Made(answer["SubscriptionArn"], {"Arn": answer["SubscriptionArn"]})

    def update(self, task: Task, made: Made, old: Properties, new: Properties) -> Made:
        for name in SUBSCRIPTION_ATTRIBUTES:
            if changed(old, new, name):
                task.client("sns").set_subscription_attributes(
                    SubscriptionArn=made.physical_id,
                    AttributeName=name,
                    AttributeValue=self._text(new.get(name, "")),
                )
        return made

    def delete(self, task: Task, made: Made, old: Properties) -> None:
        ignore_missing(task.client("sns").unsubscribe, SubscriptionArn=made.physical_id)

    @staticmethod
    def _text(value: Any) -> str:
        return json.dumps(value) if isinstance(value, (dict, list)) else as_text(value)
