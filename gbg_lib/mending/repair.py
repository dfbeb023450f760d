"""The fleet that serves becomes Part 1's own again, so that the next update of the stack and its end work.

After a release CloudFormation believes in a group that CodeDeploy has deleted. Another physical resource
can't have a logical id that is taken, and an import may change nothing else; so there are three stages:

- *let go*: the dead group and its policy are taken out of the stack's own template. What refers to them gets
  their names as text, so that nothing else is touched. CloudFormation finds nothing left to delete.
- *import*: the fleet that serves, and the policy that CodeDeploy copied, come in under the same logical ids,
  described as they are, but for the group's sizes: those stay the blueprint's, with the policy that ignores
  sizes which a template has not modified. So a fleet that has grown stays as large as it is.
- *catch up*: the blueprint's template as it is, with the fleet's name, launch template version and golden AMI
  as parameters, which every later update keeps.

ImportExistingResources would do the last two at once, but takes only names that are written out in the
template. A change set that reverts drift would make the dead group anew.
https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/resource-import-resolve-drift.html
"""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from gbg_lib import blueprint
from gbg_lib.checks import Check
from gbg_lib.deployments import active_deployments
from gbg_lib.errors import GateRefused
from gbg_lib.gates.serving import healthy_targets
from gbg_lib.images import golden_images
from gbg_lib.mending.drift import (
    FLEET,
    POLICY,
    UNFINISHED,
    Believed,
    Drift,
    Serving,
    dead_alarms,
    edits,
    fleet_drift,
    read_believed,
    read_serving,
)
from gbg_lib.mending.orphans import Orphan, Scene, find_orphans, sweep
from gbg_lib.mending.settings import golden_ami_drift, group_drift, live_settings, wanted_settings
from gbg_lib.stacks import GOING_ON, STABLE, ResourceImport, StackEvent, StackPlan
from gbg_lib.steps import TAKEN_OVER, Step

Stage = Literal["continue the rollback", "let go", "import", "catch up"]
STUCK = "UPDATE_ROLLBACK_FAILED"
"""where a stack ends whose update met the dead group; only skipping that group lets it out"""
FLEET_TYPE = "AWS::AutoScaling::AutoScalingGroup"
SIZES = "AutoScalingScheduledAction"
"""the part of an update policy that is about a group's sizes"""
POLICY_TYPE = "AWS::AutoScaling::ScalingPolicy"


@dataclass(frozen=True)
class RepairPlan:
    action: Literal["repair", "nothing"]
    reason: str
    stages: tuple[Stage, ...]
    fleet: str
    """the Auto Scaling group that becomes the stack's own"""
    former: str
    """the one that the stack believes in"""
    template_version: str
    golden_ami: str
    policy: str
    """the scaling policy that is imported with it; empty when a new one is made"""


