"""One deployment from its first event to its last, and what AWS does with it when it fails.

https://docs.aws.amazon.com/codedeploy/latest/userguide/deployment-steps-server.html
What happens to the green fleet of a failed deployment AWS doesn't document; users report that it stays until
a rollback or a person removes it, and so it does here.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from gbg_sandbox.clock import ShuttingDown
from gbg_sandbox.services.codedeploy import lifecycle
from gbg_sandbox.services.codedeploy.failures import TOO_FEW_HEALTHY, DeploymentFailed, DeploymentHalted
from gbg_sandbox.services.codedeploy.fleet import Fleets, healthy
from gbg_sandbox.services.codedeploy.hosts import Host
from gbg_sandbox.services.codedeploy.role import ServiceRole
from gbg_sandbox.services.codedeploy.rolling import roll
from gbg_sandbox.services.codedeploy.state import Config, Deployment, Halt, Target
from gbg_sandbox.services.codedeploy.traffic import Traffic

if TYPE_CHECKING:
    from gbg_sandbox.services.codedeploy.engine import Engine

log = logging.getLogger(__name__)

SCALING = "aws.autoscaling"
ALL_AT_ONCE = Config("all", "HOST_COUNT", 0, lifecycle.EPOCH)


class Workflow:
    """The steps that every kind of deployment shares; subclasses say what is between begin and end."""

    def __init__(self, engine: Engine, deployment: Deployment) -> None:
        self._engine = engine
        self._cloud = engine.cloud
        self.deployment = deployment
        self._group = deployment.group
        self._role = ServiceRole(engine.cloud, deployment.group.role, deployment.id)
        self._fleets = Fleets(self._role)
        self._traffic = Traffic(self._role, deployment.group.target_groups)

    def run(self) -> None:
        deployment = self.deployment
        try:
            self._begin()
            self._deploy()
            self._end("Succeeded", "SUCCESS")
        except DeploymentHalted:
            halt = deployment.halt
            assert halt is not None
            deployment.error = (halt.code, halt.message)
            self._end("Stopped", "STOP")
        except DeploymentFailed as error:
            deployment.error = (error.code, error.message)
            self._end("Failed", "FAILURE")
        except ClientError as error:
            deployment.error = ("INTERNAL_ERROR", str(error))
            self._end("Failed", "FAILURE")
        except ShuttingDown:
            raise
        except Exception as error:
            log.exception("deployment %s failed", deployment.id)
            deployment.error = ("INTERNAL_ERROR", f"gbg_sandbox failed: {error!r}")
            self._end("Failed", "FAILURE")

    def _deploy(self) -> None:
        raise NotImplementedError

    def _begin(self) -> None:
        deployment = self.deployment
        deployment.status, deployment.started = "InProgress", self._cloud.clock.now()
        self._engine.announcer.deployment(deployment, "START")
        self._engine.alarms.check(deployment, self._role)
        self._check_halt()
        if deployment.alarms.get("enabled"):
            self._cloud.spawn(f"{deployment.id} alarms", self._engine.alarms.watch, deployment, self._role)

    def _end(self, status: str, state: str) -> None:
        self.deployment.completed = self._cloud.clock.now()
        for target in self.deployment.targets:
            self._close(target)
        self._engine.ended(self.deployment, status)
        self._engine.announcer.deployment(self.deployment, state)

    @staticmethod
    def _close(target: Target) -> None:
        """No event stays open after the deployment."""
        for event in target.events:
            if event.status == "Pending":
                event.status = "Skipped"
        if target.status in ("Pending", "InProgress", "Ready"):
            target.status = "Skipped"

    def _check_halt(self) -> None:
        if self.deployment.halt is not None:
            raise DeploymentHalted

    def _hosts(self, targets: list[Target]) -> list[Host]:
        self.deployment.targets += targets
        traffic = self._traffic if self._group.with_traffic else None
        engine = self._engine
        return [
            Host(self._cloud, self.deployment, one, engine.commands, traffic, engine.limits, engine.announcer)
            for one in targets
        ]

    def _roll(
        self, hosts: list[Host], names: tuple[str, ...], *, last: bool, config: Config | None = None
    ) -> list[Host]:
        return roll(self._cloud, self.deployment, hosts, names, config or self.deployment.config, last=last)

    def _wait(
        self, condition: Callable[[], bool], aws_seconds: float, floor: float = 0, told_by: str = ""
    ) -> bool:
        """Wait for `condition`, which events of source `told_by` bring about; False when time is up.

        Raises DeploymentHalted.
        """
        clock, news = self._cloud.clock, self._cloud.events.watch(told_by)
        deadline = time.monotonic() + max(clock.real_seconds(aws_seconds), floor)
        while not condition():
            self._check_halt()
            if time.monotonic() >= deadline:
                return False
            news.wait(self._engine.limits.poll_real_seconds)
            clock.pause(0)
        return True


class InPlace(Workflow):
    """On the instances that are there."""

    def _deploy(self) -> None:
        only = self.deployment.only_instance
        instances = (
            [only]
            if only
            else [one for name in self._group.scaling_groups for one in self._fleets.running(name)]
        )
        if not instances:
            raise DeploymentFailed("NO_INSTANCES", "The deployment group has no Auto Scaling group.")
        with_traffic = self._group.with_traffic and not only
        targets = [lifecycle.in_place(one, with_traffic) for one in instances]
        names = tuple(event.name for event in targets[0].events)
        self._roll(self._hosts(targets), names, last=True)


class BlueGreen(Workflow):
    """On a copy of the group, which then takes over the traffic."""

    def _deploy(self) -> None:
        if (
            self._group.blue_green_setting("greenFleetProvisioningOption").get("action")
            != "COPY_AUTO_SCALING_GROUP"
        ):
            raise DeploymentFailed(
                "INTERNAL_ERROR", "gbg_sandbox only runs blue/green deployments with COPY_AUTO_SCALING_GROUP"
            )
        blue = self._fleets.running(self.deployment.blue_group)
        self._traffic.arns  # noqa: B018 - a missing target group fails the deployment before anything is made
        green = self._provision(len(blue))
        hosts = self._hosts([lifecycle.green(one) for one in green])
        originals = self._hosts([lifecycle.blue(one) for one in blue])
        installed = self._roll(hosts, lifecycle.INSTALL, last=False)
        self._wait_ready(installed)
        self._roll(installed, lifecycle.ALLOW_TRAFFIC, last=True)
        self._fleets.attach(self.deployment.green_group, self._traffic.arns)
        self._block(originals)
        self._hand_over()
        self._end_blue()

    def _provision(self, size: int) -> list[str]:
        """The green group's instances, all in service."""
        name = f"CodeDeploy_{self._group.name}_{self.deployment.id}"
        self._fleets.copy(self.deployment.blue_group, name, size, self.deployment.id)
        self.deployment.green_group = name
        limits = self._engine.limits
        seconds, floor = limits.provision_seconds, limits.provision_floor
        if self._wait(lambda: self._up(name, size), seconds, floor, told_by=SCALING):
            return healthy(self._fleets.get(name))
        raise DeploymentFailed(
            "AUTO_SCALING_CONFIGURATION",
            f"The replacement Auto Scaling group {name} did not reach {size} healthy instances in service. "
            f"{self._fleets.last_failure(name)}".strip(),
        )

    def _up(self, name: str, size: int) -> bool:
        return len(healthy(self._fleets.get(name))) >= size

    def _wait_ready(self, installed: list[Host]) -> None:
        """With STOP_DEPLOYMENT somebody has to say that traffic may move; after the wait it is too late."""
        option = self._group.blue_green_setting("deploymentReadyOption")
        if option.get("actionOnTimeout") != "STOP_DEPLOYMENT":
            return
        deployment, minutes = self.deployment, option.get("waitTimeInMinutes", 0)
        deployment.status = "Ready"
        for host in installed:
            host.ready(True)
        self._engine.announcer.deployment(deployment, "READY")
        if not self._wait(lambda: "READY_WAIT" in deployment.continued, minutes * 60):
            message = f"The traffic was not rerouted within {minutes} minutes, so the deployment was stopped."
            deployment.halt = Halt("TIMEOUT", message, rollback=False)
            raise DeploymentHalted
        deployment.status = "InProgress"
        for host in installed:
            host.ready(False)

    def _block(self, originals: list[Host]) -> None:
        """Take the originals out; all must leave. One that never had a revision has no hooks to run."""
        self._fleets.quieten(self.deployment.blue_group)
        for host in originals:
            if not self._engine.has_revision(host.target.instance_id):
                host.skip("BeforeBlockTraffic", "AfterBlockTraffic")
        left = self._roll(originals, lifecycle.BLOCK_TRAFFIC, last=True, config=ALL_AT_ONCE)
        if len(left) < len(originals):
            raise DeploymentFailed("HEALTH_CONSTRAINTS", TOO_FEW_HEALTHY)

    def _hand_over(self) -> None:
        """The deployment group's fleet is green from now on."""
        self._engine.hooks.move(self._group, self._fleets, [self.deployment.green_group])

    def _end_blue(self) -> None:
        option = self._group.blue_green_setting("terminateBlueInstancesOnDeploymentSuccess")
        blue, deployment = self.deployment.blue_group, self.deployment
        if option.get("action") == "KEEP_ALIVE":
            self._fleets.wake(blue)
            return
        minutes = option.get("terminationWaitTimeInMinutes", 0)
        deployment.termination_wait_started = True
        self._wait(lambda: "TERMINATION_WAIT" in deployment.continued, minutes * 60)
        self._fleets.delete(blue)
        limits = self._engine.limits
        seconds, floor = limits.provision_seconds, limits.provision_floor
        if not self._wait(lambda: self._fleets.find(blue) is None, seconds, floor, told_by=SCALING):
            raise DeploymentFailed(
                "AUTO_SCALING_CONFIGURATION", f"The Auto Scaling group {blue} was not deleted."
            )


class BackToBlue(Workflow):
    """The rollback of a blue/green deployment whose originals still run: they take the traffic again."""

    def _deploy(self) -> None:
        blue, green = self.deployment.blue_group, self.deployment.green_group
        originals = self._hosts([lifecycle.back_to_blue(one) for one in self._fleets.running(blue)])
        instances = self._fleets.find(green)
        replacements = [one["InstanceId"] for one in instances["Instances"]] if instances else []
        leaving = self._hosts([lifecycle.away_from_green(one) for one in replacements])
        for host in originals + leaving:
            if not self._engine.has_revision(host.target.instance_id):
                host.skip(
                    *(
                        event.name
                        for event in host.target.events
                        if event.name not in lifecycle.OF_THE_SERVICE
                    )
                )
        self._roll(originals, lifecycle.ALLOW_TRAFFIC, last=True, config=ALL_AT_ONCE)
        self._fleets.wake(blue)
        if leaving:
            self._roll(leaving, lifecycle.BLOCK_TRAFFIC, last=True, config=ALL_AT_ONCE)
        self._engine.hooks.move(self._group, self._fleets, [blue])
        if instances:
            self._fleets.delete(green)
