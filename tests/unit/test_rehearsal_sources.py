"""What served before is kept as far as it differs, and made whole again from both archives."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from gbg_lib.record.archive import Archive, open_archive
from gbg_lib.record.format import RecordError
from gbg_lib.record.gathering import Gathering, Subject
from gbg_lib.record.sources import former, pipeline
from gbg_lib.record.store import Store
from gbg_lib.rehearsal.sources import File, Source, commits_of, former_source, push, unpacked
from gbg_lib.repository import Repository
from tests.unit.aws_fakes import connected
from tests.unit.record_fakes import execution, manifest
from tests.unit.release_fakes import BEGIN, at
from tests.unit.test_rehearsal_comparison import example

Files = Mapping[str, tuple[bytes, int]]
BEFORE: Files = {
    "appspec.yml": (b"version: 0.0\n", 0o100644),
    "scripts/start.sh": (b"#!/bin/sh\n", 0o100644),
    "old.txt": (b"it goes\n", 0o100644),
    "changed.txt": (b"before\n", 0o100644),
}
NOW: Files = {
    "appspec.yml": BEFORE["appspec.yml"],
    "scripts/start.sh": (b"#!/bin/sh\n", 0o100755),
    "changed.txt": (b"after\n", 0o100644),
    "new.txt": (b"it comes\n", 0o100644),
}


def zipped(files: Files) -> bytes:
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w") as made:
        for name, (content, mode) in files.items():
            info = zipfile.ZipInfo(name)
            info.external_attr = mode << 16
            made.writestr(info, content)
    return target.getvalue()


def action(release: str) -> dict[str, Any]:
    return {
        "actionExecutionId": release,
        "stageName": "Source",
        "actionName": "Source",
        "status": "Succeeded",
        "startTime": at(0),
        "lastUpdateTime": at(1),
        "input": {"actionTypeId": {"category": "Source", "provider": "CodeCommit"}},
        "output": {"outputArtifacts": [{"name": "Source", "s3location": {"bucket": "b", "key": release}}]},
    }


class Pipeline:
    def list_action_executions(self, **given: Any) -> dict[str, Any]:
        return {"actionExecutionDetails": [action(given["filter"]["pipelineExecutionId"])]}


class Bucket:
    def __init__(self, objects: Mapping[str, bytes]) -> None:
        self.objects = objects

    def get_object(self, **given: Any) -> dict[str, Any]:
        content = self.objects[given["Key"]]
        return {"ContentLength": len(content), "Body": io.BytesIO(content), "ETag": '"e"'}


def recorded(folder: Path, before: Files = BEFORE) -> tuple[Gathering, Archive]:
    """Of a release of NOW, after one of `before`."""
    aws = connected({}, codepipeline=Pipeline(), s3=Bucket({"now": zipped(NOW), "before": zipped(before)}))
    parts = {"PipelineName": "gbg-release"}
    served = {"former_commit": f"{0:040x}", "former_execution": "before"}
    subject = Subject(aws, "gbg", {}, parts, "now", BEGIN, at(9), (action("now"),), **served)  # type: ignore[arg-type]
    found = Gathering()
    pipeline.archive(subject, found)
    former.archive(subject, found)
    path = Store(folder, "gbg").write(manifest(1), list(found.evidence.values()), found.files)
    return found, open_archive(path)


def test_only_what_differs_is_kept_and_all_is_there_again(tmp_path: Path) -> None:
    found, archive = recorded(tmp_path)
    with zipfile.ZipFile(io.BytesIO(found.files["files/source-former.zip"])) as kept:
        assert sorted(kept.namelist()) == ["changed.txt", "old.txt", "scripts/start.sh"]
    source = former_source(archive, None)
    assert source is not None
    assert source.files == {name: File(content, mode & 0o777) for name, (content, mode) in BEFORE.items()}
    assert source.id == f"{0:040x}"


def test_the_same_source_again_costs_a_line_only(tmp_path: Path) -> None:
    found, archive = recorded(tmp_path, NOW)
    with zipfile.ZipFile(io.BytesIO(found.files["files/source-former.zip"])) as kept:
        assert kept.namelist() == []
    source = former_source(archive, None)
    assert source is not None
    assert source.files.keys() == NOW.keys()


def test_secrets_of_what_served_before_are_masked(tmp_path: Path) -> None:
    secret = {**BEFORE, "changed.txt": (b"db.password=correct-horse\n", 0o100644)}
    found, archive = recorded(tmp_path, secret)
    assert b"correct-horse" not in b"".join(archive.read(name) for name in archive.names)
    assert found.evidence["source.former"].data["masked"] == ["changed.txt"]
    source = former_source(archive, None)
    assert source is not None
    assert source.masked == ("changed.txt",)


def test_a_first_release_keeps_nothing_of_the_kind() -> None:
    found = Gathering()
    former.archive(Subject(connected({}), "gbg", {}, {}, execution(0), BEGIN, at(9), ()), found)
    assert found.evidence == {}


def test_what_served_before_and_lacks_a_file_is_refused(tmp_path: Path) -> None:
    found, _ = recorded(tmp_path)
    found.files["files/source-former.zip"] = zipped({"old.txt": BEFORE["old.txt"]})
    other = Store(tmp_path / "other", "gbg")
    archive = open_archive(other.write(manifest(1), list(found.evidence.values()), found.files))
    with pytest.raises(RecordError, match=r"what served before lacks"):
        former_source(archive, None)


class Commits:
    """CodeCommit as far as a head is asked for: an empty repository."""

    def list_branches(self, **given: Any) -> dict[str, Any]:
        return {"branches": []}


def test_the_same_files_people_and_times_are_the_same_commit_each_time(tmp_path: Path) -> None:
    bare = tmp_path / "bare.git"
    repository = Repository(connected({}, codecommit=Commits()), "gbg-app", str(bare), "main")
    repository.git(tmp_path, "init", "-q", "--bare", "-b", "main", str(bare))
    [told] = commits_of(example())
    source = Source({"a": File(b"1\n"), "run": File(b"#!/bin/sh\n", 0o755)}, (told,))
    first = push(repository, source)
    assert first == repository.git(bare, "rev-parse", "main")
    shown = repository.git(bare, "show", "-s", "--format=%an|%ae|%at|%s", "main")
    committed = round(datetime.fromisoformat(example().manifest.summary["committed"]).timestamp())
    assert shown == f"golden-blue-green|gbg@localhost|{committed}|Ask the page for its price"
    assert "100755" in repository.git(bare, "ls-tree", "main", "run")
    again = tmp_path / "again.git"
    repository.git(tmp_path, "init", "-q", "--bare", "-b", "main", str(again))
    other = Repository(connected({}, codecommit=Commits()), "gbg-app", str(again), "main")
    assert push(other, source) == first


def packed(**members: bytes) -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return content.getvalue()


def test_a_source_larger_than_any_is_refused_before_it_is_unpacked() -> None:
    content = packed(a=b"0" * 600, b=b"0" * 600)
    assert len(unpacked(content, "source.zip", 1200)) == 2
    with pytest.raises(RecordError, match="larger than any source archive"):
        unpacked(content, "source.zip", 1199)


@pytest.mark.parametrize(
    "names",
    [
        ("../evil",),
        ("/etc/passwd",),
        ("a\\b",),
        (".git/hooks/post-checkout",),
        ("sub/.GIT/config",),
        ("./a",),
        ("a//b",),
        ("a", "a/b"),
        ("n" * 256,),
    ],
)
def test_a_file_that_no_checkout_could_hold_is_refused_by_its_name(names: tuple[str, ...]) -> None:
    with pytest.raises(RecordError, match="it has a file"):
        unpacked(packed(**dict.fromkeys(names, b"x")), "source.zip")


@pytest.mark.parametrize("place", [10, 40, 60, -40, -5])
def test_a_source_that_was_cut_or_turned_is_refused(place: int) -> None:
    content = packed(a=b"some text " * 50)
    turned = bytearray(content)
    turned[place] ^= 0xFF
    for bad in (content[:place], bytes(turned)):
        try:
            files = unpacked(bad, "source.zip")
        except RecordError:
            continue
        assert {name: file.content for name, file in files.items()} == {"a": b"some text " * 50}
