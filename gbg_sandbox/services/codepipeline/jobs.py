"""Jobs that Lambda functions work on, from their invocation to their one answer."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from gbg_sandbox.credentials import Credential
from gbg_sandbox.service import AwsError
from gbg_sandbox.services.codepipeline.state import ActionRun, Pipeline

LARGEST_VARIABLES = 122_880


@dataclass
class Job:
    pipeline: Pipeline
    run: ActionRun
    token: str
    """the continuation token that the answer before this job gave"""
    credential: Credential
    id: str = field(default_factory=lambda: str(uuid.uuid4()))
    answered: threading.Event = field(default_factory=threading.Event)
    claimed: bool = False
    """somebody is answering it"""
    expired: bool = False
    failure: tuple[str, str] | None = None
    next_token: str = ""
    summary: str = ""
    external_id: str = ""
    percent: int | None = None
    revision: str = ""
    variables: Mapping[str, str] = field(default_factory=dict)


class Jobs:
    def __init__(self) -> None:
        self._known: dict[str, Job] = {}
        self._lock = threading.Lock()

    def add(self, job: Job) -> None:
        with self._lock:
            self._known[job.id] = job

    def get(self, job_id: str) -> Job:
        with self._lock:
            if job_id not in self._known:
                raise AwsError("JobNotFoundException", f"There is no job with id {job_id}")
            return self._known[job_id]

    def expire(self, job: Job) -> None:
        with self._lock:
            job.expired = True

    def succeed(self, job_id: str, params: Mapping[str, Any]) -> None:
        """PutJobSuccessResult."""
        variables = params.get("outputVariables", {})
        token = params.get("continuationToken", "")
        if token and variables:
            raise AwsError(
                "ValidationException", "Output variables can't be set together with a continuation token"
            )
        if sum(len(key) + len(value) for key, value in variables.items()) > LARGEST_VARIABLES:
            raise AwsError(
                "OutputVariablesSizeExceededException",
                f"The output variables are larger than {LARGEST_VARIABLES} bytes",
            )
        details = params.get("executionDetails", {})
        job = self._answer(job_id)
        job.next_token, job.variables = token, variables
        job.summary = details.get("summary", "")
        job.external_id = details.get("externalExecutionId", "")
        job.percent = details.get("percentComplete")
        job.revision = params.get("currentRevision", {}).get("revision", "")
        job.answered.set()

    def fail(self, job_id: str, details: Mapping[str, str]) -> None:
        """PutJobFailureResult."""
        job = self._answer(job_id)
        job.failure = (details["type"], details["message"])
        job.external_id = details.get("externalExecutionId", "")
        job.answered.set()

    def _answer(self, job_id: str) -> Job:
        """Claim a job's one answer."""
        job = self.get(job_id)
        with self._lock:
            if job.expired or job.claimed:
                state = "has timed out" if job.expired else "has been answered already"
                raise AwsError("InvalidJobStateException", f"Job {job_id} {state}")
            job.claimed = True
        return job
