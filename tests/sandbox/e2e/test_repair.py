"""Release → an update that fails → repair → update → release → delete: the stack keeps its fleet."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from gbg_lib.drift import Drift
from gbg_lib.errors import GateRefused, StackFailed
from gbg_lib.repair import Repair
from tests.sandbox.e2e.world import Deployment, World, exhaust

OLDER = "2023.12.20260608"


@pytest.fixture(scope="module")
def mended(world: World) -> Iterator[Deployment]:
    """A deployment of its own with one release, whose blue fleet is gone."""
    made = world.deployment(
        deployment="mend", vpc_cidr="10.6.0.0/16", os_release=OLDER, termination_wait_minutes=0
    )
    made.make_base()
    made.make_pipeline()
    made.succeed(made.run.choose()[0])
    yield made


def repair(deployment: Deployment) -> Repair:
    return Repair(deployment.parameters, deployment.aws)


def group(deployment: Deployment) -> str:
    return str(deployment.group["AutoScalingGroupName"])


def causes(found: list[Drift]) -> dict[str, str]:
    return {one.what: one.cause for one in found}


def test_what_a_release_has_moved_is_told_and_nothing_else(mended: Deployment) -> None:
    found = repair(mended).drift()
    assert causes(found) == {
        "fleet": "a release",
        "scaling policy": "a release",
        "launch template version of the fleet": "a release",
        "golden AMI": "a release",
    }
    fleet = found[0]
    assert (fleet.believed, fleet.live) == ("mend-blue, which is gone", group(mended))


def test_an_edit_from_outside_is_told_by_its_property(mended: Deployment) -> None:
    aws, name = mended.aws, "/aws/lambda/mend-deployment-group"
    aws.call("logs", "put_retention_policy", logGroupName=name, retentionInDays=1)
    [edit] = [one for one in repair(mended).drift() if one.cause == "outside"]
    assert (edit.what, edit.believed, edit.live) == ("DeploymentGroupFunctionLogs/RetentionInDays", "30", "1")
    aws.call("logs", "put_retention_policy", logGroupName=name, retentionInDays=30)


def test_without_a_repair_an_update_of_the_fleet_fails(mended: Deployment) -> None:
    mended.change(instance_count=1)
    with pytest.raises(StackFailed, match="BlueGroup"):
        exhaust(mended.base.apply(mended.base.plan()))
    mended.change(instance_count=2)


def test_the_repair_makes_the_fleet_the_stacks_own(mended: Deployment) -> None:
    step, before = repair(mended), mended.group
    plan = step.plan()
    assert (plan.action, plan.fleet, plan.former) == ("repair", group(mended), "mend-blue")
    assert plan.stages == ("continue the rollback", "let go", "import", "catch up")
    events = [(event.logical_id, event.status) for event in step.apply(plan)]
    assert ("BlueGroup", "IMPORT_COMPLETE") in events
    assert ("CpuTarget", "IMPORT_COMPLETE") in events
    step.check()
    physical = {one.logical_id: one.id for one in step.stacks.resources(step.base_stack)}
    assert physical["BlueGroup"] == group(mended)
    after = mended.group
    kept = ("Instances", "LaunchTemplate", "MinSize", "MaxSize", "DesiredCapacity", "TargetGroupARNs")
    assert {name: after[name] for name in kept} == {name: before[name] for name in kept}
    assert step.drift() == []


def test_a_second_repair_finds_nothing_to_mend(mended: Deployment) -> None:
    plan = repair(mended).plan()
    assert (plan.action, plan.stages) == ("nothing", ())
    assert plan.reason == "the fleet that serves is the stack's own already"


def test_the_next_updates_reach_the_fleet_and_nothing_else_of_it(mended: Deployment) -> None:
    mended.change(instance_count=1, termination_wait_minutes=1)
    plan = mended.base.plan()
    changed = {change.logical_id: change.replacement for change in plan.changes}
    assert changed == {"BlueGroup": "False", "DeploymentGroup": "False"}
    exhaust(mended.base.apply(plan))
    assert (mended.group["MinSize"], mended.group["DesiredCapacity"], mended.group["MaxSize"]) == (1, 1, 2)
    mended.until(lambda: len(mended.group["Instances"]) == 1, "one instance")
    mended.base.check()
    mended.change(instance_type="t3.micro")
    exhaust(mended.base.apply(mended.base.plan()))
    assert mended.group["LaunchTemplate"]["Version"] == mended.serving.template_version
    mended.base.check()


def test_a_repair_waits_for_a_release_that_is_going_on(mended: Deployment) -> None:
    execution = mended.run.pipeline.start()
    with pytest.raises(GateRefused, match=f"release {execution[:8]} is going on"):
        repair(mended).plan()
    mended.succeed(execution)


def test_after_the_next_release_it_is_mended_again(mended: Deployment) -> None:
    step = repair(mended)
    exhaust(step.apply(step.plan()))
    step.check()
    assert step.believed().group == group(mended)
    assert step.drift() == []


def test_the_stack_takes_its_fleet_with_it(mended: Deployment) -> None:
    aws, bucket = mended.aws, mended.base.base["ArtifactBucketName"]
    versions = aws.call("s3", "list_object_versions", Bucket=bucket)
    for one in [*versions.get("Versions", []), *versions.get("DeleteMarkers", [])]:
        aws.call("s3", "delete_object", Bucket=bucket, Key=one["Key"], VersionId=one["VersionId"])
    mended.delete_stack(mended.base.pipeline_stack)
    mended.delete_stack(mended.base.base_stack)
    filters = [{"Name": "tag:gbg:deployment", "Values": [mended.name]}]
    assert aws.call("autoscaling", "describe_auto_scaling_groups", Filters=filters)["AutoScalingGroups"] == []
    alarms = aws.call("cloudwatch", "describe_alarms")["MetricAlarms"]
    assert [one["AlarmName"] for one in alarms if mended.name in one["AlarmName"]] == []
