"""An archive from anywhere is refused with its reason, and never reaches out of itself."""

from __future__ import annotations

import json
import os
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from gbg_lib.errors import MisuseError
from gbg_lib.parameters import Parameters
from gbg_lib.record import reading
from gbg_lib.record.archive import Archive, open_archive, pack
from gbg_lib.record.format import RecordError
from gbg_lib.record.store import read_index
from gbg_lib.record.verify import verify
from gbg_lib.views import rates_table, releases_table
from tests.unit.record_fakes import store


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return store(tmp_path).folders()[0]


def refused(path: Path) -> str:
    """Why it can't be read."""
    with pytest.raises(RecordError) as told:
        look_at_all(open_archive(path))
    return str(told.value)


def look_at_all(archive: Archive) -> None:
    verify(archive)
    assert archive.evidence


def change(path: Path, edit: Callable[[dict[str, object]], object]) -> None:
    told = json.loads(path.read_text())
    edit(told)
    path.write_text(json.dumps(told))


def test_a_packed_record_reads_as_its_folder_does(folder: Path, tmp_path: Path) -> None:
    packed = pack(open_archive(folder), tmp_path / "record.zip")
    assert open_archive(packed).evidence == open_archive(folder).evidence
    assert verify(open_archive(packed)).findings == ()
    assert packed.read_bytes() == pack(open_archive(packed), tmp_path / "again.zip").read_bytes()


@pytest.mark.parametrize("kept", [0, 10, 0.5, 0.99])
def test_a_truncated_zip_is_refused(folder: Path, tmp_path: Path, kept: float) -> None:
    packed = pack(open_archive(folder), tmp_path / "record.zip")
    whole = packed.read_bytes()
    packed.write_bytes(whole[: int(kept * len(whole)) if kept < 1 else int(kept)])
    assert "fetch it again" in refused(packed)


def test_a_zip_that_lacks_its_beginning_is_refused(folder: Path, tmp_path: Path) -> None:
    packed = pack(open_archive(folder), tmp_path / "record.zip")
    packed.write_bytes(packed.read_bytes()[200:])
    assert "can't be read: " in refused(packed)


def test_a_zip_with_a_bit_turned_anywhere_is_refused_or_read_as_it_was(folder: Path, tmp_path: Path) -> None:
    packed = pack(open_archive(folder), tmp_path / "record.zip")
    whole = packed.read_bytes()
    for place in range(0, len(whole), max(len(whole) // 150, 1)):
        packed.write_bytes(whole[:place] + bytes([whole[place] ^ 0xFF]) + whole[place + 1 :])
        try:
            findings = verify(open_archive(packed)).findings
        except RecordError:
            continue
        assert findings or open_archive(packed).evidence == open_archive(folder).evidence


def test_truncated_lines_are_refused(folder: Path) -> None:
    path = folder / "evidence.jsonl"
    path.write_bytes(path.read_bytes()[:-20])
    assert "not JSON" in refused(folder)


def test_a_truncated_manifest_is_refused(folder: Path) -> None:
    path = folder / "manifest.json"
    path.write_bytes(path.read_bytes()[:300])
    assert "cut off or altered" in refused(folder)


def test_a_newer_format_is_refused_with_both_numbers(folder: Path) -> None:
    path = folder / "manifest.json"
    change(path, lambda told: told["predicate"]["gbg_record"].update(format=7))  # type: ignore[index]
    assert "its format is 7; this gbg reads up to 1" in refused(folder)


@pytest.mark.parametrize(
    ("content", "why"),
    [
        ("[]", "not a JSON object"),
        ("{}", "no in-toto statement"),
        (
            '{"_type": "https://in-toto.io/Statement/v1", "predicateType": "https://slsa.dev/provenance/v1",'
            ' "subject": [], "predicate": {}}',
            "another tool wrote it",
        ),
        ("[" * 100_000, "not JSON"),
    ],
)
def test_a_foreign_archive_is_refused(folder: Path, content: str, why: str) -> None:
    (folder / "manifest.json").write_text(content)
    assert why in refused(folder)


def test_a_folder_that_is_no_record_is_refused(tmp_path: Path) -> None:
    assert "it has no manifest.json" in refused(tmp_path)
    with pytest.raises(MisuseError, match="nothing at"):
        open_archive(tmp_path / "gone")
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(MisuseError, match="pipe is neither folder nor file"):
        open_archive(tmp_path / "pipe")


@pytest.mark.parametrize(
    "name", ["../evil", "/etc/passwd", "files/../../evil", "files/a/b", "files/.hidden", "C:\\evil", "x.py"]
)
def test_odd_names_in_a_zip_are_refused(folder: Path, tmp_path: Path, name: str) -> None:
    packed = pack(open_archive(folder), tmp_path / "record.zip")
    with zipfile.ZipFile(packed, "a") as file:
        file.writestr(name, "x")
    assert "which no record has" in refused(packed)


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_two_members_of_one_name_are_refused(folder: Path, tmp_path: Path) -> None:
    packed = pack(open_archive(folder), tmp_path / "record.zip")
    with zipfile.ZipFile(packed, "a") as file:
        file.writestr(f"{folder.name}/evidence.jsonl", "x")
    assert "one name" in refused(packed)


def test_a_bomb_is_refused_before_it_is_unpacked(folder: Path, tmp_path: Path) -> None:
    packed = pack(open_archive(folder), tmp_path / "record.zip")
    with zipfile.ZipFile(packed, "a", zipfile.ZIP_DEFLATED) as file:
        file.writestr("files/bomb.log", b"\0" * 300_000_000)
    assert packed.stat().st_size < 1_000_000
    assert "unpacks from" in refused(packed)


def test_a_link_is_refused_in_a_folder_and_in_a_zip(folder: Path, tmp_path: Path) -> None:
    packed = pack(open_archive(folder), tmp_path / "record.zip")
    info = zipfile.ZipInfo("files/link.log")
    info.external_attr = 0o120777 << 16
    with zipfile.ZipFile(packed, "a") as file:
        file.writestr(info, "/etc/passwd")
    assert "a link or a device" in refused(packed)
    (folder / "files" / "link.log").symlink_to("/etc/passwd")
    assert "is a link" in refused(folder)


def test_pipes_and_folders_are_refused(folder: Path) -> None:
    os.mkfifo(folder / "files" / "pipe.log")
    assert "neither file nor folder" in refused(folder)
    (folder / "files" / "pipe.log").unlink()
    (folder / "files" / "deep").mkdir()
    assert "a folder" in refused(folder)


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ('{"kind": "x"}', "no line of evidence"),
        ('{"kind": 1, "id": "x", "source": "x", "data": {}, "at": null, "until": null}', "is no text"),
        ('{"kind": "x", "id": "x", "source": "x", "data": [], "at": null, "until": null}', "no object"),
        ('{"kind": "x", "id": "x", "source": "x", "data": {}, "at": "noon", "until": null}', "noon"),
        (
            '{"kind": "x", "id": "x", "source": "x", "data": {}, "at": "2026-11-28T01:00:00", "until": null}',
            "zone",
        ),
        ("null", "not a JSON object"),
    ],
)
def test_an_odd_line_is_refused_by_its_number(folder: Path, line: str, why: str) -> None:
    with (folder / "evidence.jsonl").open("a") as file:
        file.write(line + "\n")
    told = refused(folder)
    assert "evidence.jsonl:2" in told
    assert why in told


