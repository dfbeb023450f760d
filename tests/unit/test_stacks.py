"""Stacks: a plan only describes, what is there is skipped, a failure names what failed first."""

from __future__ import annotations

import pytest

from gbg_lib.errors import AwsError, NotThere, StackFailed
from gbg_lib.stacks import Stacks
from tests.unit.aws_fakes import connected
from tests.unit.stack_fakes import MADE, QUEUE, STACK, FakeCloudFormation, FakeStack


def stacks(cloud: FakeCloudFormation) -> Stacks:
    return Stacks(connected(cloudformation=cloud))


def test_a_plan_only_describes() -> None:
    cloud = FakeCloudFormation(MADE)
    plan = stacks(cloud).plan("shop", "{}", {"A": "1"}, {"gbg:deployment": "shop"})
    assert (plan.action, plan.reason) == ("create", "it does not exist yet")
    assert [(change.action, change.logical_id) for change in plan.changes] == [("Add", "Queue")]
    assert not cloud.stacks["shop"].executed


def test_a_template_that_cloudformation_would_not_take_is_refused_with_its_size() -> None:
    cloud = FakeCloudFormation(MADE)
    with pytest.raises(StackFailed, match="has 51,201 bytes, and CloudFormation takes 51,200 in a request"):
        stacks(cloud).plan("shop", " " * 51_201, {}, {})
    assert cloud.stacks == {}


def test_apply_yields_each_event_once_in_order() -> None:
    cloud = FakeCloudFormation(MADE)
    at = stacks(cloud)
    events = list(at.apply(at.plan("shop", "{}", {}, {})))
    assert [(event.logical_id, event.type, event.status, event.reason) for event in events] == MADE
    cloud.stacks["shop"].outputs = {"Url": "u"}
    assert at.outputs("shop") == {"Url": "u"}


def test_what_is_there_and_equal_is_skipped_with_the_reason() -> None:
    cloud = FakeCloudFormation(MADE)
    at = stacks(cloud)
    list(at.apply(at.plan("shop", "{}", {}, {})))
    cloud.stacks["shop"].executed = False
    plan = at.plan("shop", "{}", {}, {})
    assert (plan.action, plan.reason) == ("nothing", "it exists and equals template and parameters")
    assert list(at.apply(plan)) == []
    assert not cloud.stacks["shop"].executed
    assert len(cloud.change_sets) == 1, "the empty change set is not left behind"


def test_an_update_is_not_over_before_it_has_begun() -> None:
    cloud = FakeCloudFormation(MADE)
    at = stacks(cloud)
    list(at.apply(at.plan("shop", "{}", {}, {})))
    cloud.fate = [("shop", STACK, "UPDATE_IN_PROGRESS", ""), ("shop", STACK, "UPDATE_COMPLETE", "")]
    cloud.late = 3
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
    cloud.stacks["shop"] = FakeStack(status)
    with pytest.raises(StackFailed) as failed:
        stacks(cloud).plan("shop", "{}", {}, {})
    assert status in failed.value.what and "delete-stack" in failed.value.try_this
    assert not cloud.change_sets


def test_a_template_that_is_refused_says_why() -> None:
    cloud = FakeCloudFormation([])
    with pytest.raises(AwsError, match="Template format error"):
        stacks(cloud).plan("shop", "broken", {}, {})
    cloud.stacks["shop"] = FakeStack("CREATE_COMPLETE")
    with pytest.raises(StackFailed, match="Transform failed"):
        stacks(cloud).plan("shop", "refused later", {}, {})


def test_a_plan_that_is_not_wanted_leaves_nothing() -> None:
    cloud = FakeCloudFormation([])
    at = stacks(cloud)
    at.discard(at.plan("shop", "{}", {}, {}))
    assert not cloud.change_sets
    assert not cloud.stacks


def test_a_plan_for_a_stack_that_is_there_leaves_the_stack() -> None:
    cloud = FakeCloudFormation([])
    cloud.stacks["shop"] = FakeStack("CREATE_COMPLETE")
    at = stacks(cloud)
    at.discard(at.plan("shop", "{}", {}, {}))
    assert list(cloud.stacks) == ["shop"]


def test_a_stack_that_is_not_there() -> None:
    at = stacks(FakeCloudFormation([]))
    assert at.status_or_none("shop") is None
    with pytest.raises(NotThere):
        at.outputs("shop")
