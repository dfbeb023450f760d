"""Edits from outside that CloudFormation's drift detection can't tell.

It does not look into a custom resource, which the deployment group is. And every release moves the golden AMI
parameter, so that its drift says nothing of who wrote it.
https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/using-cfn-stack-drift.html
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from gbg_lib.aws import Aws
from gbg_lib.mending.drift import Drift
from gbg_lib.stacks import Stacks

ALARMS = ("TargetErrors", "LoadBalancerErrors", "UnhealthyHosts")
"""logical ids in Part 1"""
EVENTS = ("DEPLOYMENT_FAILURE", "DEPLOYMENT_STOP_ON_ALARM")
AGAIN = "apply runbook 01 with another value and back, or set it by `aws deploy update-deployment-group`"


@dataclass(frozen=True)
class GroupSettings:
    """What a deployment group does when a release goes wrong, and how long it waits."""

    config: str
    ready_minutes: int
    """0 where traffic moves at once"""
    termination_minutes: int
    alarms: tuple[str, ...]
    """empty where none is watched"""
    rolls_back_on: tuple[str, ...]
    """empty where it does not roll back by itself"""


def wanted_settings(stacks: Stacks, stack: str) -> GroupSettings:
    """Raises NotThere."""
    given = stacks.parameters(stack)
    resources = {one.logical_id: one.id for one in stacks.resources(stack)}
    return GroupSettings(
        given["DeploymentConfig"],
        int(given["ReadyWaitMinutes"]),
        int(given["TerminationWaitMinutes"]),
        tuple(sorted(resources[one] for one in ALARMS if one in resources)),
        EVENTS,
    )


def live_settings(info: Mapping[str, Any]) -> GroupSettings:
    """Of GetDeploymentGroup's `deploymentGroupInfo`."""
    way = info.get("blueGreenDeploymentConfiguration", {})
    alarms, back = info.get("alarmConfiguration", {}), info.get("autoRollbackConfiguration", {})
    watched = [one["name"] for one in alarms.get("alarms", [])] if alarms.get("enabled") else []
    return GroupSettings(
        info["deploymentConfigName"],
        way.get("deploymentReadyOption", {}).get("waitTimeInMinutes", 0),
        way.get("terminateBlueInstancesOnDeploymentSuccess", {}).get("terminationWaitTimeInMinutes", 0),
        tuple(sorted(watched)),
        tuple(sorted(back.get("events", []) if back.get("enabled") else [])),
    )


def group_drift(name: str, wanted: GroupSettings, live: GroupSettings) -> Iterator[Drift]:
    words = {
        "deployment configuration": (wanted.config, live.config),
        "minutes before traffic": (str(wanted.ready_minutes), str(live.ready_minutes)),
        "minutes before blue ends": (str(wanted.termination_minutes), str(live.termination_minutes)),
        "alarms that stop a release": (_told(wanted.alarms), _told(live.alarms)),
        "rolls back by itself on": (_told(wanted.rolls_back_on), _told(live.rolls_back_on)),
    }
    for what, (believed, found) in words.items():
        if believed != found:
            yield Drift(f"deployment group {name}: {what}", believed, found, "outside", AGAIN)


def golden_ami_drift(aws: Aws, parameter: str, serving: str, golden: Collection[str]) -> Iterator[Drift]:
    """`serving`: the image that the fleet would launch; `golden`: those that bakes have made.

    A bake writes its own into the parameter, also one whose release fails later: that is no edit.
    """
    way = "runbook 05 (way_back: stay) writes what serves; the next bake writes its own"
    found = aws.call("ssm", "get_parameters", Names=[parameter])["Parameters"]
    named = str(found[0]["Value"]) if found else "nothing: it is gone"
    if named != serving and named not in golden:
        yield Drift(f"parameter {parameter}", f"{serving}, which serves", named, "outside", way)


def _told(names: tuple[str, ...]) -> str:
    return ", ".join(names) or "none"
