"""The manual approval action: waits for PutApprovalResult, seven days unless the action says otherwise.

https://docs.aws.amazon.com/codepipeline/latest/userguide/approvals.html
"""

from __future__ import annotations

import json
import uuid

from gbg_sandbox.services.codepipeline.actions.context import ActionContext, ActionFailed

DEFAULT_AWS_SECONDS = 7 * 24 * 3600


def approve(context: ActionContext) -> None:
    run = context.run
    run.approval_token = str(uuid.uuid4())
    minutes = run.action.get("timeoutInMinutes")
    aws_seconds = minutes * 60 if minutes else DEFAULT_AWS_SECONDS
    if "NotificationArn" in run.configuration:
        _notify(context)
    answered = context.wait(lambda: run.approval is not None, aws_seconds=aws_seconds, real_floor=1)
    run.approval_token, token = "", run.approval_token
    if not answered or run.approval is None:
        raise ActionFailed("TimeoutError", f"The approval request {token} got no answer in time")
    status, run.summary = run.approval
    if status != "Approved":
        raise ActionFailed("ApprovalRejected", run.summary)


def _notify(context: ActionContext) -> None:
    run, pipeline = context.run, context.pipeline.name
    link = context.console(f"codepipeline/pipelines/{pipeline}/view")
    message = {
        "region": context.service.cloud.region,
        "consoleLink": link,
        "approval": {
            "pipelineName": pipeline,
            "stageName": run.stage,
            "actionName": run.name,
            "token": run.approval_token,
            "externalEntityLink": run.configuration.get("ExternalEntityLink"),
            "approvalReviewLink": link,
            "customData": run.configuration.get("CustomData"),
        },
    }
    context.client("sns").publish(
        TopicArn=run.configuration["NotificationArn"],
        Subject=f"APPROVAL NEEDED: AWS CodePipeline {pipeline} for action {run.name}"[:100],
        Message=json.dumps(message),
    )
