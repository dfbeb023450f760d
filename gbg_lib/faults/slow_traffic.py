"""Traffic that takes its time to move, so that something can happen meanwhile."""

from __future__ import annotations

from gbg_lib.faults.application import head, push, restore, unhealthy
from gbg_lib.faults.fault import Act, Fault, Former, Strike
from gbg_lib.steps import ReleaseRun

LONG_DRAINING_SECONDS = 300
LONGER_DRAINING_SECONDS = 3000
"""for what happens meanwhile to be over before the deployment goes on, however long it takes"""
FIRST_LOOKS = 8
"""of the load balancer at a new machine, a minute apart, that the application answers with 503"""
PATIENT = {"HealthCheckIntervalSeconds": 60, "UnhealthyThresholdCount": 10}
"""so that a new machine is not called unhealthy before those are over"""
WARMS_UP = f" && looks.getAndIncrement() < {FIRST_LOOKS}"


def drains_long(name: str, what: str, strike: Strike, seconds: int = LONG_DRAINING_SECONDS) -> Fault:
    """A machine that leaves the load balancer takes long about it."""
    return Fault(name, what, look=draining, plant=drain_for(seconds), remove=drain_as_before, strike=strike)


def draining(step: ReleaseRun) -> dict[str, str]:
    found = step.aws.call(
        "elbv2", "describe_target_group_attributes", TargetGroupArn=step.base["TargetGroupArn"]
    )
    attributes = {str(one["Key"]): str(one["Value"]) for one in found["Attributes"]}
    return {"seconds": attributes["deregistration_delay.timeout_seconds"]}


def drain_for(seconds: int) -> Act:
    """Long enough for what happens meanwhile to be seen, before the deployment goes on."""

    def act(step: ReleaseRun, former: Former) -> None:
        _set_draining(step, str(seconds))

    return act


def drain_as_before(step: ReleaseRun, former: Former) -> None:
    _set_draining(step, former["seconds"])


def _set_draining(step: ReleaseRun, seconds: str) -> None:
    step.aws.call(
        "elbv2",
        "modify_target_group_attributes",
        TargetGroupArn=step.base["TargetGroupArn"],
        Attributes=[{"Key": "deregistration_delay.timeout_seconds", "Value": seconds}],
    )


def warms_up(name: str, what: str, strike: Strike) -> Fault:
    """A new machine takes long until the load balancer finds it well, and is not ill meanwhile."""
    return Fault(
        name, what, look=_head_and_checks, plant=_warm_up, remove=_as_before, strike=strike, pushes=True
    )


def _head_and_checks(step: ReleaseRun) -> dict[str, str]:
    arn = step.base["TargetGroupArn"]
    [found] = step.aws.call("elbv2", "describe_target_groups", TargetGroupArns=[arn])["TargetGroups"]
    return head(step) | {name: str(found[name]) for name in PATIENT}


def _warm_up(step: ReleaseRun, former: Former) -> None:
    _set_checks(step, PATIENT)
    push(unhealthy(WARMS_UP), "Warm up before the first visitors")(step, former)


def _as_before(step: ReleaseRun, former: Former) -> None:
    _set_checks(step, {name: int(former[name]) for name in PATIENT})
    restore(step, former)


def _set_checks(step: ReleaseRun, values: dict[str, int]) -> None:
    step.aws.call("elbv2", "modify_target_group", TargetGroupArn=step.base["TargetGroupArn"], **values)
