"""What a plan means before it is applied: why each kind of resource, what it costs as it stands, how it goes.

Costs are those of what stands, at list prices. What is paid by use (requests, a build's minutes, what goes
over the network) is told of a release (`a_release`), not of a stack.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import yaml

from gbg_lib.parameters import Parameters
from gbg_lib.pipeline import BAKE, BUILD, DEPLOY
from gbg_lib.prices import Amount, Cost, Prices
from gbg_lib.stacks import ResourceChange, StackPlan

WORDS = Path(__file__).with_suffix(".yaml")
ROOT_GIB = 8
"""of a volume, when the launch template does not say: as the Amazon Linux 2023 image has it"""
ZONES = 2
KEPT = "kept by the stack; runbook 09 removes it with remove_records"
WITH_STACK = "with the stack: runbook 09"
FLEET_GOES = "runbook 09; after a release the fleet is no longer the stack's"
GROUP, BALANCER, ALARM = (
    "AWS::AutoScaling::AutoScalingGroup",
    "AWS::ElasticLoadBalancingV2::LoadBalancer",
    "AWS::CloudWatch::Alarm",
)
RETAINED = {"Records", "RecordsPolicy"}
"""logical ids that outlive Part 1's stack"""


@dataclass(frozen=True)
class Kind:
    """All resources of a type that the plan treats alike."""

    type: str
    action: str
    names: tuple[str, ...]
    why: str
    amounts: tuple[Amount, ...]
    goes: str
    """how it is removed"""


def kinds(plan: StackPlan, parameters: Parameters) -> list[Kind]:
    """A plan's changes by type and action, with what they cost when they are made."""
    fleet = machines(parameters.instance_count, parameters.instance_type)
    found: dict[tuple[str, str, str], list[str]] = {}
    for change in plan.changes:
        found.setdefault((change.type, change.action, _goes(change)), []).append(change.logical_id)
    return [
        Kind(
            type_,
            action,
            tuple(sorted(names)),
            why(type_),
            () if action == "Remove" else amounts(type_, len(names), fleet),
            goes,
        )
        for (type_, action, goes), names in sorted(found.items())
    ]


def so_far(plan: StackPlan, given: Mapping[str, str]) -> tuple[Amount, ...]:
    """What the resources cost now that a plan modifies or removes; `given` is what their stack was given."""
    fleet = machines(int(given["FleetSize"]), given["InstanceType"]) if "FleetSize" in given else ()
    there = [change for change in plan.changes if change.action in ("Modify", "Remove")]
    return tuple(amount for change in there for amount in amounts(change.type, 1, fleet))


def amounts(type_: str, count: int, fleet: tuple[Amount, ...]) -> tuple[Amount, ...]:
    """What `count` resources of a type cost something for as long as they stand; a group costs its fleet."""
    if type_ == GROUP:
        return fleet
    if type_ == BALANCER:
        return (Amount("load balancer", count), Amount("public IPv4 address", ZONES * count))
    return (Amount("alarm", count),) if type_ == ALARM else ()


def machines(count: int, instance_type: str) -> tuple[Amount, ...]:
    """A fleet's machines with their volumes and addresses."""
    return (
        Amount(instance_type, count),
        Amount("public IPv4 address", count),
        Amount("volume GiB", ROOT_GIB * count),
    )


@dataclass(frozen=True)
class Use:
    """Something that a release uses or leaves."""

    what: str
    why: str
    usd: float | None
    """once; None without a price"""
    month: float | None
    """as long as it stays; None for what does not stay"""
    goes: str


def a_release(machines: int, instance_type: str, minutes: Mapping[str, float], prices: Prices) -> list[Use]:
    """What one release costs. `minutes` says how long bake, build and deploy take."""

    def once(*found: Amount, minutes: float) -> float | None:
        return None if prices.unknown(found) else prices.total(found).hour * minutes / 60

    machine = (Amount(instance_type), Amount("public IPv4 address"), Amount("volume GiB", ROOT_GIB))
    green = tuple(Amount(one.item, one.count * machines) for one in machine)
    snapshot = Amount("snapshot GiB", ROOT_GIB)
    bake, build, deploy = (minutes[name] for name in (BAKE, BUILD, DEPLOY))
    return [
        Use("builder machine", "the golden AMI is made on it", once(*machine, minutes=bake), None,
            "by the bake itself, also when it fails"),
        Use("golden AMI and snapshot", "green starts from it, and a rollback later", 0.0,
            _month(prices, snapshot), "the job prune_images, or runbook 09"),
        Use("build", "compiles and tests the application", once(Amount("build minute"), minutes=build),
            None, "by CodeBuild itself"),
        Use("pipeline", "takes the commit from stage to stage",
            once(Amount("pipeline action minute"), minutes=bake + build + deploy), None, "runbook 09"),
        Use(f"green fleet, {machines} machines", "serves afterwards; both fleets stand for a while",
            once(*green, minutes=deploy), None, "blue by itself; green by the next release or runbook 09"),
    ]  # fmt: skip


def why(type_: str) -> str:
    """Empty for a type that none of our templates has."""
    return _words().get(type_, "")


def cost(prices: Prices, found: Iterable[Amount]) -> Cost | None:
    """None where nothing costs anything as it stands."""
    listed = list(found)
    return prices.total(listed) if listed else None


def _month(prices: Prices, amount: Amount) -> float | None:
    found = prices.cost(amount)
    return None if found is None else found.month


def _goes(change: ResourceChange) -> str:
    if change.logical_id in RETAINED:
        return KEPT
    return FLEET_GOES if change.type == GROUP else WITH_STACK


@cache
def _words() -> dict[str, str]:
    words: dict[str, str] = yaml.safe_load(WORDS.read_text())["why"]
    return words
