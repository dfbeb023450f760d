"""A stack has no more rights than whoever made it, or than its role."""

from __future__ import annotations

import json
from typing import Any

import pytest
from botocore.exceptions import ClientError

from gbg_sandbox.cloud import Cloud
from gbg_sandbox.service import Principal
from tests.sandbox.stack_steps import Steps, refused

TEMPLATE = "Resources: {Topic: {Type: AWS::SNS::Topic, Properties: {TopicName: mine}}}"


def document(*actions: str) -> str:
    statement = {"Effect": "Allow", "Action": actions, "Resource": "*"}
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


def trust(service: str) -> str:
    statement = {"Effect": "Allow", "Principal": {"Service": service}, "Action": "sts:AssumeRole"}
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


def as_user(cloud: Cloud, *actions: str) -> Steps:
    """Steps of a user who may do only these actions."""
    iam = cloud.client("iam")
    user = iam.create_user(UserName="dev")["User"]
    iam.put_user_policy(UserName="dev", PolicyName="p", PolicyDocument=document(*actions))
    steps = Steps(cloud)
    principal = Principal("user", user["Arn"], cloud.account, user_name="dev")
    steps.client = cloud.client("cloudformation", principal=principal)
    return steps


def role(cloud: Cloud, service: str, *actions: str) -> str:
    iam = cloud.client("iam")
    made: dict[str, Any] = iam.create_role(RoleName="stacks", AssumeRolePolicyDocument=trust(service))["Role"]
    iam.put_role_policy(RoleName="stacks", PolicyName="p", PolicyDocument=document(*actions))
    return str(made["Arn"])


def test_a_right_that_the_caller_lacks_fails_the_resource(cloud: Cloud) -> None:
    stacks = as_user(cloud, "cloudformation:*")
    assert stacks.create("mine", TEMPLATE)["StackStatus"] == "ROLLBACK_COMPLETE"
    reason = stacks.reason("mine", "Topic", "CREATE_FAILED")
    assert "user/dev is not authorized to perform: sns:CreateTopic" in reason
    assert "HandlerErrorCode: AccessDenied" in reason


def test_a_right_that_the_caller_has_is_enough(cloud: Cloud) -> None:
    stacks = as_user(cloud, "cloudformation:*", "sns:*")
    assert stacks.create("mine", TEMPLATE)["StackStatus"] == "CREATE_COMPLETE"


def test_a_role_acts_instead_of_its_caller(cloud: Cloud) -> None:
    arn = role(cloud, "cloudformation.amazonaws.com", "sns:*")
    stacks = as_user(cloud, "cloudformation:*", "iam:PassRole")
    stack = stacks.create("mine", TEMPLATE, RoleARN=arn)
    assert (stack["StackStatus"], stack["RoleARN"]) == ("CREATE_COMPLETE", arn)
    stacks.client.delete_stack(StackName="mine")
    assert stacks.settle(stack["StackId"])["StackStatus"] == "DELETE_COMPLETE"


@pytest.mark.parametrize(
    ("service", "rights", "said"),
    [
        ("ec2.amazonaws.com", ["cloudformation:*", "iam:PassRole"], "is invalid or cannot be assumed"),
        ("cloudformation.amazonaws.com", ["cloudformation:*"], "not authorized to perform: iam:PassRole"),
    ],
)
def test_a_role_must_trust_and_be_passed(cloud: Cloud, service: str, rights: list[str], said: str) -> None:
    arn = role(cloud, service, "sns:*")
    stacks = as_user(cloud, *rights)
    _, message = refused(stacks.client.create_stack, StackName="mine", TemplateBody=TEMPLATE, RoleARN=arn)
    assert said in message


def test_a_change_set_that_is_named_by_its_arn_belongs_to_its_stack(cloud: Cloud) -> None:
    iam = cloud.client("iam")
    user = iam.create_user(UserName="dev")["User"]
    mine = cloud.arn("cloudformation", "stack/mine/*")
    statement = {"Effect": "Allow", "Action": "cloudformation:*", "Resource": mine}
    policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    iam.put_user_policy(UserName="dev", PolicyName="p", PolicyDocument=policy)
    client = cloud.client(
        "cloudformation", principal=Principal("user", user["Arn"], cloud.account, user_name="dev")
    )
    asked = {"ChangeSetName": "c", "ChangeSetType": "CREATE", "TemplateBody": TEMPLATE}
    own = client.create_change_set(StackName="mine", **asked)["Id"]
    others = cloud.client("cloudformation").create_change_set(StackName="other", **asked)["Id"]
    assert client.describe_change_set(ChangeSetName=own)["StackName"] == "mine"
    for operation in (client.describe_change_set, client.execute_change_set, client.delete_change_set):
        with pytest.raises(ClientError, match="not authorized to perform"):
            operation(ChangeSetName=others)
