"""What failed runs leave behind, with the run that left it; swept on request, and never anything that serves.

Told are builders, groups that CodeDeploy made, its hooks, launch template versions, images, and change sets
that were planned and not applied. Each is an orphan only when its run is over, and nothing launches from it
or names it. A version that is a template's default or latest counts as in use, as it does for pruning.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal

from gbg_lib import bakes
from gbg_lib.aws import Aws
from gbg_lib.deployment_group import OVER, green_group
from gbg_lib.errors import AwsError, NotThere
from gbg_lib.gates.serving import healthy_targets, require_serving
from gbg_lib.images import Usage, golden_images, read_usage
from gbg_lib.images.pruning import ImageDecision, remove_image, versions_of
from gbg_lib.images.usage import ALIVE
from gbg_lib.pipeline import LEFT_BY
from gbg_lib.replay import clock

BAKE_OVER = bakes.OVER | {"unknown"}
DEPLOYMENT_OVER = OVER | {"unknown"}
HOOK = "CodeDeploy-managed-automatic-"
PLAN_AGE = timedelta(hours=1)
"""a younger change set may be a plan that someone is reading"""
Kind = Literal["builder", "group", "hook", "template version", "image", "change set"]


@dataclass(frozen=True)
class Orphan:
    kind: Kind
    id: str
    left_by: str
    """the run: `bake …`, `deployment …`, `release …`, with how it ended"""
    why: str
    """why nobody needs it"""
    within: str = ""
    """the group of a hook, the template of a version"""


@dataclass(frozen=True)
class Scene:
    """Where to look."""

    aws: Aws
    deployment: str
    deployment_group: str
    serving: Mapping[str, str]
    """groups that the deployment group names → CodeDeploy's hook in each"""
    own_group: str
    """the group that the stack has"""
    target_group_arn: str
    template_id: str
    """the fleet's launch template"""
    releases: Mapping[str, str]
    """pipeline execution → status, newest first"""
    stacks: tuple[str, ...]
    retriable: frozenset[str] = frozenset()
    """executions of which a failed stage can be tried again"""
    now: Callable[[], datetime] = clock.now


def find_orphans(scene: Scene) -> list[Orphan]:
    usage = read_usage(scene.aws)
    return [
        *_builders(scene),
        *_groups(scene),
        *_hooks(scene),
        *_versions(scene, usage),
        *_images(scene, usage),
        *_change_sets(scene),
    ]


def sweep(scene: Scene, orphans: list[Orphan]) -> Iterator[str]:
    """Remove those that are orphans still; yields each as it is gone. Raises GateRefused, AwsError."""
    for orphan in [one for one in find_orphans(scene) if one in orphans]:
        SWEEPS[orphan.kind](scene, orphan)
        yield f"{orphan.kind} {orphan.id}"


def _builders(scene: Scene) -> Iterator[Orphan]:
    filters = [
        {"Name": "tag:gbg:deployment", "Values": [scene.deployment]},
        {"Name": "tag-key", "Values": ["gbg:bake"]},
        {"Name": "instance-state-name", "Values": list(ALIVE)},
    ]
    for found in scene.aws.pages("ec2", "describe_instances", "Reservations", Filters=filters):
        for machine in found["Instances"]:
            bake = next(tag["Value"] for tag in machine["Tags"] if tag["Key"] == "gbg:bake")
            status = _bake_status(scene.aws, bake)
            if status in BAKE_OVER:
                why = f"it is {machine['State']['Name']} though its bake is over"
                yield Orphan("builder", machine["InstanceId"], f"bake {bake} ({status})", why)


def _groups(scene: Scene) -> Iterator[Orphan]:
    healthy = healthy_targets(scene.aws, scene.target_group_arn)
    prefix = green_group(scene.deployment_group)
    for group in scene.aws.pages("autoscaling", "describe_auto_scaling_groups", "AutoScalingGroups"):
        name = group["AutoScalingGroupName"]
        if not name.startswith(prefix) or name in scene.serving or name == scene.own_group:
            continue
        machines = {one["InstanceId"] for one in group["Instances"]}
        status = _deployment_status(scene.aws, name.removeprefix(prefix))
        if group.get("Status") is None and status in DEPLOYMENT_OVER and not machines & healthy:
            left_by = f"deployment {name.removeprefix(prefix)} ({status})"
            yield Orphan("group", name, left_by, f"no deployment group names it; {len(machines)} instances")


def _hooks(scene: Scene) -> Iterator[Orphan]:
    for name, own in scene.serving.items():
        found = scene.aws.call("autoscaling", "describe_lifecycle_hooks", AutoScalingGroupName=name)
        for hook in found["LifecycleHooks"]:
            called = hook["LifecycleHookName"]
            if own and called.startswith(HOOK) and called != own:
                why = f"{scene.deployment_group} has another hook in this group; launches wait for both"
                yield Orphan("hook", called, "an earlier deployment group", why, name)


