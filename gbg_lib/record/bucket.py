"""Records in S3: the same files under the same names, and the index beside them.

    s3://<bucket>/<deployment>/index.jsonl
    s3://<bucket>/<deployment>/<record>/…

The bucket keeps versions, so that not even the index is ever lost. A file of a record is put only where there
is none yet (`If-None-Match`), the index only over the one that was read (`If-Match`): of two recorders the
slower one links its manifest behind the other's. So a manifest is put last, when its place is sure. https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-writes.html
"""

from __future__ import annotations

import base64
import hashlib
import re
import shutil
from collections.abc import Container, Set
from datetime import timedelta
from pathlib import Path

from gbg_lib.aws import Aws
from gbg_lib.errors import AwsError, MisuseError, NotThere
from gbg_lib.objects import FASTER, GONE, age, code_of
from gbg_lib.record.archive import known_name, open_archive
from gbg_lib.record.format import MOST_FILE_BYTES, MOST_FILES, RECORD_NAME, Overtaken, RecordError
from gbg_lib.record.store import INDEX, PARTIAL, Entry, Store, read_index, shared_links, write_whole

ADDRESS = re.compile(r"s3://([a-z0-9.-]{3,63})/(.+?)/?")
LEFT = timedelta(hours=1)
"""after which a record that was begun and not entered into the chain is nobody's any more"""
TRIES = 8
"""to enter something into an index that others write, too"""


