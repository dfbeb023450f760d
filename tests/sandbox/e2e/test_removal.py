"""The way back to nothing, after releases: the bucket emptied, Part 3, then Part 1."""

from __future__ import annotations

import pytest

from gbg_lib.errors import StackFailed
from gbg_lib.images import golden_images
from tests.sandbox.e2e.inventory import inventory
from tests.sandbox.e2e.world import Deployment

KINDS = ("probed", "chroot")


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
