"""The end of a log in CloudWatch Logs."""

from __future__ import annotations

from datetime import datetime

from gbg_lib.aws import Aws
from gbg_lib.errors import NotThere


def log_lines(aws: Aws, group: str, *, stream: str = "", since: datetime | None = None) -> list[str]:
    """Every line of the streams whose names begin with `stream`, oldest first; none where there is no log."""
    asked = {
        **({"logStreamNamePrefix": stream} if stream else {}),
        **({"startTime": int(since.timestamp() * 1000)} if since else {}),
    }
    try:
        found = list(aws.pages("logs", "filter_log_events", "events", logGroupName=group, **asked))
    except NotThere:
        return []
    return [line for event in found for line in str(event["message"]).splitlines() if line.strip()]
