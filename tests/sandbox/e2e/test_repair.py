"""Release → an update that fails → repair → update → release → delete: the stack keeps its fleet."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from gbg_lib.alarms_of_fleets import KEPT
from gbg_lib.errors import GateRefused, StackFailed
from gbg_lib.mending.drift import Drift
from gbg_lib.mending.orphans import Orphan, find_orphans, sweep
from gbg_lib.mending.repair import Repair
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
    let_rest(made)
    yield made


def let_rest(of: Deployment) -> None:
    """Its processors are this machine's, which others use, too: they scale the fleet no more."""
    fleet, size = {"AutoScalingGroupName": group(of)}, of.parameters.instance_count
    of.aws.call("autoscaling", "suspend_processes", **fleet, ScalingProcesses=["AlarmNotification"])
    of.aws.call("autoscaling", "set_desired_capacity", **fleet, DesiredCapacity=size)
    of.until(lambda: states(of) == ["InService"] * size, "the fleet's usual size")


def states(of: Deployment) -> list[str]:
    return [str(one["LifecycleState"]) for one in of.group["Instances"]]


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
    """It has grown meanwhile, and stays as it is."""
    name = group(mended)
    fleet = {"AutoScalingGroupName": name}
    mended.aws.call("autoscaling", "suspend_processes", **fleet, ScalingProcesses=["AlarmNotification"])
    mended.aws.call("autoscaling", "set_desired_capacity", **fleet, DesiredCapacity=3)
    mended.until(lambda: sum(fleet.serving for fleet in mended.run.fleets()) == 3, "three that serve")
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
    told = mended.aws.pages(
        "autoscaling", "describe_scaling_activities", "Activities", AutoScalingGroupName=name
    )
    causes = "\n".join(one["Cause"] for one in told)
    assert {name: after[name] for name in kept} == {name: before[name] for name in kept}, causes
    assert step.drift() == []


def test_a_second_repair_finds_nothing_to_mend(mended: Deployment) -> None:
    plan = repair(mended).plan()
    assert (plan.action, plan.stages) == ("nothing", ())
    assert plan.reason == "the fleet that serves is the stack's own already"


@contextmanager
def edited(mended: Deployment) -> Iterator[None]:
    """One edit of each kind behind the stack's back, and all of them set back."""
    aws, base = mended.aws, mended.base.base
    found = {one["AlarmName"]: one for one in aws.pages("cloudwatch", "describe_alarms", "MetricAlarms")}
    errors, gone = (
        {name: found[alarm][name] for name in (*KEPT, "Dimensions") if name in found[alarm]}
        for alarm in ("mend-target-5xx", "mend-elb-5xx")
    )
    of = {"applicationName": base["ApplicationName"]}
    settings = {**of, "currentDeploymentGroupName": base["DeploymentGroupName"]}
    asked = {**of, "deploymentGroupName": base["DeploymentGroupName"]}
    kept = aws.call("codedeploy", "get_deployment_group", **asked)["deploymentGroupInfo"]
    parameter = {"Name": base["GoldenAmiParameterName"], "Overwrite": True}
    target, fleet = {"TargetGroupArn": base["TargetGroupArn"]}, {"AutoScalingGroupName": group(mended)}
    put, update = "put_metric_alarm", "update_deployment_group"
    dead = [{"Name": "AutoScalingGroupName", "Value": "mend-blue"}]
    aws.call("cloudwatch", put, **(errors | {"Threshold": 77.0}))
    aws.call("cloudwatch", "delete_alarms", AlarmNames=["mend-elb-5xx"])
    aws.call("cloudwatch", put, **(errors | {"AlarmName": "of-a-person", "Dimensions": dead}))
    aws.call("codedeploy", update, **settings, autoRollbackConfiguration={"enabled": False})
    aws.call("ssm", "put_parameter", **parameter, Value="ami-0123456789abcdef0")
    aws.call("elbv2", "modify_target_group", **target, HealthyThresholdCount=4)
    aws.call("autoscaling", "update_auto_scaling_group", **fleet, MaxSize=9)
    try:
        yield
    finally:
        aws.call("cloudwatch", put, **errors)
        aws.call("cloudwatch", put, **gone, Tags=[{"Key": "gbg:deployment", "Value": "mend"}])
        aws.call("cloudwatch", "delete_alarms", AlarmNames=["of-a-person"])
        aws.call(
            "codedeploy", update, **settings, autoRollbackConfiguration=kept["autoRollbackConfiguration"]
        )
        aws.call("ssm", "put_parameter", **parameter, Value=mended.serving.image)
        aws.call("elbv2", "modify_target_group", **target, HealthyThresholdCount=2)
        aws.call(
            "autoscaling", "update_auto_scaling_group", **fleet, MaxSize=mended.parameters.instance_count * 2
        )


def test_each_kind_of_edit_is_told_in_words(mended: Deployment) -> None:
    with edited(mended):
        found = {one.what: (one.believed, one.live) for one in repair(mended).drift()}
    image = mended.serving.image
    assert found == {
        "alarm of-a-person": ("watches mend-blue", "which is gone"),
        "deployment group mend-fleet: rolls back by itself on": (
            "DEPLOYMENT_FAILURE, DEPLOYMENT_STOP_ON_ALARM",
            "none",
        ),
        "parameter /mend/golden-ami": (f"{image}, which serves", "ami-0123456789abcdef0"),
        "TargetErrors/Threshold": ("5", "77.0"),
        "LoadBalancerErrors": ("mend-elb-5xx", "deleted"),
        "TargetGroup/HealthyThresholdCount": ("2", "4"),
        "BlueGroup/MaxSize": ("4", "9"),
    }
    assert repair(mended).drift() == []


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


