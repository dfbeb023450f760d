"""Where the first thing went wrong, and what its log says."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from gbg_lib.record.archive import Archive
from gbg_lib.record.format import Evidence, odd_is_refused
from gbg_lib.record.story import BAD, in_release, side, visitors_errors
from gbg_lib.record.words import plain, plain_lines

LOG_LINES = 40
REASON = re.compile(r'"newState":.*?"(?:stateReason|reason)": ?"([^"]*)"')
"""of an alarm's change; its history is JSON as text, which a record may have cut"""
DEPTH = ("api.call", "machine.event", "build.phase", "bake.step", "alarm.change", "deployment", "action")
"""what is nearer to the cause comes first, where AWS gives two things one time"""


@dataclass(frozen=True)
class Failure:
    where: str
    what: str
    at: datetime
    evidence: str
    log: tuple[str, ...]
    """the end of what it said"""


@odd_is_refused
def first_failure(archive: Archive) -> Failure | None:
    """None for a release in which nothing failed."""
    found = sorted(
        _failures(archive),
        key=lambda one: (one[0].at, DEPTH.index(one[1].kind)),
    )
    return found[0][0] if found else None


def _failures(archive: Archive) -> Iterator[tuple[Failure, Evidence]]:
    for one in archive.of("machine.event", "build.phase", "bake.step", "deployment", "action"):
        status = next((one.data[key] for key in STATUS if key in one.data), "")
        at = one.until or one.at
        if status in BAD and at is not None:
            where, what, log = TELLERS[one.kind](archive, one)
            yield Failure(plain(where), plain(what), at, one.id, tuple(log[-LOG_LINES:])), one
    for one in archive.of("alarm.change"):
        fired = "to ALARM" in str(one.data.get("HistorySummary", ""))
        if one.at and fired and in_release(archive, one):
            where, what, log = _of_alarm(archive, one)
            yield Failure(plain(where), plain(what), one.at, one.id, tuple(map(plain, log))), one


def _of_machine(archive: Archive, one: Evidence) -> tuple[str, str, list[str]]:
    told = one.data.get("diagnostics", {})
    where = f"{one.data.get('machine')} ({side(one)}), {one.data.get('lifecycleEventName')}"
    if told.get("scriptName"):
        where += f", {told['scriptName']}"
    return where, told.get("message") or told.get("errorCode", ""), plain_lines(told.get("logTail", ""))


def _of_phase(archive: Archive, one: Evidence) -> tuple[str, str, list[str]]:
    number = one.id.split(":")[1]
    said = "; ".join(str(told.get("message", "")) for told in one.data.get("contexts", []))
    return f"build phase {one.data.get('phaseType')}", said, _log(archive, f"build:{number}")


def _of_step(archive: Archive, one: Evidence) -> tuple[str, str, list[str]]:
    name = one.data.get("StepName", "")
    logs = [
        line
        for log in archive.of("bake.log")
        if log.data.get("step") == name and log.file
        for line in plain_lines(archive.text(log.file))
    ]
    output = "\n".join(one.data.get("Outputs", {}).get("Output", []))
    return f"bake step {name}", one.data.get("FailureMessage", ""), logs or plain_lines(output)


def _of_deployment(archive: Archive, one: Evidence) -> tuple[str, str, list[str]]:
    told = one.data.get("errorInformation", {})
    return f"deployment {one.id.partition(':')[2]}", told.get("message", ""), []


def _of_action(archive: Archive, one: Evidence) -> tuple[str, str, list[str]]:
    result = one.data.get("output", {}).get("executionResult", {})
    why = result.get("errorDetails", {}).get("message", "")
    return f"{one.data.get('stageName')}/{one.data.get('actionName')}", why, []


def _of_alarm(archive: Archive, one: Evidence) -> tuple[str, str, list[str]]:
    """What it is there for, what CloudWatch measured, and how many visitors got an error."""
    name = one.data.get("AlarmName")
    alarms = (other.data for other in archive.of("alarm") if other.data.get("AlarmName") == name)
    what = next(alarms, {}).get("AlarmDescription") or one.data["HistorySummary"]
    measured = REASON.search(str(one.data.get("HistoryData", "")))
    errors = [f"visitors got {how}, from {at:%H:%M:%S} on" for at, how, _ in visitors_errors(archive)]
    return f"alarm {name}", what, [*([measured[1]] if measured else []), *errors]


def _log(archive: Archive, evidence: str) -> list[str]:
    found = next((one for one in archive.of("build") if one.id == evidence and one.file), None)
    return plain_lines(archive.text(found.file)) if found else []


STATUS = ("StepStatus", "phaseStatus", "status")
TELLERS = {
    "machine.event": _of_machine,
    "build.phase": _of_phase,
    "bake.step": _of_step,
    "deployment": _of_deployment,
    "action": _of_action,
}
