"""What goes on under a deployment's name and would make new things while others are deleted.

Each is asked for by the fixed names that the templates give. A bake is cancelled and not killed: its document
then removes its builder. Nothing is rolled back: that would be a new deployment.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial

from gbg_lib import bakes
from gbg_lib.aws import Aws
from gbg_lib.deployments import active_deployments
from gbg_lib.errors import AwsError, NotThere
from gbg_lib.pipeline import OVER

BUILDS = 100
OVERTAKEN = ("NotStoppable", "AlreadyCompleted", "DuplicatedStopRequest", "InvalidAutomationStatusUpdate")
"""AWS's words for what ended, or was stopped, between look and call"""


@dataclass(frozen=True)
class Activity:
    kind: str
    """release | bake | build | deployment"""
    id: str
    status: str

    @property
    def thing(self) -> str:
        return f"{self.kind} {self.id}"


def activities(aws: Aws, deployment: str) -> list[Activity]:
    """In the order in which they are to be stopped: what starts others first."""
    return [one for look in looks(aws, deployment) for one in look()]


def looks(aws: Aws, deployment: str) -> list[Callable[[], Iterator[Activity]]]:
    """Each kind for itself, for who may not look at all of them."""
    return [
        partial(_releases, aws, f"{deployment}-release"),
        partial(_bakes, aws, f"{deployment}-bake"),
        partial(_builds, aws, f"{deployment}-build"),
        partial(_deployments, aws, f"{deployment}-app"),
    ]


def stop(aws: Aws, deployment: str, activity: Activity) -> None:
    """Ask for its end, which comes later. What is over already is no error."""
    try:
        if activity.kind == "release":
            aws.call(
                "codepipeline",
                "stop_pipeline_execution",
                pipelineName=f"{deployment}-release",
                pipelineExecutionId=activity.id,
                abandon=True,
                reason="teardown",
            )
        elif activity.kind == "bake":
            aws.call("ssm", "stop_automation_execution", AutomationExecutionId=activity.id, Type="Cancel")
        elif activity.kind == "build":
            aws.call("codebuild", "stop_build", id=activity.id)
        else:
            aws.call("codedeploy", "stop_deployment", deploymentId=activity.id, autoRollbackEnabled=False)
    except NotThere:
        return
    except AwsError as error:
        if not any(word in error.what for word in OVERTAKEN):
            raise


def _releases(aws: Aws, pipeline: str) -> Iterator[Activity]:
    try:
        found = aws.pages(
            "codepipeline",
            "list_pipeline_executions",
            "pipelineExecutionSummaries",
            pipelineName=pipeline,
        )
        for one in found:
            if one["status"] not in OVER:
                yield Activity("release", one["pipelineExecutionId"], one["status"])
    except NotThere:
        return


def _bakes(aws: Aws, document: str) -> Iterator[Activity]:
    """Executions outlive their document."""
    asked = [{"Key": "DocumentNamePrefix", "Values": [document]}]
    for one in aws.pages(
        "ssm", "describe_automation_executions", "AutomationExecutionMetadataList", Filters=asked
    ):
        status = one["AutomationExecutionStatus"]
        if one["DocumentName"] == document and status not in bakes.OVER:
            yield Activity("bake", one["AutomationExecutionId"], status)


def _builds(aws: Aws, project: str) -> Iterator[Activity]:
    """Among the newest: a project runs one at a time, since its pipeline queues."""
    try:
        ids = aws.call("codebuild", "list_builds_for_project", projectName=project)["ids"][:BUILDS]
    except NotThere:
        return
    if ids:
        for one in aws.call("codebuild", "batch_get_builds", ids=ids)["builds"]:
            if one["buildStatus"] == "IN_PROGRESS":
                yield Activity("build", one["id"], one["buildStatus"])


def _deployments(aws: Aws, application: str) -> Iterator[Activity]:
    """Of every deployment group of the application: people may have made others."""
    try:
        groups = list(
            aws.pages("codedeploy", "list_deployment_groups", "deploymentGroups", applicationName=application)
        )
        for group in groups:
            for identity in active_deployments(aws, application, str(group)):
                info = aws.call("codedeploy", "get_deployment", deploymentId=identity)
                yield Activity("deployment", identity, info["deploymentInfo"]["status"])
    except NotThere:
        return
