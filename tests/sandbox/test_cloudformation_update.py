"""Updates: in place, by replacement, rolled back, continued; and deletion."""

from __future__ import annotations

import json

import pytest

from gbg_sandbox.cloud import Cloud
from tests.sandbox.stack_steps import Steps, refused

PAIR = """
Parameters:
  Word: {Type: String, Default: one}
Resources:
  Topic: {Type: AWS::SNS::Topic, Properties: {DisplayName: !Ref Word}}
  Note: {Type: AWS::SSM::Parameter, Properties: {Type: String, Name: /NAME, Value: !Ref Topic}}
Outputs:
  Topic: {Value: !Ref Topic}
"""
TEMPLATE = PAIR.replace("NAME", "note")


def word(value: str) -> list[dict[str, str]]:
    return [{"ParameterKey": "Word", "ParameterValue": value}]


@pytest.fixture
def stacks(cloud: Cloud) -> Steps:
    made = Steps(cloud)
    assert made.create("pair", TEMPLATE)["StackStatus"] == "CREATE_COMPLETE"
    return made


def display_name(cloud: Cloud, topic: str) -> str:
    return str(cloud.client("sns").get_topic_attributes(TopicArn=topic)["Attributes"]["DisplayName"])


def test_only_what_changed_is_updated(stacks: Steps, cloud: Cloud) -> None:
    before = stacks.physical("pair")
    assert stacks.update("pair", TEMPLATE, Parameters=word("two"))["StackStatus"] == "UPDATE_COMPLETE"
    assert stacks.physical("pair") == before
    assert display_name(cloud, before["Topic"]) == "two"
    assert stacks.statuses("pair", "Topic")[-2:] == ["UPDATE_IN_PROGRESS", "UPDATE_COMPLETE"]
    assert stacks.statuses("pair", "Note")[-1] == "CREATE_COMPLETE"
    assert stacks.statuses("pair", "pair")[-3:] == [
        "UPDATE_IN_PROGRESS",
        "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS",
        "UPDATE_COMPLETE",
    ]


def test_an_update_without_changes_is_refused(stacks: Steps) -> None:
    said = ("ValidationError", "No updates are to be performed.")
    assert refused(stacks.client.update_stack, StackName="pair", UsePreviousTemplate=True) == said


def test_an_output_alone_is_a_change(stacks: Steps) -> None:
    stack = stacks.update("pair", TEMPLATE + "  More: {Value: !Ref Word}\n")
    assert stack["StackStatus"] == "UPDATE_COMPLETE"
    assert stacks.outputs("pair")["More"] == "one"


def test_a_replacement_comes_before_the_old_one_goes(stacks: Steps, cloud: Cloud) -> None:
    old = stacks.physical("pair")["Topic"]
    text = TEMPLATE.replace("{DisplayName:", "{TopicName: named, DisplayName:")
    assert stacks.update("pair", text)["StackStatus"] == "UPDATE_COMPLETE"
    new = stacks.physical("pair")["Topic"]
    assert new.endswith(":named")
    assert cloud.client("ssm").get_parameter(Name="/note")["Parameter"]["Value"] == new
    assert [t["TopicArn"] for t in cloud.client("sns").list_topics()["Topics"]] == [new]
    events = stacks.events("pair")
    created = events.index(("Topic", "UPDATE_COMPLETE", ""))
    cleaned = events.index(("pair", "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS", ""))
    deleted = events.index(("Topic", "DELETE_COMPLETE", ""))
    assert created < cleaned < deleted
    assert old != new


def test_a_named_resource_is_not_replaced(stacks: Steps) -> None:
    group = "{GroupName: g, GroupDescription: WHY}"
    named = f"Resources: {{Repo: {{Type: AWS::EC2::SecurityGroup, Properties: {group}}}}}"
    stacks.create("named", named.replace("WHY", "a"))
    assert stacks.update("named", named.replace("WHY", "b"))["StackStatus"] == "UPDATE_ROLLBACK_COMPLETE"
    assert "cannot update a stack when a custom-named resource requires replacing" in stacks.reason(
        "named", "Repo", "UPDATE_FAILED"
    )


def test_a_resource_taken_out_is_deleted_unless_retained(stacks: Steps, cloud: Cloud) -> None:
    more = "  Gone: {Type: AWS::SNS::Topic}\n  Kept: {Type: AWS::SNS::Topic, DeletionPolicy: Retain}\n"
    stacks.update("pair", TEMPLATE.replace("Outputs:", more + "Outputs:"))
    topics = stacks.physical("pair")
    stacks.update("pair", TEMPLATE)
    assert stacks.statuses("pair", "Kept")[-1] == "DELETE_SKIPPED"
    assert stacks.statuses("pair", "Gone")[-1] == "DELETE_COMPLETE"
    left = {t["TopicArn"] for t in cloud.client("sns").list_topics()["Topics"]}
    assert topics["Kept"] in left
    assert topics["Gone"] not in left
    assert set(stacks.physical("pair")) == {"Topic", "Note"}


