"""What a group should do next is decided from its state alone."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from gbg_sandbox.services.autoscaling import plan
from gbg_sandbox.services.autoscaling.state import Group, GroupInstance, TemplateChoice

NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)
SUBNETS = {"subnet-a": "us-east-1a", "subnet-b": "us-east-1b"}


def member(
    name: str, subnet: str = "subnet-a", version: int = 1, age: int = 0, **more: object
) -> GroupInstance:
    template = TemplateChoice("lt-1", "web", str(version))
    made = GroupInstance(
        name, SUBNETS[subnet], subnet, "t3.micro", "ami-1", template, NOON - timedelta(hours=age), "InService"
    )
    for field, value in more.items():
        setattr(made, field, value)
    return made


def group(desired: int, *members: GroupInstance, **more: object) -> Group:
    template = TemplateChoice("lt-1", "web", "$Latest")
    made = Group("web", "arn", NOON, template, 0, 10, desired, dict(SUBNETS), "role")
    made.instances = {one.id: one for one in members}
    for field, value in more.items():
        setattr(made, field, value)
    return made


def test_new_instances_even_out_the_zones() -> None:
    step = plan.next_step(group(5, member("i-1"), member("i-2")), now=0)
    assert step.launch == {"subnet-a": 1, "subnet-b": 2}


def test_what_was_asked_for_counts_already() -> None:
    asked = group(3, member("i-1"), launching={"subnet-b": 2})
    assert plan.next_step(asked, now=0) == plan.Step({})


def test_an_unhealthy_instance_is_ended_and_replaced_at_once() -> None:
    step = plan.next_step(group(2, member("i-1", healthy=False), member("i-2", "subnet-b")), now=0)
    assert (step.replace, step.launch) == (("i-1",), {"subnet-a": 1})


def test_suspended_processes_do_nothing() -> None:
    sick = group(2, member("i-1", healthy=False), suspended={"ReplaceUnhealthy": "x"})
    assert plan.next_step(sick, now=0).replace == ()
    assert plan.next_step(group(2, suspended={"Launch": "x"}), now=0).launch == {}
    assert plan.next_step(group(0, member("i-1"), suspended={"Terminate": "x"}), now=0).remove == ()


def test_after_a_failed_launch_it_waits() -> None:
    failed = group(1, retry_at=10.0)
    assert plan.next_step(failed, now=9).launch == {}
    assert plan.next_step(failed, now=10).launch == {"subnet-a": 1}


def test_standby_does_not_count_and_is_not_scaled_in() -> None:
    aside = group(1, member("i-1", state="Standby"), member("i-2"))
    assert plan.next_step(aside, now=0) == plan.Step({})


def test_scaling_in_takes_the_oldest_template_version_of_the_fullest_zone() -> None:
    full = group(
        3,
        member("new", version=2, age=5),
        member("old", version=1),
        member("other", "subnet-b", 1, 9),
        member("third", version=2),
    )
    assert plan.surplus(full, 1) == ("old",)


@pytest.mark.parametrize(
    ("policy", "first"),
    [("OldestInstance", "old"), ("NewestInstance", "new"), ("OldestLaunchTemplate", "first")],
)
def test_termination_policies_choose(policy: str, first: str) -> None:
    members = (member("old", version=2, age=9), member("new", version=2), member("first", version=1, age=3))
    assert plan.surplus(group(2, *members, termination_policies=[policy]), 1) == (first,)


def test_protected_instances_stay_even_when_too_many() -> None:
    kept = group(0, member("i-1", protected=True), member("i-2"))
    assert plan.surplus(kept, 2) == ("i-2",)


def test_a_deleted_group_ends_all_of_its_instances() -> None:
    gone = group(0, member("i-1", protected=True), member("i-2", state="Terminating"), deleting=True)
    assert plan.next_step(gone, now=0).remove == ("i-1",)


@pytest.mark.parametrize(
    ("settings", "adjustment", "expected"),
    [
        ({"AdjustmentType": "ChangeInCapacity"}, -2, 8),
        ({"AdjustmentType": "ExactCapacity"}, 4, 4),
        ({"AdjustmentType": "PercentChangeInCapacity"}, 25, 12),
        ({"AdjustmentType": "PercentChangeInCapacity"}, 5, 11),
        ({"AdjustmentType": "PercentChangeInCapacity", "MinAdjustmentMagnitude": 3}, 10, 13),
        ({"AdjustmentType": "PercentChangeInCapacity"}, -15, 9),
    ],
)
def test_adjustments_follow_awss_arithmetic(
    settings: dict[str, object], adjustment: int, expected: int
) -> None:
    assert plan.adjusted(10, settings, adjustment) == expected


def test_steps_hold_their_lower_bound_above_and_their_upper_bound_below_the_threshold() -> None:
    steps = {
        "StepAdjustments": [
            {"MetricIntervalUpperBound": -10, "ScalingAdjustment": -2},
            {"MetricIntervalLowerBound": -10, "MetricIntervalUpperBound": 0, "ScalingAdjustment": -1},
            {"MetricIntervalLowerBound": 0, "MetricIntervalUpperBound": 20, "ScalingAdjustment": 1},
            {"MetricIntervalLowerBound": 20, "ScalingAdjustment": 3},
        ]
    }
    found = {breach: plan.step_for(steps, breach) for breach in (-30, -10, -1, 0, 19.9, 20, 500)}
    assert found == {-30: -2, -10: -2, -1: -1, 0: 1, 19.9: 1, 20: 3, 500: 3}


def test_target_tracking_is_in_proportion() -> None:
    assert plan.tracked(4, metric=75, target=50) == 6
    assert plan.tracked(4, metric=10, target=50) == 1
    assert plan.tracked(3, metric=50, target=50) == 3
