"""A bucket whose objects are written on a condition, with a clock that a test turns."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

from tests.unit.aws_fakes import refusal


class FakeBucket:
    def __init__(self) -> None:
        self.objects: dict[str, tuple[bytes, datetime]] = {}
        self.now = datetime(2026, 1, 1, tzinfo=UTC)
        self.there = True
        self.lose_answer = False
        """whether the next write is done and its answer lost"""
        self.forbidden = False
        """whether a write is refused for the lack of a right"""
        self.unreadable = False
        """whether S3 has no time for readers"""
        self.reads = 0
        self.after_read: Callable[[], object] = lambda: None
        """what happens once, between the next read and its reader's next request"""
        self.before_answer: Callable[[], object] = lambda: None
        """what happens at each write that is done, before its answer is there"""

    def pass_seconds(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)

    def put_object(self, Bucket: str, Key: str, Body: bytes, **condition: str) -> dict[str, Any]:  # noqa: N803
        if not self.there:
            raise refusal("NoSuchBucket", "The specified bucket does not exist")
        if self.forbidden:
            raise refusal("AccessDenied", "Access Denied")
        held = self.objects.get(Key)
        if condition.get("IfNoneMatch") == "*" and held is not None:
            raise refusal("PreconditionFailed", "At least one of the pre-conditions did not hold")
        if "IfMatch" in condition and held is None:
            raise refusal("NoSuchKey", "The specified key does not exist.")
        if "IfMatch" in condition and held is not None and _etag(held[0]) != condition["IfMatch"]:
            raise refusal("PreconditionFailed", "At least one of the pre-conditions did not hold")
        self.objects[Key] = (Body, self.now)
        self.before_answer()
        if self.lose_answer:
            self.lose_answer = False
            raise refusal("PreconditionFailed", "the second try of a write whose answer was lost")
        return {"ETag": _etag(Body)}

    def get_object(self, Bucket: str, Key: str) -> dict[str, Any]:  # noqa: N803
        self.reads += 1
        if not self.there:
            raise refusal("NoSuchBucket", "The specified bucket does not exist")
        if self.unreadable:
            raise refusal("SlowDown", "Please reduce your request rate.")
        if Key not in self.objects:
            raise refusal("NoSuchKey", "The specified key does not exist.")
        body, written = self.objects[Key]
        happens, self.after_read = self.after_read, lambda: None
        happens()
        headers = {"date": format_datetime(self.now, usegmt=True)}
        return {
            "Body": io.BytesIO(body),
            "ETag": _etag(body),
            "LastModified": written,
            "ResponseMetadata": {"HTTPHeaders": headers},
        }


def _etag(body: bytes) -> str:
    return f'"{hashlib.md5(body).hexdigest()}"'
