"""Sets up what a plan says through the same doors as the runbooks, releases again, and records it.

What it is given is an account of its own, empty and thrown away afterwards.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from functools import cached_property
from pathlib import Path
from threading import Thread

from gbg_lib import faults
from gbg_lib.aws import Aws
from gbg_lib.deployments import active_deployments
from gbg_lib.diagnosis import require_succeeded
from gbg_lib.errors import GbgError, NotThere, ReleaseFailed
from gbg_lib.faults import moments
from gbg_lib.pipeline import Action
from gbg_lib.record.recorder import Recorder
from gbg_lib.rehearsal.document import fitted
from gbg_lib.rehearsal.plan import BASE, PIPELINE, Plan
from gbg_lib.rehearsal.sources import push
from gbg_lib.rehearsal.timetable import SWITCH
from gbg_lib.rehearsal.visitors import Visitors
from gbg_lib.stacks import StackPlan
from gbg_lib.steps import BaseStack, PipelineStack, ReleaseRun
from gbg_lib.waiting import wait_until

STRIKE_SECONDS = 300


class RecordedBase(BaseStack):
    """Part 1 as it was recorded, not as this project has it now."""

    def __init__(self, plan: Plan, aws: Aws) -> None:
        super().__init__(plan.parameters, aws)
        self.recorded = plan

    def plan(self) -> StackPlan:
        recorded = self.recorded
        return self.stacks.plan(self.base_stack, recorded.templates[BASE], recorded.given[BASE], self.tags)


class RecordedPipeline(PipelineStack):
    """Part 3 as it was recorded; what Part 1 tells comes from the Part 1 that is there now."""

    def __init__(self, plan: Plan, aws: Aws) -> None:
        super().__init__(plan.parameters, aws)
        self.recorded = plan

    def plan(self) -> StackPlan:
        given = self.recorded.given[PIPELINE]
        values = {name: self.base.get(name, value) for name, value in given.items()}
        return self.stacks.plan(self.pipeline_stack, self.recorded.templates[PIPELINE], values, self.tags)


class Rehearsal:
    """One plan in one account.

    `records` is where its own record goes, `scale` how many AWS seconds pass there in one.
    """

    def __init__(self, plan: Plan, aws: Aws, records: Path, scale: float = 60.0) -> None:
        self.plan = plan
        self.aws = aws
        self.records = records
        self.scale = scale

    @cached_property
    def run(self) -> ReleaseRun:
        return ReleaseRun(self.plan.parameters, self.aws)

    def set_up(self) -> Iterator[str]:
        """Says what it does next. Raises StackFailed, RepositoryError, ReleaseFailed and what AWS refuses."""
        yield from self.prepare()
        yield from self.bring()

    def prepare(self) -> Iterator[str]:
        """All that was there before the release."""
        yield "Part 1, as it was recorded"
        base = RecordedBase(self.plan, self.aws)
        yield from _silent(base.apply(base.plan()))
        base.check()
        if self.plan.former is not None:
            yield "what served before: its commit"
            push(self.run.repository, self.plan.former)
        yield "Part 3, as it was recorded"
        pipeline = RecordedPipeline(self.plan, self.aws)
        yield from _silent(pipeline.apply(pipeline.plan()))
        self._quiet()
        if self.plan.former is not None:
            yield "what served before: its release"
            self._serve_former()

    def bring(self) -> Iterator[str]:
        """What the release met and what it brings: document, commits, and a fault where one is planted."""
        if self._document():
            yield "the bake's document in the version that ran"
        if not self.plan.again:
            yield f"the commits of the release, the last is {self.plan.source.id[:8]}"
            push(self.run.repository, self.plan.source)
        if self.plan.fault:
            yield f"the fault {self.plan.fault}"
            faults.plant(self.run, faults.CATALOGUE[self.plan.fault])

    def _document(self) -> bool:
        """Someone may have changed it beside the template. Whether it had to be put in."""
        name = self.run.base["BakeDocumentName"]
        there = self.aws.call("ssm", "get_document", Name=name)
        content = fitted(self.plan.document or there["Content"], there["Content"], self.plan.likeness)
        if not content:
            return False
        made = self.aws.call(
            "ssm",
            "update_document",
            Name=name,
            Content=content,
            DocumentVersion="$LATEST",
            DocumentFormat=there["DocumentFormat"],
        )["DocumentDescription"]
        self.aws.call(
            "ssm", "update_document_default_version", Name=name, DocumentVersion=made["DocumentVersion"]
        )
        return True

    def _quiet(self) -> None:
        """Pushes start nothing by themselves: the rehearsal starts each release, and knows which it is."""
        self.aws.call("events", "disable_rule", Name=f"{self.plan.parameters.deployment}-push")

    def _serve_former(self) -> None:
        execution = self.run.pipeline.start()
        for _ in self._follow(execution):
            pass
        try:
            require_succeeded(self.aws, self.run.release(execution))
        except ReleaseFailed as error:
            raise ReleaseFailed(
                "what served before", f"it can't be released here: {error.what}", error.try_this
            ) from error

    def release(self) -> Iterator[list[Action]]:
        """The release itself; what is seen of the fleet goes into the record. Raises what a fault raised."""
        self.execution_id = self.run.pipeline.start()
        failures: list[GbgError] = []
        thread = Thread(target=self._strike, args=(failures,), name="fault", daemon=True)
        thread.start()
        with self._visitors() as visitors:
            Thread(target=self._await_switch, args=(visitors,), name="switch", daemon=True).start()
            for actions in self._watched():
                for action in actions:
                    visitors.reached(action.stage)
                yield actions
        thread.join(STRIKE_SECONDS)
        if failures:
            raise failures[0]

    def _visitors(self) -> Visitors:
        pace = self.scale / self.plan.recorded_scale
        return Visitors(self.run.base["SiteUrl"], self.plan.timetable, pace)

    def _await_switch(self, visitors: Visitors) -> None:
        """That a release fails before it gives traffic to anyone is told by the comparison."""
        if SWITCH not in self.plan.timetable:
            return
        with suppress(GbgError):
            moments.machines(self.run, self.execution_id, moments.allowing, "traffic that moves")
            visitors.reached(SWITCH)

    def _watched(self) -> Iterator[list[Action]]:
        watched = self.recorder.observations(self.execution_id)
        return watched.watch(self.aws, self.run.base["TargetGroupArn"], self._follow(self.execution_id))

    def _strike(self, failures: list[GbgError]) -> None:
        """For a fault that waits for its moment. That the moment never came is told by the comparison."""
        if not self.plan.fault:
            return
        try:
            faults.CATALOGUE[self.plan.fault].strike(self.run, self.execution_id)
        except NotThere:
            pass
        except GbgError as error:
            failures.append(error)

    def _follow(self, execution: str) -> Iterator[list[Action]]:
        """Without gates: someone decided at them, or what they found in visits that no record has."""
        limit = self.plan.parameters.release_minutes * 60
        return self.run.pipeline.follow(execution, limit_seconds=limit)

    @cached_property
    def recorder(self) -> Recorder:
        return Recorder(self.run, self.records)

    def record(self) -> Path:
        """When the rollback is over, too: it goes on when the pipeline has failed. Raises TimedOut."""
        wait_until(
            self.aws,
            lambda: None if self._deploys() else True,
            limit_seconds=self.plan.parameters.release_minutes * 60,
            what="the end of the rollback",
            try_this="`--keep` leaves the sandbox up, to look at its deployments",
        )
        return self.recorder.record(self.execution_id).path

    def _deploys(self) -> list[str]:
        base = self.run.base
        return active_deployments(self.aws, base["ApplicationName"], base["DeploymentGroupName"])


def _silent(events: Iterator[object]) -> Iterator[str]:
    """Stacks tell much; who rehearses wants to know that it goes on."""
    for _ in events:
        yield ""