def test_the_image_of_a_release_that_may_be_tried_again_is_no_orphan(mended: Deployment) -> None:
    def break_it(folder: Path) -> None:
        (folder / "src/main/java/release/Broken.java").write_text("class Broken {")

    def mend_it(folder: Path) -> None:
        (folder / "src/main/java/release/Broken.java").unlink()

    failed = mended.follow(mended.release_of(mended.push(break_it, "Forget a brace").id))
    assert (failed.status, bool(failed.image)) == ("Failed", True)
    assert repair(mended).drift() == []
    assert repair(mended).orphans() == []
    mended.push(mend_it, "Add the brace")


def test_a_repair_waits_for_a_release_that_is_going_on(mended: Deployment) -> None:
    pushed = mended.seed.repository.head()
    assert pushed is not None
    execution = mended.release_of(pushed.id)
    with pytest.raises(GateRefused, match=f"release {execution[:8]} is going on"):
        repair(mended).plan()
    mended.succeed(execution)
    let_rest(mended)
    ids = [one["InstanceId"] for one in mended.group["Instances"]]
    [found] = mended.aws.call("ec2", "describe_instances", InstanceIds=ids)["Reservations"]
    types = {machine["InstanceType"] for machine in found["Instances"]}
    assert types == {"t3.micro"}, "what the stack says of launches arrives with a release"


def test_after_the_next_release_it_is_mended_again(mended: Deployment) -> None:
    step = repair(mended)
    exhaust(step.apply(step.plan()))
    step.check()
    assert step.believed().group == group(mended)
    assert step.drift() == []


def leave_behind(mended: Deployment) -> dict[str, str]:
    """What runs leave that end in the wrong moment; kind → id."""
    aws, template = mended.aws, mended.group["LaunchTemplate"]["LaunchTemplateId"]
    dead = f"CodeDeploy_{mended.name}-fleet_d-LEFTBEHIND"
    subnets = mended.group["VPCZoneIdentifier"]
    aws.call(
        "autoscaling",
        "create_auto_scaling_group",
        AutoScalingGroupName=dead,
        LaunchTemplate={"LaunchTemplateId": template, "Version": mended.serving.template_version},
        MinSize=0,
        MaxSize=0,
        VPCZoneIdentifier=subnets,
    )
    hook = "CodeDeploy-managed-automatic-launch-deployment-hook-of-another"
    aws.call(
        "autoscaling",
        "put_lifecycle_hook",
        LifecycleHookName=hook,
        AutoScalingGroupName=group(mended),
        LifecycleTransition="autoscaling:EC2_INSTANCE_LAUNCHING",
    )
    tags = {"gbg:deployment": mended.name, "gbg:bake": mended.serving.automation_id}
    [builder] = aws.call(
        "ec2",
        "run_instances",
        ImageId=mended.serving.image,
        InstanceType="t3.micro",
        SubnetId=subnets.split(",")[0],
        MinCount=1,
        MaxCount=1,
        TagSpecifications=[
            {"ResourceType": "instance", "Tags": [{"Key": key, "Value": tags[key]} for key in tags]}
        ],
    )["Instances"]
    failed = next(one for one in mended.run.pipeline.executions() if one.status == "Failed")
    for release in (failed.id, mended.serving.execution_id):
        aws.call(
            "ec2",
            "create_launch_template_version",
            LaunchTemplateId=template,
            SourceVersion=mended.serving.template_version,
            VersionDescription=json.dumps({"release": release}),
            LaunchTemplateData={"InstanceType": "t3.small"},
        )
    plan = mended.base.stacks.plan_change(mended.base.base_stack, {"TerminationWaitMinutes": "9"})
    return {"builder": builder["InstanceId"], "group": dead, "hook": hook, "change set": plan.change_set}


def test_what_failed_runs_left_is_told_with_the_run_and_goes_when_asked(mended: Deployment) -> None:
    left = leave_behind(mended)
    asked = Repair(mended.parameters.model_copy(update={"sweep": True}), mended.aws)
    found: dict[str, Orphan] = {one.kind: one for one in asked.orphans()}
    assert "change set" not in found, "somebody may be reading a plan as young as this"
    later = replace(asked.scene(), now=lambda: datetime.now(UTC) + timedelta(hours=2))
    found = {one.kind: one for one in find_orphans(later)}
    failed = next(one for one in mended.run.pipeline.executions() if one.status == "Failed")
    assert {kind: found[kind].id for kind in left} == left
    assert found["builder"].left_by == f"bake {mended.serving.automation_id} (Success)"
    assert found["group"].left_by == "deployment d-LEFTBEHIND (unknown)"
    assert found["image"].left_by == found["template version"].left_by == f"release {failed.id[:8]} (Failed)"

    serving, before = group(mended), mended.group["Instances"]
    assert repair(mended).sweep(asked.orphans()) == [], "nothing goes that was not asked for"
    assert asked.orphans()
    gone = [*asked.sweep(asked.orphans()), *sweep(later, [found["change set"]])]
    assert {one.rpartition(" ")[0] for one in gone} == {*left, "image", "template version"}
    mended.until(lambda: find_orphans(later) == [], "what was swept")
    assert (group(mended), mended.group["Instances"]) == (serving, before)
    mended.run.check(mended.serving.execution_id)


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
