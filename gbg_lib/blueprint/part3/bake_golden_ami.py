"""CodePipeline action: bake a golden AMI, once no earlier release is on its way.

One look an invocation: the first starts the bake and hands its execution id back as continuation token,
each later one follows that very bake. The image comes from that execution's outputs, never from a parameter
that another bake may have written. Whatever goes wrong is reported: an unanswered job stays open for hours.

Two gates are here because they bind every release, also one that nobody follows: a revoked source image is
refused, and a release that was started earlier is waited for.
"""

from __future__ import annotations

import json
import logging
import os
import uuid
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any, Literal

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

log = logging.getLogger()
log.setLevel(logging.INFO)

SUCCEEDED = {"Success", "CompletedWithSuccess"}
FAILED = {"TimedOut", "Cancelled", "Failed", "Rejected", "ChangeCalendarOverrideRejected"}
FAILED |= {"CompletedWithFailure", "Exited"}
GOING_ON = {"InProgress", "Stopping"}
REVOKED = "gbg:revoked"
WAITING = "waiting"
"""continuation token while an earlier release is on its way"""
FIND, CLEAN_UP = "findBuilder", "terminateFailedBuilder"
"""the steps of the bake document that a failed bake comes to"""
LONGEST = timedelta(hours=4)
"""more than the document's steps may take together; an unknown status counts as running until then"""


class BakeFailed(Exception):
    """No golden AMI came out; says why."""


class Bake:
    """One bake: the automation that makes the image."""

    def __init__(self, ssm: Any, document: str) -> None:
        self.ssm = ssm
        self.document = document

    def start(self, job: str, release: Mapping[str, str]) -> str:
        """The execution's id; the same for the same job, however often Lambda delivers it."""
        started = self.ssm.start_automation_execution(
            DocumentName=self.document,
            ClientToken=str(uuid.uuid5(uuid.NAMESPACE_OID, job)),
            Parameters={"PipelineExecutionId": [release["release"]], "CommitId": [release["commit"]]},
        )
        return str(started["AutomationExecutionId"])

    def ended(self, execution: Mapping[str, Any], now: datetime) -> bool:
        """Whether it ended well. Raises BakeFailed when it ended otherwise or will not end."""
        status = execution["AutomationExecutionStatus"]
        if status in FAILED:
            raise BakeFailed(f"the bake ended as {status}: {reasons(execution)}")
        if status not in SUCCEEDED and now - execution["ExecutionStartTime"] > LONGEST:
            raise BakeFailed(f"the bake is still {status} after {LONGEST}")
        return status in SUCCEEDED

    def look(self, execution_id: str) -> dict[str, Any]:
        found = self.ssm.get_automation_execution(AutomationExecutionId=execution_id)
        return dict(found["AutomationExecution"])


def reasons(execution: Mapping[str, Any]) -> str:
    """The step that went wrong first, and a machine that cleaning up afterwards left behind.

    Steps that only end the bake fail as a matter of course: a builder that is gone can't be terminated, and
    failBake fails in any case.
    """
    steps = execution.get("StepExecutions", [])
    failed = [step for step in steps if step.get("StepStatus") in FAILED]
    if not failed:
        return str(execution.get("FailureMessage", "no step says why"))
    first = failed[0]
    said = f"{first['StepName']}: {first.get('FailureMessage', first['StepStatus'])}"
    left = left_behind(steps)
    return said + (f"; {', '.join(left)} could not be terminated and may still run" if left else "")


def left_behind(steps: list[Mapping[str, Any]]) -> list[str]:
    """Machines that the clean-up found and did not end."""
    by_name = {step["StepName"]: step for step in steps}
    if by_name.get(CLEAN_UP, {}).get("StepStatus") not in FAILED:
        return []
    return list(by_name.get(FIND, {}).get("Outputs", {}).get("InstanceIds", []))


def output(execution: Mapping[str, Any], name: str) -> str:
    values = execution.get("Outputs", {}).get(name, [])
    if len(values) != 1 or not values[0]:
        raise BakeFailed(f"the bake succeeded without the output {name}")
    return str(values[0])


