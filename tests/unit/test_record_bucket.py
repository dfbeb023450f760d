"""Records in a bucket that several recorders write to: no entry is lost, and the chain stays one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from gbg_lib.aws import Aws
from gbg_lib.record.archive import open_archive
from gbg_lib.record.bucket import Bucket
from gbg_lib.record.format import Evidence, Overtaken, RecordError
from gbg_lib.record.store import Store
from gbg_lib.record.verify import verify, verify_all
from tests.unit.aws_fakes import connected
from tests.unit.bucket_fakes import FakeBucket
from tests.unit.record_fakes import evidence, manifest


class ListedBucket(FakeBucket):
    """Lists, too; loses its answer to a manifest when it is told to."""

    refuses = ""

    def list_objects_v2(self, Bucket: str, Prefix: str) -> dict[str, Any]:  # noqa: N803
        found = [(key, held[0]) for key, held in self.objects.items() if key.startswith(Prefix)]
        return {"Contents": [{"Key": key, "Size": len(body)} for key, body in sorted(found)]}

    def put_object(self, Bucket: str, Key: str, Body: bytes, **condition: str) -> dict[str, Any]:  # noqa: N803
        condition.pop("ChecksumSHA256", None)
        if self.refuses and self.refuses in Key:
            raise ConnectionResetError("the network is gone")
        return super().put_object(Bucket, Key, Body, **condition)


class Place:
    """A machine that records."""

    def __init__(self, aws: Aws, folder: Path) -> None:
        self.store, self.bucket = Store(folder, "gbg"), Bucket(aws, "kept", "gbg")

    def fetch(self) -> None:
        self.bucket.fetch_index(self.store)

    def write(self, number: int) -> str:
        return self.store.write(manifest(number), evidence(number), {}).name

    def send(self, record: str) -> None:
        self.bucket.send(self.store, record)


@pytest.fixture
def s3() -> ListedBucket:
    return ListedBucket()


@pytest.fixture
def places(s3: ListedBucket, tmp_path: Path) -> list[Place]:
    return [Place(connected(s3=s3), tmp_path / name) for name in ("one", "other", "third")]


def test_of_two_recorders_at_once_the_slower_one_goes_behind_the_other(places: list[Place]) -> None:
    one, other, third = places
    one.fetch()
    other.fetch()
    first, second = one.write(1), other.write(2)
    one.send(first)
    other.send(second)
    third.fetch()
    assert [entry.link.record for entry in third.store.entries()] == [first, second]
    assert third.store.entries() == other.store.entries()
    for record in (first, second):
        third.bucket.download(f"gbg/{record}/", third.store.folder / record)
    assert verify_all(third.store.folders(), third.store.entries()[-1].link)[1] == []


def test_a_chain_goes_on_after_it_was_linked_anew(places: list[Place]) -> None:
    one, other, _ = places
    one.fetch()
    other.fetch()
    records = [one.write(1), other.write(2)]
    one.send(records[0])
    other.send(records[1])
    one.fetch()
    records.append(one.write(3))
    one.send(records[2])
    assert [entry.link.sequence for entry in one.store.entries()] == [1, 2, 3]
    assert [entry.link.record for entry in one.store.entries()] == records


def test_an_index_that_is_deleted_between_reading_and_writing_is_written_whole(
    places: list[Place], s3: ListedBucket
) -> None:
    one, other, _ = places
    one.fetch()
    one.send(one.write(1))
    second = one.write(2)
    del s3.objects["gbg/index.jsonl"]
    one.send(second)
    other.fetch()
    assert other.store.entries() == one.store.entries()
    assert len(other.store.entries()) == 2


def others(number: int) -> list[Evidence]:
    """Of the same release, and not the same."""
    return evidence(number, Evidence("alarm", "alarm:a", "cloudwatch:x"))


def test_the_same_release_is_recorded_by_one_of_two_and_the_other_takes_it(places: list[Place]) -> None:
    one, other, third = places
    one.fetch()
    other.fetch()
    first = other.write(7)
    one.send(one.write(1))
    record = other.store.write(manifest(1), others(1), {}).name
    with pytest.raises(Overtaken, match="same release"):
        other.send(record)
    assert [path.name for path in (other.store.folder / ".aside").iterdir()] == [f"{record}-1"]
    other.fetch()
    assert other.bucket.fetch(other.store, record.partition("-")[2]) is not None
    other.send(first)
    third.fetch()
    assert [entry.link.record for entry in third.store.entries()] == [record, first]
    assert verify_all(other.store.folders(), other.store.entries()[-1].link)[1] == []


def test_who_comes_while_another_sends_mixes_nothing_into_its_record(
    places: list[Place], s3: ListedBucket
) -> None:
    one, other, _ = places
    one.fetch()
    other.fetch()
    record = one.store.write(manifest(1), evidence(1), {"files/a.log": b"one", "files/b.log": b"one"}).name
    s3.refuses = "files/b.log"
    with pytest.raises(ConnectionResetError):
        one.send(record)
    s3.refuses = ""
    other.store.write(manifest(1), others(1), {"files/a.log": b"other", "files/b.log": b"other"})
    with pytest.raises(Overtaken):
        other.send(record)
    assert f"gbg/{record}/files/b.log" not in s3.objects
    assert other.store.entries() == []
    one.fetch()
    one.send(record)
    other.fetch()
    fetched = other.bucket.fetch(other.store, record.partition("-")[2])
    assert fetched is not None
    assert verify(open_archive(fetched)).findings == ()


def test_what_was_begun_and_left_an_hour_ago_is_given_up(places: list[Place], s3: ListedBucket) -> None:
    one, other, third = places
    one.fetch()
    record = one.store.write(manifest(1), evidence(1), {"files/a.log": b"one", "files/b.log": b"one"}).name
    s3.refuses = "files/b.log"
    with pytest.raises(ConnectionResetError):
        one.send(record)
    s3.refuses = ""
    s3.pass_seconds(3601)
    other.fetch()
    other.store.write(manifest(1), others(1), {"files/a.log": b"other"})
    other.send(record)
    third.fetch()
    fetched = third.bucket.fetch(third.store, record.partition("-")[2])
    assert fetched is not None
    assert verify(open_archive(fetched)).findings == ()
    one.fetch()
    assert one.store.entries() == third.store.entries(), "who had left takes the other's"


def test_late_evidence_of_two_is_added_once_and_neither_is_stuck(places: list[Place]) -> None:
    one, other, _ = places
    one.fetch()
    record = one.write(1)
    one.send(record)
    other.fetch()
    other.bucket.fetch(other.store, record.partition("-")[2])
    for place, name in ((one, "alarm:a"), (other, "alarm:b")):
        late = [Evidence("alarm", name, "cloudwatch:x")]
        place.store.append(record, manifest(1), late, {})
    one.send(record)
    with pytest.raises(Overtaken):
        other.send(record)
    other.fetch()
    assert other.bucket.fetch(other.store, record.partition("-")[2]) is not None
    for place in (one, other):
        assert verify_all(place.store.folders(), place.store.entries()[-1].link)[1] == []


def test_what_others_added_is_taken_before_more_is_added(places: list[Place]) -> None:
    one, other, third = places
    one.fetch()
    record = one.write(1)
    one.send(record)
    other.fetch()
    other.bucket.fetch(other.store, record.partition("-")[2])
    for place, name in ((one, "alarm:a"), (other, "alarm:b")):
        place.fetch()
        place.bucket.catch_up(place.store, record)
        place.store.append(record, manifest(1), [Evidence("alarm", name, "cloudwatch:x")], {})
        place.send(record)
    third.fetch()
    fetched = third.bucket.fetch(third.store, record.partition("-")[2])
    assert fetched is not None
    archive = open_archive(fetched)
    assert [one.id for one in archive.of("alarm")] == ["alarm:a", "alarm:b"]
    for place in (other, third):
        assert verify_all(place.store.folders(), place.store.entries()[-1].link)[1] == []


def test_nothing_is_added_while_anothers_addition_is_on_its_way(
    places: list[Place], s3: ListedBucket
) -> None:
    one, other, _ = places
    one.fetch()
    record = one.write(1)
    one.send(record)
    other.fetch()
    other.bucket.fetch(other.store, record.partition("-")[2])
    one.store.append(record, manifest(1), [Evidence("alarm", "alarm:a", "cloudwatch:x")], {})
    s3.refuses = "manifest-1.json"
    with pytest.raises(ConnectionResetError):
        one.send(record)
    other.fetch()
    with pytest.raises(RecordError, match="adding to it just now"):
        other.bucket.catch_up(other.store, record)


def test_a_story_that_others_know_and_that_was_altered_is_still_refused(places: list[Place]) -> None:
    one, other, _ = places
    one.fetch()
    other.fetch()
    one.send(one.write(1))
    one.send(one.write(2))
    other.write(3)
    with pytest.raises(RecordError, match="another story"):
        other.fetch()


def test_a_manifest_that_did_not_arrive_is_sent_by_the_next_recording(
    places: list[Place], s3: ListedBucket
) -> None:
    one, other, _ = places
    one.fetch()
    record = one.write(1)
    s3.refuses = "manifest.json"
    with pytest.raises(ConnectionResetError):
        one.send(record)
    s3.refuses = ""
    one.fetch()
    assert one.bucket.behind == {record}
    one.send(record)
    one.fetch()
    assert one.bucket.behind == set()
    other.fetch()
    other.bucket.download(f"gbg/{record}/", other.store.folder / record)
    assert verify_all(other.store.folders(), other.store.entries()[-1].link)[1] == []
