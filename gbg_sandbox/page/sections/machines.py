"""Every instance, those of the last minutes that are gone included."""

from __future__ import annotations

from typing import Any

from gbg_sandbox.page.asking import Asking

LASTING = frozenset({"running", "stopped", "terminated"})


def read(ask: Asking) -> list[dict[str, Any]]:
    reservations = ask("ec2", "describe_instances")["Reservations"]
    found = [_machine(one) for reservation in reservations for one in reservation["Instances"]]
    return sorted(found, key=lambda machine: str(machine["launched"]), reverse=True)


def _machine(one: dict[str, Any]) -> dict[str, Any]:
    tags = {tag["Key"]: tag["Value"] for tag in one.get("Tags", [])}
    state = one["State"]["Name"]
    return {
        "id": one["InstanceId"],
        "name": tags.get("Name", ""),
        "state": state,
        "image": one["ImageId"],
        "type": one["InstanceType"],
        "zone": one["Placement"]["AvailabilityZone"],
        "address": one.get("PrivateIpAddress") or "",
        "launched": one["LaunchTime"],
        "group": tags.get("aws:autoscaling:groupName", ""),
        "why": (one.get("StateReason") or {}).get("Message", ""),
        "going_on": state not in LASTING,
    }
