"""Nothing is done that would leave no healthy instance serving; the refusal says so."""

from __future__ import annotations

from typing import Any

import pytest

from gbg_lib.errors import GateRefused
from gbg_lib.gates.serving import healthy_targets, require_serving
from tests.unit.aws_fakes import connected
from tests.unit.group_fakes import FakeGroups

ARN = "arn:target-group"
WHAT = "deleting gbg-blue"


def require(groups: dict[str, list[str]], health: dict[str, str], **leaving: Any) -> frozenset[str]:
    cloud = FakeGroups(groups, health)
    aws = connected(autoscaling=cloud, elbv2=cloud)
    return require_serving(aws, ARN, what=WHAT, **leaving)


def test_those_that_stay_are_told() -> None:
    health = {"i-1": "healthy", "i-2": "healthy", "i-3": "unhealthy"}
    assert require({}, health, without=["i-1"]) == {"i-2"}
    assert require({}, health) == {"i-1", "i-2"}


def test_the_last_healthy_one_may_not_go() -> None:
    with pytest.raises(GateRefused) as refused:
        require({}, {"i-1": "healthy", "i-2": "unhealthy", "i-3": "initial"}, without=["i-1"])
    assert refused.value.where == WHAT
    assert refused.value.what == (
        "no healthy instance would be left to serve: all that are healthy would go (i-1)"
    )


def test_a_group_goes_with_all_its_instances() -> None:
    groups = {"gbg-blue": ["i-1", "i-2"], "gbg-green": ["i-3"]}
    health = {"i-1": "healthy", "i-2": "healthy", "i-3": "healthy"}
    assert require(groups, health, without_groups=["gbg-blue"]) == {"i-3"}
    assert require(groups, health, without_groups=["gone"]) == {"i-1", "i-2", "i-3"}
    with pytest.raises(GateRefused, match=r"\(i-1, i-2, i-3\)"):
        require(groups, health, without_groups=["gbg-blue", "gbg-green"])


@pytest.mark.parametrize("state", ["initial", "draining", "unhealthy", "unused", "unavailable", "a new one"])
def test_only_healthy_serves(state: str) -> None:
    with pytest.raises(GateRefused, match="no healthy instance would be left"):
        require({}, {"i-1": "healthy", "i-2": state}, without=["i-1"])


def test_where_nothing_serves_nothing_more_is_taken() -> None:
    with pytest.raises(GateRefused, match="no instance is healthy") as refused:
        require({}, {"i-1": "unhealthy"})
    assert "runbook 05" in refused.value.try_this


def test_many_names_are_cut() -> None:
    health = {f"i-{number}": "healthy" for number in range(1, 8)}
    with pytest.raises(GateRefused, match=r"\(i-1, i-2, i-3, i-4 and 3 more\)"):
        require({}, health, without=list(health))


def test_healthy_is_what_the_load_balancer_says() -> None:
    cloud = FakeGroups({}, {"i-1": "healthy", "i-2": "draining"})
    assert healthy_targets(connected(elbv2=cloud), ARN) == {"i-1"}
