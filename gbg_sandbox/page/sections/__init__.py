"""The parts of the picture, a function each: it asks the services and gives what the page shows.

A section is read again when an event of its sources came, and now and then because not everything is an
event: four times a second while something in it is going on.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from gbg_sandbox.page.asking import Asking
from gbg_sandbox.page.sections import (
    bakes,
    balancers,
    builds,
    deployments,
    fleets,
    machines,
    pipelines,
    stacks,
)

Read = Callable[[Asking], Sequence[Any]]
GOING_ON_SECONDS = 0.25
AT_REST_SECONDS = 2.0


@dataclass(frozen=True)
class Section:
    name: str
    read: Read
    sources: frozenset[str]
    """of events that may change it"""


def _section(name: str, read: Read, *sources: str) -> Section:
    return Section(name, read, frozenset(sources))


SECTIONS = (
    _section("stacks", stacks.read, "aws.cloudformation"),
    _section("pipelines", pipelines.read, "aws.codepipeline", "aws.codecommit"),
    _section("bakes", bakes.read, "aws.ssm"),
    _section("builds", builds.read, "aws.codebuild"),
    _section("deployments", deployments.read, "aws.codedeploy", "gbg.sandbox"),
    _section("fleets", fleets.read, "aws.autoscaling", "aws.ec2", "aws.codedeploy"),
    _section("machines", machines.read, "aws.ec2"),
    _section("balancers", balancers.read, "gbg.sandbox", "aws.autoscaling", "aws.cloudformation"),
    _section("alarms", balancers.read_alarms, "aws.cloudwatch", "aws.cloudformation"),
)


def seconds_between_reads(items: Sequence[Any]) -> float:
    going_on = any(item.get("going_on") for item in items)
    return GOING_ON_SECONDS if going_on else AT_REST_SECONDS
