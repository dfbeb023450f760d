"""What came from what: an image's parents up to Amazon's own, its children, and whether one is revoked.

A parent may be gone; its children's tags still name it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from gbg_lib.aws import Aws
from gbg_lib.errors import NotThere
from gbg_lib.images.golden import REVOKED, GoldenImage, golden_images, read_image


@dataclass(frozen=True)
class Revocation:
    image: str
    """the one that is asked about"""
    by: str
    """the image that carries the mark: itself, or the nearest marked one that it came from"""
    reason: str

    @property
    def words(self) -> str:
        source = f", which came from {self.by}," if self.by != self.image else ""
        return f"{self.image}{source} is revoked: {self.reason}"


@dataclass(frozen=True)
class Lineage:
    deployment: str
    images: tuple[GoldenImage, ...]
    """the deployment's, newest first"""
    sources: Mapping[str, GoldenImage]
    """images of others that ours were made from, by id; those that are gone are missing"""

    def find(self, image_id: str) -> GoldenImage | None:
        known = (image for image in self.images if image.id == image_id)
        return next(known, self.sources.get(image_id))

    def image(self, image_id: str) -> GoldenImage:
        """Raises NotThere for what is neither the deployment's nor a source of it."""
        found = self.find(image_id)
        if found is None:
            raise NotThere(
                f"image {image_id}",
                f"{self.deployment} has no such image, and none was made from it",
                f"`gbg images list` shows those of {self.deployment}",
            )
        return found

    def ancestors(self, image_id: str) -> list[str]:
        """What it was made from, nearest first; ends at an image whose own source nobody knows."""
        found: list[str] = []
        image = self.find(image_id)
        while image is not None and image.parent and image.parent not in (*found, image_id):
            found.append(image.parent)
            image = self.find(image.parent)
        return found

    def descendants(self, image_id: str) -> list[GoldenImage]:
        """What was made from it, over all generations, oldest first."""
        return [image for image in reversed(self.images) if image_id in self.ancestors(image.id)]

    def revocation(self, image_id: str) -> Revocation | None:
        """Why it must not be used, where it or what it came from is revoked.

        By the ancestors' marks too: a child that was being made while its parent was revoked carries none.
        """
        for one in (image_id, *self.ancestors(image_id)):
            found = self.find(one)
            if found is not None and REVOKED in found.tags:
                return Revocation(image_id, one, found.tags[REVOKED])
        return None


def read_lineage(aws: Aws, deployment: str, also: str = "") -> Lineage:
    """The deployment's images and their sources; `also` is a source that nothing was made from yet."""
    images = tuple(golden_images(aws, deployment))
    outside = {image.parent for image in images} | {also}
    outside -= {image.id for image in images} | {""}
    return Lineage(deployment, images, {image.id: image for image in _sources(aws, sorted(outside))})


def _sources(aws: Aws, ids: list[str]) -> list[GoldenImage]:
    """By filter and not by id: a deregistered one would be an error."""
    if not ids:
        return []
    found = aws.pages(
        "ec2",
        "describe_images",
        "Images",
        IncludeDeprecated=True,
        IncludeDisabled=True,
        Filters=[{"Name": "image-id", "Values": ids}],
    )
    return [read_image(item) for item in found]