class Repair(Step):
    """Runbook 07."""

    def believed(self) -> Believed:
        return read_believed(self.aws, self.stacks, self.base_stack)

    def serving(self) -> Serving:
        return read_serving(self.aws, self.base["ApplicationName"], self.base["DeploymentGroupName"])

    def drift(self) -> list[Drift]:
        """All that differs, the releases' doing first. Raises TimedOut, AwsError."""
        serving, name = self.serving(), self.base["DeploymentGroupName"]
        found = [
            *fleet_drift(self.believed(), serving),
            *dead_alarms(self.aws, self.parameters.deployment),
            *group_drift(name, wanted_settings(self.stacks, self.base_stack), live_settings(self._group())),
        ]
        golden = {image.id for image in golden_images(self.aws, self.parameters.deployment)}
        found += golden_ami_drift(self.aws, self.base["GoldenAmiParameterName"], serving.image, golden)
        if self.stacks.status(self.base_stack) in STABLE:
            found += edits(self.aws, self.base_stack)
        return found

    def plan(self) -> RepairPlan:
        """Raises GateRefused: a release is going on, or the fleet that serves is not well."""
        self._require_quiet()
        believed, serving = self.believed(), self.serving()
        stages = stages_of(believed, serving, self.stacks.status(self.base_stack))
        policy = next(iter(serving.policies), "")
        facts = (serving.group, believed.group, serving.template_version, serving.image, policy)
        if not stages:
            return RepairPlan("nothing", _agreed(believed), (), *facts)
        self._require_healthy(serving)
        found = [f"{one.what}: {one.believed}" for one in fleet_drift(believed, serving)]
        return RepairPlan("repair", "; ".join(found) or "a repair was not finished", stages, *facts)

    def apply(self, plan: RepairPlan) -> Iterator[StackEvent]:
        """Stage after stage; run again it goes on where it stopped.

        Raises StackFailed, Locked, GateRefused where a release has begun or moved the fleet since the plan.
        """
        if not plan.stages:
            return
        self.hold("a repair of the stack")
        try:
            self._require_still(plan)
            for stage in plan.stages:
                if stage == "continue the rollback":
                    yield from self.stacks.continue_rollback(self.base_stack, (FLEET, POLICY))
                else:
                    yield from self.stacks.apply(self._change(stage, plan))
        finally:
            self.let_go()

    def _require_still(self, plan: RepairPlan) -> None:
        now = self.plan()
        if (now.stages, now.fleet, now.former) != (plan.stages, plan.fleet, plan.former):
            told = f"{now.fleet} serves and the stack has {now.former or 'none'}"
            raise GateRefused("repair", f"something has changed since the plan: {told}", "plan it again")

    def _change(self, stage: Stage, plan: RepairPlan) -> StackPlan:
        stack = self.base_stack
        if stage == "catch up":
            return self.stacks.plan_template(stack, blueprint.template(1), _taken_over(plan))
        held = self.stacks.template(stack)
        if stage == "let go":
            physical = {one.logical_id: one.id for one in self.stacks.resources(stack)}
            return self.stacks.plan_template(stack, _text(let_go(held, physical)), {})
        imports = [ResourceImport(FLEET, FLEET_TYPE, "AutoScalingGroupName", plan.fleet)]
        if plan.policy:
            imports.append(ResourceImport(POLICY, POLICY_TYPE, "Arn", plan.policy))
        whole = json.loads(blueprint.template(1))
        template = with_fleet(held, whole, self.serving(), policy=bool(plan.policy))
        return self.stacks.plan_import(stack, _text(template), imports)

    def check(self) -> list[Check]:
        """Raises CheckFailed."""
        status = self.stacks.status(self.base_stack)
        believed, serving = self.believed(), self.serving()
        left = [one.what for one in fleet_drift(believed, serving)]
        healthy = healthy_targets(self.aws, self.base["TargetGroupArn"])
        again = "run this again: it goes on where it stopped"
        return self.passed(
            [
                Check(
                    "stack",
                    status in STABLE,
                    status,
                    "the stack's events",
                    pending=status.endswith(GOING_ON),
                ),
                Check(
                    "fleet",
                    believed.group == serving.group,
                    f"the stack has {believed.group or 'no fleet'}, and {serving.group} serves",
                    again,
                ),
                Check(
                    "nothing left to mend",
                    not left and not believed.unfinished,
                    ", ".join(left) or "stack and fleet agree",
                    again,
                ),
                Check(
                    "serving",
                    bool(healthy),
                    f"{len(healthy)} instances are healthy behind the load balancer",
                    "look at target health, or go back (runbook 05)",
                ),
            ]
        )

    def seen(self) -> dict[str, str]:
        return {
            f"stack {self.base_stack}": self.stacks.seen(self.base_stack),
            "fleet of the stack": self.believed().group or "none",
            "fleet that serves": self.serving().group,
        }

    def scene(self) -> Scene:
        """Where orphans are looked for."""
        info = self._group()
        there = [one for one in (self.base_stack, self.pipeline_stack) if self.stacks.status_or_none(one)]
        pipeline = self.find_pipeline()
        return Scene(
            self.aws,
            self.parameters.deployment,
            self.base["DeploymentGroupName"],
            {group["name"]: group.get("hook", "") for group in info.get("autoScalingGroups", [])},
            self.believed().group,
            self.base["TargetGroupArn"],
            self.base["LaunchTemplateId"],
            {one.id: one.status for one in pipeline.executions()} if pipeline else {},
            tuple(there),
            frozenset(pipeline.retriable()) if pipeline else frozenset(),
        )

    def _group(self) -> dict[str, Any]:
        found: dict[str, Any] = self.aws.call(
            "codedeploy",
            "get_deployment_group",
            applicationName=self.base["ApplicationName"],
            deploymentGroupName=self.base["DeploymentGroupName"],
        )["deploymentGroupInfo"]
        return found

    def orphans(self) -> list[Orphan]:
        return find_orphans(self.scene())

    def sweep(self, orphans: list[Orphan]) -> list[str]:
        """What is gone; nothing unless it was asked for. Raises GateRefused while a release is on, Locked."""
        if not self.parameters.sweep or not orphans:
            return []
        self._require_quiet()
        self.hold("a sweep of what failed runs left behind")
        try:
            return list(sweep(self.scene(), orphans))
        finally:
            self.let_go()

    def _require_quiet(self) -> None:
        """Raises GateRefused while anything is on its way that moves fleets or the stack."""
        status = self.stacks.status(self.base_stack)
        if status not in STABLE and status != STUCK:
            raise GateRefused(
                f"stack {self.base_stack}",
                f"it is in {status}",
                "wait until it rests; a failed update is to be rolled back first",
            )
        if going_on := self.going_on():
            raise GateRefused(
                "repair",
                f"{going_on[0]} is going on",
                "it moves the fleet: wait until it is over (runbook 04 follows it)",
            )

    def going_on(self) -> list[str]:
        """Deployments and releases, in words."""
        application, group = self.base["ApplicationName"], self.base["DeploymentGroupName"]
        found = [f"deployment {one}" for one in active_deployments(self.aws, application, group)]
        if pipeline := self.find_pipeline():
            found += [f"release {one.id[:8]}" for one in pipeline.executions() if not one.over]
        return found

    def _require_healthy(self, serving: Serving) -> None:
        """Raises GateRefused: a stack should not take over a fleet that is sick."""
        healthy = sum(fleet.serving for fleet in self.fleets() if fleet.group == serving.group)
        if not healthy or healthy < serving.desired:
            raise GateRefused(
                "repair",
                f"{healthy} of {serving.desired} instances of {serving.group} are healthy",
                "a stack takes over a fleet that is well: look at target health, or go back (runbook 05)",
            )


