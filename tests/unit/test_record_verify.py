"""A record that is not as it was written is found out."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from gbg_lib.errors import GbgError
from gbg_lib.record.archive import open_archive
from gbg_lib.record.format import Evidence
from gbg_lib.record.store import INDEX, Store
from gbg_lib.record.verify import Finding, verify, verify_all
from tests.unit.record_fakes import BEGIN, evidence, manifest, store


def findings(kept: Store) -> list[Finding]:
    entries = kept.entries()
    return verify_all(kept.folders(), entries[-1].link if entries else None)[1]


def test_what_was_written_verifies(tmp_path: Path) -> None:
    kept = store(tmp_path, 3)
    assert findings(kept) == []
    assert [entry.link.sequence for entry in kept.entries()] == [1, 2, 3]


@pytest.mark.parametrize("name", ["evidence.jsonl", "files/build.log"])
def test_each_flipped_bit_is_found(tmp_path: Path, name: str) -> None:
    kept = store(tmp_path)
    path = kept.folders()[0] / name
    whole = path.read_bytes()
    for place in (0, len(whole) // 2, len(whole) - 1):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :])
        [found] = findings(kept)
        assert found.file == name
        assert "altered" in found.what
    path.write_bytes(whole)
    assert findings(kept) == []


def test_a_missing_and_an_added_file_are_found(tmp_path: Path) -> None:
    kept = store(tmp_path)
    folder = kept.folders()[0]
    (folder / "files" / "build.log").unlink()
    (folder / "files" / "other.log").write_bytes(b"never said\n")
    assert {(one.file, one.what.partition(":")[0]) for one in findings(kept)} == {
        ("files/build.log", "it is missing"),
        ("files/other.log", "it was added"),
    }


def test_notes_are_no_part_of_what_is_verified(tmp_path: Path) -> None:
    kept = store(tmp_path)
    (kept.folders()[0] / "notes.jsonl").write_text('{"evidence": "execution", "text": "why"}\n')
    assert findings(kept) == []


def test_a_manifest_that_was_altered_with_its_files_breaks_the_chain(tmp_path: Path) -> None:
    kept = store(tmp_path, 3)
    path = kept.folders()[1] / "manifest.json"
    path.write_text(path.read_text().replace("Change 1", "Change X"))
    assert [one.record for one in findings(kept)] == [kept.names()[2]]


@pytest.mark.parametrize("lost", [0, 1, 2])
def test_a_record_that_is_gone_breaks_the_chain(tmp_path: Path, lost: int) -> None:
    kept = store(tmp_path, 3)
    shutil.rmtree(kept.folders()[lost])
    assert findings(kept)


def test_late_evidence_is_added_in_files_of_its_own(tmp_path: Path) -> None:
    kept = store(tmp_path, 2)
    first = kept.names()[0]
    before = {path.name: path.read_bytes() for path in (kept.folder / first).iterdir() if path.is_file()}
    call = Evidence(
        "api.call", "api.call:1", "cloudtrail:lookup_events", {"EventName": "RunInstances"}, BEGIN
    )
    again = Evidence(
        "execution", "execution", "codepipeline:get_pipeline_execution", {"status": "Failed"}, BEGIN
    )
    assert kept.append(first, manifest(0), [call, again], {}) == "manifest-1.json"
    archive = kept.open(first)
    assert {name: archive.read(name) for name in before} == before
    assert [one.id for one in archive.history] == ["execution", "api.call:1", "execution"]
    assert [one.data["status"] for one in archive.of("execution")] == ["Failed"]
    assert findings(kept) == []
    (kept.folder / first / "late-1.jsonl").write_bytes(b"")
    assert [one.file for one in findings(kept)] == ["late-1.jsonl"]


def test_late_evidence_that_was_taken_away_is_missed(tmp_path: Path) -> None:
    kept = store(tmp_path)
    name = kept.names()[0]
    kept.append(name, manifest(0), evidence(0), {})
    for late in ("late-1.jsonl", "manifest-1.json"):
        (kept.folder / name / late).unlink()
    assert [one.file for one in findings(kept)] == ["manifest-1.json"]


def test_a_record_is_written_once(tmp_path: Path) -> None:
    kept = store(tmp_path)
    with pytest.raises(GbgError, match="recorded already"):
        kept.write(manifest(0), evidence(0), {})
    assert len(kept.entries()) == 1


def test_the_index_can_be_made_anew(tmp_path: Path) -> None:
    kept = store(tmp_path, 2)
    kept.append(kept.names()[0], manifest(0, settled=True), [], {})
    index = kept.folder / INDEX
    whole = index.read_bytes()
    index.unlink()
    kept.rebuild()
    assert index.read_bytes() == whole


def test_an_archive_is_found_by_the_beginning_of_its_execution(tmp_path: Path) -> None:
    kept = store(tmp_path, 2)
    found = kept.find("00000001")
    assert found == kept.folders()[1]
    assert kept.find("ffff") is None
    with pytest.raises(GbgError, match="write more of the id"):
        kept.find("0000")
    assert verify(open_archive(found)).findings == ()
