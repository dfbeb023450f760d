"""Texts that a tab reads along: a machine's console, what a command printed, a step's output, a log stream.

A text is named by a path: `console/i-1`, `command/<command>/<instance>`, `step/<execution>/<step>`,
`log/<group>!<stream>`.
"""

from __future__ import annotations

import base64
from collections.abc import Callable
from typing import Any

from gbg_sandbox.page.asking import Asking
from gbg_sandbox.page.sections.bakes import step_output
from gbg_sandbox.service import AwsError

MOST_LINES = 3000
STREAMS = 30


class NoSuchText(Exception):
    """The name is none that the page gives."""


def read(ask: Asking, name: str) -> str:
    """Raises NoSuchText."""
    kind, _, rest = name.partition("/")
    reader = KINDS.get(kind)
    if reader is None or not rest:
        raise NoSuchText(f"no text is called {name!r}")
    try:
        return reader(ask, rest)
    except AwsError as error:
        return f"({error.message})"


def _console(ask: Asking, instance: str) -> str:
    output = ask("ec2", "get_console_output", InstanceId=instance)["Output"]
    return base64.b64decode(output).decode(errors="replace")


def _command(ask: Asking, rest: str) -> str:
    command, _, instance = rest.partition("/")
    one = ask("ssm", "get_command_invocation", CommandId=command, InstanceId=instance)
    errors = one["StandardErrorContent"]
    return str(one["StandardOutputContent"] + (f"\n--- errors ---\n{errors}" if errors else ""))


def _step(ask: Asking, rest: str) -> str:
    execution, _, name = rest.partition("/")
    one = ask("ssm", "get_automation_execution", AutomationExecutionId=execution)["AutomationExecution"]
    found = [step for step in one["StepExecutions"] if step["StepName"] == name]
    return step_output(ask, found[0]) if found else ""


def _log(ask: Asking, rest: str) -> str:
    group, _, stream = rest.partition("!")
    answer = ask("logs", "get_log_events", logGroupName=group, logStreamName=stream, limit=MOST_LINES)
    return "\n".join(event["message"].rstrip("\n") for event in answer["events"])


KINDS: dict[str, Callable[[Asking, str], str]] = {
    "console": _console,
    "command": _command,
    "step": _step,
    "log": _log,
}


def log_streams(ask: Asking) -> list[dict[str, Any]]:
    """Every log group with its newest streams."""
    return [
        {"group": group["logGroupName"], "streams": _streams(ask, group["logGroupName"])}
        for group in ask("logs", "describe_log_groups")["logGroups"]
    ]


def _streams(ask: Asking, group: str) -> list[dict[str, Any]]:
    found = ask.maybe("logs", "describe_log_streams", logGroupName=group, limit=50).get("logStreams", [])
    newest = sorted(found, key=lambda one: one.get("lastEventTimestamp", 0), reverse=True)
    return [
        {"name": one["logStreamName"], "last": one.get("lastEventTimestamp", 0)} for one in newest[:STREAMS]
    ]


def commands(ask: Asking, instance: str) -> list[dict[str, Any]]:
    """What was run on a machine through its agent, newest first."""
    found = ask.maybe("ssm", "list_command_invocations", InstanceId=instance).get("CommandInvocations", [])
    return [
        {
            "id": one["CommandId"],
            "document": one["DocumentName"],
            "status": one["StatusDetails"],
            "time": one["RequestedDateTime"],
            "comment": one["Comment"],
        }
        for one in found
    ]
