"""Auto Scaling groups: who is in them, and which deployment made them."""

from __future__ import annotations

from typing import Any

from gbg_sandbox.page.asking import Asking

MADE_BY = "CodeDeployProvisioningDeploymentId"
SETTLED = "InService"


def read(ask: Asking) -> list[dict[str, Any]]:
    groups = ask("autoscaling", "describe_auto_scaling_groups")["AutoScalingGroups"]
    return sorted(map(_group, groups), key=lambda group: str(group["created"]))


def _group(group: dict[str, Any]) -> dict[str, Any]:
    tags = {tag["Key"]: tag["Value"] for tag in group.get("Tags", [])}
    members = group.get("Instances", [])
    return {
        "name": group["AutoScalingGroupName"],
        "created": group["CreatedTime"],
        "deployment": tags.get(MADE_BY, ""),
        "status": group.get("Status", ""),
        "desired": group["DesiredCapacity"],
        "least": group["MinSize"],
        "most": group["MaxSize"],
        "target_groups": group.get("TargetGroupARNs", []),
        "suspended": [one["ProcessName"] for one in group.get("SuspendedProcesses", [])],
        "instances": [
            {
                "id": one["InstanceId"],
                "zone": one["AvailabilityZone"],
                "lifecycle": one["LifecycleState"],
                "health": one["HealthStatus"],
            }
            for one in members
        ],
        "going_on": len(members) != group["DesiredCapacity"]
        or any(one["LifecycleState"] != SETTLED for one in members),
    }
