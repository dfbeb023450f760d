"""Records releases: gathers, masks, writes, and adds later what came late.

Recording a release again makes no second record: what is new is appended, and nothing where nothing is.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from gbg_lib.errors import GateRefused, GbgError, NotThere, TimedOut
from gbg_lib.pipeline import Action, Execution
from gbg_lib.record import provenance
from gbg_lib.record.archive import Archive, open_archive
from gbg_lib.record.bucket import Bucket
from gbg_lib.record.format import (
    Evidence,
    Overtaken,
    RecordError,
    lines,
    odd_is_refused,
    read_lines,
    record_name,
    stamp,
)
from gbg_lib.record.gathering import MISSING, Gathering, Subject, still_missing
from gbg_lib.record.manifest import Manifest
from gbg_lib.record.observe import Observations
from gbg_lib.record.sources import LATE, SOURCES, ask
from gbg_lib.record.sources.account import identity
from gbg_lib.record.store import Store, records
from gbg_lib.record.summary import summarised
from gbg_lib.record.versions import versions
from gbg_lib.replay import clock
from gbg_lib.replay.files import as_found
from gbg_lib.replay.tape import asked
from gbg_lib.secret.masking import Masking
from gbg_lib.secret.values import learn, masking
from gbg_lib.steps import ReleaseRun
from gbg_lib.waiting import wait_until

SETTLED = timedelta(minutes=20)
"""after which CloudTrail has told everything: it says 15 minutes, mostly"""
ARRIVAL_SECONDS = 60
"""that a record needs to arrive in the bucket, from its first file to its manifest"""
PER_TIME = frozenset({"gathering", "identity"})
"""kinds that say something of one gathering only"""

LOOKED_AT = ("machine", "machine.event", "instance", "group", "bake")
"""kinds in which late sources find the names of machines"""


@dataclass(frozen=True)
class Recorded:
    path: Path
    action: str
    """written | added | nothing"""
    reason: str
    pieces: int = 0
    """evidence and files that were written"""
    calls: int = 0
    """requests to AWS that it took"""
    missing: tuple[str, ...] = ()
    address: str = ""
    """where it is in S3; empty where there is no bucket"""


class NeverBegan(NotThere):
    """A release has no action, so there is nothing to record."""


class Recorder:
    """Where nobody acknowledged that AWS may be changed, records are kept on this machine only.

    `folder` holds the stores of all deployments; by default where $GBG_RECORDS says.
    """

    def __init__(self, step: ReleaseRun, folder: Path | None = None) -> None:
        self.step = step
        self.aws = step.aws
        self.folder = folder or records()
        self.store = Store(self.folder, step.parameters.deployment)
        as_found(self.store.index)
        name = step.base.get("RecordsBucketName", "") if self.aws.acknowledged else ""
        self.bucket = Bucket(self.aws, name, step.parameters.deployment)

    def record(self, execution_id: str) -> Recorded:
        """Raises NotThere, GateRefused for a release that is going on."""
        execution = self.step.pipeline.execution(execution_id)
        if not execution.over:
            raise GateRefused(
                f"release {execution_id[:8]}", "it is going on", "record it when it is over: runbook 04 waits"
            )
        self.bucket.fetch_index(self.store)
        return self._record(execution)

    def record_all(self) -> Iterator[Recorded]:
        """Every release that is over, oldest first: a record, or late evidence where there is one.

        One that never began an action is passed over. Raises what is wrong with a release after the others.
        """
        self.bucket.fetch_index(self.store)
        wrong: list[GbgError] = []
        for execution in reversed(list(self.step.pipeline.all_executions())):
            if not execution.over:
                continue
            try:
                done = self._record(execution)
            except NeverBegan:
                continue
            except (NotThere, RecordError, TimedOut) as error:
                wrong.append(error)
                continue
            yield done
        if len(wrong) == 1:
            raise wrong[0]
        if wrong:
            told = "; ".join(f"{error.where}: {error.what}" for error in wrong)
            raise RecordError(
                "record", f"{len(wrong)} releases could not be recorded: {told}", wrong[0].try_this
            )

    def pending(self) -> list[Execution]:
        """Releases that are over and have no record yet, oldest first."""
        self.bucket.fetch_index(self.store)
        known = {entry.link.record.partition("-")[2] for entry in self.store.entries()}
        found = [one for one in self.step.pipeline.all_executions() if one.over and one.id not in known]
        return found[::-1]

    def follow(self, execution_id: str) -> Iterator[list[Action]]:
        """As the step follows it; what is seen of the fleet on the way goes into the record."""
        follow = self.step.follow(execution_id)
        watched = self.observations(execution_id)
        return watched.watch(self.aws, self.step.base["TargetGroupArn"], follow)

    def observations(self, execution_id: str) -> Observations:
        return Observations(self.folder, self.store.deployment, execution_id)

    def _record(self, execution: Execution) -> Recorded:
        if self.aws.explains:
            self.aws.acts(f"gbg record {execution.id}")
        former = self._here(execution.id) or self.bucket.fetch(self.store, execution.id)
        if former is None:
            return self._write(execution)
        self.bucket.catch_up(self.store, former.name)
        archive = open_archive(former)
        if former.name in self.bucket.behind:
            self.bucket.send(self.store, former.name)
        if archive.settled and not _lost(archive):
            return Recorded(
                former, "nothing", "it is recorded and settled", address=self.bucket.address(former)
            )
        return self._add(execution, former, archive)

    def _here(self, execution_id: str) -> Path | None:
        """The record that this machine has."""
        name = asked("record", {"execution": execution_id}, lambda: self._name(execution_id))
        return as_found(self.store.folder / name) if name else None

    def _name(self, execution_id: str) -> str:
        found = self.store.find(execution_id)
        return found.name if found else ""

    def _write(self, execution: Execution) -> Recorded:
        calls = self.aws.requests.total()
        observed = self.observations(execution.id)
        subject = self._subject(execution, observed.read())
        found = self._gathered(subject, tuple(SOURCES))
        used = self.aws.requests.total() - calls
        self._told(found, used)
        manifest = self._manifest(subject, found, record_name(subject.started, execution.id))
        self._to_send(manifest)
        path = self.store.write(manifest, list(found.evidence.values()), found.files)
        observed.forget()
        try:
            address = self.bucket.send(self.store, path.name)
        except Overtaken:
            return self._theirs(execution)
        pieces = len(found.evidence) + len(found.files)
        return Recorded(path, "written", "it had no record", pieces, used, _missing(found), address)

    def _add(self, execution: Execution, path: Path, archive: Archive) -> Recorded:
        """Sources that know more later, and those that could not be had before."""
        calls = self.aws.requests.total()
        subject, lost = self._subject(execution, ()), _lost(archive)
        names = tuple(name for name in SOURCES if name in LATE or name in lost)
        found = self._gathered(subject, names, archive)
        found.came(lost)
        used = self.aws.requests.total() - calls
        before = {one.id: one for one in archive.evidence}
        news = [one for one in found.evidence.values() if is_news(one, before.get(one.id))]
        if not news and (archive.settled or not _settled(subject)):
            why = "it is settled, and what it lacks can't be had" if archive.settled else "nothing new yet"
            return Recorded(path, "nothing", why, 0, used, _missing(found), self.bucket.address(path))
        names_there = archive.names
        files = {name: data for name, data in found.files.items() if name not in names_there}
        manifest = self._manifest(subject, found, archive.name, archive)
        self._to_send(manifest)
        self.store.append(archive.name, manifest, news, files)
        try:
            address = self.bucket.send(self.store, path.name)
        except Overtaken:
            return self._theirs(execution)
        reason = "late evidence" if news else "settled: nothing more will come"
        return Recorded(path, "added", reason, len(news) + len(files), used, _missing(found), address)

    def _to_send(self, manifest: Manifest) -> None:
        """Whoever stops before it is sent finds it so again, and no stranger's."""
        if self.bucket.name:
            self.store.note_unsent(manifest.record, unsent=True)

    def _theirs(self, execution: Execution) -> Recorded:
        """The record of the recorder that was faster, once all of it is there. Raises TimedOut."""

        def look() -> Path | None:
            self.bucket.fetch_index(self.store)
            return self.bucket.fetch(self.store, execution.id)

        path = wait_until(
            self.aws,
            look,
            limit_seconds=ARRIVAL_SECONDS,
            what=f"the record of release {execution.id[:8]} by another recorder",
            try_this="record again there, where it was begun: what it had not sent is sent first",
        )
        why = "another recorder was faster; its record is here, ours is set aside"
        return Recorded(path, "nothing", why, address=self.bucket.address(path))

    def _subject(self, execution: Execution, observed: tuple[Evidence, ...]) -> Subject:
        pipeline = self.step.pipeline
        told = self.aws.pages(
            "codepipeline",
            "list_action_executions",
            "actionExecutionDetails",
            pipelineName=pipeline.name,
            filter={"pipelineExecutionId": execution.id},
        )
        actions = tuple(sorted(told, key=lambda one: (one["startTime"], one["lastUpdateTime"])))
        if not actions:
            raise NeverBegan(
                f"release {execution.id[:8]}",
                f"it is {execution.status}, and CodePipeline tells no action of it",
                "one that ended before it began has none; those of others are kept for twelve months",
            )
        former_execution, former_commit = self._former(execution)
        return Subject(
            self.aws,
            self.store.deployment,
            self.step.base,
            self.step.parts,
            execution.id,
            min(execution.started, actions[0]["startTime"]),
            max(action["lastUpdateTime"] for action in actions),
            actions,
            former_commit,
            observed
            if any(map(_before, observed))
            else (*observed, *self._left_by(former_execution, execution.started)),
            former_execution,
            execution.status,
        )

    def _former(self, execution: Execution) -> tuple[str, str]:
        """The last release before it that succeeded, and its commit; empty for a first one.

        Of those that have a record; else of those that CodePipeline still knows.
        """
        if recorded := _recorded_before(execution, self.store.summaries()):
            return recorded
        for one in self.step.pipeline.executions():
            if one.status == "Succeeded" and one.started < execution.started and one.id != execution.id:
                return one.id, one.commit
        return "", ""

    def _left_by(self, former: str, started: datetime) -> tuple[Evidence, ...]:
        """The fleet before, where nobody watched: as the former release's record saw it after that one.

        Not where that was recorded when this one had begun already.
        """
        told = asked("record", {"left by": former}, lambda: self._after(former))
        seen = read_lines(told, f"the record of release {former[:8]}")
        return tuple(one for one in seen if one.at is not None and one.at <= started)

    def _after(self, former: str) -> bytes:
        path = self.store.find(former)
        if path is None:
            return b""
        archive = open_archive(path)
        seen = [one for one in archive.of("group", "target.health") if one.data.get("moment") == "after"]
        return lines(
            replace(
                one,
                id=one.id.replace(":after", ":before", 1),
                source=f"record {archive.name}",
                data={**one.data, "moment": "before"},
            )
            for one in seen
        )

    def _gathered(
        self, subject: Subject, names: tuple[str, ...], archive: Archive | None = None
    ) -> Gathering:
        """`archive` is what late sources may look at for the names of machines."""
        found = Gathering(self._masking())
        if archive is not None:
            found.evidence.update({one.id: one for one in archive.of(*LOOKED_AT)})
        ask(subject, found, names)
        return found

    def _masking(self) -> Masking:
        """Knows the recorder's own keys, and what else this process has learnt to be secret."""
        keys = self.aws.keys()
        learn(keys.secret_key, keys.token)
        return masking()

    def _told(self, found: Gathering, calls: int) -> None:
        """Who recorded, when, with what, at what cost."""
        told: dict[str, Any] = {
            "written": stamp(clock.now()),
            "calls": calls,
            "pieces": len(found.evidence) + len(found.files) + 1,
            "sources": list(SOURCES),
            "versions": versions(),
            "parameters": self.step.parameters.model_dump(),
        }
        found.add("gathering", "", "gbg record", told, at=clock.now())

    def _manifest(
        self, subject: Subject, found: Gathering, name: str, archive: Archive | None = None
    ) -> Manifest:
        if archive is None:
            summary = summarised(subject, found, _settled(subject))
        else:
            missing = {one.id: one for one in (*archive.of(MISSING), *found.of(MISSING))}
            changed = {"settled": _settled(subject), "missing": len(still_missing(missing.values()))}
            summary = {**archive.manifests[-1].summary, **changed}
        who = identity(subject, found)
        return Manifest(
            record=name,
            sequence=0,
            former=None,
            files={},
            written=clock.now(),
            released=provenance.released(subject, found),
            external=provenance.external(subject, found),
            internal={"region": self.aws.region, "recorder": who},
            dependencies=provenance.dependencies(subject, found),
            builder=self.step.parts["PipelineArn"],
            versions=versions(),
            execution_id=subject.execution_id,
            started=subject.started,
            finished=subject.finished,
            summary=summary,
        )


