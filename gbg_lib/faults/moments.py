"""Moments of a release that a fault waits for. Each raises NotThere when the release ends before it came."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any, TypeVar

from gbg_lib.deployments import LifecycleEvent, Target, targets
from gbg_lib.errors import NotThere
from gbg_lib.fleet import target_health
from gbg_lib.pipeline import BAKE, DEPLOY, Action
from gbg_lib.steps import ReleaseRun
from gbg_lib.waiting import wait_until

T = TypeVar("T")
INSTALLING = ("BeforeInstall", "Install", "AfterInstall", "ApplicationStart", "ValidateService")
ALLOWING = ("BeforeAllowTraffic", "AllowTraffic", "AfterAllowTraffic")
BLOCKING = ("BeforeBlockTraffic", "BlockTraffic", "AfterBlockTraffic")
Ready = Callable[[list[Target]], bool]


def during(step: ReleaseRun, execution_id: str, look: Callable[[], T | None], what: str) -> T:
    """The first answer of `look` while this release goes on. Raises NotThere when it ends before."""

    def unless_over() -> T | None:
        over = step.pipeline.execution(execution_id).over
        found = look()
        if found is None and over:
            raise NotThere(what, "the release ended before", "look at how it ended")
        return found

    return wait_until(
        step.aws,
        unless_over,
        limit_seconds=step.parameters.release_minutes * 60,
        what=what,
        try_this="look at the release with runbook 04",
    )


def stage(step: ReleaseRun, execution_id: str, name: str) -> Action:
    """The stage's action, once it has begun and can be told from outside."""

    def look() -> Action | None:
        found = [one for one in step.pipeline.actions(execution_id) if one.stage == name and one.external_id]
        return found[-1] if found else None

    return during(step, execution_id, look, f"stage {name}")


def builder(step: ReleaseRun, execution_id: str) -> str:
    """The bake's machine, once a command runs on it."""
    bake = stage(step, execution_id, BAKE).external_id

    def look() -> str | None:
        found = step.aws.call("ssm", "get_automation_execution", AutomationExecutionId=bake)
        steps = {one["StepName"]: one for one in found["AutomationExecution"]["StepExecutions"]}
        if steps.get("updateSystem", {}).get("StepStatus") in ("InProgress", "Success"):
            return str(steps["launchBuilder"]["Outputs"]["InstanceId"][0])
        return None

    return during(step, execution_id, look, "the builder at work")


def machines(
    step: ReleaseRun, execution_id: str, ready: Callable[[list[Target]], bool], what: str
) -> list[Target]:
    """The deployment's machines, once they are `ready`."""
    deployment = stage(step, execution_id, DEPLOY).external_id

    def look() -> list[Target] | None:
        found = targets(step.aws, deployment)
        return found if ready(found) else None

    return during(step, execution_id, look, what)


def baked(step: ReleaseRun, execution_id: str) -> str:
    """The release's golden AMI, once it is made."""

    def look() -> str | None:
        found = [one for one in step.pipeline.actions(execution_id) if one.stage == BAKE]
        return next((one.outputs["ImageId"] for one in found if one.outputs), None)

    return during(step, execution_id, look, "the golden AMI")


def last_wait(step: ReleaseRun, execution_id: str) -> list[Target]:
    """The deployment's machines, once green has the traffic and blue waits for its end."""
    deployment = stage(step, execution_id, DEPLOY).external_id

    def look() -> list[Target] | None:
        found = step.aws.call("codedeploy", "get_deployment", deploymentId=deployment)["deploymentInfo"]
        return targets(step.aws, deployment) if found.get("instanceTerminationWaitTimeStarted") else None

    return during(step, execution_id, look, "the wait before blue's end")


