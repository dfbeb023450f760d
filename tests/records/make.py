"""Makes the kept records anew: `python -m tests.records.make`, three minutes.

Each is a real release in a sandbox. The examples that runbook 06 reads are two pushes under visitors: a new
headline, and a hook that asks too much; of the release before them only the index tells. Those to rehearse
are commits with a fault.
Nothing of it is typed or altered afterwards. To be made again when what a sandbox prints or records changes.
"""

from __future__ import annotations

import shutil
import tempfile
from contextlib import nullcontext
from pathlib import Path

from gbg_lib import faults
from gbg_lib.record.archive import open_archive, pack
from gbg_lib.record.reading import EXAMPLES, FAILED, SUCCEEDED
from gbg_lib.record.recorder import Recorder
from gbg_lib.record.store import INDEX
from tests.sandbox.e2e.load import Load
from tests.sandbox.e2e.world import Deployment, World

FAULTS = ("does-not-compile", "hook-fails-everywhere", "health-check-never-passes", "connections-run-out")
VISITED = "connections-run-out"
"""only visitors meet it"""
PER_SECOND = 20
TERMINATION_WAIT_MINUTES = 15
"""long enough for an alarm, also on a slow machine"""
PRICE = """\
      if ! curl -fs http://localhost:8080/ | grep -q EUR; then
        echo "the page tells no price in EUR" >&2
        exit 1
      fi
"""


def make(examples: Path) -> None:
    with tempfile.TemporaryDirectory(prefix="gbg-records-") as temporary:
        world = World(Path(temporary) / "home", None)
        records = Path(temporary) / "records"
        try:
            deployment = _released(world)
            recorder = Recorder(deployment.run, records)
            recorder.record(deployment.serving.execution_id)
            _examples(deployment, recorder, examples)
            shutil.copy(records / deployment.name / INDEX, examples / INDEX)
            _failures(deployment, recorder, examples / "failures")
        finally:
            world.close()


def _released(world: World) -> Deployment:
    made = world.deployment(termination_wait_minutes=TERMINATION_WAIT_MINUTES)
    made.make_base()
    made.make_pipeline()
    made.succeed(made.run.choose()[0])
    return made


def _examples(deployment: Deployment, recorder: Recorder, folder: Path) -> None:
    with Load(deployment.run.base["SiteUrl"], per_second=PER_SECOND):
        commit = deployment.push(new_headline, "Give the page a new headline")
        good = deployment.succeed(deployment.release_of(commit.id))
    _keep(deployment, recorder, good.execution_id, folder / SUCCEEDED)
    with Load(deployment.run.base["SiteUrl"], per_second=PER_SECOND):
        commit = deployment.push(ask_for_price, "Ask the page for its price")
        bad = deployment.follow(deployment.release_of(commit.id))
    assert bad.status == "Failed"
    _keep(deployment, recorder, bad.execution_id, folder / FAILED)


def new_headline(work: Path) -> None:
    page = work / "src" / "main" / "resources" / "appearance.properties"
    page.write_text(page.read_text().replace("headline=", "headline=New: "))


def ask_for_price(work: Path) -> None:
    script = work / "scripts" / "validate.sh"
    script.write_text(script.read_text().replace("      exit 0 ;;\n", PRICE + "      exit 0 ;;\n"))


def ask_for_no_price(work: Path) -> None:
    script = work / "scripts" / "validate.sh"
    script.write_text(script.read_text().replace(PRICE, ""))


def _failures(deployment: Deployment, recorder: Recorder, folder: Path) -> None:
    """Without the rule: a fault begins its release itself, and what asked too much goes without one."""
    deployment.aws.call("events", "disable_rule", Name=f"{deployment.name}-push")
    deployment.push(ask_for_no_price, "Ask for no price")
    for name in FAULTS:
        faults.plant(deployment.run, faults.CATALOGUE[name])
        with (
            Load(deployment.run.base["SiteUrl"], per_second=PER_SECOND) if name == VISITED else nullcontext()
        ):
            execution = faults.begin(deployment.run, faults.CATALOGUE[name])
            release = deployment.follow(execution)
        assert release.status == "Failed", name
        _keep(deployment, recorder, execution, folder / f"{name}.zip")
        faults.remove(deployment.run, faults.CATALOGUE)


def _keep(deployment: Deployment, recorder: Recorder, execution: str, target: Path) -> None:
    _settle(deployment)
    target.unlink(missing_ok=True)
    pack(open_archive(recorder.record(execution).path), target)


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
    make(EXAMPLES)
