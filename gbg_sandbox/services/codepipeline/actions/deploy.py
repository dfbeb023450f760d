"""The CodeDeploy action: one deployment of the input artifact.

https://docs.aws.amazon.com/codepipeline/latest/userguide/action-reference-CodeDeploy.html
"""

from __future__ import annotations

from typing import Any

from gbg_sandbox.services.codepipeline.actions.context import ActionContext, ActionFailed

LONGEST_AWS_SECONDS = 5 * 24 * 3600
OVER = ("Succeeded", "Failed", "Stopped")


def deploy(context: ActionContext) -> None:
    run = context.run
    application, group = run.configuration["ApplicationName"], run.configuration["DeploymentGroupName"]
    codedeploy = context.client("codedeploy")
    (artifact,) = run.inputs
    revision = {
        "revisionType": "S3",
        "s3Location": {"bucket": artifact.bucket, "key": artifact.key, "bundleType": "zip"},
    }
    codedeploy.get_application(applicationName=application)
    codedeploy.register_application_revision(applicationName=application, revision=revision)
    codedeploy.get_application_revision(applicationName=application, revision=revision)
    deployment = codedeploy.create_deployment(
        applicationName=application, deploymentGroupName=group, revision=revision
    )["deploymentId"]
    run.external_id = deployment
    run.external_url = context.console(f"codedeploy/deployments/{deployment}")
    run.variables = {"DeploymentId": deployment}
    found: dict[str, Any] = {}

    def over() -> bool:
        nonlocal found
        found = codedeploy.get_deployment(deploymentId=deployment)["deploymentInfo"]
        return found["status"] in OVER

    longest = float(LONGEST_AWS_SECONDS)
    news = context.service.cloud.events.watch("aws.codedeploy")
    if not context.wait(over, aws_seconds=longest, real_floor=longest, news=news.wait):
        raise ActionFailed("JobFailed", f"Deployment {deployment} did not end within five days")
    if found["status"] != "Succeeded":
        raise ActionFailed("JobFailed", f"Deployment {deployment} {found['status'].lower()}{_reason(found)}")
    run.summary = "Deployment Succeeded"


def _reason(found: dict[str, Any]) -> str:
    error = found.get("errorInformation")
    return f". {error['message']} (Error code: {error['code']})" if error else ""
