"""The repair's decisions and templates."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from cfnlint.api import lint

from gbg_lib.blueprint import BODY_LIMIT
from gbg_lib.errors import GateRefused
from gbg_lib.mending.drift import UNFINISHED, Believed, Serving, fleet_drift
from gbg_lib.mending.repair import let_go, stages_of, with_fleet
from tests.unit.moved_fakes import ARN, DEAD, GREEN, WHOLE, World

SERVING = Serving(GREEN, "4", "ami-4", 3, (ARN.format(GREEN),))
OWN = Believed(GREEN, True, ARN.format(GREEN), "4", "ami-4", False)
FIRST = Believed("gbg-blue", True, ARN.format("gbg-blue"), "", "", False)
GONE = Believed(DEAD, False, ARN.format(DEAD), "3", "ami-3", False)
NOTHING = Believed("", False, "", "3", "ami-3", True)


def without(value: Any, *names: str) -> Iterator[str]:
    """Places that still refer to one of the logical ids."""
    if isinstance(value, dict):
        for key, item in value.items():
            named = item if isinstance(item, list) else [item]
            if key in ("Ref", "Fn::GetAtt", "DependsOn") and any(one in names for one in named):
                yield f"{key} {item}"
            yield from without(item, *names)
    elif isinstance(value, list):
        for item in value:
            yield from without(item, *names)


@pytest.mark.parametrize(
    ("believed", "status", "stages"),
    [
        (OWN, "UPDATE_COMPLETE", ()),
        (OWN, "UPDATE_ROLLBACK_FAILED", ("continue the rollback", "catch up")),
        (replace(OWN, unfinished=True), "IMPORT_COMPLETE", ("catch up",)),
        (GONE, "UPDATE_COMPLETE", ("let go", "import", "catch up")),
        (GONE, "UPDATE_ROLLBACK_FAILED", ("continue the rollback", "let go", "import", "catch up")),
        (NOTHING, "UPDATE_COMPLETE", ("import", "catch up")),
        (NOTHING, "IMPORT_ROLLBACK_COMPLETE", ("import", "catch up")),
        (replace(NOTHING, policy=ARN.format(DEAD)), "UPDATE_COMPLETE", ("let go", "import", "catch up")),
    ],
)
def test_a_repair_goes_on_from_where_the_stack_is(
    believed: Believed, status: str, stages: tuple[str, ...]
) -> None:
    assert stages_of(believed, SERVING, status) == stages


def test_a_group_that_still_exists_is_not_let_go() -> None:
    with pytest.raises(GateRefused, match="it exists, but the deployment group names another"):
        stages_of(replace(GONE, group_exists=True), SERVING, "UPDATE_COMPLETE")


def test_the_first_fleet_is_no_drift() -> None:
    serving = replace(SERVING, group="gbg-blue", template_version="1")
    assert list(fleet_drift(FIRST, serving)) == []
    assert stages_of(FIRST, serving, "CREATE_COMPLETE") == ()


def test_drift_is_told_in_words() -> None:
    told = {one.what: (one.believed, one.live) for one in fleet_drift(GONE, SERVING)}
    assert told == {
        "fleet": (f"{DEAD}, which is gone", GREEN),
        "scaling policy": (f"a policy of {DEAD}", f"1 of {GREEN}"),
        "launch template version of the fleet": ("3", "4"),
        "golden AMI": ("ami-3", "ami-4"),
    }
    assert list(fleet_drift(OWN, SERVING)) == []


def test_letting_go_leaves_no_reference_and_changes_nothing_else() -> None:
    before = copy.deepcopy(WHOLE)
    found = let_go(WHOLE, {"BlueGroup": "gbg-blue", "CpuTarget": ARN.format("gbg-blue")})
    assert before == WHOLE
    assert list(without(found, "BlueGroup", "CpuTarget")) == []
    assert set(WHOLE["Resources"]) - set(found["Resources"]) == {"BlueGroup", "CpuTarget"}
    changed = [name for name, one in found["Resources"].items() if one != WHOLE["Resources"][name]]
    assert changed == ["DeploymentGroup"]
    assert found["Resources"]["DeploymentGroup"]["Properties"]["AutoScalingGroupName"] == "gbg-blue"
    assert found["Outputs"]["FirstGroupName"]["Value"] == "gbg-blue"
    assert UNFINISHED in found["Metadata"]
    assert [str(one) for one in lint(json.dumps(found)) if one.rule.id.startswith("E")] == []


def test_with_the_longest_names_every_stage_fits_into_a_request() -> None:
    name = "a" * 20
    group = f"CodeDeploy_{name}-fleet_d-ABCDEFGHI"
    policy = ARN.format(group).replace("us-east-1:1", "ap-southeast-1:123456789012") + "-of-" + name
    serving = Serving(group, "10000", "ami-0123456789abcdef0", 100, (policy,))
    without_it = let_go(WHOLE, {"BlueGroup": group, "CpuTarget": policy})
    whole = with_fleet(without_it, WHOLE, serving, policy=True)
    for stage in (without_it, whole):
        assert len(json.dumps(stage, separators=(",", ":")).encode()) <= BODY_LIMIT


def test_letting_go_twice_is_letting_go_once() -> None:
    names = {"BlueGroup": "gbg-blue"}
    assert let_go(let_go(WHOLE, names), {}) == let_go(WHOLE, names)


@pytest.mark.parametrize("policy", [True, False])
def test_an_import_adds_the_fleet_as_it_is_and_changes_nothing_else(policy: bool) -> None:
    held = let_go(WHOLE, {"BlueGroup": "gbg-blue", "CpuTarget": "arn"})
    found = with_fleet(held, WHOLE, SERVING, policy=policy)
    added = {"BlueGroup", "CpuTarget"} if policy else {"BlueGroup"}
    assert set(found["Resources"]) - set(held["Resources"]) == added
    assert {name: one for name, one in found["Resources"].items() if name not in added} == held["Resources"]
    assert {key: found[key] for key in found if key != "Resources"} == {
        key: held[key] for key in held if key != "Resources"
    }
    group = found["Resources"]["BlueGroup"]
    assert group["DeletionPolicy"] == "Retain"
    assert "CreationPolicy" not in group
    sizes = ("MinSize", "MaxSize", "DesiredCapacity")
    blueprint = WHOLE["Resources"]["BlueGroup"]
    assert [group["Properties"][name] for name in sizes] == [blueprint["Properties"][name] for name in sizes]
    ignored = {"AutoScalingScheduledAction": {"IgnoreUnmodifiedGroupSizeProperties": True}}
    assert group["UpdatePolicy"] == ignored, "or stack-level tags and the next update would scale it in"
    assert group["Properties"]["AutoScalingGroupName"] == GREEN
    assert group["Properties"]["LaunchTemplate"]["Version"] == "4"
    assert [str(one) for one in lint(json.dumps(found)) if one.rule.id.startswith("E")] == []


def test_a_fleet_that_is_well_is_taken_over() -> None:
    plan = World(i_1="healthy", i_2="healthy").repair.plan()
    assert (plan.fleet, plan.former, plan.template_version, plan.golden_ami) == (GREEN, DEAD, "4", "ami-4")
    assert plan.policy == ARN.format(GREEN)
    assert plan.reason.startswith(f"fleet: {DEAD}, which is gone; scaling policy: a policy of {DEAD}")


def test_a_plan_is_not_applied_where_a_release_has_begun_or_ended_since() -> None:
    world = World(i_1="healthy", i_2="healthy")
    plan = world.repair.plan()
    world.codedeploy.under_way = ["d-3"]
    with pytest.raises(GateRefused, match="deployment d-3 is going on"):
        list(world.repair.apply(plan))
    world.codedeploy.under_way = []
    with pytest.raises(GateRefused, match=f"something has changed since the plan: {GREEN} serves"):
        list(world.repair.apply(replace(plan, fleet=DEAD)))
    held = world.repair.lock.look()
    assert held is not None and held.released


def test_a_fleet_that_is_not_well_is_not_taken_over() -> None:
    with pytest.raises(GateRefused, match=f"1 of 2 instances of {GREEN} are healthy"):
        World(i_1="healthy", i_2="unhealthy").repair.plan()


def test_a_repair_does_not_begin_while_something_else_moves_the_fleet_or_the_stack() -> None:
    world = World(i_1="healthy", i_2="healthy")
    world.codedeploy.under_way = ["d-3"]
    with pytest.raises(GateRefused, match="deployment d-3 is going on"):
        world.repair.plan()
    world.stack.status = "UPDATE_IN_PROGRESS"
    with pytest.raises(GateRefused, match="it is in UPDATE_IN_PROGRESS"):
        world.repair.plan()
