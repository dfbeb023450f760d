"""What EventBridge hears of a build.

https://docs.aws.amazon.com/codebuild/latest/userguide/sample-build-notifications-ref.html
"""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

from gbg_sandbox.services.codebuild.state import Build, Phase

if TYPE_CHECKING:
    from gbg_sandbox.cloud import Cloud


def build_changed(cloud: Cloud, build: Build) -> None:
    current = build.phases[-1] if build.phases else None
    detail = {
        "build-status": build.status,
        "project-name": build.project,
        "build-id": build.arn,
        "additional-information": _information(build),
        "current-phase": build.current_phase,
        "current-phase-context": _context(current),
        "version": "1",
    }
    cloud.events.publish("aws.codebuild", "CodeBuild Build State Change", detail, [build.arn])


def phase_ended(cloud: Cloud, build: Build, phase: Phase) -> None:
    assert phase.ended is not None
    detail = {
        "completed-phase": phase.type,
        "completed-phase-status": phase.status,
        "completed-phase-context": _context(phase),
        "completed-phase-duration-seconds": round((phase.ended - phase.started).total_seconds()),
        "completed-phase-start": _time(phase.started),
        "completed-phase-end": _time(phase.ended),
        "project-name": build.project,
        "build-id": build.arn,
        "additional-information": _information(build),
        "version": "1",
    }
    cloud.events.publish("aws.codebuild", "CodeBuild Build Phase Change", detail, [build.arn])


def _information(build: Build) -> dict[str, Any]:
    environment = build.settings["environment"]
    source = build.settings["source"]
    found: dict[str, Any] = {
        "environment": {
            "image": environment["image"],
            "privileged-mode": environment["privilegedMode"],
            "compute-type": environment["computeType"],
            "type": environment["type"],
            "environment-variables": environment["environmentVariables"],
        },
        "timeout-in-minutes": build.settings["timeoutInMinutes"],
        "build-complete": build.complete,
        "build-number": build.number,
        "initiator": build.initiator,
        "build-start-time": _time(build.started),
        "source": {key: source[key] for key in ("type", "location") if key in source},
        "logs": {"group-name": build.log_group, "stream-name": build.log_stream},
        "phases": [_phase(phase) for phase in build.phases],
    }
    if build.artifacts:
        told = build.artifacts[0]
        sums = {
            "md5sum": told.get("md5sum"),
            "sha256sum": told.get("sha256sum"),
            "location": told["location"],
        }
        found["artifact"] = {key: value for key, value in sums.items() if value}
    return found


def _phase(phase: Phase) -> dict[str, Any]:
    found: dict[str, Any] = {"phase-type": phase.type, "start-time": _time(phase.started)}
    if phase.ended:
        found |= {
            "phase-context": [_context(phase)],
            "end-time": _time(phase.ended),
            "duration-in-seconds": round((phase.ended - phase.started).total_seconds()),
            "phase-status": phase.status,
        }
    return found


def _context(phase: Phase | None) -> str:
    return f"[{phase.code}: {phase.message}]" if phase else "[]"


def _time(moment: datetime) -> str:
    return f"{moment:%b} {moment.day}, {moment.year} {moment.hour % 12 or 12}:{moment:%M:%S %p}"
