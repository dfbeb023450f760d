"""What became of a machine that does not run any more, and who ended it."""

from __future__ import annotations

from gbg_lib.aws import Aws
from gbg_lib.errors import NotThere
from gbg_lib.trail import first_caller

GONE = ("shutting-down", "terminated", "stopping", "stopped")


def gone(aws: Aws, instance: str) -> str:
    """EC2's word on it and who terminated it; empty for a machine that runs."""
    state, reason = _state(aws, instance)
    if state not in GONE:
        return ""
    by = first_caller(aws, "TerminateInstances", instance)
    return f"the machine is {state}{f' ({reason})' if reason else ''}{f'; ended by {by}' if by else ''}"


def _state(aws: Aws, instance: str) -> tuple[str, str]:
    """EC2 forgets a terminated machine after an hour."""
    try:
        found = aws.call("ec2", "describe_instances", InstanceIds=[instance])["Reservations"]
    except NotThere:
        return "terminated", ""
    machines = [one for reservation in found for one in reservation["Instances"]]
    if not machines:
        return "terminated", ""
    reason = machines[0].get("StateReason", {}).get("Message", "")
    return machines[0]["State"]["Name"], reason
