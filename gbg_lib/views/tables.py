"""Records as tables."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from gbg_lib.deployments import Target
from gbg_lib.fleet import Fleet
from gbg_lib.parameters import Parameters, names_for
from gbg_lib.pipeline import Action
from gbg_lib.release import Release
from gbg_lib.views.table import Table, duration, table, took


def parameters_table(parameters: Parameters, runbook: str) -> Table:
    rows = [
        {
            "parameter": name,
            "value": getattr(parameters, name),
            "meaning": Parameters.model_fields[name].description,
        }
        for name in names_for(runbook)
    ]
    return table(rows, ["parameter", "value", "meaning"], name="Parameters")


def outputs_table(outputs: Mapping[str, str]) -> Table:
    rows = [{"output": name, "value": value} for name, value in sorted(outputs.items())]
    return table(rows, ["output", "value"], name="Outputs of the stack")


def fleets_table(fleets: Iterable[Fleet]) -> Table:
    """A row a machine, by fleet and zone."""
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
        for instance in sorted(fleet.instances, key=lambda instance: (instance.zone, instance.id))
    ]
    columns = ["instance", "group", "zone", "state", "behind the load balancer", "image", "template version"]
    return table(rows, columns, name="Machines of the fleets")


def actions_table(actions: Iterable[Action]) -> Table:
    rows = [
        {
            "stage": action.label,
            "status": action.status,
            "took": took(action.seconds),
            "behind it": action.external_id,
        }
        for action in actions
    ]
    return table(rows, ["stage", "status", "took", "behind it"], name="Stages of the release")


def release_table(release: Release) -> Table:
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
        "took": duration(release.seconds),
    }
    rows = [{"fact": name, "value": value} for name, value in facts.items()]
    return table(rows, ["fact", "value"], name="The release")


def lifecycle_table(targets: Iterable[Target]) -> Table:
    """A row a lifecycle event of each machine, in order."""
    rows = [
        {
            "machine": target.instance,
            "fleet": target.side,
            "event": event.name,
            "status": event.status,
            "took": took(event.seconds) if event.ended else None,
        }
        for target in targets
        for event in target.events
    ]
    return table(
        rows, ["machine", "fleet", "event", "status", "took"], name="Lifecycle events of each machine"
    )
