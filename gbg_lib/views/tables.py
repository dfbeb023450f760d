"""Records as pandas tables."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import pandas as pd

from gbg_lib.checks import Check
from gbg_lib.fleet import Fleet
from gbg_lib.parameters import Parameters, names_for
from gbg_lib.pipeline import Action
from gbg_lib.release import Release, Target
from gbg_lib.repository import SeedPlan
from gbg_lib.stacks import StackPlan


def _table(rows: Sequence[Mapping[str, object]], columns: Sequence[str]) -> pd.DataFrame:
    frame = pd.DataFrame(rows, columns=list(columns))
    return frame.set_index(columns[0])


def parameters_table(parameters: Parameters, runbook: str) -> pd.DataFrame:
    rows = [
        {
            "parameter": name,
            "value": getattr(parameters, name),
            "meaning": Parameters.model_fields[name].description,
        }
        for name in names_for(runbook)
    ]
    return _table(rows, ["parameter", "value", "meaning"])


def plan_table(plan: StackPlan | SeedPlan) -> pd.DataFrame:
    """What would be done: a row a kind of resource (stack), or a row a file (repository)."""
    if isinstance(plan, SeedPlan):
        files = [{"file": name, "action": plan.action} for name in plan.files]
        return _table(files, ["file", "action"])
    kinds: dict[tuple[str, str], list[str]] = {}
    for change in plan.changes:
        kinds.setdefault((change.type, change.action), []).append(change.logical_id)
    rows: list[dict[str, object]]
    rows = [
        {"resource": kind, "action": action, "count": len(names), "names": ", ".join(sorted(names))}
        for (kind, action), names in sorted(kinds.items())
    ]
    return _table(rows, ["resource", "action", "count", "names"])


def outputs_table(outputs: Mapping[str, str]) -> pd.DataFrame:
    rows = [{"output": name, "value": value} for name, value in sorted(outputs.items())]
    return _table(rows, ["output", "value"])


def checks_table(checks: Iterable[Check]) -> pd.DataFrame:
    rows = [
        {"check": check.name, "result": "passed" if check.passed else "failed", "found": check.found}
        for check in checks
    ]
    return _table(rows, ["check", "result", "found"])


def fleets_table(fleets: Iterable[Fleet]) -> pd.DataFrame:
    rows = [
        {
            "instance": instance.id,
            "group": fleet.group,
            "zone": instance.zone,
            "state": instance.lifecycle,
            "behind the load balancer": instance.target_health or "not registered",
            "image": instance.image,
            "template version": instance.template_version,
        }
        for fleet in fleets
        for instance in sorted(fleet.instances, key=lambda instance: instance.zone)
    ]
    return _table(
        rows,
        ["instance", "group", "zone", "state", "behind the load balancer", "image", "template version"],
    )


def actions_table(actions: Iterable[Action]) -> pd.DataFrame:
    rows = [
        {
            "stage": action.stage,
            "status": action.status,
            "seconds": round(action.seconds, 1),
            "behind it": action.external_id,
        }
        for action in actions
    ]
    return _table(rows, ["stage", "status", "seconds", "behind it"])


def release_table(release: Release) -> pd.DataFrame:
    facts = {
        "execution": release.execution_id,
        "status": release.status,
        "commit": release.commit,
        "message": release.message,
        "golden AMI": release.image,
        "launch template version": release.template_version,
        "bake": release.automation_id,
        "build": release.build_id,
        "deployment": release.deployment_id,
        "seconds": round(release.seconds, 1),
    }
    return _table([{"fact": name, "value": value} for name, value in facts.items()], ["fact", "value"])


def lifecycle_table(targets: Iterable[Target]) -> pd.DataFrame:
    """A row a lifecycle event of each machine, in order."""
    rows = [
        {
            "machine": target.instance,
            "fleet": target.side,
            "event": event.name,
            "status": event.status,
            "seconds": round(event.seconds, 1),
        }
        for target in targets
        for event in target.events
    ]
    return _table(rows, ["machine", "fleet", "event", "status", "seconds"])
