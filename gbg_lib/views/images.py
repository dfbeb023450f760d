"""Golden images as tables: lineage, packages, what goes and what stays, what is revoked."""

from __future__ import annotations

from collections.abc import Iterable

from gbg_lib.images import Lineage, PackageChange, PrunePlan, RevocationPlan, Usage
from gbg_lib.views.table import Table, table

IMAGE_COLUMNS = ["image", "made", "Amazon Linux", "commit", "made from", "run by", "state"]


def images_table(lineage: Lineage, usage: Usage) -> Table:
    """A row an image, newest first, from the commit that asked for it to the fleet that runs it."""
    rows = [
        {
            "image": image.id,
            "made": image.created[:16].replace("T", " "),
            "Amazon Linux": image.os_release,
            "commit": image.commit[:8],
            "made from": image.parent,
            "run by": ", ".join(usage.running(image.id)),
            "state": _state(lineage, image.id, image.state),
        }
        for image in lineage.images
    ]
    return table(rows, IMAGE_COLUMNS, f"{lineage.deployment}: golden AMIs, {len(rows)}")


def _state(lineage: Lineage, image_id: str, state: str) -> str:
    revocation = lineage.revocation(image_id)
    if revocation is None:
        return state
    by = "" if revocation.by == image_id else f" by {revocation.by}"
    return f"{state}, revoked{by}: {revocation.reason}"


def packages_table(changes: Iterable[PackageChange], before: str, after: str) -> Table:
    rows = [
        {"package": change.name, "change": change.kind, "before": change.before, "after": change.after}
        for change in changes
    ]
    title = f"from {before} to {after}: {len(rows)} packages differ"
    return table(rows, ["package", "change", "before", "after"], title, name="Packages")


def pruning_table(plan: PrunePlan) -> Table:
    rows = [
        {
            "image": one.image.id,
            "made": one.image.created[:16].replace("T", " "),
            "action": "keep" if one.kept_for else "remove",
            "because": "; ".join(one.kept_for) or "nobody needs it",
            "with it": ", ".join([*one.image.snapshots, *map(str, one.versions)]) if not one.kept_for else "",
        }
        for one in plan.decisions
    ]
    title = f"{plan.deployment}: {plan.action}, because {plan.reason}"
    return table(rows, ["image", "made", "action", "because", "with it"], title, name="Images to be pruned")


def revocation_table(plan: RevocationPlan) -> Table:
    rows = [
        {
            "image": mark.image,
            "because": mark.because,
            "already marked": "yes" if mark.marked else "no",
            "can be launched": "no" if mark.switch else "as before",
            "run by": ", ".join(mark.used_by),
        }
        for mark in plan.marks
    ]
    columns = ["image", "because", "already marked", "can be launched", "run by"]
    return table(rows, columns, f"{plan.image}: {plan.reason}", name="What would be revoked")
