"""The gate that is always there: nothing is done that would leave no healthy instance serving.

Whoever takes instances out of service (terminates them, deletes or shrinks their group, takes them from the
load balancer) calls `require_serving` right before. The load balancer's own word counts, not Auto Scaling's.
"""

from __future__ import annotations

from collections.abc import Collection

from gbg_lib.aws import Aws
from gbg_lib.errors import GateRefused
from gbg_lib.fleet import target_health

MOST_NAMED = 4


def healthy_targets(aws: Aws, target_group_arn: str) -> frozenset[str]:
    """Instances that the load balancer sends visitors to."""
    health = target_health(aws, target_group_arn)
    return frozenset(instance for instance, state in health.items() if state == "healthy")


def require_serving(
    aws: Aws,
    target_group_arn: str,
    *,
    what: str,
    without: Collection[str] = (),
    without_groups: Collection[str] = (),
) -> frozenset[str]:
    """The healthy instances that stay when those `without` (by id, or by Auto Scaling group) are gone.

    `what` is about to be done, in words. Raises GateRefused when none would stay.
    """
    leaving = frozenset(without) | instances_of(aws, without_groups)
    healthy = healthy_targets(aws, target_group_arn)
    staying = healthy - leaving
    if not staying:
        raise GateRefused(what, _why(healthy, leaving), _way_out(healthy))
    return staying


def instances_of(aws: Aws, groups: Collection[str]) -> frozenset[str]:
    """Ids of the instances in these Auto Scaling groups; a group that is gone has none."""
    if not groups:
        return frozenset()
    found = aws.pages(
        "autoscaling", "describe_auto_scaling_groups", "AutoScalingGroups", AutoScalingGroupNames=list(groups)
    )
    return frozenset(instance["InstanceId"] for group in found for instance in group["Instances"])


def _why(healthy: frozenset[str], leaving: frozenset[str]) -> str:
    if not healthy:
        return "no instance is healthy behind the load balancer now, so that none would be left to serve"
    names = sorted(healthy & leaving)
    told = ", ".join(names[:MOST_NAMED]) + (
        f" and {len(names) - MOST_NAMED} more" if names[MOST_NAMED:] else ""
    )
    return f"no healthy instance would be left to serve: all that are healthy would go ({told})"


def _way_out(healthy: frozenset[str]) -> str:
    if healthy:
        return "first bring other instances into service: release, or go back with runbook 05"
    return "first make instances healthy: runbook 05 says which way back is open"
