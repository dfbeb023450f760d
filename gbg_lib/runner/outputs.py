"""A run's folder goes to S3 whole, its result last: who finds a result there finds everything else too."""

from __future__ import annotations

import mimetypes
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from gbg_lib.errors import MisuseError

if TYPE_CHECKING:
    from gbg_lib.aws import Aws

SCHEME = "s3://"
BUCKET = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")
RESULT = "result.json"
TYPES = {".ipynb": "application/x-ipynb+json", ".json": "application/json", ".log": "text/plain"}
UNKNOWN_TYPE = "application/octet-stream"


@dataclass(frozen=True)
class Bucket:
    name: str
    prefix: str
    """without slashes at its ends; may be empty"""

    def key(self, *parts: str) -> str:
        return "/".join(part for part in (self.prefix, *parts) if part)

    def below(self, folder: str) -> Bucket:
        return Bucket(self.name, self.key(folder))

    def address(self, *parts: str) -> str:
        return f"{SCHEME}{self.name}/{self.key(*parts)}"


def is_bucket(word: str) -> bool:
    return word.startswith(SCHEME)


def parse(word: str) -> Bucket:
    """`s3://bucket/some/prefix`. Raises MisuseError."""
    name, _, prefix = word.removeprefix(SCHEME).partition("/")
    if not is_bucket(word) or not BUCKET.fullmatch(name):
        raise MisuseError("--to", f"{word!r} is no place in S3", "write s3://bucket/prefix")
    return Bucket(name, prefix.strip("/"))


def upload(aws: Aws, folder: Path, bucket: Bucket) -> str:
    """The address of the run there. Raises AwsError, AccessRefused, NotThere."""
    for path in _files(folder):
        aws.call(
            "s3",
            "put_object",
            Bucket=bucket.name,
            Key=bucket.key(folder.name, path.relative_to(folder).as_posix()),
            Body=path.read_bytes(),
            ContentType=_type(path),
        )
    return bucket.address(folder.name) + "/"


def _files(folder: Path) -> Iterator[Path]:
    """Each file, the result last."""
    found = sorted(path for path in folder.rglob("*") if path.is_file())
    yield from (path for path in found if path != folder / RESULT)
    if (folder / RESULT).is_file():
        yield folder / RESULT


def _type(path: Path) -> str:
    return TYPES.get(path.suffix) or mimetypes.guess_type(path.name)[0] or UNKNOWN_TYPE