def draining(step: ReleaseRun, execution_id: str) -> None:
    """All of blue leaves the load balancer."""
    deployment = stage(step, execution_id, DEPLOY).external_id

    def look() -> bool | None:
        blue = [one.instance for one in targets(step.aws, deployment) if one.side == "Blue"]
        health = target_health(step.aws, step.base["TargetGroupArn"])
        return True if blue and all(health.get(one) == "draining" for one in blue) else None

    during(step, execution_id, look, "blue that leaves")


def before_deploy(step: ReleaseRun) -> AbstractContextManager[None]:
    """What is done here is done before the fleet is copied."""
    return before(step, DEPLOY)


@contextmanager
def before(step: ReleaseRun, stage: str) -> Iterator[None]:
    """No release enters that stage meanwhile."""
    transition = {"pipelineName": step.pipeline.name, "stageName": stage, "transitionType": "Inbound"}
    step.aws.call(
        "codepipeline", "disable_stage_transition", **transition, reason="Something is tried before"
    )
    try:
        yield
    finally:
        step.aws.call("codepipeline", "enable_stage_transition", **transition)


def whole_fleet(step: ReleaseRun, without: str) -> None:
    """Wait until the serving group has its full number of healthy machines again, `without` that one."""

    def look() -> bool | None:
        group = serving_group(step)
        serving = [one["InstanceId"] for one in group["Instances"] if one["LifecycleState"] == "InService"]
        health = target_health(step.aws, step.base["TargetGroupArn"])
        well = [one for one in serving if health.get(one) == "healthy"]
        return True if without not in serving and len(well) == group["DesiredCapacity"] else None

    wait_until(
        step.aws,
        look,
        limit_seconds=step.parameters.release_minutes * 60,
        what="the machine that replaces the one that died",
        try_this="the fleet's scaling activities tell what it waits for",
    )


def begun(found: list[Target], side: str, *events: str) -> list[LifecycleEvent]:
    """Those of the events that began on one of that side's machines."""
    names = set(events)
    return [
        event
        for target in found
        if target.side == side
        for event in target.events
        if event.name in names and event.status not in ("Pending", "Skipped")
    ]


def green_group(step: ReleaseRun, execution_id: str) -> dict[str, Any]:
    """The green group, once it is there."""
    deployment = stage(step, execution_id, DEPLOY).external_id
    name = f"CodeDeploy_{step.base['DeploymentGroupName']}_{deployment}"

    def look() -> dict[str, Any] | None:
        return next(iter(groups(step, name)), None)

    return during(step, execution_id, look, "the green fleet")


def serving_group(step: ReleaseRun) -> dict[str, Any]:
    """The group that the deployment group names. Raises NotThere."""
    answer = step.aws.call(
        "codedeploy",
        "get_deployment_group",
        applicationName=step.base["ApplicationName"],
        deploymentGroupName=step.base["DeploymentGroupName"],
    )["deploymentGroupInfo"]
    names = [str(group["name"]) for group in answer["autoScalingGroups"]]
    found = groups(step, *names) if names else []
    if not found:
        raise NotThere("serving fleet", f"the deployment group names {names}", "run runbook 01 first")
    return found[0]


def groups(step: ReleaseRun, *names: str) -> list[dict[str, Any]]:
    found = step.aws.call("autoscaling", "describe_auto_scaling_groups", AutoScalingGroupNames=list(names))
    return list(found["AutoScalingGroups"])


def installing(found: list[Target]) -> bool:
    return bool(begun(found, "Green", *INSTALLING))


def allowing(found: list[Target]) -> bool:
    return bool(begun(found, "Green", *ALLOWING))


def taking(found: list[Target]) -> bool:
    """AllowTraffic itself: the load balancer looks at a green machine for the first time."""
    return bool(begun(found, "Green", "AllowTraffic"))


def blocking(found: list[Target]) -> bool:
    return bool(begun(found, "Blue", *BLOCKING))


def begun_events(target: Target) -> int:
    """How far a machine is."""
    return sum(event.status not in ("Pending", "Skipped") for event in target.events)
