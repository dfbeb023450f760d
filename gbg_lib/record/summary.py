"""A release in a line: what tables of many releases are made of."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from gbg_lib.record.format import Evidence, stamp
from gbg_lib.record.gathering import MISSING, Gathering, Subject

MESSAGE = 120
"""characters that are kept of a commit's message"""


def summarised(subject: Subject, found: Gathering, settled: bool) -> dict[str, Any]:
    """Only what is worth a column."""
    told = found.evidence.get("execution")
    execution: Mapping[str, Any] = told.data if told else {"status": subject.status}
    image = next((one.data for one in found.of("image") if one.id == "image:golden"), {})
    commit = found.evidence.get(f"commit:{subject.commit}")
    return {
        "execution": subject.execution_id,
        "deployment": subject.deployment,
        "status": execution["status"],
        "trigger": execution.get("trigger", {}).get("triggerType", ""),
        "started": stamp(subject.started),
        "finished": stamp(subject.finished),
        "commit": subject.commit,
        "former_commit": subject.former_commit,
        "committed": stamp(commit.at) if commit else None,
        "message": message(subject),
        "image": subject.output("ImageId"),
        "os_release": tags(image).get("gbg:os-release", ""),
        "packages": tags(image).get("gbg:packages", ""),
        "deployments": subject.deployments,
        "stages": stages(subject),
        "failed": failed(subject),
        "machines": len(found.of("machine")),
        "missing": len(found.of(MISSING)),
        "pieces": len(found.evidence) + len(found.files),
        "settled": settled,
    }


def message(subject: Subject) -> str:
    summary = next(
        (
            action.get("output", {}).get("executionResult", {}).get("externalExecutionSummary", "")
            for action in subject.actions
            if action["input"]["actionTypeId"]["category"] == "Source"
        ),
        "",
    )
    return str(summary).strip().partition("\n")[0][:MESSAGE]


def stages(subject: Subject) -> dict[str, float]:
    """Seconds of each stage, from its first action's start to its last one's end."""
    times: dict[str, list[datetime]] = {}
    for action in subject.actions:
        times.setdefault(action["stageName"], []).extend((action["startTime"], action["lastUpdateTime"]))
    return {name: round((max(seen) - min(seen)).total_seconds(), 1) for name, seen in times.items()}


def failed(subject: Subject) -> dict[str, str]:
    """Stage, action and AWS's word of the first action that failed; empty for none."""
    for action in subject.actions:
        if action["status"] == "Failed":
            result = action.get("output", {}).get("executionResult", {})
            return {
                "stage": action["stageName"],
                "action": action["actionName"],
                "why": str(result.get("errorDetails", {}).get("message", ""))[:MESSAGE],
            }
    return {}


def tags(thing: Mapping[str, Any]) -> dict[str, str]:
    return {tag["Key"]: tag["Value"] for tag in thing.get("Tags", [])}


def of(found: Gathering, kind: str) -> Evidence | None:
    return next(iter(found.of(kind)), None)
