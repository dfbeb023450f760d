"""What is in an image: the `rpm -qa` of its bake, and the difference between two.

A bake writes both lists, the source image's and its own, to a log group that doesn't expire, and tags the
image with the command that wrote them. What is read is held against the fingerprint in the image's tags.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass

from gbg_lib.aws import Aws
from gbg_lib.errors import CheckFailed, NotThere
from gbg_lib.images.golden import PACKAGE_LIST, GoldenImage
from gbg_lib.images.lineage import Lineage

SOURCE_HEADING, GOLDEN_HEADING = "# source", "# golden"
FINGERPRINT_DIGITS = 16


@dataclass(frozen=True)
class PackageList:
    image: str
    packages: tuple[str, ...]
    """`name-version-release.arch`, sorted"""


@dataclass(frozen=True)
class PackageChange:
    name: str
    before: str
    """versions with release and architecture; empty where the package is new"""
    after: str
    """empty where the package is gone"""

    @property
    def kind(self) -> str:
        if not self.before:
            return "added"
        return "changed" if self.after else "removed"


def package_list(aws: Aws, lineage: Lineage, image_id: str) -> PackageList:
    """What the image holds; of one that is not ours, or gone, what the first image made from it found.

    Raises NotThere for an image whose list nobody wrote, CheckFailed for a list that isn't the image's.
    """
    image = lineage.find(image_id)
    if image is not None and image in lineage.images:
        packages = _listed(aws, lineage.deployment, image)[GOLDEN_HEADING]
        return PackageList(image_id, _genuine(image, packages))
    child = next((one for one in reversed(lineage.images) if one.parent == image_id), None)
    if child is None:
        raise _without_list(
            lineage.image(image_id), "no image was made from it yet, and a bake lists its source"
        )
    return PackageList(image_id, tuple(_listed(aws, lineage.deployment, child)[SOURCE_HEADING]))


def difference(before: PackageList, after: PackageList) -> list[PackageChange]:
    """By package name. A name may be there in several versions (gpg-pubkey, kernels)."""
    old, new = _by_name(before.packages), _by_name(after.packages)
    pairs = {name: (old.get(name, ""), new.get(name, "")) for name in sorted(old.keys() | new.keys())}
    return [PackageChange(name, *pair) for name, pair in pairs.items() if pair[0] != pair[1]]


def _listed(aws: Aws, deployment: str, image: GoldenImage) -> dict[str, list[str]]:
    """Both lists by their headings."""
    command = image.tags.get(PACKAGE_LIST, "")
    group = f"/{deployment}/packages"
    if not command:
        raise _without_list(image, "its bake left no list of its packages")
    found: dict[str, list[str]] = {}
    for line in _lines(aws, group, command):
        if line.startswith("#"):
            found[line] = []
        elif found:
            found[list(found)[-1]].append(line)
    if found.keys() != {SOURCE_HEADING, GOLDEN_HEADING}:
        raise _without_list(image, f"the log group {group} has no list of command {command}")
    return found


def _lines(aws: Aws, group: str, command: str) -> Iterable[str]:
    """An event may hold several lines: the SSM agent sends what it has."""
    streams = list(
        aws.pages(
            "logs",
            "describe_log_streams",
            "logStreams",
            logGroupName=group,
            logStreamNamePrefix=f"{command}/",
        )
    )
    for stream in streams:
        if stream["logStreamName"].endswith("/stdout"):
            for event in _events(aws, group, stream["logStreamName"]):
                yield from event.split("\n")


def _events(aws: Aws, group: str, stream: str) -> Iterable[str]:
    """From the head. The end is told by a token that stays the same, and by nothing else."""
    token: dict[str, str] = {}
    while True:
        found = aws.call(
            "logs", "get_log_events", logGroupName=group, logStreamName=stream, startFromHead=True, **token
        )
        yield from (event["message"] for event in found["events"])
        if found["nextForwardToken"] == token.get("nextToken"):
            return
        token = {"nextToken": found["nextForwardToken"]}


def _genuine(image: GoldenImage, packages: Iterable[str]) -> tuple[str, ...]:
    """In the order in which the bake took their fingerprint."""
    listed = tuple(packages)
    digest = hashlib.sha256("".join(f"{line}\n" for line in listed).encode()).hexdigest()
    if digest[:FINGERPRINT_DIGITS] != image.fingerprint:
        raise CheckFailed(
            f"packages of {image.id}",
            f"the list that was read has the fingerprint {digest[:FINGERPRINT_DIGITS]}, the image says "
            f"{image.fingerprint or 'none'}",
            "ask a machine of this image: /etc/golden-ami.packages",
        )
    return listed


def _by_name(packages: Iterable[str]) -> dict[str, str]:
    versions: dict[str, list[str]] = {}
    for package in packages:
        name, _, rest = package.rpartition("-")
        name, _, version = name.rpartition("-")
        versions.setdefault(name or package, []).append(f"{version}-{rest}")
    return {name: ", ".join(sorted(found)) for name, found in versions.items()}


def _without_list(image: GoldenImage, what: str) -> NotThere:
    return NotThere(f"packages of {image.id}", what, "ask a machine of this image: /etc/golden-ami.packages")
