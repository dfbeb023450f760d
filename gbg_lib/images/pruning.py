"""Old images go, with their snapshots and the launch template versions that name them.

Every release leaves an image and a template version. An image stays while something runs from it or would
launch from it, while a record that is young enough names it, while its release can be tried again, and while
it is one of the last good ones: neither revoked nor of a release that failed.
https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/deregister-ami.html
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from gbg_lib.aws import Aws
from gbg_lib.checks import Check, require
from gbg_lib.errors import AwsError, GateRefused
from gbg_lib.images.golden import GoldenImage
from gbg_lib.images.lineage import Lineage, read_lineage
from gbg_lib.images.usage import TemplateVersion, Usage, read_usage
from gbg_lib.record.format import odd_is_refused

DELETED = ("success", "skipped")
BATCH_VERSIONS = 200


@dataclass(frozen=True)
class ImageDecision:
    image: GoldenImage
    kept_for: tuple[str, ...]
    """why it stays; nothing for one that goes"""
    versions: tuple[TemplateVersion, ...] = ()
    """template versions that go with it"""


@dataclass(frozen=True)
class PrunePlan:
    deployment: str
    last: int
    decisions: tuple[ImageDecision, ...]
    """newest image first"""

    @property
    def going(self) -> tuple[ImageDecision, ...]:
        return tuple(one for one in self.decisions if not one.kept_for)

    @property
    def action(self) -> str:
        return "prune" if self.going else "nothing"

    @property
    def reason(self) -> str:
        every = len(self.decisions)
        if not self.going:
            return f"each of {every} images is needed" if every else "there are no images"
        return f"{len(self.going)} of {every} images are needed by nobody, {every - len(self.going)} stay"


@dataclass(frozen=True)
class Releases:
    """What became of the releases that images were baked for, by pipeline execution."""

    failed: frozenset[str] = frozenset()
    retriable: Mapping[str, str] = field(default_factory=dict)
    """execution → the stage of it that can be tried again"""


NO_RELEASES = Releases()


@odd_is_refused
def named_by_records(summaries: Iterable[Mapping[str, Any]], since: datetime) -> frozenset[str]:
    """Images of releases that began at `since` or later; without a known beginning one counts as new.

    Raises RecordError for a summary of an odd shape: an index that somebody altered frees no image.
    """
    return frozenset(
        str(one["image"])
        for one in summaries
        if one["image"] and not (one["started"] and datetime.fromisoformat(one["started"]) < since)
    )


def plan_pruning(
    aws: Aws,
    deployment: str,
    *,
    last: int,
    kept_images: Iterable[str] = (),
    releases: Releases = NO_RELEASES,
) -> PrunePlan:
    """`last` is how many good images stay in any case; `kept_images` are those that kept records name."""
    lineage, usage, recorded = read_lineage(aws, deployment), read_usage(aws), frozenset(kept_images)
    newest = _last_good(lineage, last, releases.failed)
    decisions = []
    for image in lineage.images:
        reasons = tuple(_reasons(image, usage, recorded, newest))
        if stage := releases.retriable.get(image.release):
            reasons = (*reasons, f"release {image.release[:8]} can be tried again from {stage}")
        versions = () if reasons else versions_of(usage, deployment, image.id)
        decisions.append(ImageDecision(image, reasons, versions))
    return PrunePlan(deployment, last, tuple(decisions))


def prune(aws: Aws, plan: PrunePlan) -> Iterator[str]:
    """Remove what the plan lets go; yields the ids that are gone. Raises GateRefused, AwsError.

    What came into use since the plan was made is refused before anything is removed.
    """
    usage = read_usage(aws)
    for one in plan.going:
        users = [*usage.running(one.image.id), *usage.templates.get(one.image.id, ())]
        if users:
            raise GateRefused(
                f"image {one.image.id}", f"it is in use by {', '.join(users)} since", "plan the pruning again"
            )
    for one in plan.going:
        yield from remove_image(aws, one)


def remove_image(aws: Aws, one: ImageDecision) -> Iterator[str]:
    """Template versions first: nothing may name an image that is gone. Yields each id that is gone."""
    for template, numbers in _by_template(one.versions).items():
        _delete_versions(aws, template, numbers)
        yield from (f"{template} version {number}" for number in numbers)
    done = aws.call("ec2", "deregister_image", ImageId=one.image.id, DeleteAssociatedSnapshots=True)
    yield one.image.id
    for result in done.get("DeleteSnapshotResults", []):
        if result["ReturnCode"] not in DELETED:
            raise AwsError(
                f"snapshot {result['SnapshotId']}",
                f"it was not deleted with {one.image.id}: {result['ReturnCode']}",
                "run this again; the check shows what is left",
            )
        if result["ReturnCode"] == "success":
            yield result["SnapshotId"]


def check_pruned(aws: Aws, plan: PrunePlan) -> list[Check]:
    """Images and snapshots as EC2 tells them now. Raises CheckFailed."""
    images = [one.image.id for one in plan.going]
    snapshots = [snapshot for one in plan.going for snapshot in one.image.snapshots]
    left = {
        "images": _there(aws, "describe_images", "Images", "ImageId", "image-id", images),
        "snapshots": _there(aws, "describe_snapshots", "Snapshots", "SnapshotId", "snapshot-id", snapshots),
    }
    asked = {"images": len(images), "snapshots": len(snapshots)}
    kept = {image.id for image in read_lineage(aws, plan.deployment).images}
    stay = {one.image.id for one in plan.decisions if one.kept_for}
    return require(
        [
            *(
                Check(
                    f"{kind} are gone",
                    not found,
                    f"left: {', '.join(found)}" if found else f"none of {asked[kind]} is left",
                    "another image may share the snapshot, or the Recycle Bin may keep it; run this again",
                )
                for kind, found in left.items()
            ),
            Check(
                "the others stay",
                stay <= kept,
                f"{len(stay & kept)} of {len(stay)} are there",
                "someone else removed an image",
            ),
        ]
    )


def _last_good(lineage: Lineage, last: int, failed: frozenset[str]) -> frozenset[str]:
    good = [
        image
        for image in lineage.images
        if lineage.revocation(image.id) is None and image.release not in failed
    ]
    return frozenset(image.id for image in good[:last])


def _reasons(
    image: GoldenImage, usage: Usage, recorded: frozenset[str], newest: frozenset[str]
) -> Iterator[str]:
    if image.state == "pending":
        yield "it is being made"
    if users := usage.running(image.id):
        yield f"in use by {', '.join(users)}"
    if versions := usage.templates.get(image.id):
        yield f"in {', '.join(versions)}"
    if image.id in recorded:
        yield "a kept record names it"
    if image.id in newest:
        yield "one of the last" if len(newest) > 1 else "the last"


def versions_of(usage: Usage, deployment: str, image_id: str) -> tuple[TemplateVersion, ...]:
    """Of the deployment's own templates; others are not ours to change."""
    return tuple(one for one in usage.history if one.image == image_id and one.deployment == deployment)