@odd_is_refused
def _recorded_before(execution: Execution, summaries: list[Mapping[str, Any]]) -> tuple[str, str] | None:
    """The last release before it that succeeded, and its commit."""
    for one in reversed(summaries):
        earlier = str(one["started"]) < str(stamp(execution.started))
        if earlier and one["status"] == "Succeeded" and one["execution"] != execution.id:
            return str(one["execution"]), str(one["commit"])
    return None


def _before(one: Evidence) -> bool:
    return one.data.get("moment") == "before"


def _settled(subject: Subject) -> bool:
    return clock.now() >= subject.finished + SETTLED


def _lost(archive: Archive) -> set[str]:
    """Whole sources that could not be had."""
    return {str(one.data["what"]) for one in still_missing(archive.of(MISSING))} & set(SOURCES)


def _missing(found: Gathering) -> tuple[str, ...]:
    return tuple(f"{one.data['what']}: {one.data['why']}" for one in still_missing(found.of(MISSING)))


def is_news(now: Evidence, before: Evidence | None) -> bool:
    """What is missing still is none, though AWS may tell the reason in other words each time."""
    if now.kind in PER_TIME:
        return False
    if now.kind == MISSING and before is not None:
        return bool(still_missing([now])) != bool(still_missing([before]))
    return before is None or _written(now) != _written(before)


def _written(one: Evidence) -> tuple[object, ...]:
    """As a line tells it: AWS counts time finer."""
    return one.data, stamp(one.at), stamp(one.until)
