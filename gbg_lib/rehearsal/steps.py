"""A record as the steps that the release went through, in lanes: what is in one lane has an order.

Lanes run beside each other, so their order is a matter of time and says nothing.
"""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from gbg_lib.record.archive import Archive
from gbg_lib.record.format import Evidence, odd_is_refused
from gbg_lib.record.story import BAD, side
from gbg_lib.record.words import plain, plain_lines
from gbg_lib.rehearsal.likeness import NUMBERED, Likeness

PIPELINE, BAKE, BUILD, DEPLOYMENTS = "pipeline", "bake", "build", "deployments"
LIFECYCLE = (
    *("ApplicationStop", "DownloadBundle", "BeforeInstall", "Install", "AfterInstall", "ApplicationStart"),
    *("ValidateService", "BeforeAllowTraffic", "AllowTraffic", "AfterAllowTraffic"),
    *("BeforeBlockTraffic", "BlockTraffic", "AfterBlockTraffic"),
)
"""https://docs.aws.amazon.com/codedeploy/latest/userguide/reference-appspec-file-structure-hooks.html"""
ACTIVE = frozenset({"InProgress", "Pending", "Created", "Queued", "Ready", "Baking"})
VERDICT = re.compile(r"^\[ERROR\]|\bTests run:|\bBUILD (?:SUCCESS|FAILURE)")
"""Maven's errors, counts of tests, and last word"""
OWN = re.compile(r"^\[ERROR\] \S+\.java:\[|\bTests run: \d+, Failures: \d+, Errors: \d+, Skipped: \d+$")
"""of them what is about the application, in whichever version of Maven"""
STREAMS = ("[stdout]", "[stderr]")
"""what CodeDeploy's agent writes before a script's lines"""
ACTIVATED, ALARM = re.compile(r"Activated alarms: (.*)"), re.compile(r"[^\s<>,]+")


@dataclass(frozen=True)
class Step:
    lane: str
    name: str
    status: str
    results: Mapping[str, str] = field(default_factory=dict)
    """what it said and made, by name, without what differs by nature"""
    at: datetime | None = None
    until: datetime | None = None
    evidence: str = ""

    @property
    def bad(self) -> bool:
        return self.status in BAD

    @property
    def open(self) -> bool:
        """Whether it went on, or was to come, when the record was written: a rollback outlives its release.

        A bake's step that waits is one of the branch for failures, and stays so.
        """
        return self.lane != BAKE and self.status in ACTIVE

    @property
    def seconds(self) -> float:
        return max((self.until - self.at).total_seconds(), 0.0) if self.at and self.until else 0.0


@dataclass(frozen=True)
class Lane:
    """`group` is what lanes may be exchanged within: machines of one side of one deployment."""

    name: str
    steps: tuple[Step, ...]
    group: str

    @property
    def begins(self) -> float:
        times = [step.at.timestamp() for step in self.steps if step.at]
        return min(times, default=float("inf"))


@odd_is_refused
def lanes(archive: Archive, likeness: Likeness) -> list[Lane]:
    told = [
        Lane(PIPELINE, tuple(_pipeline(archive, likeness)), PIPELINE),
        Lane(BAKE, tuple(_bake(archive, likeness)), BAKE),
        Lane(BUILD, tuple(_build(archive, likeness)), BUILD),
        Lane(DEPLOYMENTS, tuple(_deployments(archive, likeness)), DEPLOYMENTS),
    ]
    return [*(lane for lane in told if lane.steps), *_machines(archive, likeness)]


def _step(lane: str, name: object, status: object, likeness: Likeness, one: Evidence, **said: object) -> Step:
    results = {key: likeness.text(str(text)) for key, text in said.items() if text not in ("", None)}
    kept = {key: text for key, text in results.items() if text}
    return Step(lane, plain(name), plain(status), kept, one.at, one.until, one.id)


def _pipeline(archive: Archive, likeness: Likeness) -> Iterator[Step]:
    for one in archive.of("action"):
        result = one.data.get("output", {}).get("executionResult", {})
        error = result.get("errorDetails", {})
        outputs = one.data.get("output", {}).get("outputVariables", {})
        told = {
            name: value
            for name, value in sorted(outputs.items())
            if name not in NUMBERED and (likeness.tools or name != "PackagesFingerprint")
        }
        yield _step(
            PIPELINE,
            f"{one.data['stageName']}/{one.data['actionName']}",
            one.data["status"],
            likeness,
            one,
            error=error.get("code", ""),
            message=error.get("message", "") if likeness.tools else "",
            summary=result.get("externalExecutionSummary", "") if likeness.tools or _ours(one) else "",
            outputs="\n".join(f"{name} = {value}" for name, value in told.items()),
        )
    for one in archive.of("execution"):
        ended = Evidence(one.kind, one.id, one.source, one.data, one.until, one.until)
        yield _step(PIPELINE, "release", one.data["status"], likeness, ended)


def _ours(one: Evidence) -> bool:
    """Whether a summary is a commit's message or our function's word, not a service's."""
    return one.data.get("input", {}).get("actionTypeId", {}).get("provider") in ("CodeCommit", "Lambda")


def _bake(archive: Archive, likeness: Likeness) -> Iterator[Step]:
    found = sorted(archive.of("bake.step"), key=lambda one: one.id)
    for one in found:
        output = "\n".join(map(str, _outputs(one).get("Output", [])))
        status = one.data["StepStatus"]
        failed = status in BAD
        yield _step(
            BAKE,
            one.data["StepName"],
            status,
            likeness,
            one,
            code=one.data.get("ResponseCode", ""),
            failure=one.data.get("FailureMessage", "") if likeness.tools else "",
            inputs=_inputs(one) if likeness.tools else "",
            output=output if likeness.tools else _last(output) if failed else "",
        )
    for one in archive.of("packages"):
        if likeness.tools:
            listed = "\n".join(map(str, one.data.get("golden", [])))
            yield _step(BAKE, "packages of the image", "listed", likeness, one, packages=listed)


