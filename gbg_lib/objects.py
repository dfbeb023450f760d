"""Objects in S3, as those need them who agree through a bucket."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any

from botocore.exceptions import ClientError

from gbg_lib.replay import clock

FASTER = frozenset({"PreconditionFailed", "ConditionalRequestConflict"})
"""how S3 refuses a write on a condition when somebody else has written meanwhile"""
GONE = "NoSuchKey"
"""how it refuses one over a version when there is no object any more"""


def age(found: Mapping[str, Any]) -> timedelta:
    """Since it was written, by the clock of S3; `found` is get_object's answer."""
    dated = found["ResponseMetadata"].get("HTTPHeaders", {}).get("date")
    now = parsedate_to_datetime(dated) if dated else clock.now()
    written: datetime = found["LastModified"]
    return now - written


def code_of(error: BaseException) -> str:
    """AWS's error code behind one of our errors; empty where there is none."""
    cause = error.__cause__
    return str(cause.response["Error"]["Code"]) if isinstance(cause, ClientError) else ""
