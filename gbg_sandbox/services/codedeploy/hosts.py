"""One lifecycle event on one host: by its agent, or at the load balancer."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from gbg_sandbox.services.codedeploy.announce import Announcer
from gbg_sandbox.services.codedeploy.commands import SUCCEEDED, CommandQueue, HostCommand
from gbg_sandbox.services.codedeploy.failures import NO_AGENT, DeploymentFailed, DeploymentHalted
from gbg_sandbox.services.codedeploy.lifecycle import ALL, OF_THE_SERVICE
from gbg_sandbox.services.codedeploy.state import Deployment, LifecycleEvent, Target
from gbg_sandbox.services.codedeploy.traffic import Traffic

if TYPE_CHECKING:
    from gbg_sandbox.cloud import Cloud

ERROR_CODES = (
    "Success",
    "ScriptMissing",
    "ScriptNotExecutable",
    "ScriptTimedOut",
    "ScriptFailed",
    "UnknownError",
)
"""by the agent's number; whatever it sends beyond is unknown"""
ALIVE = ("pending", "running")
LOOK_SECONDS = 1.0
QUIET_SECONDS = 0.25
"""the longest time between two looks at a target's health, which events tell"""
TARGET_HEALTH = "gbg.sandbox"
"""the source of the events that tell how a target stands: AWS has none"""


@dataclass(frozen=True)
class Limits:
    """How long CodeDeploy waits, in AWS seconds, and the least real seconds for what is real work here."""

    agent_seconds: float = 3600
    agent_floor: float = 60
    begin_seconds: float = 300
    begin_floor: float = 60
    event_real_seconds: float = 3660
    healthy_seconds: float = 3600
    healthy_floor: float = 120
    drained_floor: float = 60
    provision_seconds: float = 3600
    provision_floor: float = 120
    poll_real_seconds: float = 0.05
    """the longest time between two looks: events bring on earlier ones"""


