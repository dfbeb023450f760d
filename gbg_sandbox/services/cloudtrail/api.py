"""CloudTrail's event history: every management call that changed something, newest first.

https://docs.aws.amazon.com/awscloudtrail/latest/APIReference/API_LookupEvents.html
"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

from gbg_sandbox.gateway.trail import ApiCall
from gbg_sandbox.service import AwsError, Call, Service, runs

READS = ("Describe", "Get", "List", "BatchGet", "Head", "Lookup", "Poll", "Filter")
DATA_EVENTS = frozenset(
    {"s3:PutObject", "s3:DeleteObject", "s3:CopyObject", "s3:UploadPart", "lambda:Invoke"}
)
PAGE = 50


class CloudTrail(Service):
    name = "cloudtrail"

    @runs
    def lookup_events(self, call: Call, params: dict[str, Any]) -> dict[str, Any]:
        attributes = params.get("LookupAttributes", [])
        if len(attributes) > 1:
            raise AwsError("InvalidLookupAttributesException", "one lookup attribute a call, as on AWS")
        start = params.get("StartTime", datetime.min.replace(tzinfo=UTC))
        end = params.get("EndTime", datetime.max.replace(tzinfo=UTC))
        found = [
            event
            for event in map(self._event, filter(_management, reversed(self.cloud.trail.calls())))
            if start <= event["EventTime"] <= end and all(_matches(event, wanted) for wanted in attributes)
        ]
        first = _offset(params.get("NextToken", "0"))
        size = params.get("MaxResults", PAGE)
        page: dict[str, Any] = {"Events": found[first : first + size]}
        if first + size < len(found):
            page["NextToken"] = str(first + size)
        return page

    def _event(self, call: ApiCall) -> dict[str, Any]:
        read_only = call.operation.startswith(READS)
        name = call.principal.session_name or call.principal.user_name or "root"
        source = f"{call.service}.amazonaws.com"
        record = {
            "eventVersion": "1.11",
            "eventID": call.request_id,
            "eventTime": call.time.strftime("%Y-%m-%dT%H:%M:%SZ"),
            "eventSource": source,
            "eventName": call.operation,
            "awsRegion": self.cloud.region,
            "sourceIPAddress": call.principal.service or call.source_address,
            "userAgent": call.user_agent,
            "requestID": call.request_id,
            "readOnly": read_only,
            "eventCategory": "Management",
            "userIdentity": {"type": _identity_type(call), "arn": call.principal.arn},
            "requestParameters": json.loads(json.dumps(call.params, default=str)),
            **({"errorCode": call.error_code} if call.error_code else {}),
            **({"errorMessage": call.error_message} if call.error_message else {}),
        }
        return {
            "EventId": call.request_id,
            "EventName": call.operation,
            "EventTime": call.time,
            "EventSource": source,
            "ReadOnly": str(read_only).lower(),
            "Username": name,
            "Resources": [
                {"ResourceName": value} for value in call.params.values() if isinstance(value, str) and value
            ],
            "CloudTrailEvent": json.dumps(record),
        }


def _management(call: ApiCall) -> bool:
    """Data events go to trails only; the event history has none."""
    return f"{call.service}:{call.operation}" not in DATA_EVENTS


def _identity_type(call: ApiCall) -> str:
    return {"user": "IAMUser", "role": "AssumedRole", "root": "Root"}.get(call.principal.kind, "AWSService")


def _matches(event: dict[str, Any], wanted: dict[str, Any]) -> bool:
    key, value = wanted["AttributeKey"], wanted["AttributeValue"]
    if key == "ResourceName":
        return any(resource["ResourceName"] == value for resource in event["Resources"])
    if key in ("ResourceType", "AccessKeyId"):
        raise AwsError("InvalidLookupAttributesException", f"gbg_sandbox does not look events up by {key}")
    return bool(event[key] == value)


def _offset(token: str) -> int:
    if not token.isdigit():
        raise AwsError("InvalidNextTokenException", "Invalid NextToken")
    return int(token)


SERVICE = CloudTrail
