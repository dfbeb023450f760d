"""What a group should do next, decided from its state alone: nothing here acts.

https://docs.aws.amazon.com/autoscaling/ec2/userguide/ec2-auto-scaling-termination-policies.html
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from gbg_sandbox.services.autoscaling.state import Group, GroupInstance

TERMINATION_POLICIES = (
    "Default",
    "OldestInstance",
    "NewestInstance",
    "OldestLaunchTemplate",
    "OldestLaunchConfiguration",
    "ClosestToNextInstanceHour",
    "AllocationStrategy",
)


@dataclass(frozen=True)
class Step:
    """What to do now: launches by subnet, and instances to end, for bad health or for too much capacity."""

    launch: Mapping[str, int]
    replace: tuple[str, ...] = ()
    remove: tuple[str, ...] = ()


def next_step(group: Group, now: float) -> Step:
    """`now` is on the monotonic clock, as the group's `retry_at`."""
    may_end = group.runs("Terminate")
    if group.deleting:
        return Step({}, remove=tuple(one.id for one in group.instances.values() if not one.leaving))
    sick: tuple[str, ...] = ()
    if may_end and group.runs("ReplaceUnhealthy"):
        sick = tuple(one.id for one in group.instances.values() if not one.healthy and not one.leaving)
    counted = group.capacity - sum(group.instances[one].counts for one in sick)
    if counted < group.desired and group.runs("Launch") and now >= group.retry_at:
        return Step(spread(group, group.desired - counted, without=sick), replace=sick)
    if counted > group.desired and may_end:
        return Step({}, replace=sick, remove=surplus(group, counted - group.desired, without=sick))
    return Step({}, replace=sick)


def spread(group: Group, count: int, without: Sequence[str] = ()) -> dict[str, int]:
    """Subnets for new instances: always one of the zone that has the fewest, then of the subnet that has."""
    by_subnet: Counter[str] = Counter(dict.fromkeys(group.subnets, 0))
    by_subnet.update(group.launching)
    by_subnet.update(one.subnet for one in group.instances.values() if one.counts and one.id not in without)
    chosen: Counter[str] = Counter()
    for _ in range(count):
        by_zone: Counter[str] = Counter()
        for subnet, zone in group.subnets.items():
            by_zone[zone] += by_subnet[subnet]
        subnet = min(group.subnets, key=lambda one: (by_zone[group.subnets[one]], by_subnet[one]))
        by_subnet[subnet] += 1
        chosen[subnet] += 1
    return dict(chosen)


def surplus(group: Group, count: int, without: Sequence[str] = ()) -> tuple[str, ...]:
    """Whom to end when there are too many: from the fullest zone, by the group's termination policies."""
    free = [
        one
        for one in group.instances.values()
        if one.state == "InService" and not one.protected and one.id not in without
    ]
    chosen: list[str] = []
    while free and len(chosen) < count:
        by_zone = Counter(one.zone for one in free)
        fullest = [one for one in free if by_zone[one.zone] == max(by_zone.values())]
        picked = _first(group, fullest)
        free.remove(picked)
        chosen.append(picked.id)
    return tuple(chosen)


def _first(group: Group, candidates: list[GroupInstance]) -> GroupInstance:
    for policy in group.termination_policies:
        candidates = _narrow(policy, candidates)
    return min(candidates, key=lambda one: (one.launched, one.id))


def _narrow(policy: str, candidates: list[GroupInstance]) -> list[GroupInstance]:
    if policy == "NewestInstance":
        newest = max(one.launched for one in candidates)
        return [one for one in candidates if one.launched == newest]
    if policy == "OldestInstance":
        oldest = min(one.launched for one in candidates)
        return [one for one in candidates if one.launched == oldest]
    if policy in ("Default", "OldestLaunchTemplate"):
        version = min(int(one.template.version) for one in candidates)
        return [one for one in candidates if int(one.template.version) == version]
    return candidates


def adjusted(desired: int, settings: Mapping[str, Any], adjustment: int) -> int:
    """The capacity after a step or simple policy, before the group's limits.

    https://docs.aws.amazon.com/autoscaling/ec2/userguide/as-scaling-simple-step.html#as-scaling-adjustment
    """
    kind = settings["AdjustmentType"]
    if kind == "ExactCapacity":
        return adjustment
    change: float = adjustment
    if kind == "PercentChangeInCapacity":
        change = desired * adjustment / 100
        if 0 < abs(change) < 1:
            change = math.copysign(1, change)
        smallest = settings.get("MinAdjustmentMagnitude") or settings.get("MinAdjustmentStep") or 0
        change = math.copysign(max(abs(int(change)), smallest), change) if change else 0
    return desired + int(change)


def step_for(settings: Mapping[str, Any], breach: float) -> int | None:
    """The adjustment of the step that holds `breach`, the metric's distance from the threshold."""
    for step in settings["StepAdjustments"]:
        low = step.get("MetricIntervalLowerBound", -math.inf)
        high = step.get("MetricIntervalUpperBound", math.inf)
        inside = low <= breach < high if breach >= 0 else low < breach <= high
        if inside:
            return int(step["ScalingAdjustment"])
    return None


def tracked(warm: int, metric: float, target: float) -> int:
    """The capacity at which a metric per instance comes back to its target."""
    return max(1, math.ceil(round(warm * metric / target, 6)))


def limited(group: Group, capacity: int) -> int:
    return max(group.min_size, min(group.max_size, capacity))
