"""CodeDeploy's deployments: which one is going on, how one stands, and the group that they belong to.

https://docs.aws.amazon.com/codedeploy/latest/APIReference/API_DeploymentInfo.html
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from gbg_lib.aws import Aws
from gbg_lib.deployments import active_deployments

OVER = frozenset({"Succeeded", "Failed", "Stopped"})
ALARMS = ("target-5xx", "elb-5xx", "unhealthy-hosts")
"""Part 1's, after the deployment's name: each stops a deployment"""


def green_group(deployment_group: str, deployment_id: str = "") -> str:
    """The Auto Scaling group that a deployment makes; without its id what all such names begin with.

    https://docs.aws.amazon.com/codedeploy/latest/userguide/integrations-aws-auto-scaling.html
    """
    return f"CodeDeploy_{deployment_group}_{deployment_id}"


def first_group(deployment: str) -> str:
    """The Auto Scaling group that Part 1 makes."""
    return f"{deployment}-blue"


def is_fleet(group: str, deployment: str) -> bool:
    """Whether an Auto Scaling group is, or was, a fleet of this deployment: Part 1's first or a green one.

    By its name, which an alarm keeps when the group is gone.
    """
    return group == first_group(deployment) or group.startswith(green_group(f"{deployment}-fleet"))


@dataclass(frozen=True)
class Revision:
    """The application as one object in S3."""

    bucket: str
    key: str
    bundle_type: str = "zip"
    version: str = ""

    def location(self) -> dict[str, Any]:
        """As CodeDeploy takes it."""
        told = {"bucket": self.bucket, "key": self.key, "bundleType": self.bundle_type}
        return {
            "revisionType": "S3",
            "s3Location": told | ({"version": self.version} if self.version else {}),
        }


@dataclass(frozen=True)
class Deployment:
    id: str
    status: str
    creator: str
    """user | autoscaling | codeDeployRollback | …"""
    created: datetime
    revision: Revision | None
    """None for one that isn't in S3"""
    error: str = ""
    rollback_id: str = ""
    """the deployment that brings back what was before"""
    rolls_back: str = ""
    """the deployment that this one takes back"""
    termination_wait: bool = False
    """whether green has the traffic and blue waits for its end"""

    @property
    def over(self) -> bool:
        return self.status in OVER


@dataclass(frozen=True)
class DeploymentGroup:
    application: str
    name: str
    groups: tuple[str, ...]
    """Auto Scaling groups that the next deployment replaces"""
    alarms: tuple[str, ...]
    watches_alarms: bool
    last_successful: str
    ready_wait_minutes: int
    """0 when traffic moves at once"""
    termination_wait_minutes: int

    def green(self, deployment_id: str) -> str:
        """The Auto Scaling group that a deployment makes."""
        return green_group(self.name, deployment_id)


def deployment_group(aws: Aws, application: str, name: str) -> DeploymentGroup:
    """Raises NotThere."""
    found = aws.call(
        "codedeploy", "get_deployment_group", applicationName=application, deploymentGroupName=name
    )["deploymentGroupInfo"]
    blue_green = found.get("blueGreenDeploymentConfiguration", {})
    ready = blue_green.get("deploymentReadyOption", {})
    stops = ready.get("actionOnTimeout") == "STOP_DEPLOYMENT"
    ending = blue_green.get("terminateBlueInstancesOnDeploymentSuccess", {})
    alarms = found.get("alarmConfiguration", {})
    return DeploymentGroup(
        application,
        name,
        tuple(group["name"] for group in found.get("autoScalingGroups", [])),
        tuple(alarm["name"] for alarm in alarms.get("alarms", [])),
        bool(alarms.get("enabled")),
        found.get("lastSuccessfulDeployment", {}).get("deploymentId", ""),
        int(ready.get("waitTimeInMinutes", 0)) if stops else 0,
        int(ending.get("terminationWaitTimeInMinutes", 0)),
    )


def deployment(aws: Aws, deployment_id: str) -> Deployment:
    """Raises NotThere."""
    found = aws.call("codedeploy", "get_deployment", deploymentId=deployment_id)["deploymentInfo"]
    error = found.get("errorInformation", {})
    rollback = found.get("rollbackInfo", {})
    return Deployment(
        found["deploymentId"],
        found["status"],
        found.get("creator", ""),
        found["createTime"],
        _revision(found.get("revision", {})),
        f"{error['code']}: {error['message']}" if error else "",
        rollback.get("rollbackDeploymentId", ""),
        rollback.get("rollbackTriggeringDeploymentId", ""),
        bool(found.get("instanceTerminationWaitTimeStarted")),
    )


def going_on(aws: Aws, application: str, name: str) -> Deployment | None:
    """The deployment of the whole fleet that isn't over yet.

    Those that Auto Scaling asks for, a single new instance each, don't count.
    """
    found = [deployment(aws, one) for one in active_deployments(aws, application, name)]
    whole = [one for one in found if not one.over and not one.creator.startswith("autoscaling")]
    return max(whole, key=lambda one: one.created, default=None)


def _revision(told: Mapping[str, Any]) -> Revision | None:
    place = told.get("s3Location")
    if not place:
        return None
    return Revision(place["bucket"], place["key"], place.get("bundleType", "zip"), place.get("version", ""))
