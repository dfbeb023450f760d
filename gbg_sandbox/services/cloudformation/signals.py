"""CreationPolicy: a resource is complete when enough of its machines have said so (cfn-signal).

https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/aws-attribute-creationpolicy.html
"""

from __future__ import annotations

import math
import re
import time
from collections.abc import Mapping
from typing import Any

from gbg_sandbox.services.cloudformation.errors import ResourceFailed
from gbg_sandbox.services.cloudformation.resources.base import Task

DURATION = re.compile(r"PT(?=\d)(?:(\d+)H)?(?:(\d+)M)?(?:(\d+)S)?")


def seconds(duration: str) -> int:
    """Seconds of an ISO 8601 duration such as PT15M. Raises ResourceFailed."""
    match = DURATION.fullmatch(duration)
    if match is None:
        raise ResourceFailed(f"{duration} is not a duration such as PT15M")
    hours, minutes, rest = (int(part or 0) for part in match.groups())
    return 3600 * hours + 60 * minutes + rest


def await_signals(task: Task, policy: Mapping[str, Any]) -> None:
    """Wait, in real seconds, for the signals that a CreationPolicy asks for. Raises ResourceFailed."""
    wanted = policy.get("ResourceSignal")
    if wanted is None:
        return
    share = int(policy.get("AutoScalingCreationPolicy", {}).get("MinSuccessfulInstancesPercent", 100))
    wait_for(task, int(wanted.get("Count", 1)), share, str(wanted.get("Timeout", "PT5M")))


def wait_for(task: Task, count: int, share: int, timeout: str, known: frozenset[str] = frozenset()) -> None:
    """Wait until `share` percent of `count` signals, beyond those `known`, are successes."""
    needed = math.ceil(count * share / 100)
    deadline = time.monotonic() + seconds(timeout)
    while True:
        signals = {
            key: value for key, value in task.host.signals(task.logical_id).items() if key not in known
        }
        successes = sum(1 for status in signals.values() if status == "SUCCESS")
        failures = len(signals) - successes
        if successes >= needed:
            return
        if failures > count - needed:
            raise ResourceFailed(
                f"Received {failures} FAILURE signal(s) out of {count}. "
                f"Unable to satisfy {share}% MinSuccessfulInstancesPercent requirement"
            )
        if time.monotonic() >= deadline:
            raise ResourceFailed(
                f"Failed to receive {needed - successes} resource signal(s) within the specified duration"
            )
        task.check_cancelled()
        task.cloud.clock.pause(0.05)
