"""Who did something, from CloudTrail's last 90 days. On AWS an event arrives there some minutes late."""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import islice

from gbg_lib.aws import Aws
from gbg_lib.errors import AccessRefused

MOST = 200
UNKNOWN = "somebody whom CloudTrail does not tell yet"


def who_called(aws: Aws, operation: str, value: str) -> str:
    """The newest caller of an operation with `value` among its parameters, or why it can't be told."""
    try:
        return next(_callers(aws, operation, value), UNKNOWN)
    except AccessRefused:
        return "somebody: CloudTrail may not be read with these rights"


def first_caller(aws: Aws, operation: str, value: str) -> str:
    """The oldest one, as the later ones may only have found the thing done; empty when it can't be told."""
    try:
        found = list(_callers(aws, operation, value))
    except AccessRefused:
        return ""
    return found[-1] if found else ""


def _callers(aws: Aws, operation: str, value: str) -> Iterator[str]:
    events = aws.pages(
        "cloudtrail",
        "lookup_events",
        "Events",
        LookupAttributes=[{"AttributeKey": "EventName", "AttributeValue": operation}],
    )
    for event in islice(events, MOST):
        told = json.loads(event["CloudTrailEvent"])
        if value in json.dumps(told.get("requestParameters")) and "errorCode" not in told:
            yield str(told["userIdentity"].get("arn", event.get("Username", "somebody")))
