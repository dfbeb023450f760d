"""Runbook 09: lists, plans, removes after the name was typed, and proves what is left."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property

from gbg_lib.aws import Aws
from gbg_lib.checks import Check, require
from gbg_lib.errors import GateRefused, NotThere, TimedOut
from gbg_lib.gates.serving import healthy_targets
from gbg_lib.images.usage import read_usage
from gbg_lib.parameters import Parameters
from gbg_lib.prices import Prices, read_prices
from gbg_lib.stacks import GOING_ON
from gbg_lib.steps import Step
from gbg_lib.teardown.inventory import Inventory, keeps_records, read_inventory
from gbg_lib.teardown.plan import TeardownPlan, make_plan, unseen
from gbg_lib.teardown.removal import REST_SECONDS, Told, remove_everything
from gbg_lib.teardown.tagged import TAG
from gbg_lib.waiting import rounds

TAG_SECONDS = 120.0


class Teardown(Step):
    """Without the deployment's name in `confirm` it is a dry run: everything is shown, nothing is done."""

    def __init__(
        self, parameters: Parameters, aws: Aws | None = None, rest_seconds: float = REST_SECONDS
    ) -> None:
        super().__init__(parameters, aws)
        self.rest_seconds = rest_seconds
        self.before = read_inventory(self.aws, parameters.deployment)

    @cached_property
    def prices(self) -> Prices:
        return read_prices(self.aws.region)

    @property
    def confirmed(self) -> bool:
        return self.parameters.confirm == self.parameters.deployment

    @property
    def serving(self) -> int:
        """Instances that visitors reach now. A stack that is being deleted takes target groups away."""
        found = 0
        for group in (thing for thing in self.before.things if thing.kind == "target group"):
            try:
                found += len(healthy_targets(self.aws, group.id))
            except NotThere:
                continue
        return found

    def plan(self) -> TeardownPlan:
        return make_plan(
            self.before,
            read_usage(self.aws),
            self.prices,
            serving=self.serving,
            remove_records=self.parameters.remove_records,
        )

    def apply(self, plan: TeardownPlan) -> Iterator[Told]:
        """News as it happens; none in a dry run.

        Raises GateRefused for another name than the deployment's, and for what the plan says forbids it;
        Locked while somebody releases. That the last healthy instance goes is asked for, and refused nowhere.
        """
        name = self.parameters.deployment
        if not self.parameters.confirm:
            return
        if not self.confirmed:
            raise GateRefused(
                f"teardown of {name}",
                f"confirm says {self.parameters.confirm!r}, which is another name; nothing was removed",
                f"confirm={name} removes {name}",
            )
        if plan.refusals:
            raise GateRefused(
                f"teardown of {name}",
                f"{'; '.join(plan.refusals)}; nothing was removed",
                "settle this first, then run it again",
            )
        if plan.action == "nothing":
            return
        self.hold("a teardown")
        try:
            yield from remove_everything(
                self.aws,
                name,
                remove_records=self.parameters.remove_records,
                rest_seconds=self.rest_seconds,
            )
        finally:
            self.let_go()

    def check(self) -> list[Check]:
        """That nothing is left, or in a dry run that everything is. Raises CheckFailed."""
        now = read_inventory(self.aws, self.parameters.deployment)
        if not self.confirmed:
            return require([self._untouched(now)])  # nothing was done, so there is nothing to skip later
        return self.passed(self._gone(now))

    def seen(self) -> dict[str, str]:
        """Every thing that is left, and whether anything goes on."""
        now = read_inventory(self.aws, self.parameters.deployment)
        left = sorted(f"{thing.kind} {thing.name or thing.id}" for thing in now.things)
        going_on = sorted(one.thing for one in now.activities)
        return {"left": ", ".join(left) or "nothing", "goes on": ", ".join(going_on) or "nothing"}

    def _untouched(self, now: Inventory) -> Check:
        before = {(thing.kind, thing.id) for thing in self.before.things if thing.kind != "instance"}
        lost = before - {(thing.kind, thing.id) for thing in now.things}
        found = f"{len(before) - len(lost)} of {len(before)} things are there as before"
        found += " (without machines, which come and go)"
        return Check("dry run: nothing was removed", not lost, found, "someone else removes things")

    def _gone(self, now: Inventory) -> list[Check]:
        left = [thing for thing in now.things if self.parameters.remove_records or not keeps_records(thing)]
        names = ", ".join(f"{thing.kind} {thing.name or thing.id}" for thing in left)
        kept = ", ".join(f"bucket {thing.name}" for thing in now.things if thing not in left)
        going_on = ", ".join(one.thing for one in now.activities)
        stacks = ", ".join(f"{stack.name} {stack.status}" for stack in now.stacks)
        going = all(stack.status.endswith(GOING_ON) for stack in now.stacks)
        none = f"none but {kept}, which stays" if kept else "none"
        again = "run this again: it goes on from what is there"
        others = unseen(now) or _kept(now.foreign)
        return [
            Check("stacks", not now.stacks, stacks or "none", again, pending=going),
            Check("what goes on", not now.activities, going_on or "nothing", "its end", pending=True),
            Check("tagged things", not left, names or none, again),
            Check(
                "EC2's own list of tags", not (tagged := self._tagged()), ", ".join(tagged) or "none", again
            ),
            Check("tags of other kinds", True, others, "delete it where it was made"),
        ]

    def _tagged(self) -> list[str]:
        """Of whatever type, also one that no part of this deployment is made of.

        Tags are listed a little longer than what carries them. A machine that was terminated keeps its own
        for an hour or so; whether it lives is asked elsewhere.
        """
        name = self.parameters.deployment
        filters = [{"Name": "key", "Values": [TAG]}, {"Name": "value", "Values": [name]}]
        limit, tagged = min(TAG_SECONDS, self.rest_seconds), list[str]()
        try:
            for _ in rounds(self.aws, limit_seconds=limit, what="tags", try_this=""):
                found = self.aws.pages("ec2", "describe_tags", "Tags", Filters=filters)
                tagged = sorted(one["ResourceId"] for one in found if one["ResourceType"] != "instance")
                if not tagged:
                    break
        except TimedOut:
            return tagged
        return []


def _kept(foreign: tuple[str, ...]) -> str:
    """What no runbook made is its maker's; and what is gone AWS tells for a while."""
    return f"kept, as no runbook makes such: {', '.join(foreign)}" if foreign else "none"
