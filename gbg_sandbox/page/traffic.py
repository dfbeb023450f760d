"""The load balancers' requests, second by second and target by target."""

from __future__ import annotations

import itertools
import time
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from gbg_sandbox.cloud import Cloud


def second_by_second(cloud: Cloud, seconds: int) -> list[dict[str, Any]]:
    """What each target answered in each of the last real seconds, oldest first; quiet ones are left out."""
    service = cloud.service("elbv2")
    since = time.time() - seconds
    found: dict[float, dict[str, Any]] = {}
    for balancer in service.describe_load_balancers(None, {})["LoadBalancers"]:
        newest_first = reversed(service.series(balancer["LoadBalancerArn"]))
        for sample in itertools.takewhile(lambda one: one.time.timestamp() > since, newest_first):
            stamp = sample.time.timestamp()
            second = found.setdefault(stamp, {"time": stamp, "targets": []})
            second["targets"].append(
                {
                    "instance": sample.target.partition(":")[0],
                    "requests": sample.requests,
                    "errors": sample.answers["5xx"],
                    "milliseconds": sample.milliseconds,
                }
            )
    return [found[stamp] for stamp in sorted(found)]
