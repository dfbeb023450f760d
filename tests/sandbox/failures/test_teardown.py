"""The end of a world of the table, with everything at work that can be: all of it goes in one teardown."""

from __future__ import annotations

from pathlib import Path

import pytest

from gbg_lib.images import golden_images
from gbg_lib.teardown import Teardown
from gbg_lib.teardown.activity import activities
from tests.sandbox.e2e.inventory import inventory
from tests.sandbox.e2e.world import Deployment, exhaust
from tests.sandbox.failures.conftest import Table

GROUP = 0
pytestmark = pytest.mark.xdist_group("failures-0")


def kinds_that_go_on(of: Deployment) -> set[str]:
    return {one.kind for one in activities(of.aws, of.name)}


def all_at_work(of: Deployment) -> None:
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


def test_whatever_is_left_goes_and_the_listing_proves_it(table: Table) -> None:
    if not table.begun(GROUP):
        pytest.skip("no row of this group was asked for, so there is no world to end")
    of = table.deployment(GROUP)
    all_at_work(of)
    of.change(confirm=of.name, remove_records=True)
    step = Teardown(of.parameters, of.aws)
    exhaust(step.apply(step.plan()))
    assert step.check()
    assert inventory(of.aws, of.name) == []
    assert golden_images(of.aws, of.name) == []
    table.give_up(GROUP)
