"""Planting a fault and taking it away, by whichever process: what is planted is written down in the account.

One at a time. On AWS only when the deployment's name is typed.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field

from gbg_lib.errors import GateRefused, MisuseError, NotThere
from gbg_lib.faults.fault import Fault
from gbg_lib.steps import ReleaseRun


@dataclass(frozen=True)
class Planted:
    """A fault that is in a deployment now."""

    name: str
    former: Mapping[str, str] = field(default_factory=dict)


def record_name(step: ReleaseRun) -> str:
    return f"/{step.parameters.deployment}/fault"


def find(catalogue: Mapping[str, Fault], name: str) -> Fault:
    """Raises MisuseError."""
    if name not in catalogue:
        raise MisuseError(
            "fault", f"there is none called {name!r}", f"one of: {', '.join(sorted(catalogue))}"
        )
    return catalogue[name]


def planted(step: ReleaseRun) -> Planted | None:
    try:
        found = step.aws.call("ssm", "get_parameter", Name=record_name(step))["Parameter"]["Value"]
    except NotThere:
        return None
    return Planted(**json.loads(found))


def plant(step: ReleaseRun, fault: Fault, *, confirm: str = "") -> Planted:
    """Raises MisuseError on AWS without the deployment's name, GateRefused while another fault is planted."""
    deployment = step.parameters.deployment
    if step.parameters.cloud == "aws" and confirm != deployment:
        raise MisuseError(
            f"fault {fault.name}",
            f"it would harm {deployment} on AWS, and {confirm!r} was typed to confirm it",
            f"type {deployment} when you mean it; drills are for the sandbox",
        )
    if there := planted(step):
        raise GateRefused(
            f"fault {fault.name}", f"{there.name} is planted in {deployment}", "take that one away first"
        )
    made = Planted(fault.name, fault.look(step))
    step.aws.call(
        "ssm",
        "put_parameter",
        Name=record_name(step),
        Description="A fault that is planted here, and what was there before",
        Value=json.dumps({"name": made.name, "former": made.former}),
        Type="String",
        Tags=[{"Key": "gbg:deployment", "Value": deployment}],
    )
    fault.plant(step, made.former)
    return made


def begin(step: ReleaseRun, fault: Fault) -> str:
    """The release that meets the planted fault: a push's own, else a new one of what the branch holds."""
    if fault.pushes and _pushes_release(step):
        head = step.repository.head()
        assert head is not None, "a fault that pushes leaves a commit"
        return step.pipeline.execution_for(head.id).id
    return step.pipeline.start()


def _pushes_release(step: ReleaseRun) -> bool:
    rule = step.aws.call("events", "describe_rule", Name=f"{step.parameters.deployment}-push")
    return bool(rule["State"] == "ENABLED")


def remove(step: ReleaseRun, catalogue: Mapping[str, Fault]) -> str:
    """Take away what is planted; its name, or empty when there was nothing."""
    found = planted(step)
    if found is None:
        return ""
    find(catalogue, found.name).remove(step, found.former)
    forget(step)
    return found.name


def forget(step: ReleaseRun) -> None:
    """Of a fault that somebody mended by hand: nothing is planted any more."""
    try:
        step.aws.call("ssm", "delete_parameter", Name=record_name(step))
    except NotThere:
        return
