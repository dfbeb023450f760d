"""What would be removed, in which order, and what forbids it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from gbg_lib.images.usage import Usage
from gbg_lib.prices import Cost, Prices
from gbg_lib.teardown.inventory import Inventory, keeps_records


@dataclass(frozen=True)
class Removal:
    what: str
    count: int
    how: str
    names: tuple[str, ...] = ()


@dataclass(frozen=True)
class TeardownPlan:
    deployment: str
    action: str
    """remove | nothing"""
    reason: str
    removals: tuple[Removal, ...]
    """in their order"""
    kept: tuple[str, ...]
    """what stays on purpose"""
    refusals: tuple[str, ...]
    """why nothing may be removed yet"""
    saved: Cost
    """what it costs today, which then ends"""
    serving: int = 0
    """instances that visitors reach now, and afterwards none"""
    unseen: str = ""
    """what can't be found, and why; empty where everything can"""


def make_plan(
    inventory: Inventory, usage: Usage, prices: Prices, *, serving: int, remove_records: bool
) -> TeardownPlan:
    removals = tuple(one for one in _removals(inventory, remove_records=remove_records) if one.count)
    kept = () if remove_records else tuple(f"bucket {thing.name}" for thing in inventory.records)
    kept += tuple(f"{arn} (no runbook makes such)" for arn in inventory.foreign)
    return TeardownPlan(
        inventory.deployment,
        "remove" if removals else "nothing",
        _reason(inventory, bool(removals)),
        removals,
        kept,
        tuple(_refusals(inventory, usage)),
        inventory.cost(prices),
        serving,
        unseen(inventory),
    )


def unseen(inventory: Inventory) -> str:
    """Outside EC2 and Auto Scaling, which are asked by tag themselves."""
    if not inventory.unasked:
        return ""
    return f"things under odd names are not found, for tag:GetResources is refused ({inventory.unasked})"


def _reason(inventory: Inventory, something: bool) -> str:
    if not something:
        return "nothing is left that carries its tag"
    return f"{len(inventory.things)} things carry its tag or belong to its stacks"


def _removals(inventory: Inventory, *, remove_records: bool) -> Iterator[Removal]:
    outside = inventory.outside
    going_on = inventory.activities
    yield Removal("what goes on", len(going_on), "stopped", tuple(one.thing for one in going_on))
    buckets = [
        thing
        for thing in inventory.things
        if thing.kind == "bucket" and (remove_records or not keeps_records(thing))
    ]
    yield Removal("bucket content", len(buckets), "every version", tuple(one.name for one in buckets))
    stacks = {stack.name: stack for stack in inventory.stacks}
    for name in (f"{inventory.deployment}-pipeline", f"{inventory.deployment}-base"):
        if name.endswith("-base"):
            yield from _fleet(inventory)
        if stack := stacks.get(name):
            how = f"deleted with {len(stack.resources)} resources; it is in {stack.status}"
            yield Removal("stack", 1, how, (name,))
    rest = [thing for thing in outside if thing.kind not in ("group", "instance", "bucket")]
    rest += [thing for thing in buckets if keeps_records(thing) or thing in outside]
    for kind in dict.fromkeys(thing.kind for thing in rest):
        names = tuple(thing.name or thing.id for thing in rest if thing.kind == kind)
        yield Removal(kind, len(names), HOW.get(kind, "deleted"), names)


def _fleet(inventory: Inventory) -> Iterator[Removal]:
    groups = [thing for thing in inventory.outside if thing.kind == "group"]
    how = "deleted with their machines; no stack knows them"
    yield Removal("group", len(groups), how, tuple(one.name for one in groups))
    alone = inventory.alone
    how = "terminated; they are in no group"
    yield Removal("instance", len(alone), how, tuple(f"{one.id} {one.name}".strip() for one in alone))


HOW = {
    "image": "deregistered with their snapshots",
    "snapshot": "gone with their images, or deleted",
    "bucket": "deleted when empty",
}


def _refusals(inventory: Inventory, usage: Usage) -> Iterator[str]:
    for stack in inventory.stacks:
        if stack.owner != inventory.deployment:
            whose = f"it is tagged {stack.owner}" if stack.owner else "it carries no gbg:deployment tag"
            yield f"stack {stack.name} is not this deployment's: {whose}"
        if stack.protected:
            yield f"stack {stack.name} is protected against deletion"
    ours = {thing.name for thing in inventory.things if thing.kind == "group"}
    ours |= {thing.id for thing in inventory.things if thing.kind == "instance"}
    for image in (thing for thing in inventory.things if thing.kind == "image"):
        if others := sorted(set(usage.running(image.id)) - ours):
            yield f"image {image.id} is run by others: {', '.join(others)}"
