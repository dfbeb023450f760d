"""After a release that ended badly: the fleet that serves goes back to its former launch template version.

The golden AMI action left in the version's description which release wrote it, for which group, after which
version. Only that group, and only while it still is on that version, is put back: a green group that already
serves has another name and stays as it is.
"""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Mapping
from typing import Any

import boto3

log = logging.getLogger()
log.setLevel(logging.INFO)


def restore(
    release: str, application: str, deployment_group: str, codedeploy: Any, autoscaling: Any, ec2: Any
) -> str:
    """Put the group back if this release moved it; says what was done or why nothing was."""
    answer = codedeploy.get_deployment_group(
        applicationName=application, deploymentGroupName=deployment_group
    )
    names = [group["name"] for group in answer["deploymentGroupInfo"].get("autoScalingGroups", [])]
    found = autoscaling.describe_auto_scaling_groups(AutoScalingGroupNames=names) if names else {}
    done = []
    for group in found.get("AutoScalingGroups", []):
        name, template = group["AutoScalingGroupName"], group.get("LaunchTemplate", {})
        made = made_by(template, ec2)
        if made.get("release") != release or made.get("group") != name:
            continue
        autoscaling.update_auto_scaling_group(
            AutoScalingGroupName=name,
            LaunchTemplate={"LaunchTemplateId": template["LaunchTemplateId"], "Version": made["former"]},
        )
        done.append(f"{name} is back on version {made['former']}")
    return "; ".join(done) or f"no group in {names} is on a version that release {release} gave it"


def made_by(template: Mapping[str, str], ec2: Any) -> dict[str, str]:
    """What the golden AMI action wrote into the description of a group's version; else empty."""
    if not template.get("Version", "").isdecimal():
        return {}
    versions = ec2.describe_launch_template_versions(
        LaunchTemplateId=template["LaunchTemplateId"], Versions=[template["Version"]]
    )["LaunchTemplateVersions"]
    try:
        made = json.loads(versions[0].get("VersionDescription", ""))
    except ValueError:
        return {}
    return made if isinstance(made, dict) else {}


def handler(event: Mapping[str, Any], context: Any) -> None:
    release = event["detail"]["execution-id"]
    done = restore(
        release,
        os.environ["APPLICATION"],
        os.environ["DEPLOYMENT_GROUP"],
        boto3.client("codedeploy"),
        boto3.client("autoscaling"),
        boto3.client("ec2"),
    )
    log.info("release %s ended as %s: %s", release, event["detail"]["state"], done)
