"""Records in a bucket that several recorders write to: no entry is lost, and the chain stays one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from gbg_lib.aws import Aws
from gbg_lib.record.bucket import Bucket
from gbg_lib.record.format import Evidence, RecordError
from gbg_lib.record.store import Store
from gbg_lib.record.verify import verify_all
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


def test_the_same_release_is_recorded_by_one_of_two(places: list[Place]) -> None:
    one, other, _ = places
    one.fetch()
    other.fetch()
    one.send(one.write(1))
    record = other.store.write(
        manifest(1), evidence(1, Evidence("alarm", "alarm:a", "cloudwatch:x")), {}
    ).name
    with pytest.raises(RecordError, match="same release"):
        other.send(record)


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
