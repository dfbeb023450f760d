"""Makes the kept records of failed releases anew: `python -m tests.records.make`, two minutes.

Each is a real release in a sandbox: the sample application is released, then a commit with a fault. Nothing
of it is typed or altered afterwards. To be made again when what the sandbox prints or records changes.
"""

from __future__ import annotations

import tempfile
from contextlib import nullcontext
from pathlib import Path

from gbg_lib import faults
from gbg_lib.record.archive import open_archive, pack
from gbg_lib.record.recorder import Recorder
from tests.sandbox.e2e.load import Load
from tests.sandbox.e2e.world import Deployment, World

FOLDER = Path(__file__).parent / "failures"
FAULTS = ("does-not-compile", "hook-fails-everywhere", "health-check-never-passes", "connections-run-out")
VISITED = "connections-run-out"
"""only visitors meet it"""
PER_SECOND = 20
TERMINATION_WAIT_MINUTES = 15
"""long enough for an alarm, also on a slow machine"""


def make(folder: Path) -> None:
    with tempfile.TemporaryDirectory(prefix="gbg-records-") as temporary:
        world = World(Path(temporary) / "home", None)
        try:
            _failures(_released(world), Path(temporary) / "records", folder)
        finally:
            world.close()


def _released(world: World) -> Deployment:
    made = world.deployment(termination_wait_minutes=TERMINATION_WAIT_MINUTES)
    made.make_base()
    made.make_pipeline()
    made.aws.call("events", "disable_rule", Name=f"{made.name}-push")
    made.succeed(made.run.choose()[0])
    return made


def _failures(deployment: Deployment, records: Path, folder: Path) -> None:
    for name in FAULTS:
        faults.plant(deployment.run, faults.CATALOGUE[name])
        with (
            Load(deployment.run.base["SiteUrl"], per_second=PER_SECOND) if name == VISITED else nullcontext()
        ):
            execution = faults.begin(deployment.run, faults.CATALOGUE[name])
            release = deployment.follow(execution)
        assert release.status == "Failed", name
        _settle(deployment)
        made = Recorder(deployment.run, records).record(execution)
        target = folder / f"{name}.zip"
        target.unlink(missing_ok=True)
        pack(open_archive(made.path), target)
        faults.remove(deployment.run, faults.CATALOGUE)


def _settle(deployment: Deployment) -> None:
    """A rollback goes on when the pipeline is over."""
    deployment.until(
        lambda: (
            not deployment.aws.call(
                "codedeploy",
                "list_deployments",
                applicationName=f"{deployment.name}-app",
                deploymentGroupName=f"{deployment.name}-fleet",
                includeOnlyStatuses=["Created", "Queued", "InProgress", "Ready"],
            )["deployments"]
        ),
        "the end of the rollback",
        limit_seconds=120,
    )


if __name__ == "__main__":
    make(FOLDER)