BROKEN = TEMPLATE.replace(
    "Outputs:",
    "  New: {Type: AWS::SNS::Topic}\n"
    "  Bad: {Type: AWS::SSM::Parameter, DependsOn: [Topic, New], "
    "Properties: {Type: String, Name: /taken, Value: x}}\n"
    "Outputs:",
)


def test_a_failed_update_returns_to_what_was(stacks: Steps, cloud: Cloud) -> None:
    cloud.client("ssm").put_parameter(Name="/taken", Type="String", Value="mine")
    before = stacks.physical("pair")
    stack = stacks.update("pair", BROKEN, Parameters=word("two"))
    assert stack["StackStatus"] == "UPDATE_ROLLBACK_COMPLETE"
    assert stack["Parameters"] == [{"ParameterKey": "Word", "ParameterValue": "one"}]
    assert stacks.physical("pair") == before
    assert display_name(cloud, before["Topic"]) == "one"
    assert len(cloud.client("sns").list_topics()["Topics"]) == 1
    assert stacks.statuses("pair", "pair")[-4:] == [
        "UPDATE_IN_PROGRESS",
        "UPDATE_ROLLBACK_IN_PROGRESS",
        "UPDATE_ROLLBACK_COMPLETE_CLEANUP_IN_PROGRESS",
        "UPDATE_ROLLBACK_COMPLETE",
    ]
    assert stacks.reason("pair", "pair", "UPDATE_ROLLBACK_IN_PROGRESS") == (
        "The following resource(s) failed to update: [Bad]. "
    )


def test_a_replaced_resource_comes_back_on_rollback(stacks: Steps, cloud: Cloud) -> None:
    cloud.client("ssm").put_parameter(Name="/taken", Type="String", Value="mine")
    before = stacks.physical("pair")
    text = BROKEN.replace("{DisplayName:", "{TopicName: named, DisplayName:")
    assert stacks.update("pair", text)["StackStatus"] == "UPDATE_ROLLBACK_COMPLETE"
    assert stacks.physical("pair") == before
    assert cloud.client("ssm").get_parameter(Name="/note")["Parameter"]["Value"] == before["Topic"]
    assert [t["TopicArn"] for t in cloud.client("sns").list_topics()["Topics"]] == [before["Topic"]]


def test_a_failed_update_can_be_left_and_mended(stacks: Steps, cloud: Cloud) -> None:
    ssm = cloud.client("ssm")
    ssm.put_parameter(Name="/taken", Type="String", Value="mine")
    assert stacks.update("pair", BROKEN, DisableRollback=True)["StackStatus"] == "UPDATE_FAILED"
    ssm.delete_parameter(Name="/taken")
    assert stacks.update("pair", BROKEN)["StackStatus"] == "UPDATE_COMPLETE"
    assert ssm.get_parameter(Name="/taken")["Parameter"]["Value"] == "x"
    assert len(cloud.client("sns").list_topics()["Topics"]) == 2


def policy(effect: str, action: str) -> dict[str, object]:
    return {"Version": "2012-10-17", "Statement": {"Effect": effect, "Action": action, "Resource": "*"}}


@pytest.mark.parametrize("skip", [[], ["Topic"]])
def test_a_rollback_that_fails_is_continued(stacks: Steps, cloud: Cloud, skip: list[str]) -> None:
    """The update itself takes away the right that its rollback needs."""
    cloud.client("ssm").put_parameter(Name="/taken", Type="String", Value="mine")
    iam = cloud.client("iam")
    trust = policy("Allow", "sts:AssumeRole")
    del trust["Statement"]["Resource"]  # type: ignore[attr-defined]
    trust["Statement"]["Principal"] = {"Service": "cloudformation.amazonaws.com"}  # type: ignore[index]
    role = iam.create_role(RoleName="deployer", AssumeRolePolicyDocument=json.dumps(trust))["Role"]["Arn"]
    allow = json.dumps(policy("Allow", "*"))
    iam.put_role_policy(RoleName="deployer", PolicyName="all", PolicyDocument=allow)
    deny = json.dumps(
        {
            "Type": "AWS::IAM::Policy",
            "DependsOn": "Topic",
            "Properties": {
                "PolicyName": "deny",
                "Roles": ["deployer"],
                "PolicyDocument": policy("Deny", "sns:SetTopicAttributes"),
            },
        }
    )
    text = BROKEN.replace("[Topic, New]", "[Topic, Deny]").replace("Outputs:", f"  Deny: {deny}\nOutputs:")
    options = {"RoleARN": role, "Capabilities": ["CAPABILITY_IAM"]}
    stack = stacks.update("pair", text, Parameters=word("two"), **options)
    assert stack["StackStatus"] == "UPDATE_ROLLBACK_FAILED"
    assert stack["StackStatusReason"] == "The following resource(s) failed to update: [Topic]. "
    assert "HandlerErrorCode: AccessDenied" in stacks.reason("pair", "Topic", "UPDATE_FAILED")

    if not skip:
        iam.delete_role_policy(RoleName="deployer", PolicyName="deny")
    stacks.client.continue_update_rollback(StackName="pair", ResourcesToSkip=skip)
    assert stacks.settle("pair")["StackStatus"] == "UPDATE_ROLLBACK_COMPLETE"
    assert display_name(cloud, stacks.physical("pair")["Topic"]) == ("two" if skip else "one")
    assert set(stacks.physical("pair")) == {"Topic", "Note"}


