"""What exists of a deployment: its stacks with their resources, what goes on, and what is tagged."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from gbg_lib.alarms_of_fleets import OF_A_POLICY
from gbg_lib.aws import Aws
from gbg_lib.deployment_group import is_fleet
from gbg_lib.errors import NotThere
from gbg_lib.prices import Amount, Cost, Prices
from gbg_lib.teardown.activity import Activity, activities
from gbg_lib.teardown.kinds import KINDS, Found, tags_of
from gbg_lib.teardown.tagged import TAG, read_tagged

RECORDS = "records"
"""in the name of a bucket: it keeps records of releases"""


@dataclass(frozen=True)
class StackFound:
    name: str
    id: str
    status: str
    reason: str
    protected: bool
    owner: str
    """the deployment that its tag names; empty without one"""
    resources: Mapping[str, str]
    """physical id → logical id, of what exists"""


@dataclass(frozen=True)
class Inventory:
    deployment: str
    stacks: tuple[StackFound, ...]
    """Part 3's before Part 1's"""
    activities: tuple[Activity, ...]
    things: tuple[Found, ...]
    """tagged with this deployment, or in a stack that is"""
    strangers: tuple[Found, ...]
    """named like the deployment's things, but without its tag and in none of its stacks"""
    foreign: tuple[str, ...] = ()
    """ARNs that the tagging API tells, of kinds that no runbook makes: told, and left alone"""
    unasked: str = ""
    """why the tagging API could not be asked: then things under odd names are not found"""

    @property
    def outside(self) -> tuple[Found, ...]:
        """What no stack removes, neither itself nor with what it is a part of: a machine, its group."""
        known = {identity for stack in self.stacks for identity in stack.resources}
        machines = {thing.id for thing in self.things if thing.kind == "instance"}
        return tuple(
            thing
            for thing in self.things
            if not {thing.id, thing.name, thing.facts.get("group", "")} & known
            and thing.facts.get("machine") not in machines
        )

    @property
    def alone(self) -> tuple[Found, ...]:
        """Machines in no group: builders, and what people started."""
        return tuple(thing for thing in self.things if thing.kind == "instance" and not thing.facts["group"])

    @property
    def records(self) -> tuple[Found, ...]:
        return tuple(thing for thing in self.things if keeps_records(thing))

    @property
    def empty(self) -> bool:
        return not self.stacks and not self.things and not self.activities

    def cost(self, prices: Prices) -> Cost:
        return prices.total(self.amounts)

    @property
    def amounts(self) -> tuple[Amount, ...]:
        return tuple(amount for thing in self.things for amount in thing.amounts)

    @property
    def counts(self) -> Counter[str]:
        return Counter(thing.kind for thing in self.things)


def keeps_records(thing: Found) -> bool:
    return thing.kind == "bucket" and RECORDS in thing.name


def read_inventory(aws: Aws, deployment: str) -> Inventory:
    """Some fifty requests; nothing is changed."""
    stacks = tuple(
        found for found in (read_stack(aws, name) for name in stack_names(deployment)) if found is not None
    )
    ours = {identity for stack in stacks if stack.owner == deployment for identity in stack.resources}
    ours |= left_by_stacks(aws, deployment)
    tagged = read_tagged(aws, deployment)
    every = [thing for kind in KINDS for thing in kind.find(aws, deployment, tagged)]
    groups = {thing.name for thing in every if thing.kind == "group"}
    every = [thing for thing in every if not (_of_a_policy(thing) and thing.facts["watches"] in groups)]
    known = [
        thing.deployment == deployment or bool({thing.id, thing.name} & ours) or _outlived(thing, deployment)
        for thing in every
    ]
    return Inventory(
        deployment,
        stacks,
        tuple(activities(aws, deployment)),
        tuple(thing for thing, is_ours in zip(every, known, strict=True) if is_ours),
        tuple(thing for thing, is_ours in zip(every, known, strict=True) if not is_ours),
        tagged.foreign(stack_names(deployment)),
        tagged.unasked,
    )


def stack_names(deployment: str) -> tuple[str, str]:
    return f"{deployment}-pipeline", f"{deployment}-base"


def read_stack(aws: Aws, name: str) -> StackFound | None:
    """By name or id; None for one that is gone."""
    try:
        [found] = aws.call("cloudformation", "describe_stacks", StackName=name)["Stacks"]
    except NotThere:
        return None
    if found["StackStatus"] == "DELETE_COMPLETE":
        return None
    listed = aws.pages(
        "cloudformation", "list_stack_resources", "StackResourceSummaries", StackName=found["StackId"]
    )
    return StackFound(
        name=found["StackName"],
        id=found["StackId"],
        status=found["StackStatus"],
        reason=found.get("StackStatusReason", ""),
        protected=found.get("EnableTerminationProtection", False),
        owner=tags_of(found.get("Tags", [])).get(TAG, ""),
        resources={
            one["PhysicalResourceId"]: one["LogicalResourceId"]
            for one in listed
            if one.get("PhysicalResourceId") and one["ResourceStatus"] != "DELETE_COMPLETE"
        },
    )


def left_by_stacks(aws: Aws, deployment: str) -> set[str]:
    """Physical ids of what a deleted stack of this deployment did not delete: some kinds carry no tag.

    CloudFormation remembers deleted stacks for 90 days.
    """
    found = aws.pages(
        "cloudformation", "list_stacks", "StackSummaries", StackStatusFilter=["DELETE_COMPLETE"]
    )
    left: set[str] = set()
    for stack in [one for one in found if one["StackName"] in stack_names(deployment)]:
        named = {"StackName": stack["StackId"]}
        [told] = aws.call("cloudformation", "describe_stacks", **named)["Stacks"]
        if tags_of(told.get("Tags", [])).get(TAG) == deployment:
            listed = aws.pages("cloudformation", "list_stack_resources", "StackResourceSummaries", **named)
            left |= {
                one["PhysicalResourceId"] for one in listed if one["ResourceStatus"] != "DELETE_COMPLETE"
            }
    return left


def _of_a_policy(thing: Found) -> bool:
    """An alarm that Auto Scaling made for a group's policy: it carries no tag and goes with the group."""
    return thing.kind == "alarm" and thing.name.startswith(OF_A_POLICY)


def _outlived(thing: Found, deployment: str) -> bool:
    """Such an alarm whose group, one of this deployment's, is gone: nothing else would take it away."""
    return _of_a_policy(thing) and is_fleet(thing.facts.get("watches", ""), deployment)