class Host:
    """Runs events of one target and keeps its record."""

    def __init__(
        self,
        cloud: Cloud,
        deployment: Deployment,
        target: Target,
        commands: CommandQueue,
        traffic: Traffic | None,
        limits: Limits,
        announcer: Announcer,
    ) -> None:
        self._cloud = cloud
        self._deployment = deployment
        self.target = target
        self._commands = commands
        self._traffic = traffic
        self._limits = limits
        self._announcer = announcer

    def run(self, names: tuple[str, ...], *, last: bool) -> bool:
        """Run these events in order; False when one failed. `last`: the target has ended with them.

        Raises DeploymentHalted between two events.
        """
        if self.target.status == "Pending":
            self._move("InProgress")
            self._announcer.instance(self._deployment, self.target, "START")
        for name in names:
            if self._deployment.halt is not None:
                self._skip_rest()
                raise DeploymentHalted
            if not self._event(self.target.event(name)) and not self._forgiven(name):
                self._skip_rest()
                self._move("Failed")
                self._announcer.instance(self._deployment, self.target, "FAILURE")
                return False
        if last:
            self._move("Succeeded")
            self._announcer.instance(self._deployment, self.target, "SUCCESS")
        return True

    def skip(self, *names: str) -> None:
        for name in names:
            self.target.event(name).status = "Skipped"

    def ready(self, waiting: bool) -> None:
        """It has the application and waits for traffic, or waits no longer."""
        self._move("Ready" if waiting else "InProgress")

    def give_up(self) -> None:
        """The deployment ends without this host."""
        self._skip_rest()

    def _forgiven(self, name: str) -> bool:
        return name == "ApplicationStop" and self._deployment.ignore_stop_failures

    def _skip_rest(self) -> None:
        for event in self.target.events:
            if event.status == "Pending":
                event.status = "Skipped"
        if self.target.status in ("Pending", "InProgress"):
            self._move("Skipped")

    def _move(self, status: str) -> None:
        self.target.status, self.target.updated = status, self._cloud.clock.now()

    def _event(self, event: LifecycleEvent) -> bool:
        if event.status == "Skipped":
            return True
        work = self._at_balancer if event.name in OF_THE_SERVICE else self._by_agent
        succeeded = work(event)
        event.status = "Succeeded" if succeeded else "Failed"
        event.ended = self.target.updated = self._cloud.clock.now()
        return succeeded

    def _begin(self, event: LifecycleEvent) -> None:
        event.status, event.started = "InProgress", self._cloud.clock.now()
        self.target.updated = event.started

    def _by_agent(self, event: LifecycleEvent) -> bool:
        command = self._commands.put(
            HostCommand(
                self.target.instance_id, event.name, self._execution_id(event.name), self._specification()
            )
        )
        begin, floor = self._begin_seconds()
        if not self._await(command, lambda one: one.status != "Pending", begin, floor):
            self._commands.abandon(command)
            event.started = self._cloud.clock.now()
            event.diagnostics = _diagnostics("UnknownError", NO_AGENT)
            return False
        self._begin(event)
        limit = self._limits.event_real_seconds
        if not self._await(command, lambda one: one.ended, limit, limit):
            self._commands.abandon(command)
            event.diagnostics = _diagnostics(
                "UnknownError", f"{event.name} did not end within the time allowed."
            )
            return False
        event.diagnostics = _from_agent(command.diagnostics)
        return command.status == SUCCEEDED

    def _begin_seconds(self) -> tuple[float, float]:
        """AWS seconds and the least real ones.

        A new instance has an hour to bring up its agent; then an event begins within five minutes.
        """
        limits = self._limits
        if self._commands.seen(self.target.instance_id):
            return limits.begin_seconds, limits.begin_floor
        return limits.agent_seconds, limits.agent_floor

    def _await(
        self, command: HostCommand, until: Callable[[HostCommand], bool], aws_seconds: float, floor: float
    ) -> bool:
        """Whether `until` came true in time. CodeDeploy waits as long for a machine that is gone.

        Only there nothing real is going on, so that the wait passes on the sandbox's clock.
        """
        clock, begun = self._cloud.clock, time.monotonic()
        short = clock.real_seconds(aws_seconds)
        while not self._commands.wait(command, until, min(LOOK_SECONDS, short, floor)):
            clock.pause(0)
            waited = time.monotonic() - begun
            if waited >= max(short, floor) or (waited >= short and not self._runs()):
                return until(command)
        return True

    def _runs(self) -> bool:
        client = self._cloud.client("ec2")
        try:
            found = client.describe_instances(InstanceIds=[self.target.instance_id])["Reservations"]
        except ClientError:
            return False
        return any(one["State"]["Name"] in ALIVE for each in found for one in each["Instances"])

    def _at_balancer(self, event: LifecycleEvent) -> bool:
        self._begin(event)
        assert self._traffic is not None, "a deployment without traffic control has no traffic events"
        traffic, instance, limits = self._traffic, self.target.instance_id, self._limits
        try:
            if event.name == "AllowTraffic":
                traffic.register(instance)
                return self._wait(lambda: traffic.serves(instance), limits.healthy_floor, event)
            traffic.deregister(instance)
            return self._wait(lambda: traffic.left(instance), limits.drained_floor, event)
        except (DeploymentFailed, ClientError) as error:
            event.diagnostics = _diagnostics("UnknownError", str(error))
            return False

    def _wait(self, condition: Callable[[], bool], floor: float, event: LifecycleEvent) -> bool:
        """As `_await`, for what the load balancer has to say: an hour, also for a machine that is gone."""
        clock, begun, news = self._cloud.clock, time.monotonic(), self._cloud.events.watch(TARGET_HEALTH)
        short = clock.real_seconds(self._limits.healthy_seconds)
        while not condition():
            if self._deployment.halt is not None:
                event.diagnostics = _diagnostics("UnknownError", "")
                return False
            waited = time.monotonic() - begun
            if waited > max(short, floor) or (waited > short and not self._runs()):
                event.diagnostics = _diagnostics("UnknownError", "")
                assert self._traffic is not None
                states = self._traffic.states(self.target.instance_id)
                what = f"{event.name} on {self.target.instance_id} took too long"
                self._announcer.explain(self._deployment, what, target_health=states)
                return False
            news.wait(QUIET_SECONDS)
            clock.pause(0)
        return True

    def _execution_id(self, name: str) -> str:
        return f"{self._cloud.region}/Prod/{self._deployment.id}/{self.target.instance_id}/{name}"

    def _specification(self) -> dict[str, Any]:
        of = self._deployment
        s3 = of.revision["s3Location"]
        names = {
            "Bucket": "bucket",
            "Key": "key",
            "BundleType": "bundleType",
            "Version": "version",
            "ETag": "eTag",
        }
        return {
            "DeploymentId": self._cloud.arn("codedeploy", f"deployment/{of.id}"),
            "DeploymentGroupId": of.group.id,
            "DeploymentGroupName": of.group.name,
            "ApplicationName": of.group.application,
            "DeploymentCreator": of.creator,
            "DeploymentType": of.style["deploymentType"],
            "AgentActionOverrides": {"AgentOverrides": {"FileExistsBehavior": of.file_exists}},
            "AllPossibleLifecycleEvents": list(ALL),
            "Revision": {
                "RevisionType": "S3",
                "S3Revision": {theirs: s3[ours] for theirs, ours in names.items() if s3.get(ours)},
            },
        }


def _diagnostics(code: str, message: str, script: str = "", log_tail: str = "") -> dict[str, str]:
    return {"errorCode": code, "scriptName": script, "message": message, "logTail": log_tail}


def _from_agent(sent: dict[str, Any]) -> dict[str, str]:
    number = sent.get("error_code", 5)
    code = (
        ERROR_CODES[number] if isinstance(number, int) and 0 <= number < len(ERROR_CODES) else "UnknownError"
    )
    return _diagnostics(
        code, str(sent.get("message", "")), str(sent.get("script_name", "")), str(sent.get("log", ""))[-4096:]
    )
