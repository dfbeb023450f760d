"""Change sets tell what would happen, and make it happen once."""

from __future__ import annotations

import json

import pytest

from gbg_sandbox.cloud import Cloud
from tests.sandbox.stack_steps import Steps, refused

TEMPLATE = """
Parameters:
  Word: {Type: String, Default: one}
Resources:
  Topic: {Type: AWS::SNS::Topic, Properties: {DisplayName: !Ref Word}}
  Note: {Type: AWS::SSM::Parameter, Properties: {Type: String, Name: /note, Value: !Ref Topic}}
"""
RENAMED = TEMPLATE.replace("{DisplayName:", "{TopicName: named, DisplayName:")


@pytest.fixture
def stacks(cloud: Cloud) -> Steps:
    return Steps(cloud)


def test_a_new_stack_is_reviewed_then_made(stacks: Steps) -> None:
    described = stacks.change("new", TEMPLATE, ChangeSetType="CREATE")
    assert (described["Status"], described["ExecutionStatus"]) == ("CREATE_COMPLETE", "AVAILABLE")
    changes = [change["ResourceChange"] for change in described["Changes"]]
    assert [(c["Action"], c["LogicalResourceId"]) for c in changes] == [("Add", "Topic"), ("Add", "Note")]
    assert stacks.stack("new")["StackStatus"] == "REVIEW_IN_PROGRESS"
    assert stacks.physical("new") == {}
    waiter = stacks.client.get_waiter("change_set_create_complete")
    waiter.wait(StackName="new", ChangeSetName="change")

    stacks.client.execute_change_set(StackName="new", ChangeSetName="change")
    stack = stacks.settle("new")
    assert stack["StackStatus"] == "CREATE_COMPLETE"
    assert stack["ChangeSetId"] == described["ChangeSetId"]
    assert stacks.client.list_change_sets(StackName="new")["Summaries"] == []
    executed = stacks.client.describe_change_set(ChangeSetName=described["ChangeSetId"])
    assert executed["ExecutionStatus"] == "EXECUTE_COMPLETE"


def test_an_update_tells_replacement_and_values(stacks: Steps) -> None:
    stacks.create("pair", TEMPLATE)
    stacks.change("pair", RENAMED)
    described = stacks.client.describe_change_set(
        StackName="pair", ChangeSetName="change", IncludePropertyValues=True
    )
    topic, note = (change["ResourceChange"] for change in described["Changes"])
    assert (topic["Action"], topic["Replacement"], topic["Scope"]) == ("Modify", "True", ["Properties"])
    target = topic["Details"][0]["Target"]
    assert (target["Name"], target["RequiresRecreation"], target["AfterValue"]) == (
        "TopicName",
        "Always",
        "named",
    )
    assert json.loads(topic["AfterContext"])["Properties"]["TopicName"] == "named"
    assert (note["Replacement"], note["Details"][0]["CausingEntity"]) == ("False", "Topic")
    assert note["Details"][0]["Evaluation"] == "Dynamic"
    assert stacks.physical("pair")["Topic"] == topic["PhysicalResourceId"]


def test_nothing_to_change_makes_a_failed_change_set(stacks: Steps) -> None:
    stacks.create("pair", TEMPLATE)
    described = stacks.change("pair", TEMPLATE)
    assert (described["Status"], described["ExecutionStatus"]) == ("FAILED", "UNAVAILABLE")
    assert described["StatusReason"].startswith("The submitted information didn't contain changes.")
    code, message = refused(stacks.client.execute_change_set, StackName="pair", ChangeSetName="change")
    assert code == "InvalidChangeSetStatus"
    assert "cannot be executed in its current status of [FAILED]" in message


def test_properties_are_looked_at_before_anything_is_made(stacks: Steps) -> None:
    described = stacks.change("new", TEMPLATE.replace("DisplayName", "DisplayNam"), ChangeSetType="CREATE")
    assert described["Status"] == "FAILED"
    assert described["StatusReason"] == "Topic: Encountered unsupported property DisplayNam"


def test_a_change_set_is_executed_once_and_ends_the_others(stacks: Steps) -> None:
    stacks.create("pair", TEMPLATE)
    stacks.change("pair", RENAMED)
    stacks.client.create_change_set(
        StackName="pair",
        ChangeSetName="other",
        UsePreviousTemplate=True,
        Parameters=[{"ParameterKey": "Word", "ParameterValue": "two"}],
    )
    assert len(stacks.client.list_change_sets(StackName="pair")["Summaries"]) == 2
    stacks.client.execute_change_set(StackName="pair", ChangeSetName="change")
    assert stacks.settle("pair")["StackStatus"] == "UPDATE_COMPLETE"
    for name in ("change", "other"):
        code, _ = refused(stacks.client.execute_change_set, StackName="pair", ChangeSetName=name)
        assert code == "InvalidChangeSetStatus"


def test_change_sets_can_be_deleted(stacks: Steps) -> None:
    stacks.change("new", TEMPLATE, ChangeSetType="CREATE")
    stacks.client.delete_change_set(StackName="new", ChangeSetName="change")
    code, message = refused(stacks.client.describe_change_set, StackName="new", ChangeSetName="change")
    assert (code, message) == ("ChangeSetNotFound", "ChangeSet [change] does not exist")
    stacks.client.delete_stack(StackName="new")
    assert refused(stacks.client.describe_stacks, StackName="new")[0] == "ValidationError"


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"ChangeSetType": "UPDATE"}, "Stack [new] does not exist"),
        ({"ChangeSetType": "IMPORT"}, "At least one resource to import must be specified"),
        ({"ChangeSetType": "CREATE", "IncludeNestedStacks": True}, "does not run the request parameter"),
    ],
)
def test_what_can_not_be_planned_is_refused(stacks: Steps, options: dict[str, object], said: str) -> None:
    code, message = refused(
        stacks.client.create_change_set,
        StackName="new",
        ChangeSetName="change",
        TemplateBody=TEMPLATE,
        **options,
    )
    assert code == "ValidationError"
    assert said in message


def test_create_needs_a_name_that_is_free(stacks: Steps) -> None:
    stacks.create("pair", TEMPLATE)
    _, message = refused(
        stacks.client.create_change_set,
        StackName="pair",
        ChangeSetName="change",
        ChangeSetType="CREATE",
        TemplateBody=TEMPLATE,
    )
    assert message == "Stack [pair] already exists and cannot be created again with the changeSet [change]."
