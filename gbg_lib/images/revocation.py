"""Taking an image back: a mark on it and on all that was made from it, which closes the gate for them.

The mark is a tag, on Amazon's own images too: there it is seen by this account alone. What nobody runs is
also disabled, so that EC2 itself refuses to launch it. What serves is left able to scale, and named, for the
way out is a release on another image.
https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/disable-an-ami.html
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from gbg_lib.aws import Aws
from gbg_lib.checks import Check, require
from gbg_lib.errors import MisuseError
from gbg_lib.images.golden import REVOKED, GoldenImage
from gbg_lib.images.lineage import Lineage, read_lineage
from gbg_lib.images.usage import Usage, read_usage

TAG_LENGTH = 256
DISABLED = "disabled"


@dataclass(frozen=True)
class Mark:
    """What happens to one image."""

    image: str
    because: str
    """itself, or made from which one"""
    marked: bool
    """whether it carries this mark already"""
    used_by: tuple[str, ...]
    switch: bool
    """whether it is to be disabled (revocation) or enabled (reinstatement)"""


@dataclass(frozen=True)
class RevocationPlan:
    deployment: str
    image: str
    reason: str
    marks: tuple[Mark, ...]

    @property
    def action(self) -> str:
        return "mark" if any(not mark.marked or mark.switch for mark in self.marks) else "nothing"

    @property
    def still_running(self) -> tuple[Mark, ...]:
        """What has to be released anew on another image."""
        return tuple(mark for mark in self.marks if mark.used_by)


def plan_revocation(aws: Aws, deployment: str, image_id: str, reason: str) -> RevocationPlan:
    """Raises NotThere for an image that EC2 does not show, MisuseError without a reason."""
    reason = reason.strip()
    if not 0 < len(reason) <= TAG_LENGTH:
        raise MisuseError(
            f"revoking {image_id}", f"a reason has 1 to {TAG_LENGTH} characters", "say in a few words why"
        )
    lineage, usage = read_lineage(aws, deployment, also=image_id), read_usage(aws)
    marks = [
        _mark(lineage, usage, image, image_id, marked=REVOKED in image.tags)
        for image in [lineage.image(image_id), *lineage.descendants(image_id)]
    ]
    return RevocationPlan(deployment, image_id, reason, tuple(marks))


def _mark(lineage: Lineage, usage: Usage, image: GoldenImage, root: str, *, marked: bool) -> Mark:
    users = usage.running(image.id)
    ours = image in lineage.images
    because = "itself" if image.id == root else f"made from {image.parent}"
    return Mark(image.id, because, marked, users, ours and not users and image.state == "available")


def revoke(aws: Aws, plan: RevocationPlan) -> Iterator[Mark]:
    """Mark and disable; yields what was done. An image that is marked already keeps its first reason."""
    for mark in plan.marks:
        if not mark.marked:
            tag = {"Key": REVOKED, "Value": plan.reason}
            aws.call("ec2", "create_tags", Resources=[mark.image], Tags=[tag])
        if mark.switch:
            aws.call("ec2", "disable_image", ImageId=mark.image)
        if mark.switch or not mark.marked:
            yield mark


def check_revoked(aws: Aws, plan: RevocationPlan) -> list[Check]:
    """Raises CheckFailed."""
    lineage = read_lineage(aws, plan.deployment, also=plan.image)
    there = [one for one in (lineage.find(mark.image) for mark in plan.marks) if one is not None]
    bare = [one.id for one in there if REVOKED not in one.tags]
    return require(
        [
            Check(
                "marked",
                bool(there) and not bare,
                f"without a mark: {', '.join(bare)}" if bare else f"{len(there)} images carry the mark",
                "run this again",
            )
        ]
    )


def plan_reinstatement(aws: Aws, deployment: str, image_id: str) -> RevocationPlan:
    """Take a revocation back: from the image and from those of its children that carry the same reason.

    Raises NotThere, MisuseError where the image carries no mark.
    """
    lineage, usage = read_lineage(aws, deployment, also=image_id), read_usage(aws)
    image = lineage.image(image_id)
    if REVOKED not in image.tags:
        raise MisuseError(
            f"image {image_id}", "it carries no mark", "`gbg images list` shows what is revoked"
        )
    reason = image.tags[REVOKED]
    same = [one for one in lineage.descendants(image_id) if one.tags.get(REVOKED) == reason]
    marks = [
        Mark(
            one.id,
            "itself" if one is image else f"made from {one.parent}",
            True,
            usage.running(one.id),
            one.state == DISABLED,
        )
        for one in [image, *same]
    ]
    return RevocationPlan(deployment, image_id, reason, tuple(marks))


def reinstate(aws: Aws, plan: RevocationPlan) -> Iterator[Mark]:
    """Enable, then take the mark off; yields what was done."""
    for mark in plan.marks:
        if mark.switch:
            aws.call("ec2", "enable_image", ImageId=mark.image)
        tag = {"Key": REVOKED, "Value": plan.reason}
        aws.call("ec2", "delete_tags", Resources=[mark.image], Tags=[tag])
        yield mark
