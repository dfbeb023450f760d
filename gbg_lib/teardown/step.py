"""Runbook 09: lists, plans, removes after the name was typed, and proves what is left."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property

from gbg_lib.aws import Aws
from gbg_lib.checks import Check, require
from gbg_lib.errors import GateRefused
from gbg_lib.images.usage import read_usage
from gbg_lib.parameters import Parameters
from gbg_lib.prices import Prices, read_prices
from gbg_lib.steps import Step
from gbg_lib.teardown.inventory import Inventory, keeps_records, read_inventory
from gbg_lib.teardown.plan import TeardownPlan, make_plan
from gbg_lib.teardown.removal import Told, remove_everything


class Teardown(Step):
    """Without the deployment's name in `confirm` it is a dry run: everything is shown, nothing is done."""

    def __init__(self, parameters: Parameters, aws: Aws | None = None) -> None:
        super().__init__(parameters, aws)
        self.before = read_inventory(self.aws, parameters.deployment)

    @cached_property
    def prices(self) -> Prices:
        return read_prices(self.aws.region)

    @property
    def confirmed(self) -> bool:
        return self.parameters.confirm == self.parameters.deployment

    def plan(self) -> TeardownPlan:
        return make_plan(
            self.before,
            read_usage(self.aws),
            self.prices,
            remove_records=self.parameters.remove_records,
        )

    def apply(self, plan: TeardownPlan) -> Iterator[Told]:
        """News as it happens; none in a dry run.

        Raises GateRefused for another name than the deployment's, and for what the plan says forbids it.
        """
        name = self.parameters.deployment
        if not self.parameters.confirm or plan.action == "nothing":
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
        yield from remove_everything(self.aws, name, remove_records=self.parameters.remove_records)

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
        return Check("dry run: nothing was removed", not lost, found, "someone else removes things")

    def _gone(self, now: Inventory) -> list[Check]:
        left = [thing for thing in now.things if self.parameters.remove_records or not keeps_records(thing)]
        names = ", ".join(f"{thing.kind} {thing.name or thing.id}" for thing in left)
        going_on = ", ".join(one.thing for one in now.activities)
        stacks = ", ".join(f"{stack.name} {stack.status}" for stack in now.stacks)
        again = "run this again: it goes on from what is there"
        return [
            Check("stacks", not now.stacks, stacks or "none", again),
            Check("what goes on", not now.activities, going_on or "nothing", again),
            Check("tagged things", not left, names or "none", again),
        ]
