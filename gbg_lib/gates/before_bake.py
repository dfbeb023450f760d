"""Gates before the bake: nothing from a revoked image, beside another release, or into trouble."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gbg_lib.aws import Aws
from gbg_lib.checks import Check
from gbg_lib.errors import NotThere
from gbg_lib.gates.gate import Finding, Gate
from gbg_lib.images.golden import REVOKED
from gbg_lib.mending.drift import edits_that_matter
from gbg_lib.pipeline import Pipeline
from gbg_lib.stacks import STABLE, Stacks
from gbg_lib.way_back.consistency import releasable
from gbg_lib.way_back.situation import Alarm, Situation, read_situation

LISTENER = "listener"
SHOWN_BY_07 = "runbook 07 shows what differs and mends it"


class BeforeBake:
    """`base` holds Part 1's outputs; `own` is the execution that is judged, where it has begun already."""

    def __init__(
        self, aws: Aws, base: Mapping[str, str], pipeline: Pipeline, stacks: tuple[str, ...], own: str = ""
    ) -> None:
        self.aws = aws
        self.base = base
        self.pipeline = pipeline
        self.stacks = stacks
        self.own = own

    def gates(self, limit_seconds: float) -> list[Gate]:
        return [
            Gate("source image", "the source AMI is there and not revoked", limit_seconds, self.source_image),
            self.alone(limit_seconds),
            Gate("alarms", "no alarm is firing", limit_seconds, self.alarms),
            Gate("drift", "stacks and fleet are as a release needs them", limit_seconds, self.drift),
        ]

    def alone(self, limit_seconds: float) -> Gate:
        return Gate("other releases", "no other release is going on", limit_seconds, self.other_releases)

    def source_image(self) -> Finding:
        name = self.base["SourceAmiParameterName"]
        image = self.aws.call("ssm", "get_parameter", Name=name)["Parameter"]["Value"]
        try:
            [found] = self.aws.call("ec2", "describe_images", ImageIds=[image])["Images"]
        except (NotThere, ValueError):
            return Finding(
                "fail", f"{name} names {image}, which is not there", f"put a living image into {name}"
            )
        tags = {tag["Key"]: tag["Value"] for tag in found.get("Tags", [])}
        if REVOKED in tags:
            return Finding("fail", f"{image} is revoked: {tags[REVOKED]}", f"put another image into {name}")
        if found["State"] != "available":
            return Finding("can't tell", f"{image} is {found['State']}", "wait until it is available")
        return Finding("pass", f"{image} is available and not revoked")

    def other_releases(self) -> Finding:
        """An execution of the pipeline, or a deployment that no execution of ours has begun.

        A release that has begun waits for earlier ones by itself, as the bake action asks; for later ones
        there is no need.
        """
        if self.own:
            return Finding("pass", "it has begun, and waits for earlier ones by itself")
        others = [one for one in self.pipeline.executions() if not one.over]
        if others:
            return Finding(
                "fail", f"release {others[0].id[:8]} is {others[0].status}", "wait for its end, or stop it"
            )
        deployment = self._situation().going_on
        if deployment is not None:
            return Finding("fail", f"deployment {deployment.id} is {deployment.status}", "wait for its end")
        return Finding("pass", "no other execution and no deployment is going on")

    def alarms(self) -> Finding:
        situation = self._situation()
        watched = [alarm for alarm in situation.alarms if alarm.name in situation.group.alarms]
        return of_alarms(watched)

    def drift(self) -> Finding:
        statuses = {stack: Stacks(self.aws).status_or_none(stack) for stack in self.stacks}
        moving = [
            f"{stack} is {status or 'not there'}"
            for stack, status in statuses.items()
            if status not in STABLE
        ]
        checks = [*releasable(self._situation()), self._way_of_visitors()]
        wrong = [f"{check.name}: {check.found}" for check in checks if not check.passed]
        if not moving:
            wrong += [
                f"{drift.what} is {drift.live}, and was {drift.believed}"
                for drift in edits_that_matter(self.aws, self.stacks[0])
            ]
        if moving or wrong:
            ways = [check.try_this for check in checks if check.name == LISTENER and not check.passed]
            return Finding("fail", "; ".join(moving + wrong), "; ".join([*ways, SHOWN_BY_07]))
        return Finding(
            "pass",
            "stacks, deployment group, launch template, alarms and health checks are as Part 1 made them",
        )

    def _way_of_visitors(self) -> Check:
        """A redirect to another listener is fine, as long as one of them forwards to the fleet."""
        listeners = self.aws.pages(
            "elbv2", "describe_listeners", "Listeners", LoadBalancerArn=self.base["LoadBalancerArn"]
        )
        wanted, told = self.base["TargetGroupArn"], []
        for one in listeners:
            actions = one["DefaultActions"]
            targets = [target for action in actions for target in forwards_to(action)]
            if wanted in targets:
                return Check(LISTENER, True, f"port {one['Port']} forwards to the fleet", "")
            told.append(f"port {one['Port']} gives {', '.join(targets) or actions[-1]['Type']}")
        found = f"none forwards to the fleet's target group: {', '.join(told) or 'there is none'}"
        way = f"`aws elbv2 modify-listener` with a forward to {wanted} sets it back"
        return Check(LISTENER, False, found, way)

    def _situation(self) -> Situation:
        return read_situation(self.aws, self.base)


def forwards_to(action: Mapping[str, Any]) -> list[str]:
    """Target groups that an action gives at least some of its requests to."""
    weighted = action.get("ForwardConfig", {}).get("TargetGroups", [])
    if action["Type"] != "forward":
        return []
    several = [str(one["TargetGroupArn"]) for one in weighted if one.get("Weight", 1)]
    return several if weighted else [str(action["TargetGroupArn"])]


def of_alarms(watched: list[Alarm]) -> Finding:
    firing = [alarm.name for alarm in watched if alarm.state == "ALARM"]
    if firing:
        return Finding(
            "fail", f"firing: {', '.join(firing)}", "look at what it measures, and wait until it is OK"
        )
    unsure = [f"{alarm.name} is {alarm.state}" for alarm in watched if alarm.state != "OK"]
    if unsure or not watched:
        return Finding(
            "can't tell", "; ".join(unsure) or "no alarm is watched", "wait for the alarm's figures"
        )
    return Finding("pass", f"{len(watched)} alarms are OK")