class Bucket:
    """`name` is empty where a deployment has no bucket: then nothing is sent or fetched."""

    def __init__(self, aws: Aws, name: str, deployment: str) -> None:
        self.aws = aws
        self.name = name
        self.deployment = deployment
        self.behind: set[str] = set()
        """records of which the bucket or its index lacks something"""
        self._etag = ""
        """of the index that was read; empty where there is none"""

    def address(self, record: Path) -> str:
        return f"s3://{self.name}/{self.deployment}/{record.name}" if self.name else ""

    def fetch_index(self, store: Store) -> None:
        """Take the bucket's index where others recorded since. Raises RecordError where the two part."""
        if not self.name:
            return
        content = self._read_index()
        there, here = self._entries(content), store.entries()
        shared = min(len(there), len(here))
        if (common := shared_links(there, here)) < shared:
            if {entry.link.record for entry in here[common:]} - store.unsent:
                raise RecordError(
                    f"s3://{self.name}/{self._index}",
                    f"it tells another story than {store.index}",
                    "`gbg record verify` tells which is whole; move the other one away",
                )
            store.follow(there)  # what nobody else ever had
            here, shared = store.entries(), len(there)
        self.behind = {entry.link.record for entry in here[shared:]} | store.unsent
        if len(there) > len(here):
            store.replace_index(content)

    def send(self, store: Store, record: str) -> str:
        """What the bucket lacks of a record, then the index; the record's address.

        Raises Overtaken where another recorder sends or has sent the same; then ours is set aside.
        """
        if not self.name:
            return ""
        prefix = f"{self.deployment}/{record}/"
        there = {name for name, _ in self._listed(prefix)}
        archive = open_archive(store.folder / record)
        manifests = {
            name: one
            for name, one in zip(archive.manifest_names, archive.manifests, strict=True)
            if name not in there
        }
        mine = {name for one in manifests.values() for name in one.files}
        store.note_unsent(record, unsent=True)
        try:
            for name in sorted((archive.names - there - manifests.keys()) | mine):
                self._put_once(record, name, archive.read(name), manifests)
        except Overtaken:
            store.follow(self._entries(self._read_index()), {record})
            raise
        if record in self._enter(store):
            raise _overtaken(store.folder / record)
        for name in manifests:
            self._put_once(record, name, (store.folder / record / name).read_bytes(), manifests)
        store.note_unsent(record, unsent=False)
        return f"s3://{self.name}/{self.deployment}/{record}"

    @property
    def _index(self) -> str:
        return f"{self.deployment}/{INDEX}"

    def _read_index(self) -> bytes:
        """Empty where there is none; its version is kept for the condition of the next write."""
        try:
            found = self.aws.call("s3", "get_object", Bucket=self.name, Key=self._index)
        except NotThere:
            self._etag = ""
            return b""
        self._etag = str(found["ETag"])
        content: bytes = found["Body"].read()
        return content

    def _entries(self, content: bytes) -> list[Entry]:
        return list(read_index(content, f"s3://{self.name}/{self._index}"))

    def _enter(self, store: Store) -> Set[str]:
        """The store's index, behind what others entered since it was read; records that gave way to theirs.

        Raises RecordError.
        """
        aside: Set[str] = frozenset()
        for _ in range(TRIES):
            condition = {"IfMatch": self._etag} if self._etag else {"IfNoneMatch": "*"}
            try:
                self._etag = self._put(self._index, store.index.read_bytes(), **condition)
                return aside
            except (AwsError, NotThere) as error:
                if code_of(error) not in FASTER | {GONE}:
                    raise
            aside |= store.follow(self._entries(self._read_index()))
        raise RecordError(
            f"s3://{self.name}/{self._index}", f"others were faster {TRIES} times", "record again in a minute"
        )

    def fetch(self, store: Store, execution_id: str) -> Path | None:
        """A record that someone else wrote, brought into the store; None where the index tells of none.

        None, too, where it is entered and not all of it is there yet.
        """
        links = [one.link for one in store.entries() if one.link.record.partition("-")[2] == execution_id]
        if not links or not self.name:
            return None
        prefix = f"{self.deployment}/{links[0].record}/"
        if not {link.manifest for link in links} <= {name for name, _ in self._listed(prefix)}:
            return None
        return self.download(prefix, store.folder / links[0].record)

    def catch_up(self, store: Store, record: str) -> None:
        """What others have added to a record that is here. Raises RecordError where it isn't there yet."""
        folder = store.folder / record
        entered = {one.link.manifest for one in store.entries() if one.link.record == record}
        if not self.name or all((folder / name).is_file() for name in entered):
            return
        prefix = f"{self.deployment}/{record}/"
        listed = [name for name, size in self._listed(prefix) if size <= MOST_FILE_BYTES]
        if not entered <= set(listed):
            raise RecordError(
                str(folder), "another recorder is adding to it just now", "record again in a minute"
            )
        lacking = [name for name in listed if known_name(name) and not (folder / name).exists()]
        for name in sorted(lacking, key=lambda name: (name.startswith("manifest"), name)):
            found = self.aws.call("s3", "get_object", Bucket=self.name, Key=prefix + name)
            write_whole(folder / name, found["Body"].read())

    def download(self, prefix: str, target: Path) -> Path:
        """A record's files. Raises NotThere, RecordError."""
        if target.exists():
            raise RecordError(str(target), "it is here already, and another one there", "move it away")
        listed = list(self._listed(prefix))
        if not listed:
            raise NotThere(
                f"s3://{self.name}/{prefix}", "there is no record", "`aws s3 ls` shows what there is"
            )
        if len(listed) > MOST_FILES or any(size > MOST_FILE_BYTES for _, size in listed):
            raise RecordError(f"s3://{self.name}/{prefix}", "it is larger than any record", "don't trust it")
        partial = target.with_name(f"{PARTIAL}{target.name}")
        shutil.rmtree(partial, ignore_errors=True)
        for name, _ in listed:
            if not known_name(name):
                raise RecordError(f"s3://{self.name}/{prefix}", f"it has a file {name!r}", "it is no record")
            path = partial / name
            path.parent.mkdir(parents=True, exist_ok=True)
            body = self.aws.call("s3", "get_object", Bucket=self.name, Key=prefix + name)["Body"]
            path.write_bytes(body.read())
        partial.rename(target)
        return target

    def _listed(self, prefix: str) -> list[tuple[str, int]]:
        """Names below a prefix, with their sizes."""
        found = self.aws.pages("s3", "list_objects_v2", "Contents", Bucket=self.name, Prefix=prefix)
        return [(item["Key"].removeprefix(prefix), int(item["Size"])) for item in found]

    def _put_once(self, record: str, name: str, content: bytes, manifests: Container[str]) -> None:
        """Raises Overtaken where another recorder put something else, and is at it or has entered it.

        What was begun an hour ago, and not entered, is left: ours is put over it. The bucket keeps versions.
        """
        key = f"{self.deployment}/{record}/{name}"
        try:
            self._put(key, content, IfNoneMatch="*")
        except AwsError as error:
            if code_of(error) not in FASTER:
                raise
            found = self.aws.call("s3", "get_object", Bucket=self.name, Key=key)
            there: bytes = found["Body"].read()
            if there == content:
                return
            links = [one.link for one in self._entries(self._read_index())]
            entered = any(one.record == record and one.manifest in manifests for one in links)
            if entered or age(found) < LEFT:
                raise _overtaken(Path(record)) from error
            self._put(key, content, IfMatch=str(found["ETag"]))

    def _put(self, key: str, content: bytes, **more: str) -> str:
        """With the hash that S3 checks on arrival; the new version's tag."""
        digest = base64.b64encode(hashlib.sha256(content).digest()).decode()
        answer = self.aws.call(
            "s3", "put_object", Bucket=self.name, Key=key, Body=content, ChecksumSHA256=digest, **more
        )
        return str(answer["ETag"])


def _overtaken(record: Path) -> Overtaken:
    return Overtaken(
        str(record),
        "another recorder has recorded the same release meanwhile",
        "record again in a minute: the other one is fetched then",
    )


def parse_address(address: str) -> tuple[str, str, str]:
    """`s3://bucket/deployment/record` in its three parts. Raises MisuseError."""
    found = ADDRESS.fullmatch(address)
    deployment, _, record = found[2].rpartition("/") if found else ("", "", "")
    if not found or not deployment or not RECORD_NAME.fullmatch(record):
        raise MisuseError(
            "record", f"{address} is no record's address", "s3://<bucket>/<deployment>/<record>"
        )
    return found[1], deployment, record
