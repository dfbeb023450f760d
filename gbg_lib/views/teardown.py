"""A teardown as tables: what there is and what it costs, what would be done."""

from __future__ import annotations

from collections.abc import Iterable

from gbg_lib.prices import Prices
from gbg_lib.teardown import Inventory, TeardownPlan
from gbg_lib.teardown.kinds import Found
from gbg_lib.views.table import Table, table

INVENTORY_COLUMNS = ["what", "count", "of them in no stack", "USD an hour", "USD a month"]
NAMES = 3


def inventory_table(inventory: Inventory, prices: Prices) -> Table:
    """A row a kind of thing."""
    outside = {(thing.kind, thing.id) for thing in inventory.outside}
    kinds = dict.fromkeys(thing.kind for thing in inventory.things)
    rows = []
    for kind in sorted(kinds):
        things = [thing for thing in inventory.things if thing.kind == kind]
        alone = sum((thing.kind, thing.id) in outside for thing in things)
        rows.append(
            {"what": kind, "count": len(things), "of them in no stack": alone, **_money(things, prices)}
        )
    total = inventory.cost(prices)
    title = f"{inventory.deployment}: {len(inventory.things)} things, {_usd(total.hour)} USD an hour, "
    title += f"{_usd(total.month, 2)} a month as they stand ({prices.told})"
    if unknown := prices.unknown(inventory.amounts):
        title += f"; without a price: {', '.join(unknown)}"
    if memory := prices.unconfirmed(inventory.amounts):
        title += f"; not confirmed: {', '.join(memory)}"
    return table(rows, INVENTORY_COLUMNS, title, name="Inventory")


def stacks_table(inventory: Inventory) -> Table:
    rows = [
        {"stack": stack.name, "status": stack.status, "resources": len(stack.resources), "why": stack.reason}
        for stack in inventory.stacks
    ]
    return table(rows, ["stack", "status", "resources", "why"], name="Stacks")


def strangers_table(inventory: Inventory) -> Table:
    """What is named like the deployment and not its own, and what carries its tag and no runbook makes."""
    rows = [
        {"what": thing.kind, "name": thing.name, "why": "without the tag"} for thing in inventory.strangers
    ]
    rows += [{"what": "", "name": arn, "why": "no runbook makes such"} for arn in inventory.foreign]
    said = "Not touched" if rows else "Nothing is named alike, and nothing else carries the tag"
    return table(rows, ["what", "name", "why"], said, name="Not touched")


def removal_table(plan: TeardownPlan) -> Table:
    """What would be done, in its order."""
    rows = [
        {"step": number, "what": one.what, "count": one.count, "how": one.how, "which": _few(one.names)}
        for number, one in enumerate(plan.removals, start=1)
    ]
    title = f"{plan.deployment}: {plan.action}, because {plan.reason}"
    if plan.serving:
        title += f"; {_who(plan.serving)} visitors now, and none will afterwards"
    if plan.kept:
        title += f"; kept: {', '.join(plan.kept)}"
    if plan.unseen:
        title += f"; {plan.unseen}"
    if plan.refusals:
        title += f"; refused as long as: {'; '.join(plan.refusals)}"
    return table(rows, ["step", "what", "count", "how", "which"], title, name="What would be removed")


def _who(serving: int) -> str:
    return "1 instance serves" if serving == 1 else f"{serving} instances serve"


def _money(things: Iterable[Found], prices: Prices) -> dict[str, str]:
    amounts = [amount for thing in things for amount in thing.amounts]
    if not amounts:
        return {"USD an hour": "", "USD a month": ""}
    cost = prices.total(amounts)
    return {"USD an hour": _usd(cost.hour), "USD a month": _usd(cost.month, 2)}


def _usd(figure: float, digits: int = 4) -> str:
    return f"{figure:.{digits}f}"


def _few(names: tuple[str, ...]) -> str:
    more = f" and {len(names) - NAMES} more" if len(names) > NAMES else ""
    return ", ".join(names[:NAMES]) + more
