"""Plans before they are applied: what, why, what it costs, how it goes; and the word that it is wanted."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from gbg_lib.planned import Kind, Use, a_release, cost, kinds, so_far
from gbg_lib.prices import Amount, Cost, Prices, read_prices
from gbg_lib.repository import SeedPlan
from gbg_lib.stacks import StackPlan
from gbg_lib.typical import stages
from gbg_lib.views.banner import WALKTHROUGH, mode
from gbg_lib.views.late import ipywidgets
from gbg_lib.views.shown import BLUE, ORANGE, WIDGET, note
from gbg_lib.views.table import Table, table

if TYPE_CHECKING:
    from gbg_lib.steps import ReleaseRun, Step

COLUMNS = ("resource", "action", "count", "names", "why", "USD an hour", "USD a month", "removed")
UNDONE = {
    "push": "deleting the branch undoes it",
    "change": "another headline undoes it",
    "nothing": "there is nothing to undo",
}
"""what a plan for the repository does → how it is undone"""
USES = ("what", "why", "USD once", "USD a month", "removed")


def plan_table(plan: StackPlan | SeedPlan, step: Step) -> Table:
    """What would be done: a row a kind of resource (stack), or a row a file (repository)."""
    if isinstance(plan, SeedPlan):
        files = [{"file": name, "action": plan.action} for name in plan.files]
        told = f"{_pushed(plan)}. It costs nothing; {UNDONE[plan.action]}"
        return table(files, ["file", "action"], told, name="Plan")
    found = kinds(plan, step.parameters)
    prices = read_prices(step.aws.region)
    title = f"{plan.stack}: {plan.action}, because {plan.reason}"
    if found:
        wanted = [amount for kind in found for amount in kind.amounts]
        title += f". {_costs(plan, step, prices, wanted)}"
    return table([_row(kind, cost(prices, kind.amounts)) for kind in found], COLUMNS, title, name="Plan")


def _costs(plan: StackPlan, step: Step, prices: Prices, wanted: list[Amount]) -> str:
    """What the plan's resources cost when it is done; of those that are there already, what they cost now."""
    now: tuple[Amount, ...] = ()
    then, lasts = _both(prices.total(wanted)), "as it stands"
    if plan.action == "update":
        now = so_far(plan, step.stacks.parameters(plan.stack))
        before = _both(prices.total(now))
        lasts = f"for what is changed; so far {'as much' if before == then else before}"
    told = f"{_told(step)} {then} {lasts} ({prices.told}); what is paid by use comes on top"
    unknown = prices.unknown([*wanted, *now])
    return told + (f"; without a price: {', '.join(unknown)}" if unknown else "")


def _both(found: Cost) -> str:
    return f"{_usd(found.hour)} USD an hour, {_usd(found.month)} a month"


def _pushed(plan: SeedPlan) -> str:
    title = f"{plan.repository}: {plan.action}, because {plan.reason}"
    if plan.action == "push" and plan.headline:
        title += f"; a second commit lets the page say {plan.headline!r}"
    return title


def release_costs(step: ReleaseRun) -> Table:
    """What one release makes and uses, with what it costs at AWS and how it goes."""
    machines = sum(fleet.desired for fleet in step.fleets() if fleet.serving) or 1
    prices = read_prices(step.aws.region)
    kind = step.stacks.parameters(step.base_stack).get("InstanceType", "")
    minutes = {name: seconds / 60 for name, seconds in stages("aws").items()}
    uses = a_release(machines, kind, minutes, prices)
    title = f"A release: {_told(step)} {_usd(sum(use.usd or 0 for use in uses))} USD once, "
    title += f"{_usd(sum(use.month or 0 for use in uses))} a month for what stays ({prices.told})"
    return table([_use(use) for use in uses], USES, title, name="Costs of a release")


class Acknowledgement:
    """A box to tick on AWS; elsewhere, and for who ticked it as a parameter, only a line.

    Whenever it is shown it asks anew: what an earlier one was ticked for may be another plan.
    """

    def __init__(self, step: Step) -> None:
        given = step.parameters.acknowledged or step.aws.explains
        self.step = step
        self.asks = step.parameters.cloud == "aws" and not given
        if self.asks:
            step.aws.acknowledged = False
        self._told = ipywidgets.HTML()

    def acknowledge(self, wanted: bool) -> None:
        self.step.aws.acknowledged = wanted
        said = "Acknowledged: the cells below may change AWS." if wanted else "Nothing is changed."
        self._told.value = f"<span role='status'>{said}</span>"

    @property
    def words(self) -> list[str]:
        if self.step.aws.explains:
            return ["Nothing needs to be acknowledged: nothing is done."]
        if self.step.parameters.cloud != "aws":
            return ["Nothing needs to be acknowledged: it is the sandbox, and costs nothing."]
        if not self.asks:
            return ["The plan is acknowledged."]
        return [
            "Read the plan above. As long as it is not acknowledged, nothing is changed on AWS.",
            "Without this box: -p acknowledged=true",
        ]

    def widget(self) -> Any:
        box = ipywidgets.Checkbox(
            description="I have read the plan, and want it done on AWS",
            indent=False,
            layout=ipywidgets.Layout(width="auto"),
        )
        box.observe(lambda change: self.acknowledge(bool(change["new"])), names="value")
        shown = ipywidgets.HTML(self._note()._repr_html_())
        return ipywidgets.VBox([shown, box, self._told])

    def _note(self) -> Any:
        return note(ORANGE if self.asks else BLUE, self.words, label="acknowledgement")

    def __repr__(self) -> str:
        return repr(self._note())

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, Any]:
        bundle = {"text/plain": repr(self), "text/html": self._note()._repr_html_()}
        if self.asks and mode() == WALKTHROUGH:
            bundle[WIDGET] = self.widget()._repr_mimebundle_()[WIDGET]
        return bundle


def acknowledge(step: Step) -> Acknowledgement:
    """Below a plan: whether the changes are wanted, asked where they would cost money."""
    return Acknowledgement(step)


def _told(step: Step) -> str:
    return "On AWS about" if step.parameters.cloud == "aws" else "On the sandbox nothing; on AWS about"


def _row(kind: Kind, found: Cost | None) -> dict[str, object]:
    return {
        "resource": kind.type,
        "action": kind.action,
        "count": len(kind.names),
        "names": ", ".join(kind.names),
        "why": kind.why,
        "USD an hour": _usd(found.hour, 4) if found else "",
        "USD a month": _usd(found.month) if found else "",
        "removed": kind.goes,
    }


def _use(use: Use) -> dict[str, object]:
    return {
        "what": use.what,
        "why": use.why,
        "USD once": "no price" if use.usd is None else _usd(use.usd, 4),
        "USD a month": "" if use.month is None else _usd(use.month),
        "removed": use.goes,
    }


def _usd(figure: float, digits: int = 2) -> str:
    return f"{figure:.{digits}f}"
