"""The fleet that serves goes back to its former launch template version, at the first of two occasions.

- Its copy, the green group, has launched a machine and so has the new version: from then on whatever blue
  launches is what blue serves, also when traffic comes back to it later.
- The release ended badly.

The pin action left in the version's description which release wrote it, for which group, after which
version. Only that group, and only while it still is on that version, is put back: a green group that already
serves has another name and stays as it is.
"""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Mapping
from functools import cache
from typing import Any, Literal

import boto3

log = logging.getLogger()
log.setLevel(logging.INFO)


LAUNCHED = "EC2 Instance Launch Successful"


def restore(
    release: str, application: str, deployment_group: str, codedeploy: Any, autoscaling: Any, ec2: Any
) -> str:
    """Put the group back if this release moved it; says what was done or why nothing was."""
    done = []
    for group in serving(application, deployment_group, codedeploy, autoscaling):
        made = made_by(group, ec2)
        if made.get("release") == release and made.get("group") == group["AutoScalingGroupName"]:
            done.append(put_back(group, made, autoscaling))
    return "; ".join(done) or f"no group is on a version that release {release} gave it"


def let_go(
    launched: str, application: str, deployment_group: str, codedeploy: Any, autoscaling: Any, ec2: Any
) -> str:
    """Put the group back that `launched` is a copy of; says what was done or why nothing was."""
    green = found(autoscaling, [launched])
    done = []
    for group in serving(application, deployment_group, codedeploy, autoscaling):
        name, made = group["AutoScalingGroupName"], made_by(group, ec2)
        copied = bool(green) and template(green[0]) == template(group) and name != launched
        if copied and made.get("group") == name:
            done.append(put_back(group, made, autoscaling))
    return "; ".join(done) or f"no group waits for {launched}"


def serving(
    application: str, deployment_group: str, codedeploy: Any, autoscaling: Any
) -> list[dict[str, Any]]:
    answer = codedeploy.get_deployment_group(
        applicationName=application, deploymentGroupName=deployment_group
    )
    names = [group["name"] for group in answer["deploymentGroupInfo"].get("autoScalingGroups", [])]
    return found(autoscaling, names)


def found(autoscaling: Any, names: list[str]) -> list[dict[str, Any]]:
    """An empty list of names would ask AWS for every group."""
    if not names:
        return []
    return list(autoscaling.describe_auto_scaling_groups(AutoScalingGroupNames=names)["AutoScalingGroups"])


def template(group: Mapping[str, Any]) -> Mapping[str, str]:
    """Launch template and version of a group; empty where it has none of its own."""
    return dict(group.get("LaunchTemplate", {}))


def put_back(group: Mapping[str, Any], made: Mapping[str, str], autoscaling: Any) -> str:
    name, launch = group["AutoScalingGroupName"], template(group)
    autoscaling.update_auto_scaling_group(
        AutoScalingGroupName=name,
        LaunchTemplate={"LaunchTemplateId": launch["LaunchTemplateId"], "Version": made["former"]},
    )
    return f"{name} is back on version {made['former']}"


def made_by(group: Mapping[str, Any], ec2: Any) -> dict[str, str]:
    """What the pin action wrote into the description of a group's version; else empty."""
    launch = template(group)
    if not launch.get("Version", "").isdecimal():
        return {}
    versions = ec2.describe_launch_template_versions(
        LaunchTemplateId=launch["LaunchTemplateId"], Versions=[launch["Version"]]
    )["LaunchTemplateVersions"]
    try:
        made = json.loads(versions[0].get("VersionDescription", ""))
    except ValueError:
        return {}
    return made if isinstance(made, dict) else {}


@cache
def client(service: Literal["codedeploy", "autoscaling", "ec2"]) -> Any:
    """Made once an environment: making one takes longer than most calls."""
    return boto3.client(service)


def handler(event: Mapping[str, Any], context: Any) -> None:
    detail = event["detail"]
    group = os.environ["APPLICATION"], os.environ["DEPLOYMENT_GROUP"]
    clients = client("codedeploy"), client("autoscaling"), client("ec2")
    if event["detail-type"] == LAUNCHED:
        done = let_go(detail["AutoScalingGroupName"], *group, *clients)
        log.info("%s launched a machine: %s", detail["AutoScalingGroupName"], done)
    else:
        done = restore(detail["execution-id"], *group, *clients)
        log.info("release %s ended as %s: %s", detail["execution-id"], detail["state"], done)
