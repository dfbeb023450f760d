"""The end of each world of the table: whatever its rows have left goes in a teardown, which proves it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from gbg_lib.images import golden_images
from gbg_lib.teardown import Teardown
from gbg_lib.teardown.activity import activities
from tests.sandbox.e2e.inventory import inventory
from tests.sandbox.e2e.killed import kill_teardown
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


def all_at_work(of: Deployment, home: Path) -> None:
    """A release whose build hangs, a deployment and a bake, each on its way."""

    def hang(folder: Path) -> None:
        file = folder / "buildspec.yml"
        file.write_text(file.read_text().replace("      - mvn ", "      - sleep 3600 && mvn ", 1))

    of.push(hang, "Wait before the build")
    of.run.pipeline.start()
    of.until(lambda: "build" in kinds_that_go_on(of), "a build that hangs", limit_seconds=600)
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


def as_the_rows_leave_it(of: Deployment, home: Path) -> None:
    assert all(one.over for one in of.run.pipeline.executions())


def killed_while_part_3_goes(of: Deployment, home: Path) -> None:
    kill_teardown(of, home, of.run.pipeline_stack)


STATES: dict[int, Callable[[Deployment, Path], None]] = {
    0: all_at_work,
    1: as_the_rows_leave_it,
    2: killed_while_part_3_goes,
}


def test_every_world_of_the_table_ends_in_a_state_of_its_own() -> None:
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
