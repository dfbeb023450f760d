"""What changed since another release: commits, packages, parameters, templates, durations."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from gbg_lib.record.archive import Archive
from gbg_lib.record.format import odd_is_refused
from gbg_lib.record.summary import tags
from gbg_lib.record.words import plain

SLOWER = 1.25
LEAST_SECONDS = 2.0
"""a stage that took so much longer or shorter, and at least so many seconds, is told"""


@dataclass(frozen=True)
class Difference:
    what: str
    """commit | file | image | package | parameter | template | duration | machine"""
    name: str
    before: str
    after: str


@odd_is_refused
def differences(now: Archive, before: Archive) -> list[Difference]:
    """`before` is the last good release, as a rule."""
    return [
        *_commits(now),
        *_image(now, before),
        *_packages(now, before),
        *_pairs("parameter", _parameters(before), _parameters(now)),
        *_pairs("template", _templates(before), _templates(now)),
        *_durations(now, before),
    ]


def _commits(now: Archive) -> Iterator[Difference]:
    former = str(now.manifest.summary.get("former_commit", ""))
    for one in reversed(now.of("commit")):
        commit = str(one.data.get("commitId", ""))
        if commit != former:
            author = one.data.get("author", {}).get("name", "?")
            told = f"{plain(one.data.get('message', ''), 80)} ({plain(author)})"
            yield Difference("commit", commit[:8], "", told)
    for one in now.of("commit.differences"):
        for file in one.data.get("files", []):
            paths = [file.get(key, {}).get("path", "") for key in ("beforeBlob", "afterBlob")]
            verb = {"A": "added", "D": "deleted", "M": "changed"}.get(file.get("changeType"), "?")
            yield Difference("file", plain(next(filter(None, paths), "?")), "", verb)


def _image(now: Archive, before: Archive) -> Iterator[Difference]:
    yield from _pairs("image", _image_facts(before), _image_facts(now))


def _image_facts(archive: Archive) -> dict[str, str]:
    facts = {}
    for one in archive.of("image"):
        role = one.id.partition(":")[2]
        facts[role] = f"{one.data.get('ImageId')} ({plain(one.data.get('Name', ''), 60)})"
        if role == "golden":
            facts["Amazon Linux"] = tags(one.data).get("gbg:os-release", "")
    return facts


def _packages(now: Archive, before: Archive) -> Iterator[Difference]:
    yield from _pairs("package", packages(before), packages(now))


def packages(archive: Archive) -> dict[str, str]:
    """name.architecture → version-release, from `name-version-release.architecture`."""
    found = {}
    for one in archive.of("packages"):
        for package in one.data.get("golden", []):
            rest, _, architecture = str(package).rpartition(".")
            name, _, version = rest.rpartition("-")
            name, _, first = name.rpartition("-")
            found[plain(f"{name}.{architecture}")] = plain(f"{first}-{version}")
    return found


def _parameters(archive: Archive) -> dict[str, str]:
    stacks = archive.manifest.external.get("stacks", {})
    given = {
        f"{stack}: {name}": str(value) for stack, values in stacks.items() for name, value in values.items()
    }
    kept = {one.id.partition(":")[2]: str(one.data.get("Value", "")) for one in archive.of("parameter")}
    return {plain(name): plain(value, 120) for name, value in {**given, **kept}.items()}


def _templates(archive: Archive) -> dict[str, str]:
    """By hash: the texts are in the archive."""
    named = [name for name in archive.names if name.startswith(("files/template-", "files/document-"))]
    return {
        name.removeprefix("files/"): f"sha256 {hashlib.sha256(archive.read(name)).hexdigest()[:12]}…"
        for name in named
    }


def _durations(now: Archive, before: Archive) -> Iterator[Difference]:
    old, new = durations(before), durations(now)
    for name in new:
        if name in old and abs(new[name] - old[name]) >= LEAST_SECONDS:
            ratio = max(new[name], 0.1) / max(old[name], 0.1)
            if not 1 / SLOWER < ratio < SLOWER:
                yield Difference("duration", name, f"{old[name]:.0f} s", f"{new[name]:.0f} s")


def durations(archive: Archive) -> dict[str, float]:
    """Seconds of stages, bake steps and build phases."""
    found = {str(name): float(took) for name, took in archive.manifest.summary.get("stages", {}).items()}
    found |= {f"bake: {one.data.get('StepName')}": one.seconds for one in archive.of("bake.step")}
    return found | {f"build: {one.data.get('phaseType')}": one.seconds for one in archive.of("build.phase")}


def _pairs(what: str, before: Mapping[str, str], after: Mapping[str, str]) -> Iterator[Difference]:
    for name in sorted({*before, *after}):
        old, new = before.get(name, ""), after.get(name, "")
        if old != new:
            yield Difference(what, name, old, new)
