"""What is asked of whom: a function a source, each with a name under which it can be missing.

Those of LATE may know more some minutes or hours later, and are asked again.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from gbg_lib.record.gathering import Gathering, Subject
from gbg_lib.record.sources import account, bake, build, deploy, fleet, former, pipeline, traffic, trail

Source = Callable[[Subject, Gathering], None]

SOURCES: Mapping[str, Source] = {
    "pipeline": pipeline.execution,
    "commits": pipeline.commits,
    "source archive": pipeline.archive,
    "former source": former.archive,
    "bake": bake.automation,
    "bake log": bake.log,
    "images": bake.images,
    "build": build.builds,
    "artifacts": build.artifacts,
    "deployments": deploy.deployments,
    "deployment group": deploy.group,
    "fleet": fleet.groups,
    "launch template": fleet.template_versions,
    "instances": fleet.instances,
    "scaling activities": fleet.activities,
    "target health": traffic.health,
    "traffic": traffic.counts,
    "alarms": traffic.alarms,
    "alarm history": traffic.alarm_history,
    "stacks": account.stacks,
    "parameters": account.parameters,
    "documents": account.documents,
    "function logs": account.function_logs,
    "instance logs": account.instance_logs,
    "api calls": trail.calls,
}
"""in the order in which they are asked: later ones look at what earlier ones found"""
LATE = ("pipeline", "deployments", "scaling activities", "alarm history", "api calls")


def ask(subject: Subject, found: Gathering, names: tuple[str, ...] = tuple(SOURCES)) -> None:
    """Every source named, each once; what can't be had is noted."""
    for name in names:
        with found.source(name):
            SOURCES[name](subject, found)
