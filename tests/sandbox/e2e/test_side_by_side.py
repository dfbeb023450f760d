"""Two deployments in one account: each has its own of everything, and one goes without the other."""

from __future__ import annotations

from pathlib import Path

import pytest

from gbg_lib.errors import NotThere
from tests.command import gbg
from tests.sandbox.e2e.inventory import inventory
from tests.sandbox.e2e.world import Deployment, World


@pytest.fixture(scope="module")
def shop(world: World, deployment: Deployment) -> Deployment:
    made = world.deployment(deployment="shop", instance_count=1)
    made.make_base()
    return made


def test_both_sites_answer_each_with_its_own(deployment: Deployment, shop: Deployment) -> None:
    assert shop.base.base["SiteUrl"] != deployment.base.base["SiteUrl"]
    page = shop.base.page()
    assert page.status == 200
    assert "This fleet of <b>shop</b> runs on the source AMI" in page.body
    assert deployment.serving.deployment_id in deployment.run.page().body


def test_nothing_is_shared(deployment: Deployment, shop: Deployment) -> None:
    ours, theirs = (
        {one.id for one in made.base.stacks.resources(made.base.base_stack)} for made in (deployment, shop)
    )
    assert ours & theirs == set()


def test_a_repository_that_holds_something_else_is_left_alone(
    world: World, shop: Deployment, tmp_path: Path
) -> None:
    commit = world.shell(
        "git init -q -b main app && cd app && echo mine > mine.txt && git add mine.txt\n"
        "git -c user.name=Mary -c user.email=mary@example.com commit -q -m Mine\n"
        f"git push -q {shop.base.base['RepositoryCloneUrlHttp']} main && git rev-parse HEAD",
        cwd=tmp_path,
    ).strip()
    done = gbg(world.home.folder, "run", "2", "-p", "deployment=shop")
    assert done.returncode == 1
    assert "repository shop-app: it isn't empty: main never held what is in" in done.stderr
    assert "nothing was overwritten" in done.stderr
    head = shop.seed.repository.head()
    assert head is not None
    assert head.id == commit


def test_one_is_deleted_and_the_other_stays(deployment: Deployment, shop: Deployment) -> None:
    stack = shop.base.base_stack
    target_group, records = shop.base.base["TargetGroupArn"], shop.base.base["RecordsBucketName"]
    shop.delete_stack(stack)
    with pytest.raises(NotThere):
        shop.base.stacks.status(stack)
    with pytest.raises(NotThere):
        shop.aws.call("elbv2", "describe_target_health", TargetGroupArn=target_group)
    assert inventory(shop.aws, shop.name) == [f"s3: {records}"], "records outlive their stack"
    assert deployment.run.check(deployment.serving.execution_id)
    assert deployment.serving.deployment_id in deployment.run.page().body
