"""Who decided what: the push, approvals, what people did by hand, and what services did on their own."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from gbg_lib.record.archive import Archive
from gbg_lib.record.format import Evidence, odd_is_refused
from gbg_lib.record.story import in_release, trigger
from gbg_lib.record.words import plain

BY_HAND = {
    "PutApprovalResult": "answers an approval",
    "StartPipelineExecution": "starts a release",
    "StopPipelineExecution": "stops a release",
    "RetryStageExecution": "tries a stage again",
    "RollbackStage": "rolls a stage back",
    "ContinueDeployment": "lets the deployment go on",
    "StopDeployment": "stops a deployment",
    "CreateDeployment": "starts a deployment",
    "ExecuteChangeSet": "changes a stack",
    "UpdateStack": "changes a stack",
    "DisableStageTransition": "shuts a stage",
    "EnableStageTransition": "opens a stage",
    "SetAlarmState": "sets an alarm",
    "UpdateAutoScalingGroup": "changes a fleet",
    "DeleteAutoScalingGroup": "deletes a fleet",
    "CreateLaunchTemplateVersion": "writes a launch template version",
    "PutParameter": "writes a parameter",
}
"""API calls that decide something → in words"""


@dataclass(frozen=True)
class Decision:
    at: datetime | None
    who: str
    what: str
    evidence: str


@odd_is_refused
def decisions(archive: Archive) -> list[Decision]:
    """By time. What the deployment's own roles did before it began is of the release before."""
    found = [*_commits(archive), *_start(archive), *_approvals(archive), *_calls(archive)]
    found.sort(key=lambda one: one.at.timestamp() if one.at else 0.0)
    return [Decision(one.at, plain(one.who, 100), plain(one.what, 160), one.evidence) for one in found]


def _commits(archive: Archive) -> Iterator[Decision]:
    for one in archive.of("commit"):
        author = one.data.get("author", {})
        who = f"{author.get('name', '?')} <{author.get('email', '')}>"
        commit = str(one.data.get("commitId", ""))[:8]
        yield Decision(one.at, who, f"commits {commit}: {one.data.get('message', '')}", one.id)


def _start(archive: Archive) -> Iterator[Decision]:
    for one in archive.of("execution"):
        detail = str(one.data.get("trigger", {}).get("triggerDetail", "")) or "?"
        yield Decision(one.at, _short(detail), f"sets the release going: {trigger(one)}", one.id)


def _approvals(archive: Archive) -> Iterator[Decision]:
    for one in archive.of("action"):
        if one.data.get("input", {}).get("actionTypeId", {}).get("category") == "Approval":
            result = one.data.get("output", {}).get("executionResult", {})
            said = result.get("externalExecutionSummary", "") or one.data.get("status", "?")
            what = f"{one.data.get('stageName')}/{one.data.get('actionName')}: {said}"
            yield Decision(one.until, _short(str(one.data.get("updatedBy", "?"))), what, one.id)


def _calls(archive: Archive) -> Iterator[Decision]:
    for one in archive.of("api.call"):
        event = one.data.get("event", {})
        name = str(one.data.get("EventName", ""))
        if name in BY_HAND and (in_release(archive, one) or not of_a_role(archive, one)):
            who = _short(str(event.get("userIdentity", {}).get("arn", one.data.get("Username", "?"))))
            error = f", refused: {event['errorCode']}" if event.get("errorCode") else ""
            yield Decision(one.at, who, f"{BY_HAND[name]} ({name}){error}", one.id)


def of_a_role(archive: Archive, one: Evidence) -> bool:
    """Whether a role of the deployment called, which no person takes."""
    arn = str(one.data.get("event", {}).get("userIdentity", {}).get("arn", ""))
    return f"assumed-role/{archive.manifest.external.get('deployment', '')}-" in arn


def _short(arn: str) -> str:
    """`assumed-role/gbg-base-BakeRole/x` of an arn; what is none stays."""
    return arn.split(":", 5)[5] if arn.startswith("arn:") and arn.count(":") >= 5 else arn
