"""Which requests may be sent again when nobody knows whether the first one was carried out.

Reads, and changes that are the same when made twice, are sent again by botocore (adaptive mode). Any other
change is sent again only when AWS said that it did nothing (throttling), or could not be reached at all.
https://docs.aws.amazon.com/boto3/latest/guide/retries.html
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable
from typing import TypeVar

from botocore.config import Config
from botocore.exceptions import ClientError, ConnectTimeoutError, EndpointConnectionError

from gbg_lib.exchange import reads

T = TypeVar("T")

ATTEMPTS = 8
AGENT = "golden-blue-green"
AGAIN = Config(retries={"mode": "adaptive", "max_attempts": ATTEMPTS}, user_agent_extra=AGENT)
ONCE = Config(retries={"mode": "standard", "total_max_attempts": 1}, user_agent_extra=AGENT)
LONGEST_SECONDS = 20.0

SAME_TWICE = (
    *(
        "delete_",
        "deregister_",
        "terminate_",
        "stop_",
        "tag_",
        "untag_",
        "create_tags",
        "enable_",
        "disable_",
    ),
    *("update_function_code",),
)
"""how the operations begin whose second time changes nothing"""
WITH_TOKEN = frozenset({"start_pipeline_execution", "run_instances", "create_launch_template_version"})
"""operations that botocore gives a token, by which AWS knows the second time"""
CONDITIONS = frozenset({"IfMatch", "IfNoneMatch"})
"""an object that is written on one of them is refused the second time, and the same otherwise"""
NOTHING_DONE = frozenset(
    {"Throttling", "ThrottlingException", "ThrottledException", "RequestThrottledException"}
    | {"RequestThrottled", "RequestLimitExceeded", "TooManyRequestsException", "BandwidthLimitExceeded"}
    | {"SlowDown", "PriorRequestNotComplete", "EC2ThrottledException"}
)
"""codes by which AWS says that it did nothing, and may be asked again"""


def repeatable(operation: str, params: Iterable[str] = ()) -> bool:
    """For an operation named as in boto3, and the names of what it is given."""
    if operation == "put_object":
        return CONDITIONS.isdisjoint(params)
    return reads(operation) or operation.startswith(SAME_TWICE) or operation in WITH_TOKEN


def until_heard(ask: Callable[[], T], sleep: Callable[[float], None]) -> T:
    """The answer to a request that must not be carried out twice."""
    for attempt in range(ATTEMPTS - 1):
        try:
            return ask()
        except (EndpointConnectionError, ConnectTimeoutError):
            sleep(_pause(attempt))
        except ClientError as error:
            if error.response["Error"]["Code"] not in NOTHING_DONE:
                raise
            sleep(_pause(attempt))
    return ask()


def _pause(attempt: int) -> float:
    """https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/"""
    return random.uniform(0, min(LONGEST_SECONDS, 0.5 * 2**attempt))