def _images(scene: Scene, usage: Usage) -> Iterator[Orphan]:
    """Not that of a release whose failed stage can still be tried again."""
    for image in golden_images(scene.aws, scene.deployment):
        release = image.tags.get("gbg:pipeline-execution", "")
        ended = scene.releases.get(release, "")
        needed = usage.running(image.id) or usage.templates.get(image.id)
        if ended in LEFT_BY and not needed and release not in scene.retriable:
            yield Orphan("image", image.id, _release(release, ended), "no machine or template needs it")


def _versions(scene: Scene, usage: Usage) -> Iterator[Orphan]:
    """Not that of a release whose failed stage can still be tried again."""
    made = _made_by(scene.aws, scene.template_id)
    for version in usage.history:
        release = made.get(version.number, "")
        ended = scene.releases.get(release, "")
        wanted = version.template_id != scene.template_id or release in scene.retriable
        if ended in LEFT_BY and not wanted:
            left_by, why = _release(release, ended), "no group launches from it"
            yield Orphan("template version", str(version.number), left_by, why, version.template_id)


def _change_sets(scene: Scene) -> Iterator[Orphan]:
    for stack in scene.stacks:
        found = scene.aws.pages("cloudformation", "list_change_sets", "Summaries", StackName=stack)
        for one in found:
            old = scene.now() - one["CreationTime"] > PLAN_AGE
            if old and one["ChangeSetName"].startswith(f"{stack}-"):
                left_by = f"a plan of {one['CreationTime']:%d %B, %H:%M}"
                yield Orphan("change set", one["ChangeSetId"], left_by, f"{stack} was never given it", stack)


def _release(execution: str, ended: str) -> str:
    return f"release {execution[:8]} ({ended})"


def _bake_status(aws: Aws, bake: str) -> str:
    try:
        found = aws.call("ssm", "get_automation_execution", AutomationExecutionId=bake)
    except NotThere:
        return "unknown"
    return str(found["AutomationExecution"]["AutomationExecutionStatus"])


def _deployment_status(aws: Aws, deployment: str) -> str:
    try:
        found = aws.call("codedeploy", "get_deployment", deploymentId=deployment)
    except NotThere:
        return "unknown"
    return str(found["deploymentInfo"]["status"])


def _made_by(aws: Aws, template: str) -> dict[int, str]:
    """A template's versions and the release that wrote each, of its description."""
    found = aws.pages(
        "ec2", "describe_launch_template_versions", "LaunchTemplateVersions", LaunchTemplateId=template
    )
    return {one["VersionNumber"]: _release_in(one.get("VersionDescription", "")) for one in found}


def _release_in(description: str) -> str:
    try:
        made: Any = json.loads(description)
    except ValueError:
        return ""
    return str(made.get("release", "")) if isinstance(made, dict) else ""


def _sweep_builder(scene: Scene, orphan: Orphan) -> None:
    scene.aws.call("ec2", "terminate_instances", InstanceIds=[orphan.id])


def _sweep_group(scene: Scene, orphan: Orphan) -> None:
    what = f"delete {orphan.id}"
    require_serving(scene.aws, scene.target_group_arn, what=what, without_groups=[orphan.id])
    scene.aws.call(
        "autoscaling", "delete_auto_scaling_group", AutoScalingGroupName=orphan.id, ForceDelete=True
    )


def _sweep_hook(scene: Scene, orphan: Orphan) -> None:
    scene.aws.call(
        "autoscaling",
        "delete_lifecycle_hook",
        LifecycleHookName=orphan.id,
        AutoScalingGroupName=orphan.within,
    )


def _sweep_image(scene: Scene, orphan: Orphan) -> None:
    """Nothing where somebody else has removed it meanwhile."""
    versions = versions_of(read_usage(scene.aws), scene.deployment, orphan.id)
    for image in golden_images(scene.aws, scene.deployment):
        if image.id == orphan.id:
            list(remove_image(scene.aws, ImageDecision(image, (), versions)))


def _sweep_version(scene: Scene, orphan: Orphan) -> None:
    """Raises AwsError: EC2 answers well to a deletion that it did not do."""
    answer = scene.aws.call(
        "ec2", "delete_launch_template_versions", LaunchTemplateId=orphan.within, Versions=[orphan.id]
    )
    for kept in answer.get("UnsuccessfullyDeletedLaunchTemplateVersions", []):
        raise AwsError(
            f"version {orphan.id} of {orphan.within}",
            f"it was not deleted: {kept['ResponseError']['Message']}",
            "run this again; what is left is told",
        )


def _sweep_change_set(scene: Scene, orphan: Orphan) -> None:
    scene.aws.call("cloudformation", "delete_change_set", ChangeSetName=orphan.id)


SWEEPS: Mapping[Kind, Callable[[Scene, Orphan], None]] = {
    "builder": _sweep_builder,
    "group": _sweep_group,
    "hook": _sweep_hook,
    "image": _sweep_image,
    "template version": _sweep_version,
    "change set": _sweep_change_set,
}
