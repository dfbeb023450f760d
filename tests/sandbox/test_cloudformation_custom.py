"""Custom resources: a function of the template's author answers, or fails to."""

from __future__ import annotations

import json
from typing import Any

import pytest

from gbg_sandbox.cloud import Cloud
from tests.sandbox.stack_steps import Steps

CODE = """
import json, urllib.request

def handler(event, context):
    wanted = event["ResourceProperties"]
    print(json.dumps({key: event[key] for key in event if key != "ResponseURL"}))
    if wanted.get("Silent") == "true" and event["RequestType"] != "Delete":
        return
    answer = {key: event[key] for key in ("StackId", "RequestId", "LogicalResourceId")}
    answer["PhysicalResourceId"] = "thing-" + wanted["Name"]
    answer["Status"] = "FAILED" if wanted.get("Fail") == event["RequestType"] else "SUCCESS"
    answer["Reason"] = "as asked"
    answer["Data"] = {"Greeting": "hello " + wanted["Name"], "Count": wanted["Count"]}
    request = urllib.request.Request(event["ResponseURL"], json.dumps(answer).encode(), method="PUT")
    urllib.request.urlopen(request).read()
"""
TEMPLATE = {
    "Parameters": {"Name": {"Type": "String", "Default": "one"}},
    "Resources": {
        "Role": {
            "Type": "AWS::IAM::Role",
            "Properties": {
                "AssumeRolePolicyDocument": {
                    "Version": "2012-10-17",
                    "Statement": {
                        "Effect": "Allow",
                        "Principal": {"Service": "lambda.amazonaws.com"},
                        "Action": "sts:AssumeRole",
                    },
                },
                "ManagedPolicyArns": ["arn:aws:iam::aws:policy/service-role/AWSLambdaBasicExecutionRole"],
            },
        },
        "Function": {
            "Type": "AWS::Lambda::Function",
            "Properties": {
                "FunctionName": "answerer",
                "Role": {"Fn::GetAtt": ["Role", "Arn"]},
                "Runtime": "python3.13",
                "Handler": "index.handler",
                "Timeout": 30,
                "Code": {"ZipFile": CODE},
            },
        },
        "Thing": {
            "Type": "Custom::Thing",
            "Properties": {
                "ServiceToken": {"Fn::GetAtt": ["Function", "Arn"]},
                "Name": {"Ref": "Name"},
                "Count": 3,
                "Deep": [{"Truth": True}],
            },
        },
    },
    "Outputs": {
        "Id": {"Value": {"Ref": "Thing"}},
        "Greeting": {"Value": {"Fn::GetAtt": ["Thing", "Greeting"]}},
        "Count": {"Value": {"Fn::GetAtt": "Thing.Count"}},
    },
}
IAM = {"Capabilities": ["CAPABILITY_IAM"]}


def template(**more: Any) -> str:
    """The template with these properties of the custom resource added."""
    made = json.loads(json.dumps(TEMPLATE))
    made["Resources"]["Thing"]["Properties"].update(more)
    return json.dumps(made)


def requests(cloud: Cloud) -> list[dict[str, Any]]:
    """What the function was asked, oldest first, by its log."""
    answer = cloud.client("logs").filter_log_events(logGroupName="/aws/lambda/answerer")
    lines = [event["message"] for event in answer["events"]]
    return [json.loads(line) for line in lines if line.startswith('{"')]


def name(value: str) -> list[dict[str, str]]:
    return [{"ParameterKey": "Name", "ParameterValue": value}]


@pytest.fixture
def stacks(cloud: Cloud) -> Steps:
    return Steps(cloud)


def test_the_function_makes_changes_and_deletes(stacks: Steps, cloud: Cloud) -> None:
    stack = stacks.create("custom", template(), **IAM)
    assert stack["StackStatus"] == "CREATE_COMPLETE", stacks.failures("custom")
    assert stacks.outputs("custom") == {"Id": "thing-one", "Greeting": "hello one", "Count": "3"}
    stack = stacks.delete("custom")
    assert stack["StackStatus"] == "DELETE_COMPLETE", stacks.failures(stack["StackId"])
    made, gone = requests(cloud)
    assert (made["RequestType"], made["ResourceType"]) == ("Create", "Custom::Thing")
    wanted = made["ResourceProperties"]
    assert (wanted["Count"], wanted["Deep"]) == ("3", [{"Truth": "true"}])
    assert (gone["RequestType"], gone["PhysicalResourceId"]) == ("Delete", "thing-one")


def test_a_new_physical_id_means_that_the_old_one_is_deleted(stacks: Steps, cloud: Cloud) -> None:
    stacks.create("custom", template(), **IAM)
    stack = stacks.update("custom", template(), Parameters=name("two"), **IAM)
    assert stack["StackStatus"] == "UPDATE_COMPLETE", stacks.failures("custom")
    assert stacks.outputs("custom")["Greeting"] == "hello two"
    asked = [(request["RequestType"], request.get("PhysicalResourceId")) for request in requests(cloud)]
    assert asked == [("Create", None), ("Update", "thing-one"), ("Delete", "thing-one")]
    assert requests(cloud)[1]["OldResourceProperties"]["Name"] == "one"


def test_a_failed_answer_fails_the_stack_and_is_cleaned_up(stacks: Steps, cloud: Cloud) -> None:
    stack = stacks.create("custom", template(Fail="Create"), **IAM)
    assert stack["StackStatus"] == "ROLLBACK_COMPLETE", stacks.failures("custom")
    reason = stacks.reason("custom", "Thing", "CREATE_FAILED")
    assert reason.startswith(
        "Received response status [FAILED] from custom resource. Message returned: as asked (RequestId: "
    )
    asked = [(request["RequestType"], request.get("PhysicalResourceId")) for request in requests(cloud)]
    assert asked == [("Create", None), ("Delete", "thing-one")]


def test_a_failed_update_leaves_the_old_one(stacks: Steps, cloud: Cloud) -> None:
    stacks.create("custom", template(), **IAM)
    stack = stacks.update("custom", template(Fail="Update"), **IAM)
    assert stack["StackStatus"] == "UPDATE_ROLLBACK_COMPLETE", stacks.failures("custom")
    assert stacks.outputs("custom")["Id"] == "thing-one"
    kinds = [request["RequestType"] for request in requests(cloud)]
    assert kinds == ["Create", "Update", "Update"]


def test_a_function_that_does_not_answer_times_out(stacks: Steps) -> None:
    stack = stacks.create("custom", template(Silent="true", ServiceTimeout=3), **IAM)
    assert stack["StackStatus"] == "ROLLBACK_COMPLETE", stacks.failures("custom")
    reason = stacks.reason("custom", "Thing", "CREATE_FAILED")
    assert reason.startswith("CloudFormation did not receive a response from your Custom Resource.")


def test_nobody_else_can_answer(cloud: Cloud) -> None:
    from urllib.error import HTTPError
    from urllib.request import Request, urlopen

    pending = cloud.service("cloudformation").responses.expect("arn:stack", "Thing")
    wrong = pending.url.replace(pending.signature, "guessed")
    with pytest.raises(HTTPError) as caught:
        urlopen(Request(wrong, b"{}", method="PUT"))
    assert caught.value.code == 403
    assert not pending.answered.is_set()
    urlopen(Request(pending.url, b'{"Status": "SUCCESS"}', method="PUT")).read()
    assert pending.read()["Status"] == "SUCCESS"
