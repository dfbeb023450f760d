"""The way back to nothing, after releases: the stacks' own deletion, then a teardown for what they leave."""

from __future__ import annotations

from dataclasses import replace

import pytest

from gbg_lib.errors import LOCKED, Locked, StackFailed
from gbg_lib.images import golden_images
from gbg_lib.release_lock import ReleaseLock, this_process
from gbg_lib.teardown import Teardown
from tests.sandbox.e2e.inventory import inventory
from tests.sandbox.e2e.world import Deployment, exhaust

KINDS = ("probed", "chroot")


def teardown(deployment: Deployment, **parameters: object) -> Teardown:
    deployment.change(confirm=deployment.name, **parameters)
    return Teardown(deployment.parameters, deployment.aws)


def test_while_somebody_releases_nothing_is_removed(deployment: Deployment) -> None:
    elsewhere = replace(this_process(), host="another-machine")
    lock = ReleaseLock(deployment.aws, deployment.run.base["ArtifactBucketName"], owner=elsewhere)
    lock.take("a release of somebody else")
    there = inventory(deployment.aws, deployment.name)
    step = teardown(deployment)
    with pytest.raises(Locked, match="a release of somebody else") as refused:
        exhaust(step.apply(step.plan()))
    assert refused.value.exit_status == LOCKED
    assert inventory(deployment.aws, deployment.name) == there
    lock.let_go()


def test_part_3_stays_while_its_bucket_holds_revisions(deployment: Deployment) -> None:
    with pytest.raises(StackFailed, match=r"DELETE_FAILED.*ArtifactBucket"):
        deployment.delete_stack(deployment.run.pipeline_stack)


def test_both_parts_go_and_leave_only_images_and_records(deployment: Deployment) -> None:
    images = {image.id for image in golden_images(deployment.aws, deployment.name)}
    records = deployment.run.base["RecordsBucketName"]
    empty(deployment, deployment.run.base["ArtifactBucketName"])
    deployment.delete_stack(deployment.run.pipeline_stack)
    site = deployment.run.page()
    assert site.status == 200
    deployment.delete_stack(deployment.run.base_stack)
    assert inventory(deployment.aws, deployment.name) == [f"s3: {records}"]
    assert {image.id for image in golden_images(deployment.aws, deployment.name)} == images
    assert deployment.run.page().status == 0


def empty(deployment: Deployment, bucket: str) -> None:
    """Every version of every object."""
    found = deployment.aws.call("s3", "list_object_versions", Bucket=bucket)
    listed = found.get("Versions", []) + found.get("DeleteMarkers", [])
    objects = [{"Key": one["Key"], "VersionId": one["VersionId"]} for one in listed]
    done = deployment.aws.call("s3", "delete_objects", Bucket=bucket, Delete={"Objects": objects})
    assert len(done["Deleted"]) == len(objects) > 0


def test_a_teardown_takes_what_the_stacks_left_and_records_when_asked(deployment: Deployment) -> None:
    step = teardown(deployment)
    exhaust(step.apply(step.plan()))
    [records] = inventory(deployment.aws, deployment.name)
    assert "records" in records
    told = {check.name: check.found for check in step.check()}
    assert told["tagged things"] == f"none but bucket {records.removeprefix('s3: ')}, which stays"
    assert golden_images(deployment.aws, deployment.name) == []
    last = teardown(deployment, remove_records=True)
    exhaust(last.apply(last.plan()))
    assert last.check()
    assert inventory(deployment.aws, deployment.name) == []
