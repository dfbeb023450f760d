"""Who listens to a topic inside of AWS: a function that is subscribed to it and prints what it hears."""

from __future__ import annotations

import json

from gbg_lib.errors import NotThere
from gbg_lib.stacks import Stacks
from tests.sandbox.e2e.world import World

HEARS = """
import json
def handler(event, context):
    for record in event["Records"]:
        print("heard " + json.dumps([record["Sns"]["Subject"], record["Sns"]["Message"]]))
"""
TEMPLATE = {
    "Resources": {
        "Topic": {"Type": "AWS::SNS::Topic"},
        "Role": {
            "Type": "AWS::IAM::Role",
            "Properties": {
                "AssumeRolePolicyDocument": {
                    "Version": "2012-10-17",
                    "Statement": [
                        {
                            "Effect": "Allow",
                            "Principal": {"Service": "lambda.amazonaws.com"},
                            "Action": "sts:AssumeRole",
                        }
                    ],
                },
                "ManagedPolicyArns": ["arn:aws:iam::aws:policy/service-role/AWSLambdaBasicExecutionRole"],
            },
        },
        "Listener": {
            "Type": "AWS::Lambda::Function",
            "Properties": {
                "Runtime": "python3.13",
                "Handler": "index.handler",
                "Timeout": 60,
                "Role": {"Fn::GetAtt": ["Role", "Arn"]},
                "Code": {"ZipFile": HEARS},
            },
        },
        "Permission": {
            "Type": "AWS::Lambda::Permission",
            "Properties": {
                "Action": "lambda:InvokeFunction",
                "FunctionName": {"Ref": "Listener"},
                "Principal": "sns.amazonaws.com",
                "SourceArn": {"Ref": "Topic"},
            },
        },
        "Subscription": {
            "Type": "AWS::SNS::Subscription",
            "DependsOn": "Permission",
            "Properties": {
                "TopicArn": {"Ref": "Topic"},
                "Protocol": "lambda",
                "Endpoint": {"Fn::GetAtt": ["Listener", "Arn"]},
            },
        },
    },
    "Outputs": {"Topic": {"Value": {"Ref": "Topic"}}, "Listener": {"Value": {"Ref": "Listener"}}},
}


class Listener:
    """A stack of its own, `name`."""

    def __init__(self, world: World, name: str = "listener") -> None:
        self.aws = world.aws
        self.stacks = Stacks(world.aws)
        list(self.stacks.apply(self.stacks.plan(name, json.dumps(TEMPLATE), {}, {})))
        outputs = self.stacks.outputs(name)
        self.topic, self._group = outputs["Topic"], f"/aws/lambda/{outputs['Listener']}"

    def heard(self) -> list[tuple[str, str]]:
        """Subject and message of everything that came so far, oldest first."""
        try:
            events = list(self.aws.pages("logs", "filter_log_events", "events", logGroupName=self._group))
        except NotThere:
            return []
        lines = [
            event["message"].removeprefix("heard ")
            for event in events
            if event["message"].startswith("heard ")
        ]
        return [(subject, message) for subject, message in map(json.loads, lines)]
