"""CloudWatch Logs: moto keeps groups, streams and events as they are.

A group's retention is kept and told; nothing expires, as no sandbox lives a day. Metric filters,
subscriptions and Insights queries are not there.
"""

from __future__ import annotations

from gbg_sandbox.service import Service


class Logs(Service):
    name = "logs"
    forwards = frozenset(
        {
            *("CreateLogGroup", "DeleteLogGroup", "DescribeLogGroups"),
            *("PutRetentionPolicy", "DeleteRetentionPolicy"),
            *("CreateLogStream", "DeleteLogStream", "DescribeLogStreams"),
            *("PutLogEvents", "GetLogEvents", "FilterLogEvents"),
            *("TagResource", "UntagResource", "ListTagsForResource"),
            *("TagLogGroup", "UntagLogGroup", "ListTagsLogGroup"),
            *("PutResourcePolicy", "DescribeResourcePolicies", "DeleteResourcePolicy"),
        }
    )


SERVICE = Logs
