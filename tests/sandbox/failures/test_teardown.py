"""The end of each world of the table: whatever its rows have left, and then some, goes in a teardown."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from gbg_lib.errors import StackFailed
from gbg_lib.images import golden_images
from gbg_lib.teardown import Teardown
from gbg_lib.teardown.activity import activities
from tests.command import clean_environment
from tests.sandbox.e2e.inventory import inventory
from tests.sandbox.e2e.world import Deployment, exhaust
from tests.sandbox.failures.conftest import Table
from tests.sandbox.failures.rows import ROWS

GROUPS = sorted({row.group for row in ROWS})


@pytest.fixture(
    params=[pytest.param(one, marks=pytest.mark.xdist_group(f"failures-{one}")) for one in GROUPS]
)
def group(request: pytest.FixtureRequest) -> int:
    return int(request.param)


def kinds_that_go_on(of: Deployment) -> set[str]:
    return {one.kind for one in activities(of.aws, of.name)}


def all_at_work(of: Deployment) -> None:
    """A release whose build hangs, a deployment and a bake, each on its way."""

    def hang(folder: Path) -> None:
        file = folder / "buildspec.yml"
        file.write_text(file.read_text().replace("      - mvn ", "      - sleep 3600 && mvn ", 1))

    of.push(hang, "Wait before the build")
    of.run.pipeline.start()
    of.until(lambda: "build" in kinds_that_go_on(of), "a build that hangs", limit_seconds=180)
    last = of.aws.call("codedeploy", "get_deployment", deploymentId=of.serving.deployment_id)[
        "deploymentInfo"
    ]
    of.aws.call(
        "codedeploy",
        "create_deployment",
        applicationName=last["applicationName"],
        deploymentGroupName=last["deploymentGroupName"],
        revision=last["revision"],
    )
    of.aws.call("ssm", "start_automation_execution", DocumentName=of.run.base["BakeDocumentName"])
    assert kinds_that_go_on(of) == {"release", "build", "deployment", "bake"}


def killed_midway(of: Deployment, home: Path) -> None:
    """A first teardown is killed without warning while a stack goes."""
    words = ("run", "9", "-p", f"confirm={of.name}", "-p", "remove_records=true")
    first = subprocess.Popen(
        [sys.executable, "-m", "gbg_cli", *words],
        cwd=home.parent,
        env=clean_environment(GBG_HOME=str(home), GBG_RUNS=str(home.parent / "runs")),
        start_new_session=True,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    stacks, name = of.base.stacks, of.run.pipeline_stack
    of.until(
        lambda: stacks.status_or_none(name) in ("DELETE_IN_PROGRESS", None),
        "the end of Part 3",
        limit_seconds=600,
    )
    os.killpg(first.pid, signal.SIGKILL)
    first.wait()
    assert stacks.status_or_none(of.base.base_stack), "it was killed before Part 1 was gone"


def killed_while_all_is_at_work(of: Deployment, home: Path) -> None:
    all_at_work(of)
    killed_midway(of, home)


def as_the_rows_leave_it(of: Deployment, home: Path) -> None:
    assert of.run.pipeline.executions()[0].over


def stuck_beside_an_orphan(of: Deployment, home: Path) -> None:
    """An update met the first fleet, which is gone, and could not go back; a fleet stands unknown."""
    [serving] = [fleet for fleet in of.run.fleets() if fleet.serving]
    asked = {"AutoScalingGroupNames": [serving.group]}
    [green] = of.aws.call("autoscaling", "describe_auto_scaling_groups", **asked)["AutoScalingGroups"]
    template = {name: green["LaunchTemplate"][name] for name in ("LaunchTemplateId", "Version")}
    of.aws.call(
        "autoscaling",
        "create_auto_scaling_group",
        AutoScalingGroupName=f"CodeDeploy_{of.name}-fleet_d-LEFTBEHIND",
        LaunchTemplate=template,
        MinSize=1,
        MaxSize=1,
        VPCZoneIdentifier=green["VPCZoneIdentifier"],
        Tags=[{"Key": "gbg:deployment", "Value": of.name, "PropagateAtLaunch": True}],
    )
    of.change(instance_count=1)
    with pytest.raises(StackFailed, match="UPDATE_ROLLBACK_FAILED"):
        exhaust(of.base.apply(of.base.plan()))


STATES: dict[int, Callable[[Deployment, Path], None]] = {
    0: killed_while_all_is_at_work,
    1: as_the_rows_leave_it,
    2: stuck_beside_an_orphan,
}


def test_every_group_of_rows_ends_in_a_teardown() -> None:
    assert list(STATES) == GROUPS


def test_whatever_is_left_goes_and_the_listing_proves_it(group: int, table: Table) -> None:
    if not table.begun(group):
        pytest.skip("no row of this group was asked for, so there is no world to end")
    of = table.deployment(group)
    STATES[group](of, table.home(group))
    of.change(confirm=of.name, remove_records=True)
    step = Teardown(of.parameters, of.aws)
    exhaust(step.apply(step.plan()))
    assert step.check()
    assert inventory(of.aws, of.name) == []
    assert golden_images(of.aws, of.name) == []
    table.give_up(group)
