"""CodePipeline action: bake a golden AMI and pin the fleet to it.

One look an invocation: the first starts the bake and hands its execution id back as continuation token,
each later one follows that very bake. The image comes from that execution's outputs, never from a parameter
that another bake may have written. Whatever goes wrong is reported: an unanswered job stays open for hours.
"""

from __future__ import annotations

import json
import logging
import os
import uuid
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

log = logging.getLogger()
log.setLevel(logging.INFO)

SUCCEEDED = {"Success", "CompletedWithSuccess"}
FAILED = {"TimedOut", "Cancelled", "Failed", "Rejected", "ChangeCalendarOverrideRejected"}
FAILED |= {"CompletedWithFailure", "Exited"}
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
    """What went wrong first, by step."""
    steps = execution.get("StepExecutions", [])
    failed = [step for step in steps if step.get("StepStatus") in ("Failed", "TimedOut", "Cancelled")]
    said = [f"{step['StepName']}: {step.get('FailureMessage', step['StepStatus'])}" for step in failed]
    return "; ".join(said) or execution.get("FailureMessage", "no step says why")


def output(execution: Mapping[str, Any], name: str) -> str:
    values = execution.get("Outputs", {}).get(name, [])
    if len(values) != 1 or not values[0]:
        raise BakeFailed(f"the bake succeeded without the output {name}")
    return str(values[0])


class Fleet:
    """The group that serves now: what the deployment group names, not what a template once made."""

    def __init__(self, codedeploy: Any, autoscaling: Any, ec2: Any, application: str, name: str) -> None:
        self.codedeploy = codedeploy
        self.autoscaling = autoscaling
        self.ec2 = ec2
        self.application = application
        self.name = name

    def pin(self, image: str, bake: str, release: str) -> dict[str, str]:
        """Write a template version with this image, once, and pin the group to it.

        All but the image is as Part 1 last wrote it, so that what its stack says of launches arrives with a
        release. A second delivery of the same job finds the version that the first one wrote.
        """
        group = self._group()
        name, template = group["AutoScalingGroupName"], group["LaunchTemplate"]["LaunchTemplateId"]
        current = group["LaunchTemplate"].get("Version", "none")
        if not current.isdecimal():
            raise BakeFailed(f"{name} is on version {current}; pin it to a numbered one")
        versions = self._versions(template)
        written = [(str(number), made) for number, made in versions.items() if made.get("bake") == bake]
        source = str(max((number for number, made in versions.items() if not made), default=current))
        version, made = (
            written[0] if written else self._write(template, name, current, source, image, bake, release)
        )
        if made["group"] != name or current not in (made["former"], version):
            raise BakeFailed(
                f"version {version} follows {made['former']} of {made['group']}; {name} is on {current}"
            )
        if current != version:
            self.autoscaling.update_auto_scaling_group(
                AutoScalingGroupName=name,
                LaunchTemplate={"LaunchTemplateId": template, "Version": version},
            )
        return {
            "ImageId": image,
            "LaunchTemplateId": template,
            "LaunchTemplateVersion": version,
            "FormerLaunchTemplateVersion": made["former"],
            "AutoScalingGroupName": name,
            "AutomationExecutionId": bake,
        }

    def _group(self) -> dict[str, Any]:
        answer = self.codedeploy.get_deployment_group(
            applicationName=self.application, deploymentGroupName=self.name
        )
        names = [group["name"] for group in answer["deploymentGroupInfo"].get("autoScalingGroups", [])]
        if len(names) != 1:
            raise BakeFailed(f"{self.name} has {len(names)} Auto Scaling groups; a release needs exactly one")
        found = self.autoscaling.describe_auto_scaling_groups(AutoScalingGroupNames=names)[
            "AutoScalingGroups"
        ]
        if not found or "LaunchTemplate" not in found[0]:
            raise BakeFailed(f"{names[0]} is gone or has no launch template of its own")
        return dict(found[0])

    def _versions(self, template: str) -> dict[int, dict[str, str]]:
        """A template's versions, and what a release wrote into each; empty for Part 1's own."""
        pages = self.ec2.get_paginator("describe_launch_template_versions").paginate(
            LaunchTemplateId=template
        )
        return {
            version["VersionNumber"]: made_by(version.get("VersionDescription", ""))
            for page in pages
            for version in page["LaunchTemplateVersions"]
        }

    def _write(
        self, template: str, group: str, current: str, source: str, image: str, bake: str, release: str
    ) -> tuple[str, dict[str, str]]:
        made = {"release": release, "bake": bake, "group": group, "former": current}
        answer = self.ec2.create_launch_template_version(
            LaunchTemplateId=template,
            SourceVersion=source,
            ClientToken=bake,
            VersionDescription=json.dumps(made, separators=(",", ":")),
            LaunchTemplateData={"ImageId": image},
        )
        return str(answer["LaunchTemplateVersion"]["VersionNumber"]), made


def made_by(description: str) -> dict[str, str]:
    """What `Fleet` wrote into a version's description; empty for a version that something else made."""
    try:
        made = json.loads(description)
    except ValueError:
        return {}
    return made if isinstance(made, dict) else {}


def act(job: Mapping[str, Any], bake: Bake, fleet: Fleet, now: datetime) -> dict[str, Any]:
    """One step forward: what to tell CodePipeline."""
    data = job["data"]
    release = json.loads(data["actionConfiguration"]["configuration"]["UserParameters"])
    token = data.get("continuationToken")
    execution_id = token or bake.start(job["id"], release)
    try:
        execution = bake.look(execution_id) if token else {}
        if not token or not bake.ended(execution, now):
            step = execution.get("CurrentStepName") or "starting"
            return {
                "continuationToken": execution_id,
                "executionDetails": {"externalExecutionId": execution_id, "summary": f"baking: {step}"},
            }
        packages = output(execution, "fingerprint.Output").strip()
        variables = fleet.pin(output(execution, "createImage.ImageId"), execution_id, release["release"])
        variables["PackagesFingerprint"] = packages
    except Exception as error:
        error.add_note(execution_id)
        raise
    return {
        "outputVariables": variables,
        "executionDetails": {
            "externalExecutionId": execution_id,
            "summary": f"{variables['ImageId']}, template version {variables['LaunchTemplateVersion']}",
        },
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
    job: Mapping[str, Any], codepipeline: Any, prepare: Callable[[], tuple[Bake, Fleet]], now: datetime
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


def handler(event: Mapping[str, Any], context: Any) -> None:
    retries = Config(retries={"mode": "adaptive", "max_attempts": 8})

    def prepare() -> tuple[Bake, Fleet]:
        ssm, codedeploy, autoscaling, ec2 = (
            boto3.client(name, config=retries) for name in ("ssm", "codedeploy", "autoscaling", "ec2")
        )
        fleet = Fleet(codedeploy, autoscaling, ec2, os.environ["APPLICATION"], os.environ["DEPLOYMENT_GROUP"])
        return Bake(ssm, os.environ["BAKE_DOCUMENT"]), fleet

    codepipeline = boto3.client("codepipeline", config=retries)
    run(event["CodePipeline.job"], codepipeline, prepare, datetime.now(UTC))
