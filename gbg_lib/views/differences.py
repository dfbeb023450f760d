"""Drift and orphans as tables, in words."""

from __future__ import annotations

from collections.abc import Iterable

from gbg_lib.mending.drift import Drift
from gbg_lib.mending.orphans import Orphan
from gbg_lib.mending.repair import RepairPlan
from gbg_lib.views.table import Table, table

LONG = 60
"""characters from which on a value is cut: whole policies are in the stack's own drift page"""


def drift_table(found: Iterable[Drift]) -> Table:
    """A row a difference between the stack and what is there."""
    rows = [
        {
            "what": one.what,
            "the stack believes": _cut(one.believed),
            "there is": _cut(one.live),
            "because of": one.cause,
            "mended by": one.mended_by,
        }
        for one in found
    ]
    title = "" if rows else "stack and live state agree"
    return table(
        rows, ["what", "the stack believes", "there is", "because of", "mended by"], title, name="Drift"
    )


def repair_table(plan: RepairPlan) -> Table:
    """A row a stage, in their order, with what it does to the stack."""
    does = {
        "continue the rollback": "the update that got stuck is given up, without its fleet",
        "let go": f"the stack forgets {plan.former or 'its fleet'} and its policy, and deletes nothing",
        "import": f"{plan.fleet}, which serves, becomes the stack's own with its scaling policy, as it is",
        "catch up": f"the stack takes its usual template again, with version {plan.template_version} of the "
        f"launch template and golden AMI {plan.golden_ami}",
    }
    rows = [{"stage": stage, "what it does": does[stage]} for stage in plan.stages]
    return table(rows, ["stage", "what it does"], f"{plan.action}: {plan.reason}", name="Repair")


def orphans_table(found: Iterable[Orphan]) -> Table:
    """A row a thing that a run left behind."""
    rows = [
        {"what": one.kind, "id": one.id, "left by": one.left_by, "nobody needs it, for": one.why}
        for one in found
    ]
    title = "" if rows else "nothing was left behind"
    return table(rows, ["what", "id", "left by", "nobody needs it, for"], title, name="Left behind")


def swept_table(gone: Iterable[str], *, asked: bool) -> Table:
    """What a sweep removed, or why nothing was."""
    rows = [{"removed": one} for one in gone]
    title = "" if rows else "nothing was to be removed" if asked else "nothing was removed: sweep is not set"
    return table(rows, ["removed"], title, name="Removed")


def _cut(value: str) -> str:
    return value if len(value) <= LONG else f"{value[:LONG]}…"
