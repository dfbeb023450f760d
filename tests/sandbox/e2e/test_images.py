"""Images of a deployment that has released: which stay and why, pruning with snapshots, revoking."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

import pytest

from gbg_lib.aws import Aws
from gbg_lib.errors import GateRefused
from gbg_lib.images import (
    golden_images,
    plan_pruning,
    plan_reinstatement,
    plan_revocation,
    prune,
    read_lineage,
    read_usage,
    reinstate,
    revoke,
)
from gbg_lib.images.pruning import ImageDecision, check_pruned, remove_image
from gbg_lib.images.revocation import check_revoked
from tests.sandbox.e2e.world import Deployment

TEMPLATE = "somebody-elses"


@pytest.fixture(scope="module")
def spare(deployment: Deployment) -> Iterator[Mapping[str, str]]:
    """Three images that nothing runs, oldest first; `child` says that it was made from `parent`."""
    aws = deployment.aws
    made: dict[str, str] = {}
    for name, parent in (("parent", deployment.serving.image), ("child", "parent"), ("named", "")):
        made[name] = copied(deployment, name, made.get(parent, parent))
        deployment.until(lambda: is_past(golden_images(aws, deployment.name)[0].created), "another second")
    aws.call(
        "ec2",
        "create_launch_template",
        LaunchTemplateName=TEMPLATE,
        LaunchTemplateData={"ImageId": made["named"]},
    )
    yield made
    aws.call("ec2", "delete_launch_template", LaunchTemplateName=TEMPLATE)
    for image in golden_images(aws, deployment.name):
        if image.id in made.values():
            list(remove_image(aws, ImageDecision(image, ())))


def copied(deployment: Deployment, name: str, parent: str) -> str:
    """The id of an image made of a machine that serves, which goes on serving."""
    machine = deployment.group["Instances"][0]["InstanceId"]
    tags = {"gbg:deployment": deployment.name, "gbg:source-ami": parent}
    listed = [{"Key": key, "Value": value} for key, value in tags.items() if value]
    made = deployment.aws.call(
        "ec2",
        "create_image",
        InstanceId=machine,
        Name=f"{deployment.name}-spare-{name}",
        NoReboot=True,
        TagSpecifications=[
            {"ResourceType": "image", "Tags": listed},
            {"ResourceType": "snapshot", "Tags": listed},
        ],
    )
    image = str(made["ImageId"])
    deployment.until(lambda: state(deployment.aws, image) == "available", f"image {name}")
    return image


def is_past(created: str) -> bool:
    """Whether what is made now is newer: EC2 tells seconds."""
    return f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%S}" > created[:19]


def state(aws: Aws, image: str) -> str:
    """Empty when it is gone."""
    found = aws.pages(
        "ec2",
        "describe_images",
        "Images",
        IncludeDisabled=True,
        Filters=[{"Name": "image-id", "Values": [image]}],
    )
    return next((str(one["State"]) for one in found), "")


def snapshots(aws: Aws, deployment: str) -> set[str]:
    tagged = [{"Name": "tag:gbg:deployment", "Values": [deployment]}]
    found = aws.pages("ec2", "describe_snapshots", "Snapshots", Filters=tagged)
    return {str(one["SnapshotId"]) for one in found}


def test_each_rule_keeps_its_image_and_says_so(deployment: Deployment, spare: Mapping[str, str]) -> None:
    aws, name = deployment.aws, deployment.name
    newest = golden_images(aws, name)[0].id
    plan = plan_pruning(aws, name, last=1, kept_images=[spare["child"]])
    why = {one.image.id: one.kept_for for one in plan.decisions}
    group = deployment.group["AutoScalingGroupName"]
    assert f"in use by {group}" in why[deployment.serving.image]
    assert f"in {TEMPLATE} version 1" in why[spare["named"]]
    assert "a kept record names it" in why[spare["child"]]
    assert "the last" in why[newest]
    assert why[spare["parent"]] == ()
    wider = plan_pruning(aws, name, last=len(plan.decisions))
    assert wider.going == ()


def test_revoking_marks_what_was_made_from_it_and_closes_the_gate_for_both(
    deployment: Deployment, spare: Mapping[str, str]
) -> None:
    aws, name = deployment.aws, deployment.name
    plan = plan_revocation(aws, name, spare["parent"], "openssl of July")
    assert [(mark.image, mark.because) for mark in plan.marks] == [
        (spare["parent"], "itself"),
        (spare["child"], f"made from {spare['parent']}"),
    ]
    list(revoke(aws, plan))
    check_revoked(aws, plan)
    for image in (spare["parent"], spare["child"]):
        assert state(aws, image) == "disabled"
        revocation = read_lineage(aws, name).revocation(image)
        assert revocation is not None and revocation.words.endswith("revoked: openssl of July")
    assert read_lineage(aws, name).revocation(spare["named"]) is None
    list(reinstate(aws, plan_reinstatement(aws, name, spare["parent"])))
    assert {state(aws, spare[one]) for one in ("parent", "child")} == {"available"}
    assert read_lineage(aws, name).revocation(spare["child"]) is None


def test_no_release_begins_from_a_revoked_source(deployment: Deployment) -> None:
    """Revoked by the mark alone: what serves goes on, and can scale."""
    aws, name = deployment.aws, deployment.name
    source = read_lineage(aws, name).image(deployment.serving.image).parent
    plan = plan_revocation(aws, name, source, "a kernel")
    assert deployment.serving.image in {mark.image for mark in plan.still_running}
    list(revoke(aws, plan))
    try:
        shut = [one for one in deployment.run.before_bake() if "a kernel" in str(one)]
        assert len(shut) == 1
        with pytest.raises(GateRefused, match="a kernel"):
            deployment.run.begin("a release from a revoked source")
        assert state(aws, deployment.serving.image) == "available"
        assert deployment.run.page().status == 200
    finally:
        list(reinstate(aws, plan_reinstatement(aws, name, source)))
    assert [image.id for image in golden_images(aws, name) if "gbg:revoked" in image.tags] == []


def test_what_nobody_needs_goes_with_its_snapshot_and_nothing_else(
    deployment: Deployment, spare: Mapping[str, str]
) -> None:
    aws, name = deployment.aws, deployment.name
    before = {image.id: image for image in golden_images(aws, name)}
    kept = [image for image in before if image != spare["parent"]]
    plan = plan_pruning(aws, name, last=1, kept_images=kept)
    assert [one.image.id for one in plan.going] == [spare["parent"]]
    [snapshot] = before[spare["parent"]].snapshots
    there = snapshots(aws, name)
    assert list(prune(aws, plan)) == [spare["parent"], snapshot]
    check_pruned(aws, plan)
    assert {image.id for image in golden_images(aws, name)} == set(kept)
    assert snapshots(aws, name) == there - {snapshot}


def test_an_image_that_came_into_use_since_the_plan_stays(
    deployment: Deployment, spare: Mapping[str, str]
) -> None:
    aws, name = deployment.aws, deployment.name
    kept = [image.id for image in golden_images(aws, name) if image.id != spare["child"]]
    plan = plan_pruning(aws, name, last=1, kept_images=kept)
    assert [one.image.id for one in plan.going] == [spare["child"]]
    named: dict[str, Any] = {"LaunchTemplateName": TEMPLATE}
    data = {"ImageId": spare["child"]}
    aws.call("ec2", "create_launch_template_version", **named, LaunchTemplateData=data)
    assert read_usage(aws).templates[spare["child"]]
    with pytest.raises(GateRefused, match=f"in use by {TEMPLATE} version 2 since"):
        list(prune(aws, plan))
    assert state(aws, spare["child"]) == "available"
