"""What became of a machine that does not run any more, and who ended it."""

from __future__ import annotations

from datetime import datetime

from gbg_lib.aws import Aws
from gbg_lib.errors import NotThere
from gbg_lib.trail import first_call

GONE = ("shutting-down", "terminated", "stopping", "stopped")


def gone(aws: Aws, instance: str, before: datetime | None) -> str:
    """EC2's word on it and who terminated it; empty for one that runs, or that was cleared away later."""
    state, reason = _state(aws, instance)
    if state not in GONE:
        return ""
    call = first_call(aws, "TerminateInstances", instance)
    if call and before and call.at > before:
        return ""
    by = f"; ended by {call.by}" if call else ""
    return f"the machine is {state}{f' ({reason})' if reason else ''}{by}"


def _state(aws: Aws, instance: str) -> tuple[str, str]:
    """EC2 forgets a terminated machine after an hour."""
    try:
        found = aws.call("ec2", "describe_instances", InstanceIds=[instance])["Reservations"]
    except NotThere:
        return "terminated", ""
    machines = [one for reservation in found for one in reservation["Instances"]]
    if not machines:
        return "terminated", ""
    return machines[0]["State"]["Name"], machines[0].get("StateReason", {}).get("Message", "")
