"""One release that meets one fault, under load: all that the table asserts about it, looked at once."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from gbg_lib import faults
from gbg_lib.deployments import active_deployments
from gbg_lib.diagnosis import require_succeeded
from gbg_lib.errors import ReleaseFailed, TimedOut
from gbg_lib.faults import moments
from gbg_lib.faults.fault import Fault
from gbg_lib.fleet import read_page, target_health
from gbg_lib.release import Release
from gbg_lib.waiting import wait_until
from tests.sandbox.e2e.inventory import inventory
from tests.sandbox.e2e.load import Answer, Load
from tests.sandbox.e2e.world import Deployment

SETTLE_SECONDS = 400
PER_SECOND = 20
PATIENT_MINUTES = 60
"""that blue waits for its end where an alarm is to come first, on the slowest machine, too"""
Facts = tuple[str, str]
"""commit and image of a machine that answers"""


@dataclass(frozen=True)
class Outcome:
    release: Release
    error: ReleaseFailed | None
    deployment: dict[str, Any]
    """deploymentInfo; empty where there was none"""
    rollback: dict[str, Any]
    before: Facts
    answers: list[Answer]
    lost: list[Answer]
    serves: set[Facts]
    """what the fleet answers after all is over"""
    left: list[str]
    """what is there afterwards and was not before, beside the fleet that serves"""
    hooks_left: list[str]
    """launch hooks of no group, or of more than one"""
    unsettled: str
    """what never came to rest; empty where all did"""

    @property
    def message(self) -> str:
        return str(self.error) if self.error else ""

    @property
    def new(self) -> Facts:
        return self.release.commit, self.release.image

    def spoils(self, pipeline: str, serves: str) -> bool:
        """Whether it ended otherwise than expected, so that no further trial can begin from there."""
        expected = {self.new if serves == "green" else self.before}
        moved = self.release.status != pipeline or self.serves != expected
        return moved or bool(self.unsettled or self.hooks_left)


class Trial:
    """Runs faults one after the other on one deployment."""

    def __init__(self, deployment: Deployment) -> None:
        self.of = deployment
        self.step = deployment.run
        self.aws = deployment.aws

    def run(self, fault: Fault, *, serves: str, orphans: bool = False, alarm: bool = False) -> Outcome:
        """`serves`: blue or green, whichever is expected to afterwards.

        With `orphans` the other fleet stays as well, and is swept after all was looked at. With `alarm` the
        deployment waits for one long before it would succeed.
        """
        before, was_there = self._answering(), set(inventory(self.aws, self.of.name))
        version = self._version()
        faults.plant(self.step, fault)
        try:
            with self._patience(alarm), Load(self.step.base["SiteUrl"], per_second=PER_SECOND) as load:
                release = self._follow(fault)
                wanted = release.template_version if serves == "green" else version
                unsettled = self._settle(wanted, orphans)
        finally:
            faults.remove(self.step, faults.CATALOGUE)
        unsettled = unsettled or self._settle(wanted, orphans)
        outcome = Outcome(
            release=release,
            error=self._error(release),
            deployment=self._deployment(release.deployment_id),
            rollback=self._rollback(release.deployment_id),
            before=next(iter(before)),
            answers=load.answers,
            lost=load.lost,
            serves=self._answering(),
            left=self._left(was_there),
            hooks_left=self._hooks_left(),
            unsettled=unsettled,
        )
        if orphans:
            self._sweep()
        return outcome

    @contextmanager
    def _patience(self, wanted: bool) -> Iterator[None]:
        former = self._blue_green()["terminateBlueInstancesOnDeploymentSuccess"]
        if wanted:
            self._end_blue(former | {"terminationWaitTimeInMinutes": PATIENT_MINUTES})
        try:
            yield
        finally:
            if wanted:
                self._end_blue(former)

    def _blue_green(self) -> dict[str, Any]:
        answer = self.aws.call(
            "codedeploy",
            "get_deployment_group",
            applicationName=self.step.base["ApplicationName"],
            deploymentGroupName=self.step.base["DeploymentGroupName"],
        )
        return dict(answer["deploymentGroupInfo"]["blueGreenDeploymentConfiguration"])

    def _end_blue(self, option: dict[str, Any]) -> None:
        settings = self._blue_green() | {"terminateBlueInstancesOnDeploymentSuccess": option}
        self.aws.call(
            "codedeploy",
            "update_deployment_group",
            applicationName=self.step.base["ApplicationName"],
            currentDeploymentGroupName=self.step.base["DeploymentGroupName"],
            blueGreenDeploymentConfiguration=settings,
        )

    def _follow(self, fault: Fault) -> Release:
        execution = faults.begin(self.step, fault)
        fault.strike(self.step, execution)
        return self.of.follow(execution)

    def _error(self, release: Release) -> ReleaseFailed | None:
        try:
            require_succeeded(self.aws, release)
        except ReleaseFailed as error:
            return error
        return None

    # --- rest ---

    def _settle(self, wanted: str, orphans: bool) -> str:
        """Wait until nothing moves any more; what still did when the time was up."""
        try:
            wait_until(
                self.aws,
                lambda: None if self._moving(wanted, orphans) else True,
                limit_seconds=SETTLE_SECONDS,
                what="rest",
                try_this="read the sandbox's log",
            )
        except TimedOut:
            return self._moving(wanted, orphans)
        return ""

    def _moving(self, wanted: str, orphans: bool) -> str:
        base = self.step.base
        if active := active_deployments(self.aws, base["ApplicationName"], base["DeploymentGroupName"]):
            return f"deployments {active}"
        fleets, serving = self.step.fleets(), moments.serving_group(self.step)["AutoScalingGroupName"]
        if len(fleets) != 1 + orphans:
            return f"fleets {[fleet.group for fleet in fleets]}"
        [fleet] = [one for one in fleets if one.group == serving]
        if fleet.template_version != wanted:
            return f"{fleet.group} is on version {fleet.template_version} and not on {wanted}"
        states = sorted(f"{one.lifecycle} {one.target_health}" for one in fleet.instances)
        if states != ["InService healthy"] * fleet.desired:
            return f"{fleet.group} wants {fleet.desired}: {states}"
        ours = {one.id for one in fleet.instances}
        if strangers := set(target_health(self.aws, self.step.base["TargetGroupArn"])) - ours:
            return f"targets of no fleet: {strangers}"
        return ""

    # --- afterwards ---

    def _version(self) -> str:
        return str(moments.serving_group(self.step)["LaunchTemplate"]["Version"])

    def _answering(self) -> set[Facts]:
        """Commit and image of every machine, asked at the front door until each has answered."""
        wanted = len(moments.serving_group(self.step)["Instances"])
        seen: dict[str, Facts] = {}

        def look() -> bool | None:
            facts = read_page(self.step.base["SiteUrl"] + "health").facts
            if "instance" in facts:
                seen[facts["instance"]] = facts["commit"], facts["image"]
            return True if len(seen) >= wanted else None

        wait_until(
            self.aws, look, limit_seconds=300, what="every machine's answer", try_this="look at the site"
        )
        return set(seen.values())

    def _left(self, was_there: set[str]) -> list[str]:
        """Nothing of the fleet that serves counts: a release that succeeded brought it."""
        group = moments.serving_group(self.step)
        ours = [group["AutoScalingGroupName"], *(one["InstanceId"] for one in group["Instances"])]
        now = set(inventory(self.aws, self.of.name)) - was_there
        return sorted(one for one in now if not any(name in one for name in ours) and "ec2: vol-" not in one)

    def _hooks_left(self) -> list[str]:
        """CodeDeploy keeps one hook, on the group that serves."""
        name = moments.serving_group(self.step)["AutoScalingGroupName"]
        found = self.aws.call("autoscaling", "describe_lifecycle_hooks", AutoScalingGroupName=name)
        return [str(one["LifecycleHookName"]) for one in found["LifecycleHooks"]][1:]

    def _sweep(self) -> None:
        serving = moments.serving_group(self.step)["AutoScalingGroupName"]
        for fleet in self.step.fleets():
            if fleet.group != serving:
                self.aws.call(
                    "autoscaling",
                    "delete_auto_scaling_group",
                    AutoScalingGroupName=fleet.group,
                    ForceDelete=True,
                )
        self.of.until(lambda: len(self.step.fleets()) == 1, "the end of the orphans")

    def _deployment(self, deployment_id: str) -> dict[str, Any]:
        if not deployment_id:
            return {}
        return dict(
            self.aws.call("codedeploy", "get_deployment", deploymentId=deployment_id)["deploymentInfo"]
        )

    def _rollback(self, deployment_id: str) -> dict[str, Any]:
        told = self._deployment(deployment_id).get("rollbackInfo", {})
        return self._deployment(told.get("rollbackDeploymentId", ""))
