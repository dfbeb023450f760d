"""Who did something, from CloudTrail's last 90 days."""

from __future__ import annotations

import json
from itertools import islice

from gbg_lib.aws import Aws
from gbg_lib.errors import AccessRefused

MOST = 200


def who_called(aws: Aws, operation: str, parameter: str, value: str) -> str:
    """The caller's ARN, newest call first, or why it can't be told: events come minutes late on AWS."""
    events = aws.pages(
        "cloudtrail",
        "lookup_events",
        "Events",
        LookupAttributes=[{"AttributeKey": "EventName", "AttributeValue": operation}],
    )
    try:
        for event in islice(events, MOST):
            told = json.loads(event["CloudTrailEvent"])
            if (told.get("requestParameters") or {}).get(parameter) == value and "errorCode" not in told:
                return str(told["userIdentity"].get("arn", event.get("Username", "somebody")))
    except AccessRefused:
        return "somebody: CloudTrail may not be read with these rights"
    return "somebody whom CloudTrail does not tell yet"