def test_deletion_takes_dependents_first_and_keeps_what_is_retained(stacks: Steps, cloud: Cloud) -> None:
    stack = stacks.delete("pair")
    assert stack["StackStatus"] == "DELETE_COMPLETE"
    events = [(who, what) for who, what, _ in stacks.events(stack["StackId"])]
    assert events.index(("Note", "DELETE_COMPLETE")) < events.index(("Topic", "DELETE_IN_PROGRESS"))
    assert cloud.client("sns").list_topics()["Topics"] == []
    assert refused(stacks.client.describe_stacks, StackName="pair")[1] == "Stack with id pair does not exist"
    summaries = stacks.client.list_stacks(StackStatusFilter=["DELETE_COMPLETE"])["StackSummaries"]
    assert [s["StackName"] for s in summaries] == ["pair"]


def test_what_can_not_be_deleted_can_be_retained(stacks: Steps, cloud: Cloud) -> None:
    stacks.create(
        "full", "Resources: {Bucket: {Type: AWS::S3::Bucket, Properties: {BucketName: full-bucket}}}"
    )
    cloud.client("s3").put_object(Bucket="full-bucket", Key="a", Body=b"x")
    stack = stacks.delete("full")
    assert stack["StackStatus"] == "DELETE_FAILED"
    assert stack["StackStatusReason"] == "The following resource(s) failed to delete: [Bucket]. "
    assert "not empty" in stacks.reason("full", "Bucket", "DELETE_FAILED")
    assert stacks.delete("full", RetainResources=["Bucket"])["StackStatus"] == "DELETE_COMPLETE"
    assert cloud.client("s3").list_objects_v2(Bucket="full-bucket")["KeyCount"] == 1


def test_a_protected_stack_is_not_deleted(stacks: Steps) -> None:
    stacks.client.update_termination_protection(StackName="pair", EnableTerminationProtection=True)
    _, message = refused(stacks.client.delete_stack, StackName="pair")
    assert "TerminationProtection is enabled" in message
    assert stacks.stack("pair")["StackStatus"] == "CREATE_COMPLETE"


def test_exports_are_imported_and_guarded(stacks: Steps) -> None:
    base = TEMPLATE + "  Shared: {Value: !Ref Word, Export: {Name: shared-word}}\n"
    stacks.update("pair", base)
    user = (
        "Resources: {P: {Type: AWS::SSM::Parameter, "
        "Properties: {Type: String, Name: /user, Value: !ImportValue shared-word}}}"
    )
    assert stacks.create("user", user)["StackStatus"] == "CREATE_COMPLETE"
    assert stacks.client.list_imports(ExportName="shared-word")["Imports"] == ["user"]
    exports = stacks.client.list_exports()["Exports"]
    assert [(e["Name"], e["Value"]) for e in exports] == [("shared-word", "one")]

    stack = stacks.update("pair", base, Parameters=word("two"))
    assert stack["StackStatus"] == "UPDATE_ROLLBACK_COMPLETE"
    assert "Export shared-word cannot be updated as it is in use by user" in stacks.reason(
        "pair", "pair", "UPDATE_ROLLBACK_IN_PROGRESS"
    )
    stack = stacks.delete("pair")
    assert stack["StackStatus"] == "DELETE_FAILED"
    assert "Cannot delete export shared-word as it is in use by user" in stack["StackStatusReason"]
    assert stacks.delete("user")["StackStatus"] == "DELETE_COMPLETE"
    assert stacks.delete("pair")["StackStatus"] == "DELETE_COMPLETE"


def test_an_export_that_is_not_there(stacks: Steps) -> None:
    text = "Resources: {T: {Type: AWS::SNS::Topic, Properties: {DisplayName: !ImportValue nix}}}"
    stacks.create("user", text)
    assert stacks.reason("user", "T", "CREATE_FAILED") == "No export named nix found."
