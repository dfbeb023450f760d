"""Keeps a command's output in CloudWatch Logs or a bucket, with the instance's own rights.

https://docs.aws.amazon.com/systems-manager/latest/userguide/sysman-rc-setting-up-cwlogs.html
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

PLUGIN = "aws-runShellScript"
BATCH_EVENTS = 1000
BATCH_BYTES = 900_000
EVENT_OVERHEAD = 26


def keep_in_logs(aws: Any, instance_id: str, payload: Mapping[str, Any], streams: Mapping[str, str]) -> None:
    config = payload.get("CloudWatchOutputConfig") or {}
    if not config.get("CloudWatchOutputEnabled"):
        return
    group = config.get("CloudWatchLogGroupName") or f"/aws/ssm/{payload['DocumentName']}"
    for name, text in streams.items():
        if text:
            stream = f"{payload['CommandId']}/{instance_id}/{PLUGIN}/{name}"
            _make_stream(aws, group, stream)
            _put(aws, group, stream, text)


def _make_stream(aws: Any, group: str, stream: str) -> None:
    request = {"logGroupName": group, "logStreamName": stream}
    try:
        aws.call("logs", "Logs_20140328.CreateLogStream", request)
    except aws.ServiceError as error:
        if error.code != "ResourceNotFoundException":
            raise
        aws.call("logs", "Logs_20140328.CreateLogGroup", {"logGroupName": group})
        aws.call("logs", "Logs_20140328.CreateLogStream", request)


def _put(aws: Any, group: str, stream: str, text: str) -> None:
    now = int(time.time() * 1000)
    batch: list[dict[str, Any]] = []
    size = 0
    for line in text.splitlines():
        if batch and (len(batch) >= BATCH_EVENTS or size + len(line) + EVENT_OVERHEAD > BATCH_BYTES):
            _send(aws, group, stream, batch)
            batch, size = [], 0
        batch.append({"timestamp": now, "message": line or " "})
        size += len(line.encode()) + EVENT_OVERHEAD
    if batch:
        _send(aws, group, stream, batch)


def _send(aws: Any, group: str, stream: str, batch: list[dict[str, Any]]) -> None:
    request = {"logGroupName": group, "logStreamName": stream, "logEvents": batch}
    aws.call("logs", "Logs_20140328.PutLogEvents", request)


def keep_in_bucket(
    aws: Any, instance_id: str, payload: Mapping[str, Any], streams: Mapping[str, str]
) -> None:
    bucket = payload.get("OutputS3BucketName")
    if not bucket:
        return
    parts = [payload.get("OutputS3KeyPrefix") or "", payload["CommandId"], instance_id, "awsrunShellScript"]
    folder = "/".join(part.strip("/") for part in [*parts, payload["Step"]] if part)
    for name, text in streams.items():
        if text:
            path = "/" + quote(f"{folder}/{name}", safe="/~")
            host = f"{bucket}.s3.{aws.region()}.amazonaws.com"
            answer = aws.request("s3", "PUT", path, body=text.encode(), host=host)
            if answer.status >= 300:
                raise OSError(f"PutObject {bucket}{path}: {answer.status} {answer.body[:300]!r}")
