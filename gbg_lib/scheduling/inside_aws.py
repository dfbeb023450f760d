"""A runbook scheduled inside AWS: a stack of its own for each job (blueprint/jobs), and the zip that it runs.

Nothing of ours keeps running for it, and no machine of ours has to be on.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gbg_lib import blueprint
from gbg_lib.aws import Aws
from gbg_lib.errors import StackFailed
from gbg_lib.parameters import Parameters
from gbg_lib.scheduling import bundle, rights
from gbg_lib.scheduling.hours import Hours
from gbg_lib.scheduling.news import with_news
from gbg_lib.stacks import StackEvent, StackPlan, Stacks
from gbg_lib.waiting import wait_until

REMOVAL_SECONDS = 1800
JOBS = bundle.ROOT / "runbooks" / "jobs"
DEPLOYMENT = Parameters().deployment


@dataclass(frozen=True)
class Job:
    name: str
    runbook: Path
    values: Mapping[str, Any]
    """the runbook's parameters"""
    expression: str
    """EventBridge Scheduler's"""
    zone: str = "UTC"
    policies: Sequence[str] = ()
    """ARNs of managed policies: what the runbook may do beside what a job of ours needs"""

    @property
    def is_ours(self) -> bool:
        """Whether it is one of runbooks/jobs/, whose rights are known."""
        return self.runbook.resolve().parent == JOBS and rights.document(self.runbook.stem) is not None

    @classmethod
    def at(
        cls, name: str, runbook: Path, values: Mapping[str, Any], hours: Hours, policies: Sequence[str]
    ) -> Job:
        """An hour without a zone is UTC's: no machine's own is meant there."""
        return cls(
            name, runbook, values, hours.eventbridge, hours.zone.key if hours.zone else "UTC", policies
        )

    @property
    def stack(self) -> str:
        return stack_of(self.name)


def stack_of(name: str) -> str:
    return f"gbg-job-{name}"


@dataclass(frozen=True)
class JobPlan:
    stack: StackPlan
    key: str
    source: bytes


class JobStacks:
    def __init__(self, aws: Aws) -> None:
        self.aws = aws
        self.stacks = Stacks(aws)

    def plan(self, job: Job) -> JobPlan:
        """Raises GbgError, StackFailed; ParameterError for a `notify` that can't go there."""
        template = with_news(blueprint.template("jobs"), str(job.values.get("notify", "")))
        key, source = bundle.made(job.values, job.runbook)
        parameters = {
            "JobName": job.name,
            "Runbook": bundle.word_of(job.runbook),
            "ScheduleExpression": job.expression,
            "ScheduleTimezone": job.zone,
            "SourceKey": key,
            "PythonVersion": bundle.PYTHON,
            "JobPolicyArns": ",".join(job.policies),
        }
        if job.is_ours:
            template = rights.with_rights(template, job.runbook.stem)
            parameters["Deployment"] = str(job.values.get("deployment", DEPLOYMENT))
        tags = {"gbg:job": job.name}
        return JobPlan(self.stacks.plan(job.stack, template, parameters, tags), key, source)

    def apply(self, plan: JobPlan) -> Iterator[StackEvent]:
        """Raises StackFailed, AwsError."""
        yield from self.stacks.apply(plan.stack)
        self.aws.call(
            "s3", "put_object", Bucket=self._bucket(plan.stack.stack), Key=plan.key, Body=plan.source
        )

    def remove(self, name: str) -> str:
        """Deletes the job's stack; returns where its runs stay, empty for one that was never made.

        Raises NotThere, StackFailed, TimedOut.
        """
        stack = stack_of(name)
        bucket = self.stacks.outputs(stack).get("BucketName", "")
        kept = f"s3://{bucket}/runs" if bucket else ""
        self.aws.call("cloudformation", "delete_stack", StackName=stack)
        wait_until(
            self.aws,
            lambda: True if self._gone(stack) else None,
            limit_seconds=REMOVAL_SECONDS,
            what=f"the end of stack {stack}",
            try_this="the stack's events tell what it waits for",
        )
        return kept

    def _gone(self, stack: str) -> bool:
        """Raises StackFailed."""
        status = self.stacks.status_or_none(stack)
        if status == "DELETE_FAILED":
            raise StackFailed(f"stack {stack}", status, "the stack's events tell why; then --remove again")
        return status is None

    def _bucket(self, stack: str) -> str:
        return self.stacks.outputs(stack)["BucketName"]
