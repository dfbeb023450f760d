"""Builds with their phases and whole log, and what they made, by digest."""

from __future__ import annotations

from gbg_lib.record.gathering import Gathering, Subject
from gbg_lib.record.sources.pipeline import fetched


def builds(subject: Subject, found: Gathering) -> None:
    ids = subject.external("CodeBuild")
    if not ids:
        return
    answer = subject.aws.call("codebuild", "batch_get_builds", ids=ids[-100:])
    for build in answer["builds"]:
        number = build["id"].rpartition(":")[2]
        file = _log(subject, found, build.get("logs", {}), number)
        phases = build.pop("phases", [])
        found.add(
            "build",
            number,
            "codebuild:batch_get_builds",
            build,
            at=build["startTime"],
            until=build.get("endTime"),
            file=file,
        )
        for phase in phases:
            found.add(
                "build.phase",
                f"{number}:{phase['phaseType']}",
                "codebuild:batch_get_builds",
                phase,
                at=phase["startTime"],
                until=phase.get("endTime"),
            )
    for lost in answer.get("buildsNotFound", []):
        found.miss(f"build {lost}", "CodeBuild does not know it any more", "codebuild:batch_get_builds")


def _log(subject: Subject, found: Gathering, logs: dict[str, str], number: str) -> str:
    """The log's file; empty where there is none."""
    group, stream = logs.get("groupName"), logs.get("streamName")
    if not group or not stream:
        return ""
    with found.source(f"log of build {number}"):
        events = subject.aws.pages(
            "logs", "filter_log_events", "events", logGroupName=group, logStreamNames=[stream]
        )
        text = "".join(event["message"].rstrip("\n") + "\n" for event in events)
        return found.keep(f"build-{number}.log", text.encode())
    return ""


def artifacts(subject: Subject, found: Gathering) -> None:
    """Digests of what was passed on to the deployment; the bytes stay in the artifact bucket."""
    for action in subject.actions:
        if action["input"]["actionTypeId"]["category"] != "Build":
            continue
        for artifact in action.get("output", {}).get("outputArtifacts", []):
            told, _ = fetched(subject, artifact["s3location"])
            found.add("artifact", artifact["name"], "s3:get_object", told, at=action["lastUpdateTime"])