def _by_template(versions: Iterable[TemplateVersion]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for version in versions:
        found.setdefault(version.template_id, []).append(str(version.number))
    return found


def _delete_versions(aws: Aws, template: str, numbers: list[str]) -> None:
    """A version that can't be deleted is told in the answer, not as an error."""
    for first in range(0, len(numbers), BATCH_VERSIONS):
        done = aws.call(
            "ec2",
            "delete_launch_template_versions",
            LaunchTemplateId=template,
            Versions=numbers[first : first + BATCH_VERSIONS],
        )
        for refused in done.get("UnsuccessfullyDeletedLaunchTemplateVersions", []):
            error = refused["ResponseError"]
            if error["Code"] != "launchTemplateVersionDoesNotExist":
                raise AwsError(
                    f"launch template {template} version {refused['VersionNumber']}",
                    f"{error['Code']}: {error.get('Message', '')}",
                    "plan the pruning again",
                )


def _there(aws: Aws, operation: str, key: str, name: str, filtered: str, ids: list[str]) -> list[str]:
    """Which of the ids still exist. By filter: asking by id is an error when one is gone."""
    if not ids:
        return []
    more = {"IncludeDisabled": True} if key == "Images" else {"OwnerIds": ["self"]}
    found = aws.pages("ec2", operation, key, Filters=[{"Name": filtered, "Values": ids}], **more)
    return sorted(item[name] for item in found)
