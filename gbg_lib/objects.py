"""Objects in S3, as those need them who agree through a bucket."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any

from gbg_lib.replay import clock


def age(found: Mapping[str, Any]) -> timedelta:
    """Since it was written, by the clock of S3; `found` is get_object's answer."""
    dated = found["ResponseMetadata"].get("HTTPHeaders", {}).get("date")
    now = parsedate_to_datetime(dated) if dated else clock.now()
    written: datetime = found["LastModified"]
    return now - written