def test_a_manifest_of_another_record_is_found(folder: Path) -> None:
    path = folder / "manifest.json"
    told = path.read_text()
    other = open_archive(folder).name.replace("20261128", "20261129")
    (folder / "manifest-1.json").write_text(told.replace(open_archive(folder).name, other))
    assert f"it belongs to {other}" in [one.what for one in verify(open_archive(folder)).findings]


@pytest.mark.parametrize(
    ("record", "manifest"),
    [
        ("../../x-11111111-2222-3333-4444-555555555555", "manifest.json"),
        ("20261124T010000Z-11111111", "../manifest.json"),
    ],
)
def test_an_index_leads_nowhere_out_of_the_folder(record: str, manifest: str) -> None:
    """As whoever may write into the bucket might have it."""
    line = {"sequence": 1, "record": record, "manifest": manifest, "sha256": "0" * 64, "summary": {}}
    with pytest.raises(RecordError, match="it names no record"):
        list(read_index(json.dumps(line).encode(), "s3://records/index.jsonl"))


@pytest.mark.parametrize(
    "summary",
    [
        "text",
        None,
        [],
        {},
        {"started": "five"},
        {"finished": "never"},
        {"committed": "99999-01-01"},
        {"stages": "x"},
        {"stages": {"Deploy": "long"}},
        {"failed": "x"},
        {"message": {"a": "b"}, "status": ["Succeeded"], "machines": "<b>"},
    ],
)
def test_an_index_of_odd_summaries_is_refused_or_shown_as_text(folder: Path, summary: object) -> None:
    """Several releases at once are read from it, and so is the last good one."""
    index = folder.parent / "index.jsonl"
    told = json.loads(index.read_text().splitlines()[0])
    if isinstance(summary, dict) and summary:
        summary = {**told["summary"], **summary}
    index.write_text(json.dumps({**told, "summary": summary}) + "\n")
    try:
        read = reading.read(Parameters(record=str(folder)), folder.parent.parent)
        shown = releases_table(read.releases)._repr_html_() + rates_table(read.releases)._repr_html_()
    except RecordError as error:
        assert error.try_this
    else:
        assert "<b>" not in shown
