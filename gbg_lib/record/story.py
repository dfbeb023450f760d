"""What happened, as moments on one time line: all of them, and the dozen that tell the story."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from gbg_lib.record.archive import Archive
from gbg_lib.record.format import Evidence, odd_is_refused
from gbg_lib.record.words import plain

MOST_KEYS = 14
BAD = frozenset({"Failed", "FAILED", "FAULT", "TIMED_OUT", "TimedOut", "Cancelled", "Stopped", "Unknown"})
ERRORS = {"HTTPCode_Target_5XX_Count": "application", "HTTPCode_ELB_5XX_Count": "load balancer"}
"""metric → who answered with one"""
LANES = ("release", "bake", "build", "machines", "fleet", "traffic", "alarms", "people")


@dataclass(frozen=True)
class Moment:
    at: datetime
    lane: str
    """one of LANES"""
    what: str
    evidence: str
    """id of the evidence that tells it"""
    until: datetime | None = None
    key: bool = False
    """whether it belongs to the story in short"""
    bad: bool = False

    @property
    def seconds(self) -> float:
        return max((self.until - self.at).total_seconds(), 0.0) if self.until else 0.0


@odd_is_refused
def moments(archive: Archive) -> list[Moment]:
    """Everything that has a time, in its order."""
    told = [*_release(archive), *_bake(archive), *_build(archive), *_deployments(archive)]
    told += [*_machines(archive), *_fleet(archive), *_alarms(archive), *_errors(archive), *_calls(archive)]
    told = [replace(one, what=plain(one.what, 240)) for one in told]
    return sorted(told, key=lambda one: (one.at, LANES.index(one.lane)))


def key_moments(told: list[Moment]) -> list[Moment]:
    """The story in short: what is bad first, where there are too many."""
    keys = [one for one in told if one.key]
    spare = [one for one in keys if not one.bad and one.lane != "release"]
    while len(keys) > MOST_KEYS and spare:
        keys.remove(spare.pop(len(spare) // 2))
    return keys[:MOST_KEYS]


def _release(archive: Archive) -> Iterator[Moment]:
    for one in archive.of("execution"):
        if one.at:
            revision: dict[str, object] = next(iter(one.data.get("artifactRevisions", [])), {})
            commit = str(revision.get("revisionId", ""))[:8]
            message = plain(revision.get("revisionSummary", ""), 60)
            what = f"the release of commit {commit} begins: {message} ({trigger(one)})"
            yield Moment(one.at, "release", what, one.id, key=True)
    for one in archive.of("action"):
        yield from _action(one)
    for one in archive.of("execution"):
        if one.until:
            status = one.data.get("status", "?")
            what = f"the release is over: {status}"
            yield Moment(one.until, "release", what, one.id, key=True, bad=status != "Succeeded")


def _action(one: Evidence) -> Iterator[Moment]:
    stage, name, status = (one.data.get(key, "?") for key in ("stageName", "actionName", "status"))
    called = stage if stage == name else f"{stage}/{name}"
    if one.at is None:
        return
    yield Moment(one.at, "release", f"{called} begins", one.id, until=one.until)
    if one.until and status != "InProgress":
        why = one.data.get("output", {}).get("executionResult", {}).get("errorDetails", {}).get("message", "")
        what = f"{called} {status.lower()} after {one.seconds:.0f} s" + (f": {why}" if why else "")
        yield Moment(one.until, "release", what, one.id, key=stage != "Source", bad=status in BAD)


def _bake(archive: Archive) -> Iterator[Moment]:
    for one in archive.of("bake.step"):
        if one.at:
            status = one.data.get("StepStatus", "?")
            what = f"bake step {one.data.get('StepName')}: {status}"
            bad = status in BAD
            if bad:
                what += f", {one.data.get('FailureMessage', 'no message')}"
            yield Moment(one.at, "bake", what, one.id, until=one.until, key=bad, bad=bad)


def _build(archive: Archive) -> Iterator[Moment]:
    for one in archive.of("build.phase"):
        if one.at:
            status = one.data.get("phaseStatus", "")
            context = "; ".join(str(told.get("message", "")) for told in one.data.get("contexts", []))
            what = f"build phase {one.data.get('phaseType')}: {status or 'over'}"
            bad = status in BAD
            told = f"{what}, {context}" if bad and context.strip() else what
            yield Moment(one.at, "build", told, one.id, until=one.until, key=bad, bad=bad)


def _deployments(archive: Archive) -> Iterator[Moment]:
    for one in archive.of("deployment"):
        name, status = one.id.partition(":")[2], one.data.get("status", "?")
        rollback = one.data.get("creator") == "codeDeployRollback"
        if one.at:
            what = f"deployment {name} begins" + (", a rollback by CodeDeploy" if rollback else "")
            yield Moment(one.at, "machines", what, one.id, until=one.until, key=rollback)
        if one.until:
            error = one.data.get("errorInformation", {}).get("message", "")
            what = f"deployment {name} {status.lower()}" + (f": {error}" if error else "")
            yield Moment(one.until, "machines", what, one.id, bad=status in BAD)


def _machines(archive: Archive) -> Iterator[Moment]:
    """Every event of every machine; the first and the last to change hands are key."""
    events = [one for one in archive.of("machine.event") if one.at]
    first = _extreme(events, "AllowTraffic", "GREEN", min)
    last = _extreme(events, "BlockTraffic", "BLUE", max)
    for one in events:
        assert one.at is not None
        name, status = one.data["lifecycleEventName"], one.data.get("status", "?")
        what = f"{one.data.get('machine')} ({side(one)}): {name} {status.lower()}"
        told = one.data.get("diagnostics", {})
        bad = status in BAD
        if bad:
            what += f": {told.get('message') or told.get('errorCode', '')}"
        yield Moment(one.at, "machines", what, one.id, until=one.until, key=bad, bad=bad)
    if first and first.until:
        yield Moment(
            first.until, "traffic", "green serves: the first machine has traffic", first.id, key=True
        )
    if last and last.until:
        yield Moment(
            last.until, "traffic", "blue is out: its last machine has lost its traffic", last.id, key=True
        )


def _extreme(
    events: list[Evidence], name: str, label: str, which: Callable[..., Evidence]
) -> Evidence | None:
    found = [
        one
        for one in events
        if one.data["lifecycleEventName"] == name
        and side(one).upper() == label
        and one.data.get("status") == "Succeeded"
        and one.until
    ]
    return which(found, key=lambda one: one.until) if found else None


def _fleet(archive: Archive) -> Iterator[Moment]:
    for one in archive.of("scaling.activity"):
        if one.at:
            what = f"{one.data.get('Description')} ({one.data.get('StatusCode')})"
            bad = one.data.get("StatusCode") in BAD
            yield Moment(one.at, "fleet", what, one.id, until=one.until, bad=bad)
    for one in archive.of("api.call"):
        if one.at and one.data.get("EventName") in ("DeleteAutoScalingGroup", "CreateAutoScalingGroup"):
            asked = one.data["event"].get("requestParameters") or {}
            group = asked.get("autoScalingGroupName") or asked.get("AutoScalingGroupName", "")
            verb = "is made" if one.data["EventName"].startswith("Create") else "is deleted"
            yield Moment(one.at, "fleet", f"fleet {group} {verb}", one.id, key=in_release(archive, one))
    for one in archive.of("group"):
        if one.at:
            machines = len(one.data.get("Instances", []))
            what = (
                f"seen {one.data.get('moment')}: {one.data.get('AutoScalingGroupName')}, {machines} machines"
            )
            yield Moment(one.at, "fleet", what, one.id)


def _alarms(archive: Archive) -> Iterator[Moment]:
    for one in archive.of("alarm.change"):
        if one.at and one.data.get("HistoryItemType") != "ConfigurationUpdate":
            summary = str(one.data.get("HistorySummary", ""))
            bad = "to ALARM" in summary
            what = f"{one.data.get('AlarmName')}: {summary}"
            yield Moment(one.at, "alarms", what, one.id, key=bad and in_release(archive, one), bad=bad)


def _errors(archive: Archive) -> Iterator[Moment]:
    """The first time that visitors got an error of the server, and how many there were."""
    for at, how, evidence in visitors_errors(archive):
        yield Moment(at, "traffic", f"visitors get {how}", evidence, key=True, bad=True)


def visitors_errors(archive: Archive) -> Iterator[tuple[datetime, str, str]]:
    """Since when, how many and whose, by which evidence; to the second where seconds are known."""
    for metric, whom in ERRORS.items():
        series = [one for one in archive.of("traffic") if one.data.get("metric") == metric]
        firsts = [(one.data["period"], at, one.id) for one in series if (at := _first_count(one))]
        whole = [one for one in series if one.data["period"] == 60]
        if firsts and whole:
            _, at, evidence = min(firsts)
            yield at, f"errors of the {whom}: {sum(whole[0].data['values']):.0f} in all", evidence


def _first_count(one: Evidence) -> datetime | None:
    pairs = zip(one.data["seconds"], one.data["values"], strict=True)
    found = next((seconds for seconds, value in pairs if value), None)
    return one.at + timedelta(seconds=found) if one.at and found is not None else None


def _calls(archive: Archive) -> Iterator[Moment]:
    for one in archive.of("api.call"):
        if one.at:
            event = one.data.get("event", {})
            error = f", refused: {event['errorCode']}" if event.get("errorCode") else ""
            what = f"{one.data.get('Username', '?')} calls {one.data.get('EventName')}{error}"
            yield Moment(one.at, "people", what, one.id, bad=bool(error))


def in_release(archive: Archive, one: Evidence) -> bool:
    """Whether it happened after the release had begun; evidence goes back further."""
    execution = archive.one("execution")
    begin = execution.at if execution else None
    return begin is not None and one.at is not None and one.at >= begin


def side(one: Evidence) -> str:
    """Blue | Green, or empty where CodeDeploy does not say."""
    return str(one.data.get("side", "")).title()


def trigger(one: Evidence) -> str:
    """What set a release going, in words."""
    told = one.data.get("trigger", {})
    words = {
        "CloudWatchEvent": "a push",
        "Webhook": "a push",
        "StartPipelineExecution": "started by hand",
        "CreatePipeline": "the pipeline was made",
        "PutActionRevision": "a new revision",
        "ManualRollback": "a rollback by hand",
        "AutomatedRollback": "a rollback by the pipeline",
    }
    kind = str(told.get("triggerType", ""))
    who = str(told.get("triggerDetail", "")).rpartition("/")[2]
    return f"{words.get(kind, kind or 'nobody knows how')}, {who}" if who else words.get(kind, kind)
