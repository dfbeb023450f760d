"""CloudTrail's event history: every management call that changed something, newest first.

https://docs.aws.amazon.com/awscloudtrail/latest/APIReference/API_LookupEvents.html
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from gbg_sandbox.gateway.trail import ApiCall
from gbg_sandbox.service import AwsError, Call, Service, runs

DATA_EVENTS = frozenset(
    {"s3:PutObject", "s3:DeleteObject", "s3:CopyObject", "s3:UploadPart", "lambda:Invoke"}
)
PAGE = 50
RUN_CODE = frozenset({"codebuild.amazonaws.com", "ec2.amazonaws.com", "lambda.amazonaws.com"})
"""they give their sessions to programs, which call for themselves"""
FIRST = datetime.min.replace(tzinfo=UTC)
LONGEST_CALL = timedelta(minutes=5)
"""a call is dated by its beginning and written down at its end"""


class CloudTrail(Service):
    name = "cloudtrail"

    @runs
    def lookup_events(self, call: Call, params: dict[str, Any]) -> dict[str, Any]:
        attributes = params.get("LookupAttributes", [])
        if len(attributes) > 1:
            raise AwsError("InvalidLookupAttributesException", "one lookup attribute a call, as on AWS")
        start = params.get("StartTime", FIRST)
        end = params.get("EndTime", datetime.max.replace(tzinfo=UTC))
        wanted = [(one["AttributeKey"], one["AttributeValue"]) for one in attributes]
        size = params.get("MaxResults", PAGE)
        page: dict[str, Any] = {"Events": []}
        for number, made in self.cloud.trail.before(_number(params.get("NextToken", ""))):
            if made.time + LONGEST_CALL < start:
                break
            if (
                start <= made.time <= end
                and _management(made)
                and all(_matches(made, *one) for one in wanted)
            ):
                if len(page["Events"]) == size:
                    page["NextToken"] = str(number + 1)
                    break
                page["Events"].append(self._event(made))
        return page

    def _event(self, call: ApiCall) -> dict[str, Any]:
        told = {name: tell(call) for name, tell in LOOKED_UP_BY.items()}
        record = {
            "eventVersion": "1.11",
            "eventID": call.request_id,
            "eventTime": call.time.strftime("%Y-%m-%dT%H:%M:%SZ"),
            "eventSource": told["EventSource"],
            "eventName": call.operation,
            "awsRegion": self.cloud.region,
            "sourceIPAddress": call.principal.service or call.source_address,
            "userAgent": call.user_agent,
            "requestID": call.request_id,
            "readOnly": call.reads,
            "eventCategory": "Management",
            "userIdentity": _identity(call),
            "requestParameters": json.loads(json.dumps(call.params, default=str)),
            **({"errorCode": call.error_code} if call.error_code else {}),
            **({"errorMessage": call.error_message} if call.error_message else {}),
        }
        return {
            **told,
            "EventTime": call.time,
            "Resources": [{"ResourceName": value} for value in _resources(call)],
            "CloudTrailEvent": json.dumps(record),
        }


def _management(call: ApiCall) -> bool:
    """Data events go to trails only; the event history has none."""
    return f"{call.service}:{call.operation}" not in DATA_EVENTS


def _identity(call: ApiCall) -> dict[str, str]:
    """https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-event-reference-user-identity.html"""
    who = call.principal
    kinds = {"user": "IAMUser", "role": "AssumedRole", "root": "Root"}
    kind = kinds.get(who.kind, "AssumedRole" if who.session_name else "AWSService")
    by_service = who.service and who.service not in RUN_CODE
    return {"type": kind, "arn": who.arn, **({"invokedBy": who.service} if by_service else {})}


LOOKED_UP_BY: Mapping[str, Callable[[ApiCall], str]] = {
    "EventId": lambda call: call.request_id,
    "EventName": lambda call: call.operation,
    "EventSource": lambda call: f"{call.service}.amazonaws.com",
    "ReadOnly": lambda call: str(call.reads).lower(),
    "Username": lambda call: call.principal.session_name or call.principal.user_name or "root",
}
"""beside the names of its resources"""


def _resources(call: ApiCall) -> list[str]:
    return [value for value in call.params.values() if isinstance(value, str) and value]


def _matches(call: ApiCall, key: str, value: str) -> bool:
    if key == "ResourceName":
        return value in _resources(call)
    if key in ("ResourceType", "AccessKeyId"):
        raise AwsError("InvalidLookupAttributesException", f"gbg_sandbox does not look events up by {key}")
    return LOOKED_UP_BY[key](call) == value


def _number(token: str) -> int | None:
    """Of the first call that a page does not look at any more; None for all."""
    if token and not token.isdigit():
        raise AwsError("InvalidNextTokenException", "Invalid NextToken")
    return int(token) if token else None


SERVICE = CloudTrail
