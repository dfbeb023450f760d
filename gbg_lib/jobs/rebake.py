"""The same commit on a patched image: what serves is baked anew and released again.

The Amazon Linux release that images are brought to stands in Part 1's stack, and is moved there, so that the
next push bakes on it too. It never goes back to an older one.
https://docs.aws.amazon.com/linux/al2023/ug/deterministic-upgrades.html
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from gbg_lib.aws import Aws
from gbg_lib.errors import GateRefused, GbgError, NotThere
from gbg_lib.gates import gate
from gbg_lib.jobs.timed_release import Clock, utc_now
from gbg_lib.jobs.window import require_open
from gbg_lib.parameters import Parameters
from gbg_lib.pipeline import Execution
from gbg_lib.stacks import StackEvent, StackPlan
from gbg_lib.steps import ReleaseRun
from gbg_lib.way_back.situation import read_situation
from gbg_lib.way_back.ways import running

NEWEST_IMAGE = "SourceAmiParameter"
OS_RELEASE = "OsRelease"
RELEASE = re.compile(r"2023\.\d+\.\d{8}")


@dataclass(frozen=True)
class RebakePlan:
    action: str
    """rebake | nothing"""
    reason: str
    commit: str
    execution_id: str
    """the release that brought this commit"""
    former: str
    """the Amazon Linux release that images are on"""
    wanted: str
    """the one that they will be on"""
    window: str
    """why the time is right"""
    stack: StackPlan | None
    """Part 1's change; None when the release stays"""


class Rebake(ReleaseRun):
    def __init__(self, parameters: Parameters, aws: Aws | None = None, now: Clock = utc_now) -> None:
        super().__init__(parameters, aws)
        self._now = now

    def decide(self) -> RebakePlan:
        """Raises GateRefused: outside of the window, or while a release is going on."""
        window = require_open(self.parameters.window, self._now())
        serving = self.serving()
        given = self.stacks.parameters(self.base_stack)
        former, newest = given[OS_RELEASE], self._newest_release(given[NEWEST_IMAGE])
        asked = self.parameters.patch_release
        wanted = max(former, asked or newest, key=_order)
        if wanted == former and not asked:
            reason = f"images are on {former}, and the newest image of Amazon is on {newest}"
            return RebakePlan("nothing", reason, *serving, former, former, window, None)
        reason = "asked for by its release" if asked else "Amazon has a newer image"
        changed = self.stacks.plan_change(self.base_stack, {OS_RELEASE: wanted}) if wanted != former else None
        return RebakePlan("rebake", reason, *serving, former, wanted, window, changed)

    def move(self, plan: RebakePlan) -> Iterator[StackEvent]:
        """Bring Part 1 to the release; every other parameter of it stays. Raises GateRefused, StackFailed."""
        if plan.stack is not None:
            try:
                gate.require_open(self.before_bake(), self.person)
                self.hold(f"a rebake on {plan.wanted}")
            except GbgError:
                self.stacks.discard(plan.stack)
                raise
            yield from self.stacks.apply(plan.stack)

    def start(self, plan: RebakePlan) -> str:
        """The execution to follow: a new one, or when nothing is to be done the one that serves."""
        if plan.action == "nothing":
            return plan.execution_id
        return self.begin(f"a rebake on {plan.wanted}", plan.commit)

    def serving(self) -> tuple[str, str]:
        """Commit and execution of the newest release whose image the fleet runs.

        Not of the newest that succeeded: CodeDeploy may have gone back from it, without an execution.
        Raises NotThere, GateRefused.
        """
        executions = self.pipeline.executions()
        if going_on := next((one for one in executions if not one.over), None):
            raise GateRefused(
                "rebake",
                f"release {going_on.id[:8]} of commit {going_on.commit[:8]} is going on",
                "it bakes an image of its own; the next night's job looks again",
            )
        if not any(one.status == "Succeeded" for one in executions):
            raise NotThere("rebake", "nothing was released yet", "run runbook 04 first")
        fleet = read_situation(self.aws, self.base).serving
        image = running(fleet)[1] if fleet else ""
        brought = self._brought(image, executions, succeeded=True)
        if brought is not None:
            return brought.commit, brought.id
        brought = self._brought(image, executions, succeeded=False)
        whence = "which no release that CodePipeline knows brought"
        if brought is not None:
            whence = f"of release {brought.id} of commit {brought.commit[:8]}, which is {brought.status}"
        raise NotThere("rebake", f"the fleet runs {image or 'nothing'}, {whence}", "release by runbook 04")

    def _brought(self, image: str, executions: list[Execution], *, succeeded: bool) -> Execution | None:
        """The newest of these whose image it is."""
        for one in executions if image else ():
            if (one.status == "Succeeded") == succeeded and self.release(one.id).image == image:
                return one
        return None

    def _newest_release(self, parameter: str) -> str:
        """Of the image that AWS offers as the newest; its name tells the release."""
        image = self.aws.call("ssm", "get_parameter", Name=parameter)["Parameter"]["Value"]
        [found] = self.aws.call("ec2", "describe_images", ImageIds=[image])["Images"]
        named = RELEASE.search(found["Name"])
        if named is None:
            raise NotThere(
                f"image {image}", f"its name {found['Name']} tells no release", "set patch_release"
            )
        return named[0]


def _order(release: str) -> tuple[int, ...]:
    return tuple(map(int, release.split(".")))
