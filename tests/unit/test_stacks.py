"""Stacks: a plan only describes, what is there is skipped, a failure names what failed first."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from gbg_lib.errors import AwsError, NotThere, StackFailed
from gbg_lib.stacks import Stacks
from tests.unit.aws_fakes import connected, refusal

NOW = datetime(2026, 11, 24, 1, 0, tzinfo=UTC)
STACK = "AWS::CloudFormation::Stack"
QUEUE = ("Queue", "AWS::SQS::Queue")
Event = tuple[str, str, str, str]
"""resource, type, status, reason"""
MADE: list[Event] = [
    ("shop", STACK, "CREATE_IN_PROGRESS", ""),
    (*QUEUE, "CREATE_IN_PROGRESS", ""),
    (*QUEUE, "CREATE_COMPLETE", ""),
    ("shop", STACK, "CREATE_COMPLETE", ""),
]


class FakeCloudFormation:
    """One stack at most. An executed change set lets one event of `fate` happen a look."""

    def __init__(self, fate: list[Event], late: int = 0) -> None:
        self.fate = list(fate)
        self.late = late
        """looks after an execution that still show the stack as it was"""
        self.stack: dict[str, Any] = {}
        self.events: list[dict[str, Any]] = []
        self.change_sets: dict[str, dict[str, Any]] = {}
        self.executed = False

    def create_change_set(self, **given: Any) -> dict[str, Any]:
        if given["TemplateBody"] == "broken":
            raise refusal("ValidationError", "Template format error: unsupported structure.")
        wanted = {key: given[key] for key in ("TemplateBody", "Parameters")}
        exists = bool(self.stack) and self.stack["status"] != "REVIEW_IN_PROGRESS"
        assert given["ChangeSetType"] == ("UPDATE" if exists else "CREATE")
        made: dict[str, Any] = {"Status": "CREATE_COMPLETE", "wanted": wanted, "Changes": [CHANGE]}
        if not exists:
            self.stack = {"status": "REVIEW_IN_PROGRESS", "wanted": None}
        elif wanted == self.stack["wanted"]:
            reason = "The submitted information didn't contain changes. Submit different information"
            made = {"Status": "FAILED", "StatusReason": reason}
        elif given["TemplateBody"] == "refused later":
            made = {"Status": "FAILED", "StatusReason": "Transform failed"}
        self.change_sets["arn:" + given["ChangeSetName"]] = made
        return {"Id": "arn:" + given["ChangeSetName"]}

    def describe_change_set(self, **given: str) -> dict[str, Any]:
        return self.change_sets[given["ChangeSetName"]]

    def delete_change_set(self, **given: str) -> dict[str, Any]:
        del self.change_sets[given["ChangeSetName"]]
        return {}

    def execute_change_set(self, **given: str) -> dict[str, Any]:
        self.stack["wanted"] = self.change_sets[given["ChangeSetName"]]["wanted"]
        self.executed = True
        return {}

    def describe_stacks(self, **given: str) -> dict[str, Any]:
        if not self.stack:
            raise refusal("ValidationError", f"Stack with id {given['StackName']} does not exist")
        if self.executed:
            self._go_on(given["StackName"])
        return {
            "Stacks": [
                {"StackStatus": self.stack["status"], "Outputs": [{"OutputKey": "Url", "OutputValue": "u"}]}
            ]
        }

    def describe_stack_events(self, **given: str) -> dict[str, Any]:
        return {"StackEvents": list(reversed(self.events))}

    def _go_on(self, stack: str) -> None:
        if self.late:
            self.late -= 1
        elif self.fate:
            name, kind, status, reason = self.fate.pop(0)
            self.events.append(
                {
                    "EventId": str(len(self.events)),
                    "Timestamp": NOW,
                    "LogicalResourceId": name,
                    "ResourceType": kind,
                    "ResourceStatus": status,
                    "ResourceStatusReason": reason,
                }
            )
            if name == stack:
                self.stack["status"] = status


CHANGE = {
    "ResourceChange": {"Action": "Add", "LogicalResourceId": "Queue", "ResourceType": "AWS::SQS::Queue"}
}


def stacks(cloud: FakeCloudFormation) -> Stacks:
    return Stacks(connected(cloudformation=cloud))


def test_a_plan_only_describes() -> None:
    cloud = FakeCloudFormation(MADE)
    plan = stacks(cloud).plan("shop", "{}", {"A": "1"}, {"gbg:deployment": "shop"})
    assert (plan.action, plan.reason) == ("create", "it does not exist yet")
    assert [(change.action, change.logical_id) for change in plan.changes] == [("Add", "Queue")]
    assert not cloud.executed


def test_apply_yields_each_event_once_in_order() -> None:
    cloud = FakeCloudFormation(MADE)
    at = stacks(cloud)
    events = list(at.apply(at.plan("shop", "{}", {}, {})))
    assert [(event.logical_id, event.type, event.status, event.reason) for event in events] == MADE
    assert at.outputs("shop") == {"Url": "u"}


def test_what_is_there_and_equal_is_skipped_with_the_reason() -> None:
    cloud = FakeCloudFormation(MADE)
    at = stacks(cloud)
    list(at.apply(at.plan("shop", "{}", {}, {})))
    cloud.executed = False
    plan = at.plan("shop", "{}", {}, {})
    assert (plan.action, plan.reason) == ("nothing", "it exists and equals template and parameters")
    assert list(at.apply(plan)) == []
    assert not cloud.executed
    assert len(cloud.change_sets) == 1, "the empty change set is not left behind"


def test_an_update_is_not_over_before_it_has_begun() -> None:
    cloud = FakeCloudFormation(MADE)
    at = stacks(cloud)
    list(at.apply(at.plan("shop", "{}", {}, {})))
    cloud.fate = [("shop", STACK, "UPDATE_IN_PROGRESS", ""), ("shop", STACK, "UPDATE_COMPLETE", "")]
    cloud.late = 2
    plan = at.plan("shop", "{}", {"A": "2"}, {})
    assert plan.action == "update"
    assert [event.status for event in at.apply(plan)] == ["UPDATE_IN_PROGRESS", "UPDATE_COMPLETE"]


def test_a_rollback_names_what_failed_first() -> None:
    cloud = FakeCloudFormation(
        [
            ("shop", STACK, "CREATE_IN_PROGRESS", ""),
            ("Other", "AWS::SQS::Queue", "CREATE_FAILED", "Resource creation cancelled"),
            (*QUEUE, "CREATE_FAILED", "Access denied for sqs:CreateQueue"),
            ("shop", STACK, "ROLLBACK_IN_PROGRESS", ""),
            ("shop", STACK, "ROLLBACK_COMPLETE", ""),
        ]
    )
    at = stacks(cloud)
    with pytest.raises(StackFailed) as failed:
        list(at.apply(at.plan("shop", "{}", {}, {})))
    assert "ROLLBACK_COMPLETE" in failed.value.what
    assert "first Queue (AWS::SQS::Queue): Access denied for sqs:CreateQueue" in failed.value.what


@pytest.mark.parametrize("status", ["ROLLBACK_COMPLETE", "DELETE_FAILED"])
def test_nothing_is_built_on_a_stack_that_failed(status: str) -> None:
    cloud = FakeCloudFormation([])
    cloud.stack = {"status": status, "wanted": None}
    with pytest.raises(StackFailed) as failed:
        stacks(cloud).plan("shop", "{}", {}, {})
    assert status in failed.value.what and "delete-stack" in failed.value.try_this
    assert not cloud.change_sets


def test_a_template_that_is_refused_says_why() -> None:
    with pytest.raises(AwsError, match="Template format error"):
        stacks(FakeCloudFormation([])).plan("shop", "broken", {}, {})
    cloud = FakeCloudFormation([])
    cloud.stack = {"status": "CREATE_COMPLETE", "wanted": None}
    with pytest.raises(StackFailed, match="Transform failed"):
        stacks(cloud).plan("shop", "refused later", {}, {})


def test_a_stack_that_is_not_there() -> None:
    at = stacks(FakeCloudFormation([]))
    assert at.status_or_none("shop") is None
    with pytest.raises(NotThere):
        at.outputs("shop")
