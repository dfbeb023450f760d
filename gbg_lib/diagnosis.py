"""Why a release did not succeed, and the next thing to do: read from what the failed stage left behind."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from gbg_lib.aws import Aws
from gbg_lib.errors import GbgError, NotThere, ReleaseFailed
from gbg_lib.logs import log_lines
from gbg_lib.machines import gone
from gbg_lib.pipeline import BAKE, BUILD, DEPLOY, PIN, SOURCE, Action
from gbg_lib.release import Release
from gbg_lib.setbacks import deployment_setback
from gbg_lib.trail import who_called

BAD_STEP = ("Failed", "TimedOut", "Cancelled")
LAST_LINES = 6
ERROR_LETTERS = 1000
NO_RIGHT = "is not authorized to perform: "
GIVE_RIGHT = (
    "compare the role that is named there with its template, give it that right, "
    "and start the release again; blue still serves"
)
IS_REVOKED = " is revoked: "
STILL_SERVES = "; blue still serves"
CONTAINER = re.compile(r"^\[Container\] \S+ \S+ ")
"""what CodeBuild writes before its own lines"""


@dataclass(frozen=True)
class Diagnosis:
    what: str
    """a first line, then details: machine, event, script, last lines of the log"""
    try_this: str


def require_succeeded(aws: Aws, release: Release) -> Release:
    """The release, when it succeeded. Raises ReleaseFailed: machine, event, script, log, and what to do."""
    if release.status == "Succeeded":
        return release
    found = diagnose(aws, release)
    raise ReleaseFailed(f"release {release.execution_id[:8]}", found.what, found.try_this)


def diagnose(aws: Aws, release: Release) -> Diagnosis:
    """For a release that is over and did not succeed, or that goes on."""
    failed = next((action for action in release.actions if action.status == "Failed"), None)
    if release.status in ("Stopped", "Stopping"):
        return _stopped(aws, release)
    if failed is None:
        return Diagnosis(
            f"its status is {release.status}, and no stage failed", "start it again when the reason is gone"
        )
    try:
        found = DIAGNOSES.get(failed.stage, _unknown)(aws, release, failed)
        return replace(found, try_this=GIVE_RIGHT) if NO_RIGHT in found.what else found
    except GbgError as error:
        return Diagnosis(f"{_headline(failed)}\n  more could not be read: {error.what}", error.try_this)


def _stopped(aws: Aws, release: Release) -> Diagnosis:
    who = who_called(aws, "StopPipelineExecution", release.execution_id)
    last = release.actions[-1] if release.actions else None
    what = f"its status is {release.status}: stopped by {who}"
    if last is not None:
        what += f"\n  {last.stage}/{last.name} was {last.status} then"
    if last is not None and last.stage == DEPLOY and last.status == "Abandoned":
        return Diagnosis(
            f"{what}; deployment {last.external_id} goes on by itself",
            f"`aws codedeploy get-deployment --deployment-id {last.external_id}` tells how it ends, "
            "`aws codedeploy stop-deployment` with --auto-rollback-enabled ends it",
        )
    return Diagnosis(what, "ask them; start the release again when their reason is gone")


def _unknown(aws: Aws, release: Release, action: Action) -> Diagnosis:
    return Diagnosis(_headline(action), "mend the cause and push again")


def _source(aws: Aws, release: Release, action: Action) -> Diagnosis:
    return Diagnosis(
        _headline(action),
        "see that repository and branch exist and that the pipeline's role may read them; "
        "then start the release again",
    )


def _bake(aws: Aws, release: Release, action: Action) -> Diagnosis:
    step = _failed_step(aws, release.automation_id) if release.automation_id else None
    if step is None:
        return _function(aws, action)
    name, message, machine, failed_at = step
    lines = _command_output(aws, machine) if machine else []
    what = f"{_headline(action)}\n  {machine or 'no machine'} (builder), {name}: {_first_line(message)}"
    if machine and (ended := gone(aws, machine, failed_at)):
        return Diagnosis(
            f"{what}{_tail(lines)}\n    {ended}",
            "find out who ended the machine, then start the release again",
        )
    return Diagnosis(
        what + _tail(lines),
        f"mend step {name} of the bake document and start the release again; blue still serves",
    )


def _failed_step(aws: Aws, automation: str) -> tuple[str, str, str, datetime | None] | None:
    """Name and message of the first step that went wrong, the builder, and when it was."""
    try:
        found = aws.call("ssm", "get_automation_execution", AutomationExecutionId=automation)
    except NotThere:
        return None
    steps = found["AutomationExecution"]["StepExecutions"]
    machine = next((_machine(step) for step in steps if step["StepName"] == "launchBuilder"), "")
    for step in steps:
        if step["StepStatus"] in BAD_STEP:
            message = step.get("FailureMessage", step["StepStatus"])
            return step["StepName"], message, machine, step.get("ExecutionEndTime")
    return None


def _machine(step: dict[str, Any]) -> str:
    return next(iter(step.get("Outputs", {}).get("InstanceId", [])), "")


def _command_output(aws: Aws, machine: str) -> list[str]:
    """What the newest command on the builder said: its log, which has all, or what Run Command kept."""
    found = list(
        aws.pages("ssm", "list_command_invocations", "CommandInvocations", InstanceId=machine, Details=True)
    )
    if not found:
        return []
    newest = max(found, key=lambda one: one["RequestedDateTime"])
    group = newest.get("CloudWatchOutputConfig", {}).get("CloudWatchLogGroupName", "")
    lines = log_lines(aws, group, stream=newest["CommandId"]) if group else []
    return lines or [line for plugin in newest["CommandPlugins"] for line in plugin["Output"].splitlines()]


def _function(aws: Aws, action: Action) -> Diagnosis:
    """A function of the pipeline went wrong, could not begin, or kept its gate shut."""
    if IS_REVOKED in action.error:
        return Diagnosis(_headline(action), f"release from another image{STILL_SERVES}")
    name = action.configuration.get("FunctionName", "")
    lines = log_lines(aws, _log_group(aws, name), since=action.started) if name else []
    return Diagnosis(
        f"{_headline(action)}\n  function {name or 'unknown'}{_tail(lines)}",
        "mend the function, its settings or its role, and start the release again; blue still serves",
    )


def _log_group(aws: Aws, function: str) -> str:
    try:
        found = aws.call("lambda", "get_function_configuration", FunctionName=function)
    except NotThere:
        return f"/aws/lambda/{function}"
    return str(found.get("LoggingConfig", {}).get("LogGroup", f"/aws/lambda/{function}"))


def _build(aws: Aws, release: Release, action: Action) -> Diagnosis:
    lines = _build_log(aws, release.build_id) if release.build_id else []
    lines = [CONTAINER.sub("", line) for line in lines]
    errors = [line for line in lines if "[ERROR]" in line]
    shown = errors[:LAST_LINES] if errors else lines[-LAST_LINES:]
    return Diagnosis(
        _headline(action) + _tail(shown),
        "read the build's log; mend the application and push again; blue still serves",
    )


def _build_log(aws: Aws, build: str) -> list[str]:
    found = aws.call("codebuild", "batch_get_builds", ids=[build])["builds"]
    where = found[0].get("logs", {}) if found else {}
    if not where.get("groupName") or not where.get("streamName"):
        return []
    return log_lines(aws, where["groupName"], stream=where["streamName"])


def _deploy(aws: Aws, release: Release, action: Action) -> Diagnosis:
    if action.name == PIN:
        return _function(aws, action)
    if not release.deployment_id:
        return Diagnosis(
            _headline(action),
            "give the pipeline's role its right back and retry the stage; blue still serves",
        )
    details, try_this = deployment_setback(aws, release.deployment_id)
    return Diagnosis(_headline(action) + details, try_this)


def _headline(action: Action) -> str:
    """The error's first line, cut: the details follow, and AWS repeats whole outputs in it."""
    return (
        f"{action.stage}/{action.name} failed: {_first_line(action.error or action.summary or 'no message')}"
    )


def _first_line(message: str) -> str:
    return (message.splitlines() or [""])[0][:ERROR_LETTERS]


def _tail(lines: list[str]) -> str:
    return "".join(f"\n    {line}" for line in lines[-LAST_LINES:])


DIAGNOSES: dict[str, Callable[[Aws, Release, Action], Diagnosis]] = {
    SOURCE: _source,
    BAKE: _bake,
    BUILD: _build,
    DEPLOY: _deploy,
}