def _outputs(one: Evidence) -> Mapping[str, Any]:
    """A long answer is kept as the text of its JSON."""
    told = one.data.get("Outputs", {})
    if isinstance(told, str):
        told = json.loads(told)
    return told if isinstance(told, Mapping) else {}


def _inputs(one: Evidence) -> str:
    told = one.data.get("Inputs", {})
    return told if isinstance(told, str) else json.dumps(told, sort_keys=True)


def _build(archive: Archive, likeness: Likeness) -> Iterator[Step]:
    tools = likeness.tools
    logs = {one.id.partition(":")[2]: one.file for one in archive.of("build") if one.file}
    for one in archive.of("build.phase"):
        number, _, phase = one.id.partition(":")[2].partition(":")
        said = "\n".join(
            " ".join(filter(None, (told.get("statusCode", ""), told.get("message", "") if tools else "")))
            for told in one.data.get("contexts", [])
        )
        log = archive.text(logs[number]) if phase == "BUILD" and number in logs else ""
        status = one.data.get("phaseStatus", "over")
        yield _step(
            BUILD,
            phase,
            status,
            likeness,
            one,
            context=said,
            verdict="\n".join(verdict(log, OWN if not tools else VERDICT)),
        )
    came = {name: sha for one in archive.of("source") for name, sha in one.data.get("members", {}).items()}
    for one in archive.of("artifact"):
        files = "\n".join(
            f"{name}: {'as in the source' if came.get(name) == sha else 'made'}"
            for name, sha in sorted(one.data["members"].items())
        )
        yield _step(BUILD, f"artifact {one.id.partition(':')[2]}", "made", likeness, one, files=files)


def verdict(log: str, telling: re.Pattern[str]) -> Iterator[str]:
    """The lines of a build's log by which it says how it went."""
    for line in plain_lines(log):
        if telling.search(line):
            yield line


def _deployments(archive: Archive, likeness: Likeness) -> Iterator[Step]:
    for number, one in enumerate(_ordered(archive), 1):
        error = one.data.get("errorInformation", {})
        counts = one.data.get("deploymentOverview", {})
        rollback = one.data.get("creator") == "codeDeployRollback"
        yield _step(
            DEPLOYMENTS,
            f"deployment {number}" + (", a rollback" if rollback else ""),
            one.data["status"],
            likeness,
            one,
            error=error.get("code", ""),
            message=error.get("message", "") if likeness.tools else "",
            alarms=", ".join(_alarms(error.get("message", ""))),
            machines=", ".join(f"{name} {count}" for name, count in sorted(counts.items()) if count),
        )


def _alarms(message: str) -> list[str]:
    """Those that CodeDeploy says stopped a deployment; its words around them are AWS's."""
    found = ACTIVATED.search(message)
    return sorted(ALARM.findall(found[1])) if found else []


def _ordered(archive: Archive) -> list[Evidence]:
    return sorted(archive.of("deployment"), key=lambda one: str(one.data.get("createTime", "")))


def _machines(archive: Archive, likeness: Likeness) -> Iterator[Lane]:
    """A lane a machine and deployment, by the order in which they began."""
    numbers = {one.id.partition(":")[2]: number for number, one in enumerate(_ordered(archive), 1)}
    told: dict[tuple[int, str, str], list[Evidence]] = {}
    for one in archive.of("machine.event"):
        deployment, machine = one.id.split(":")[1:3]
        told.setdefault((numbers.get(deployment, 0), side(one), machine), []).append(one)
    groups: dict[str, list[list[Evidence]]] = {}
    for (number, which, _), events in told.items():
        groups.setdefault(f"deployment {number}, {which.lower()}", []).append(events)
    for group, machines in groups.items():
        machines.sort(key=_begun)
        for number, events in enumerate(machines, 1):
            name = f"{group} {number}"
            ordered = sorted(events, key=_place)
            yield Lane(name, tuple(_event(name, one, likeness) for one in ordered), group)


def _begun(events: list[Evidence]) -> float:
    return min((one.at.timestamp() for one in events if one.at), default=float("inf"))


def _place(one: Evidence) -> tuple[int, str]:
    name = str(one.data["lifecycleEventName"])
    return LIFECYCLE.index(name) if name in LIFECYCLE else len(LIFECYCLE), name


def _event(lane: str, one: Evidence, likeness: Likeness) -> Step:
    told = one.data.get("diagnostics") or {}
    log, failed = by_stream(str(told.get("logTail", ""))), one.data.get("status") in BAD
    return _step(
        lane,
        one.data["lifecycleEventName"],
        one.data.get("status", "?"),
        likeness,
        one,
        code=told.get("errorCode", ""),
        script=told.get("scriptName", ""),
        message=told.get("message", "") if likeness.tools else "",
        log=log if likeness.tools else _last(log) if failed else "",
    )


def by_stream(log: str) -> str:
    """A hook's log with each stream's lines together: which of the two was read first is chance."""
    told = itertools.groupby(log.splitlines(), key=lambda line: line.startswith(STREAMS))
    return "\n".join(
        line
        for of_streams, lines in told
        for line in (sorted(lines, key=lambda one: one.startswith(STREAMS[1])) if of_streams else lines)
    )


def _last(log: str) -> str:
    """The last thing that a script of ours said."""
    return next(reversed(plain_lines(log.strip())), "")