def stages_of(believed: Believed, serving: Serving, status: str) -> tuple[Stage, ...]:
    """What is to be done, from the live state; nothing when stack and fleet agree. Raises GateRefused."""
    if believed.group_exists and believed.group != serving.group:
        raise GateRefused(
            f"group {believed.group}",
            "the stack has it and it exists, but the deployment group names another",
            "a release that is over deletes it; wait for that, or delete it when nothing needs it",
        )
    stages: list[Stage] = ["continue the rollback"] if status == STUCK else []
    if believed.group != serving.group:
        stages += ["let go"] if believed.group or believed.policy else []
        stages += ["import"]
    if stages or believed.unfinished:
        stages += ["catch up"]
    return tuple(stages)


def let_go(template: Mapping[str, Any], physical: Mapping[str, str]) -> dict[str, Any]:
    """The template without the fleet and its policy; references to them are their names, as text."""
    names = {name: physical.get(name, "") for name in (FLEET, POLICY)}
    kept = {name: one for name, one in template["Resources"].items() if name not in names}
    found: dict[str, Any] = _named({**template, "Resources": kept}, names)
    found["Metadata"] = {**found.get("Metadata", {}), UNFINISHED: "the fleet is being exchanged"}
    return found


def _named(value: Any, names: Mapping[str, str]) -> Any:
    if isinstance(value, dict):
        if len(value) == 1 and value.get("Ref") in names:
            return names[value["Ref"]]
        return {key: _named(item, names) for key, item in value.items()}
    return [_named(item, names) for item in value] if isinstance(value, list) else value


def with_fleet(
    template: Mapping[str, Any], whole: Mapping[str, Any], serving: Serving, *, policy: bool
) -> dict[str, Any]:
    """The stack's template and nothing more than the fleet, described as it is now but for its sizes.

    Parameters stay as they are, for others refer to them. Nothing is created, so no signal is waited for: the
    policy of creation and that of rolling updates come afterwards.
    """
    found = copy.deepcopy(dict(template))
    resources = found["Resources"]
    group = {**whole["Resources"][FLEET], "DeletionPolicy": "Retain"}
    group.pop("CreationPolicy", None)
    resources[FLEET] = group | {
        "UpdatePolicy": {SIZES: group["UpdatePolicy"][SIZES]},
        "Properties": group["Properties"]
        | {
            "AutoScalingGroupName": serving.group,
            "LaunchTemplate": group["Properties"]["LaunchTemplate"] | {"Version": serving.template_version},
        },
    }
    if policy:
        resources[POLICY] = {**whole["Resources"][POLICY], "DeletionPolicy": "Retain"}
    return found


def _taken_over(plan: RepairPlan) -> dict[str, str]:
    return dict(zip(TAKEN_OVER, (plan.fleet, plan.template_version, plan.golden_ami), strict=True))


def _agreed(believed: Believed) -> str:
    if believed.template_version:
        return "the fleet that serves is the stack's own already"
    return "the first fleet serves, which the stack made itself; nothing was released yet"


def _text(template: Mapping[str, Any]) -> str:
    return json.dumps(template, separators=(",", ":"))
