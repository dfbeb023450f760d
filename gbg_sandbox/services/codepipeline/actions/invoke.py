"""The Lambda invoke action: a job for a function, which answers by PutJob{Success,Failure}Result.

An answer with a continuation token asks to be invoked again, with that token and a new job. Each job has
20 minutes on the scaled clock, and 20 real seconds at least; all of them together have 24 hours.
https://docs.aws.amazon.com/codepipeline/latest/userguide/actions-invoke-lambda-function.html
"""

from __future__ import annotations

import json
from typing import Any

from botocore.exceptions import ClientError

from gbg_sandbox.services.codepipeline.actions.context import ActionContext, ActionFailed
from gbg_sandbox.services.codepipeline.jobs import Job
from gbg_sandbox.services.codepipeline.state import Artifact

REPLY_AWS_SECONDS = 20 * 60
TOTAL_AWS_SECONDS = 24 * 3600
BETWEEN_AWS_SECONDS = 12
"""AWS doesn't say how soon it asks again"""


def invoke(context: ActionContext) -> None:
    clock = context.service.cloud.clock
    begun, token = clock.now(), ""
    while True:
        job = _offer(context, token)
        _call(context, job)
        if not context.wait(
            job.answered.is_set,
            aws_seconds=REPLY_AWS_SECONDS,
            real_floor=context.service.reply_real_seconds,
            news=job.answered.wait,
        ):
            context.service.jobs.expire(job)
            raise ActionFailed("JobFailed", _silence(context))
        _take_over(context, job)
        token = job.next_token
        if not token:
            break
        if (clock.now() - begun).total_seconds() > max(clock.real_seconds(TOTAL_AWS_SECONDS), 60):
            raise ActionFailed("JobFailed", "The action did not complete within 24 hours")
        context.wait(lambda: False, aws_seconds=BETWEEN_AWS_SECONDS, real_floor=0)
    context.check_outputs()


def _offer(context: ActionContext, token: str) -> Job:
    job = Job(context.pipeline, context.run, token, context.credential())
    context.service.jobs.add(job)
    return job


def _call(context: ActionContext, job: Job) -> None:
    name = context.run.configuration["FunctionName"]
    payload = json.dumps({"CodePipeline.job": {**event(job, context.service.cloud.account)}}).encode()
    try:
        context.client("lambda").invoke(FunctionName=name, InvocationType="Event", Payload=payload)
    except ClientError as error:
        code, text = error.response["Error"]["Code"], error.response["Error"]["Message"]
        if code.startswith("AccessDenied"):
            raise ActionFailed(
                "PermissionError",
                "The provided role does not have permissions to perform this action. "
                f"Underlying error: {text}",
            ) from error
        raise ActionFailed(
            "ConfigurationError", f"The AWS Lambda function {name} can't be invoked: {code}: {text}"
        ) from error


def event(job: Job, account: str) -> dict[str, Any]:
    """What the function gets. It holds keys: never log it."""
    data: dict[str, Any] = {
        "actionConfiguration": {"configuration": dict(job.run.configuration)},
        "inputArtifacts": [_artifact(one) for one in job.run.inputs],
        "outputArtifacts": [_artifact(one) for one in job.run.outputs],
        "artifactCredentials": {
            "accessKeyId": job.credential.access_key,
            "secretAccessKey": job.credential.secret_key,
            "sessionToken": job.credential.token,
        },
    }
    if job.token:
        data["continuationToken"] = job.token
    key = job.pipeline.declaration["artifactStore"].get("encryptionKey")
    if key:
        data["encryptionKey"] = dict(key)
    return {"id": job.id, "accountId": account, "data": data}


def _artifact(one: Artifact) -> dict[str, Any]:
    place = {"type": "S3", "s3Location": {"bucketName": one.bucket, "objectKey": one.key}}
    return {"name": one.name, "revision": one.revision or None, "location": place}


def _take_over(context: ActionContext, job: Job) -> None:
    run = context.run
    run.summary = job.summary or run.summary
    run.external_id = job.external_id or run.external_id
    run.percent = job.percent if job.percent is not None else run.percent
    run.updated = context.service.cloud.clock.now()
    if job.failure is not None:
        raise ActionFailed(*job.failure)
    run.variables = dict(job.variables)
    if job.revision:
        context.revise(job.revision)


def _silence(context: ActionContext) -> str:
    name = context.run.configuration["FunctionName"]
    return (
        f"The AWS Lambda function {name} failed to return a result. Check the function to verify that it has "
        "permission to call the PutJobSuccessResult action and that it made a call to PutJobSuccessResult."
    )