class Gates:
    """What has to hold before a bake may begin."""

    def __init__(self, codepipeline: Any, ssm: Any, ec2: Any, pipeline: str, source_parameter: str) -> None:
        self.codepipeline = codepipeline
        self.ssm = ssm
        self.ec2 = ec2
        self.pipeline = pipeline
        self.source_parameter = source_parameter

    def earlier(self, release: str) -> str:
        """The oldest release before this one that is still on its way; empty when there is none."""
        pages = self.codepipeline.get_paginator("list_pipeline_executions").paginate(
            pipelineName=self.pipeline
        )
        found = [one for page in pages for one in page["pipelineExecutionSummaries"]]
        mine = [one["startTime"] for one in found if one["pipelineExecutionId"] == release]
        before = [
            one
            for one in found
            if one["status"] in GOING_ON
            and one["pipelineExecutionId"] != release
            and (not mine or one["startTime"] < mine[0])
        ]
        oldest = min(before, key=lambda one: one["startTime"], default={"pipelineExecutionId": ""})
        return str(oldest["pipelineExecutionId"])

    def require_source(self) -> None:
        """Raises BakeFailed when the source image can't be used, or was revoked."""
        image = self.ssm.get_parameter(Name=self.source_parameter)["Parameter"]["Value"]
        found = self.ec2.describe_images(Filters=[{"Name": "image-id", "Values": [image]}])["Images"]
        state = found[0]["State"] if found else "not there"
        if state != "available":
            raise BakeFailed(f"source image {image} is {state}")
        tags = {tag["Key"]: tag["Value"] for tag in found[0].get("Tags", [])}
        if REVOKED in tags:
            raise BakeFailed(
                f"source image {image} is revoked: {tags[REVOKED]}; "
                f"put another one into {self.source_parameter}, or lift it with gbg images reinstate {image}"
            )


def act(job: Mapping[str, Any], bake: Bake, gates: Gates, now: datetime) -> dict[str, Any]:
    """One step forward: what to tell CodePipeline."""
    data = job["data"]
    release = json.loads(data["actionConfiguration"]["configuration"]["UserParameters"])
    token = data.get("continuationToken", WAITING)
    if token == WAITING:
        if earlier := gates.earlier(release["release"]):
            told = {"summary": f"waiting for release {earlier[:8]}, which was started before"}
            return {"continuationToken": WAITING, "executionDetails": told}
        gates.require_source()
        return _going_on(bake.start(job["id"], release), "starting")
    try:
        execution = bake.look(token)
        if not bake.ended(execution, now):
            return _going_on(token, execution.get("CurrentStepName") or "starting")
        image = output(execution, "createImage.ImageId")
        packages = output(execution, "fingerprint.Output").strip()
    except Exception as error:
        error.add_note(token)
        raise
    return {
        "outputVariables": {
            "ImageId": image,
            "AutomationExecutionId": token,
            "PackagesFingerprint": packages,
        },
        "executionDetails": {"externalExecutionId": token, "summary": f"{image}, packages {packages}"},
    }


def _going_on(execution_id: str, step: str) -> dict[str, Any]:
    return {
        "continuationToken": execution_id,
        "executionDetails": {"externalExecutionId": execution_id, "summary": f"baking: {step}"},
    }


def failure(error: Exception) -> dict[str, str]:
    """CodePipeline's failureDetails for an exception."""
    denied = isinstance(error, ClientError) and "AccessDenied" in error.response["Error"]["Code"]
    details = {
        "type": "PermissionError" if denied else "JobFailed",
        "message": f"{type(error).__name__}: {error}"[:5000],
    }
    notes = getattr(error, "__notes__", [])
    return details | ({"externalExecutionId": notes[0]} if notes else {})


def run(
    job: Mapping[str, Any], codepipeline: Any, prepare: Callable[[], tuple[Bake, Gates]], now: datetime
) -> None:
    """Act and report. The event holds credentials: nothing of it but the job's id is logged."""
    try:
        result = act(job, *prepare(), now)
        codepipeline.put_job_success_result(jobId=job["id"], **result)
        log.info("job %s: %s", job["id"], result["executionDetails"]["summary"])
    except codepipeline.exceptions.InvalidJobStateException:
        log.warning("job %s has its answer already", job["id"])
    except Exception as error:
        log.exception("job %s failed", job["id"])
        report_failure(job["id"], codepipeline, error)


def report_failure(job_id: str, codepipeline: Any, error: Exception) -> None:
    try:
        codepipeline.put_job_failure_result(jobId=job_id, failureDetails=failure(error))
    except codepipeline.exceptions.InvalidJobStateException:
        log.warning("job %s has its answer already", job_id)


@cache
def client(service: Literal["codepipeline", "ssm", "ec2"]) -> Any:
    """Made once an environment: making one takes longer than most calls."""
    return boto3.client(service, config=Config(retries={"mode": "adaptive", "max_attempts": 8}))


def handler(event: Mapping[str, Any], context: Any) -> None:
    codepipeline = client("codepipeline")

    def prepare() -> tuple[Bake, Gates]:
        ssm, ec2 = client("ssm"), client("ec2")
        gates = Gates(codepipeline, ssm, ec2, os.environ["PIPELINE"], os.environ["SOURCE_AMI_PARAMETER"])
        return Bake(ssm, os.environ["BAKE_DOCUMENT"]), gates

    run(event["CodePipeline.job"], codepipeline, prepare, datetime.now(UTC))
