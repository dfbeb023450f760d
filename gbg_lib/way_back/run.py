"""Runbook 05: from the live state to the way back, taken and proved."""

from __future__ import annotations

from collections.abc import Iterator

from gbg_lib.checks import Check
from gbg_lib.deployment_group import Deployment
from gbg_lib.images import golden_images, read_lineage
from gbg_lib.release import read_releases
from gbg_lib.steps import HEALTHY_SECONDS, ReleaseRun
from gbg_lib.waiting import wait_until
from gbg_lib.way_back.consistency import consistency
from gbg_lib.way_back.rollback import Beside, Progress, Rollback
from gbg_lib.way_back.situation import Situation, read_situation
from gbg_lib.way_back.ways import Way, WaysBack, ways_back

LOOKED_AT = 20
"""releases, newest first"""


class RollbackRun(ReleaseRun):
    def situation(self) -> Situation:
        return read_situation(self.aws, self.base)

    def plan(self) -> WaysBack:  # type: ignore[override]
        """Every way back, whether it is open and what it costs. Raises MisuseError."""
        releases = read_releases(self.pipeline, LOOKED_AT)
        lineage = read_lineage(self.aws, self.parameters.deployment)
        return ways_back(self.situation(), releases, lineage, self.parameters.release_to)

    def take(self, way: Way) -> Iterator[Progress]:
        """Raises GateRefused, ReleaseFailed, Locked.

        Only a way that deploys waits for whoever holds the pipeline: traffic goes back to blue at once.
        """
        release = way.release
        gates: Beside = self.gates(lambda: release) if release is not None else NoGates()
        rollback = Rollback(self.aws, self.base, self.pipeline, self.through_gates, gates)
        if way.kind in ("redeploy", "retry"):
            self.hold(way.means)
        try:
            yield from rollback.take(way)
        finally:
            self.let_go()

    def check(self, execution_id: str = "") -> list[Check]:
        """Whether all that has a say in what serves says the same. Raises CheckFailed, TimedOut."""

        def settled() -> bool | None:
            found = self.situation()
            serving = [fleet for fleet in found.fleets if not fleet.status]
            return True if found.going_on is None and len(serving) == 1 else None

        wait_until(
            self.aws,
            settled,
            limit_seconds=HEALTHY_SECONDS,
            what="the end of the fleet that was left",
            try_this="its scaling activities tell what it waits for",
        )
        images = golden_images(self.aws, self.parameters.deployment)
        return self.passed(consistency(self.situation(), images))


class NoGates:
    """No release, no gates."""

    def look(self, found: Deployment) -> None:
        pass

    def finish(self) -> None:
        pass
