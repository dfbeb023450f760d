"""CloudWatch alarms that stop a deployment.

https://docs.aws.amazon.com/codedeploy/latest/userguide/monitoring-create-alarms.html
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from gbg_sandbox.services.codedeploy.failures import DeploymentFailed
from gbg_sandbox.services.codedeploy.role import ServiceRole
from gbg_sandbox.services.codedeploy.state import Deployment, Halt

if TYPE_CHECKING:
    from gbg_sandbox.cloud import Cloud

POLL_SECONDS = 10.0
SHORTEST_POLL = 0.2


class Alarms:
    def __init__(self, cloud: Cloud) -> None:
        self._cloud = cloud

    def watch(self, deployment: Deployment, role: ServiceRole) -> None:
        """Look at the alarms until the deployment ends; one that is on stops it."""
        clock = self._cloud.clock
        while not deployment.ended and deployment.halt is None:
            clock.pause(max(clock.real_seconds(POLL_SECONDS), SHORTEST_POLL))
            self.check(deployment, role)

    def check(self, deployment: Deployment, role: ServiceRole) -> None:
        """Set the deployment's `halt` when an alarm is on, or can't be read and that isn't to be ignored."""
        configuration = deployment.alarms
        names = [alarm["name"] for alarm in configuration.get("alarms", [])]
        if not configuration.get("enabled") or not names or deployment.ended:
            return
        try:
            active = self._active(role, names)
        except (DeploymentFailed, ClientError) as error:
            if not configuration.get("ignorePollAlarmFailure"):
                self._halt(deployment, f"The alarms could not be read from Amazon CloudWatch: {error}")
            return
        if active:
            self._halt(
                deployment,
                "One or more alarms have been activated according to the Amazon CloudWatch metrics you "
                "selected, "
                f"and the affected deployments have been stopped. Activated alarms: <{','.join(active)}>",
            )

    @staticmethod
    def _active(role: ServiceRole, names: list[str]) -> list[str]:
        found = role.call("cloudwatch", "describe_alarms", AlarmNames=names)
        alarms = found.get("MetricAlarms", []) + found.get("CompositeAlarms", [])
        return [alarm["AlarmName"] for alarm in alarms if alarm["StateValue"] == "ALARM"]

    @staticmethod
    def _halt(deployment: Deployment, message: str) -> None:
        wanted = "DEPLOYMENT_STOP_ON_ALARM" in deployment.rollback.get("events", [])
        rollback = bool(deployment.rollback.get("enabled")) and wanted
        if deployment.halt is None:
            deployment.halt = Halt("ALARM_ACTIVE", message, rollback)
