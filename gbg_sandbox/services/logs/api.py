"""CloudWatch Logs: moto keeps groups, streams and events as they are.

A group's retention is kept and told; nothing expires, as no sandbox lives a day. Metric filters,
subscriptions and Insights queries are not there.
"""

from __future__ import annotations

import re
from typing import Any

from gbg_sandbox.service import AwsError, Call, Service, runs

TERMS = re.compile(r'\s*(?:\w+(?:\s+\w+)*|"[^"]*")?\s*')
"""filter patterns that moto searches: words that must all be there, or one phrase"""


class Logs(Service):
    name = "logs"
    forwards = frozenset(
        {
            *("CreateLogGroup", "DeleteLogGroup", "DescribeLogGroups"),
            *("PutRetentionPolicy", "DeleteRetentionPolicy"),
            *("CreateLogStream", "DeleteLogStream", "DescribeLogStreams"),
            *("PutLogEvents", "GetLogEvents"),
            *("TagResource", "UntagResource", "ListTagsForResource"),
            *("TagLogGroup", "UntagLogGroup", "ListTagsLogGroup"),
            *("PutResourcePolicy", "DescribeResourcePolicies", "DeleteResourcePolicy"),
        }
    )

    @runs
    def filter_log_events(self, call: Call, params: dict[str, Any]) -> dict[str, Any]:
        """https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_FilterLogEvents.html"""
        asked = dict(params)
        pattern = asked.get("filterPattern", "")
        if not TERMS.fullmatch(pattern):
            raise AwsError(
                "InvalidParameterException",
                f"gbg_sandbox does not run the filter pattern {pattern!r}; "
                "it knows words, or one phrase in quotes",
            )
        identifier = asked.pop("logGroupIdentifier", "")
        asked.setdefault("logGroupName", identifier.rpartition(":log-group:")[2].removesuffix(":*"))
        prefix = asked.pop("logStreamNamePrefix", None)
        if prefix is not None and asked.get("logStreamNames"):
            raise AwsError(
                "InvalidParameterException",
                "LogStreamNamePrefix and LogStreamNames are mutually exclusive parameters.",
            )
        if prefix is not None:
            asked["logStreamNames"] = self._streams(asked["logGroupName"], prefix)
            if not asked["logStreamNames"]:
                return {"events": [], "searchedLogStreams": []}
        found = self._stored("filter_log_events", **{**asked, "interleaved": True})
        return {key: value for key, value in found.items() if value is not None}

    def _streams(self, group: str, prefix: str) -> list[str]:
        names: list[str] = []
        more: dict[str, Any] = {}
        while True:
            page = self._stored(
                "describe_log_streams", logGroupName=group, logStreamNamePrefix=prefix, **more
            )
            names += [stream["logStreamName"] for stream in page["logStreams"]]
            if not page.get("nextToken"):
                return names
            more = {"nextToken": page["nextToken"]}


SERVICE = Logs
