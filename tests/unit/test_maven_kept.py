"""The build image's Maven repository is filled with what builds fetched."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from gbg_sandbox.maven.kept import HOME, KeptArtifacts
from gbg_sandbox.maven.repository import Notice

JAR, POM = "org/demo/tool/1.2/tool-1.2.jar", "org/demo/tool/1.2/tool-1.2.pom"
BOTH = {JAR: b"jar", POM: b"pom"}


class Shelf:
    def __init__(self, files: Mapping[str, bytes], name: str = "shelf") -> None:
        self.files = files
        self.name = name

    def fetch(self, path: str, notice: Notice) -> bytes | None:
        notice("tool 1.2 is not at hand; 1.1 is used")
        return self.files.get(path)

    def identity(self) -> str:
        return self.name


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GBG_CACHE", str(tmp_path))


def silent(_: str) -> None:
    pass


def test_nothing_was_fetched_and_there_is_no_layer() -> None:
    assert KeptArtifacts(Shelf(BOTH)).layer(silent) == []


def test_what_a_build_fetched_is_in_the_next_image_as_maven_keeps_it() -> None:
    KeptArtifacts(Shelf(BOTH)).add([JAR, f"{JAR}.sha1", POM, "org/demo/maven-metadata.xml"])
    (layer,) = KeptArtifacts(Shelf(BOTH)).layer(silent)
    folder = layer / HOME / "org/demo/tool/1.2"
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == {
        "tool-1.2.jar": b"jar",
        "tool-1.2.pom": b"pom",
        "_remote.repositories": b"tool-1.2.jar>mirror=\ntool-1.2.pom>mirror=\n",
    }


def test_a_later_build_adds_to_it_and_substitutes_are_told_each_time() -> None:
    kept = KeptArtifacts(Shelf(BOTH))
    kept.add([POM])
    kept.add([JAR])
    assert kept.paths() == [JAR, POM]
    for _ in range(2):
        told: list[str] = []
        kept.layer(told.append)
        assert told == ["tool 1.2 is not at hand; 1.1 is used"]


def test_another_repository_has_a_layer_of_its_own() -> None:
    KeptArtifacts(Shelf(BOTH)).add([POM])
    assert KeptArtifacts(Shelf(BOTH, "other")).layer(silent) == []


def test_a_file_that_is_gone_from_the_repository_is_left_to_maven() -> None:
    kept = KeptArtifacts(Shelf({POM: b"pom"}))
    kept.add([JAR, POM])
    (layer,) = kept.layer(silent)
    assert [path.name for path in (layer / HOME).rglob("tool*.*")] == ["tool-1.2.pom"]
