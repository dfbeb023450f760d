"""The CodeBuild action: one build, with the pipeline's artifacts handed over.

https://docs.aws.amazon.com/codepipeline/latest/userguide/action-reference-CodeBuild.html
"""

from __future__ import annotations

import json
from typing import Any

from gbg_sandbox.services.codebuild.state import Handover, Input, Output
from gbg_sandbox.services.codepipeline.actions.context import ActionContext, ActionFailed
from gbg_sandbox.services.codepipeline.state import Artifact

LONGEST_AWS_SECONDS = 36 * 3600
LONGEST_REAL_SECONDS = 36 * 3600


def build(context: ActionContext) -> None:
    run = context.run
    project = run.configuration["ProjectName"]
    codebuild = context.client("codebuild")
    context.service.cloud.service("codebuild").hand_over(run.id, _handover(context))
    started = codebuild.start_build(
        projectName=project,
        idempotencyToken=run.id,
        environmentVariablesOverride=_variables(run.configuration.get("EnvironmentVariables", "")),
    )["build"]
    run.external_id = started["id"]
    run.external_url = context.console(f"codebuild/projects/{project}/build/{started['id']}")
    found: dict[str, Any] = {}

    def complete() -> bool:
        nonlocal found
        found = codebuild.batch_get_builds(ids=[started["id"]])["builds"][0]
        return bool(found["buildComplete"])

    if not context.wait(
        complete,
        aws_seconds=LONGEST_AWS_SECONDS,
        real_floor=LONGEST_REAL_SECONDS,
        news=context.service.cloud.events.watch("aws.codebuild").wait,
    ):
        raise ActionFailed("JobFailed", f"Build {started['id']} did not end in time")
    if found["buildStatus"] != "SUCCEEDED":
        raise ActionFailed(
            "JobFailed", f"Build terminated with state: {found['buildStatus']}{_reason(found)}"
        )
    run.variables = {one["name"]: one["value"] for one in found.get("exportedEnvironmentVariables", [])}
    context.check_outputs()


def _handover(context: ActionContext) -> Handover:
    run = context.run
    primary = _primary(context)
    kms = context.execution.declaration["artifactStore"].get("encryptionKey")
    return Handover(
        pipeline=context.pipeline.name,
        inputs=tuple(
            Input("S3", f"{one.bucket}/{one.key}", identifier="" if one is primary else one.name)
            for one in sorted(run.inputs, key=lambda one: one is not primary)
        ),
        outputs=tuple(
            Output("CODEPIPELINE", identifier=one.name, bucket=one.bucket, key=one.key) for one in run.outputs
        ),
        revision=primary.revision,
        kms_key=kms["id"] if kms else "",
    )


def _primary(context: ActionContext) -> Artifact:
    inputs = context.run.inputs
    named = context.run.configuration.get("PrimarySource", "")
    found = next((one for one in inputs if one.name == named), None)
    if found is None and len(inputs) > 1:
        raise ActionFailed(
            "ConfigurationError",
            f"Action {context.run.name} has {len(inputs)} inputs: PrimarySource must name one of them",
        )
    return found or inputs[0]


def _variables(text: str) -> list[dict[str, str]]:
    """The configuration's EnvironmentVariables: a JSON array of name, value and type."""
    if not text:
        return []
    try:
        return [{"type": "PLAINTEXT", **one} for one in json.loads(text)]
    except (ValueError, TypeError) as error:
        raise ActionFailed(
            "ConfigurationError", f"EnvironmentVariables is not a JSON array: {error}"
        ) from error


def _reason(found: dict[str, Any]) -> str:
    """The first phase that failed, as CodePipeline adds it to the state."""
    for phase in found["phases"]:
        if phase.get("phaseStatus") in ("FAILED", "FAULT", "TIMED_OUT"):
            told = (phase.get("contexts") or [{}])[0]
            return (
                f". Phase: {phase['phaseType']}, Code: {told.get('statusCode', '')}, "
                f"Message: {told.get('message', '')}"
            )
    return ""
