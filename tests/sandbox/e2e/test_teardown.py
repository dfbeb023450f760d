"""Teardown from states that things get into: a bake that goes on, edits by hand, an interruption."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from gbg_lib.errors import GateRefused, StackFailed
from gbg_lib.images import golden_images
from gbg_lib.teardown import Teardown
from gbg_lib.views.teardown import removal_table
from tests.sandbox.e2e.inventory import inventory
from tests.sandbox.e2e.killed import kill_teardown
from tests.sandbox.e2e.world import Deployment, World, exhaust


@pytest.fixture
def crooked(world: World) -> Iterator[Deployment]:
    """Part 1 alone, with one machine; whatever a test left of it goes at the end."""
    made = world.deployment(deployment="crooked", instance_count=1, remove_records=True)
    made.make_base()
    yield made
    teardown(made)


def step(deployment: Deployment, confirm: str | None = None) -> Teardown:
    deployment.change(confirm=deployment.name if confirm is None else confirm)
    return Teardown(deployment.parameters, deployment.aws)


def teardown(deployment: Deployment) -> Teardown:
    """Removes it and proves it; fails when anything is left."""
    made = step(deployment)
    exhaust(made.apply(made.plan()))
    made.check()
    assert inventory(deployment.aws, deployment.name) == []
    assert golden_images(deployment.aws, deployment.name) == []
    return made


def start_bake(deployment: Deployment) -> str:
    started = deployment.aws.call("ssm", "start_automation_execution", DocumentName=f"{deployment.name}-bake")
    return str(started["AutomationExecutionId"])


def test_without_the_name_nothing_goes_and_with_another_it_is_refused(crooked: Deployment) -> None:
    there = inventory(crooked.aws, crooked.name)
    dry = step(crooked, confirm="")
    plan = dry.plan()
    assert "1 instance serves visitors now, and none will afterwards" in str(removal_table(plan))
    assert list(dry.apply(plan)) == []
    dry.check()
    with pytest.raises(GateRefused, match="which is another name; nothing was removed"):
        wrong = step(crooked, confirm="crook")
        exhaust(wrong.apply(wrong.plan()))
    assert inventory(crooked.aws, crooked.name) == there
    assert crooked.base.page().status == 200


def test_a_bake_that_goes_on_is_cancelled_and_its_builder_goes(crooked: Deployment) -> None:
    bake = start_bake(crooked)
    teardown(crooked)
    found = crooked.aws.call("ssm", "get_automation_execution", AutomationExecutionId=bake)
    assert found["AutomationExecution"]["AutomationExecutionStatus"] in ("Cancelled", "Failed")


def test_killed_while_the_stack_goes_the_next_run_goes_on_from_there(
    world: World, crooked: Deployment
) -> None:
    kill_teardown(crooked, world.home.folder, crooked.base.base_stack)
    teardown(crooked)


def test_edits_by_hand_are_no_hindrance(crooked: Deployment) -> None:
    """The deployment group's function, an alarm and the fleet are deleted behind CloudFormation's back.

    An update met that and could not go back; a fleet that nothing knows stands beside.
    """
    crooked.aws.call("lambda", "delete_function", FunctionName="crooked-deployment-group")
    crooked.aws.call("cloudwatch", "delete_alarms", AlarmNames=["crooked-elb-5xx"])
    first = {"AutoScalingGroupName": crooked.base.base["FirstGroupName"]}
    asked = {"AutoScalingGroupNames": [first["AutoScalingGroupName"]]}
    [blue] = crooked.aws.call("autoscaling", "describe_auto_scaling_groups", **asked)["AutoScalingGroups"]
    orphan = "CodeDeploy_crooked-fleet_d-LEFTBEHIND"
    crooked.aws.call(
        "autoscaling",
        "create_auto_scaling_group",
        AutoScalingGroupName=orphan,
        LaunchTemplate={name: blue["LaunchTemplate"][name] for name in ("LaunchTemplateId", "Version")},
        MinSize=1,
        MaxSize=1,
        VPCZoneIdentifier=blue["VPCZoneIdentifier"],
        Tags=[{"Key": "gbg:deployment", "Value": crooked.name, "PropagateAtLaunch": True}],
    )
    crooked.aws.call("autoscaling", "delete_auto_scaling_group", **first, ForceDelete=True)
    crooked.change(instance_count=2)
    with pytest.raises(StackFailed, match="UPDATE_ROLLBACK_FAILED"):
        exhaust(crooked.base.apply(crooked.base.plan()))
    made = teardown(crooked)
    assert orphan in [thing.name for thing in made.before.outside]
    assert [one.status for one in made.before.stacks] == ["UPDATE_ROLLBACK_FAILED"]


def test_a_protected_stack_is_refused_before_anything_goes(crooked: Deployment) -> None:
    stack = {"StackName": crooked.base.base_stack}
    protect = "update_termination_protection"
    crooked.aws.call("cloudformation", protect, **stack, EnableTerminationProtection=True)
    guarded = step(crooked)
    with pytest.raises(GateRefused, match="stack crooked-base is protected against deletion"):
        exhaust(guarded.apply(guarded.plan()))
    assert crooked.base.page().status == 200
    crooked.aws.call("cloudformation", protect, **stack, EnableTerminationProtection=False)


def test_what_a_stack_left_behind_goes_and_what_is_not_tagged_stays(crooked: Deployment) -> None:
    tagged = {"logGroupName": "/crooked/left", "tags": {"gbg:deployment": "crooked"}}
    crooked.aws.call("logs", "create_log_group", **tagged)
    crooked.aws.call("logs", "create_log_group", logGroupName="/crooked/mine")
    made = step(crooked)
    exhaust(made.apply(made.plan()))
    assert made.check()
    assert inventory(crooked.aws, crooked.name) == ["logs: /crooked/mine"]
    crooked.aws.call("logs", "delete_log_group", logGroupName="/crooked/mine")
