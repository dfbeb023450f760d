"""aws:runCommand: Run Command on machines, under the document's role."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Mapping
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from gbg_sandbox.services.ssm.automation.actions.work import (
    REAL_FLOOR_SECONDS,
    Outcome,
    StepCancelled,
    StepFailed,
    StepTimedOut,
    Work,
)
from gbg_sandbox.services.ssm.automation.values import typed

log = logging.getLogger(__name__)

Inputs = Mapping[str, Any]
ENDED = frozenset({"Success", "Cancelled", "Failed", "TimedOut"})
AGENT_AWS_SECONDS = 1800
SOURCE = "aws.ssm"
AVAILABLE = "verifying the SSM Agent availability on the target instance(s)"
COMPLETED = "verifying the command has completed"


def run_command(work: Work, inputs: Inputs) -> Outcome:
    """Send it when every target's agent is there, wait for the end, give its output."""
    client = work.client("ssm")
    request = _request(inputs)
    if "InstanceIds" in request:
        _wait_for_agents(work, client, request["InstanceIds"])
    command = _send(client, request)
    try:
        work.wait(lambda: _status(client, command) in ENDED, doing=COMPLETED, told_by=SOURCE)
    except (StepCancelled, StepTimedOut):
        _cancel(client, command)
        raise
    return _result(client, command)


def _request(inputs: Inputs) -> dict[str, Any]:
    request = {key: value for key, value in inputs.items() if value not in ("", None)}
    if "InstanceIds" in request:
        request["InstanceIds"] = typed("StringList", request["InstanceIds"])
    if "TimeoutSeconds" in request:
        request["TimeoutSeconds"] = typed("Integer", request["TimeoutSeconds"])
    if "Parameters" in request:
        parameters = typed("StringMap", request["Parameters"])
        request["Parameters"] = {name: typed("StringList", value) for name, value in parameters.items()}
    output = request.get("CloudWatchOutputConfig")
    if isinstance(output, Mapping) and "CloudWatchOutputEnabled" in output:
        enabled = typed("Boolean", output["CloudWatchOutputEnabled"])
        request["CloudWatchOutputConfig"] = {**output, "CloudWatchOutputEnabled": enabled}
    return request


def _wait_for_agents(work: Work, client: Any, instances: list[str]) -> None:
    limit = max(AGENT_AWS_SECONDS, REAL_FLOOR_SECONDS * work.cloud.clock.scale)
    work.wait(lambda: _online(client) >= set(instances), doing=AVAILABLE, aws_seconds=limit, told_by=SOURCE)


def _online(client: Any) -> set[str]:
    """Instances whose agent answers. The instances are not named in the call: an unknown one is refused."""
    try:
        pages = client.get_paginator("describe_instance_information").paginate()
        return {
            one["InstanceId"]
            for page in pages
            for one in page["InstanceInformationList"]
            if one["PingStatus"] == "Online"
        }
    except ClientError as error:
        raise StepFailed(f"{error}.", doing=AVAILABLE, stage="PreVerification") from error


def _send(client: Any, request: dict[str, Any]) -> str:
    try:
        return str(client.send_command(**request)["Command"]["CommandId"])
    except (ClientError, BotoCoreError) as error:
        raise StepFailed(f"{error}.", doing="sending the command") from error


def _status(client: Any, command: str) -> str:
    try:
        return str(client.list_commands(CommandId=command)["Commands"][0]["Status"])
    except ClientError as error:
        raise StepFailed(f"{error}.", doing=COMPLETED, stage="PostVerification") from error


def _cancel(client: Any, command: str) -> None:
    """The step has ended already; a missing right leaves the command running, as on AWS."""
    try:
        client.cancel_command(CommandId=command)
    except ClientError as error:
        log.warning("command %s goes on: %s", command, error)


def _result(client: Any, command: str) -> Outcome:
    try:
        pages = client.get_paginator("list_command_invocations").paginate(CommandId=command, Details=True)
        invocations = [one for page in pages for one in page["CommandInvocations"]]
    except ClientError as error:
        raise StepFailed(f"{error}.", doing=COMPLETED, stage="PostVerification") from error
    worst = next(
        (one for one in invocations if one["Status"] != "Success"), invocations[0] if invocations else None
    )
    status = worst["Status"] if worst else _status(client, command)
    plugin = (worst or {}).get("CommandPlugins", [{}])[0]
    outputs = {
        "Status": status,
        "ResponseCode": plugin.get("ResponseCode", -1),
        "Output": plugin.get("Output", ""),
    }
    outputs |= {"OutputPayload": json.dumps({**outputs, "CommandId": command}), "CommandId": command}
    if status != "Success":
        shown = ", ".join(f"{name}=[{value}]" for name, value in outputs.items())
        raise StepFailed(
            f"Command {command} returns unexpected invocation result: {{{shown}}}.",
            doing=COMPLETED,
            stage="PostVerification",
            kind="Verification",
            outputs=outputs,
        )
    return Outcome(outputs, response=dict(outputs), response_code=str(outputs["ResponseCode"]))


ACTIONS: dict[str, Callable[[Work, Inputs], Outcome]] = {"aws:runCommand": run_command}
