"""Who did something, from CloudTrail's last 90 days. On AWS an event arrives there some minutes late."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from itertools import islice

from gbg_lib.aws import Aws
from gbg_lib.errors import AccessRefused

MOST = 200
SERVICE = "/AWSServiceRoleFor"
"""in the ARN of what AWS does by itself in the account's name"""


@dataclass(frozen=True)
class Call:
    by: str
    """the caller's ARN, or a service"""
    at: datetime
    of_service: bool = False
    """whether AWS did it by itself"""


def who_called(aws: Aws, operation: str, value: str) -> str:
    """The newest caller of an operation with `value` among its parameters, or why it can't be told."""
    try:
        newest = next(_calls(aws, operation, value), None)
    except AccessRefused:
        return "somebody: CloudTrail may not be read with these rights"
    return newest.by if newest else "somebody whom CloudTrail does not tell yet"


def first_call(aws: Aws, operation: str, value: str) -> Call | None:
    """The oldest one, as later ones may only have found it done; None where none is told.

    On AWS they are told to the second: of one second, a service's is not the first.
    """
    try:
        found = list(_calls(aws, operation, value))
    except AccessRefused:
        return None
    return min(reversed(found), key=lambda call: (call.at, call.of_service), default=None)


def _calls(aws: Aws, operation: str, value: str) -> Iterator[Call]:
    events = aws.pages(
        "cloudtrail",
        "lookup_events",
        "Events",
        LookupAttributes=[{"AttributeKey": "EventName", "AttributeValue": operation}],
    )
    for event in islice(events, MOST):
        told = json.loads(event["CloudTrailEvent"])
        if value in json.dumps(told.get("requestParameters")) and "errorCode" not in told:
            yield _call(told["userIdentity"], event["EventTime"])


def _call(identity: Mapping[str, str], at: datetime) -> Call:
    """https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-event-reference-user-identity.html"""
    arn = identity.get("arn", "somebody")
    if identity.get("type") == "AWSService" or SERVICE in arn:
        return Call(f"AWS itself ({identity.get('invokedBy', arn)})", at, of_service=True)
    return Call(arn, at)
