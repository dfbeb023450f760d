"""What goes on in AWS without the run that began it, and how each of it is followed or stopped."""

from __future__ import annotations

import shlex
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any

from gbg_lib.errors import GbgError
from gbg_lib.parameters import Parameters

if TYPE_CHECKING:
    from gbg_lib.aws import Aws
    from gbg_lib.stacks import Stacks
    from gbg_lib.teardown.activity import Activity

LOOK_SECONDS = 20.0
"""a run that was told to stop has not long to look"""
COMMANDS = {
    "release": (
        "gbg run 4 -p execution_id={}",
        "aws codepipeline stop-pipeline-execution --pipeline-name {pipeline} "
        "--pipeline-execution-id {} --reason stopped",
    ),
    "bake": (
        "aws ssm get-automation-execution --automation-execution-id {}",
        "aws ssm stop-automation-execution --automation-execution-id {} --type Cancel",
    ),
    "build": ("aws codebuild batch-get-builds --ids {}", "aws codebuild stop-build --id {}"),
    "deployment": (
        "aws deploy get-deployment --deployment-id {}",
        "aws deploy stop-deployment --deployment-id {}",
    ),
}
"""kind of what goes on → how it is followed and stopped; a stage's own work goes on when its release stops"""
PLACE = ("cloud", "region", "profile", "deployment")
"""parameters that say where something is"""
UNTOLD = "What goes on could not be told"


@dataclass(frozen=True)
class InFlight:
    what: str
    follow: str
    """command"""
    stop: str
    """command; empty where it can't be stopped, only waited for"""

    @property
    def sentence(self) -> str:
        stop = f"; stop it: `{self.stop}`" if self.stop else "; it can't be stopped, it ends by itself"
        return f"{self.what}. Follow it: `{self.follow}`{stop}" if self.follow else self.what


def told_in_time(given: Mapping[str, Any], limit_seconds: float = LOOK_SECONDS) -> list[InFlight]:
    """For a run's parameters; what can't be told in time is said, beside what was found. Raises nothing."""
    found: list[InFlight] = []
    thread = threading.Thread(target=_look, args=(given, found), daemon=True, name="what goes on")
    thread.start()
    thread.join(limit_seconds)
    told = list(found)
    if thread.is_alive():
        told.append(InFlight(f"{UNTOLD} in full: AWS said nothing for {limit_seconds:.0f} s", "", ""))
    return told


def _look(given: Mapping[str, Any], found: list[InFlight]) -> None:
    from gbg_lib.aws import open_aws  # few runs are interrupted

    names = {name: value for name, value in given.items() if name in Parameters.model_fields}
    try:
        parameters = Parameters(**names)
        aws = open_aws(parameters)
        for one in in_flight(aws, parameters.deployment):
            found.append(addressed(one, aws, parameters))
    except Exception as error:  # keys that ended are botocore's, and silence would read as "nothing goes on"
        found.append(_untold(error))


def addressed(one: InFlight, aws: Aws, parameters: Parameters) -> InFlight:
    """With commands that find it from any shell: they name deployment, cloud, Region and profile.

    Where a profile is kept in files of its own (the sandbox's), a shell that knows them is meant.
    """
    profile = f" --profile {shlex.quote(aws.profile)}" if aws.profile else ""
    words = {
        "aws": "" if aws.environment else f" --region {aws.region}{profile}",
        "gbg": "".join(
            f" -p {name}={shlex.quote(value)}"
            for name in PLACE
            if (value := str(getattr(parameters, name))) != Parameters.model_fields[name].default
        ),
    }
    follow, stop = (text and text + words[text.partition(" ")[0]] for text in (one.follow, one.stop))
    return replace(one, follow=follow, stop=stop)


def in_flight(aws: Aws, deployment: str) -> Iterator[InFlight]:
    """A deployment's stacks, releases, bakes, builds and deployments that are going on.

    Where one of them can't be looked at, this is told in its place.
    """
    from gbg_lib.stacks import Stacks
    from gbg_lib.teardown import activity

    stacks = Stacks(aws)
    looks: list[Callable[[], Iterator[InFlight]]] = [
        *(partial(_stack, stacks, f"{deployment}-{part}") for part in ("base", "pipeline")),
        *(partial(_works, aws, deployment, look) for look in activity.looks(aws, deployment)),
    ]
    for look in looks:
        try:
            yield from look()
        except GbgError as error:
            yield _untold(error)


def _stack(stacks: Stacks, name: str) -> Iterator[InFlight]:
    from gbg_lib.stacks import GOING_ON, PLANNED

    status = stacks.status_or_none(name) or ""
    if status.endswith(GOING_ON) and status != PLANNED:
        stop = f"aws cloudformation cancel-update-stack --stack-name {name}"
        yield InFlight(
            f"stack {name}: {status}",
            f"aws cloudformation describe-stack-events --stack-name {name}",
            stop if status == "UPDATE_IN_PROGRESS" else "",
        )


def _works(aws: Aws, deployment: str, look: Callable[[], Iterator[Activity]]) -> Iterator[InFlight]:
    for one in look():
        of = f" of commit {_commit(aws, deployment, one.id)}" if one.kind == "release" else ""
        follow, stop = COMMANDS[one.kind]
        yield InFlight(
            f"{one.thing}{of}: {one.status}",
            follow.format(one.id),
            stop.format(one.id, pipeline=shlex.quote(f"{deployment}-release")),
        )


def _commit(aws: Aws, deployment: str, execution_id: str) -> str:
    from gbg_lib.pipeline import Pipeline

    found = {one.id: one.commit for one in Pipeline(aws, f"{deployment}-release").executions()}
    return found.get(execution_id, "")[:8] or "not yet known"


def _untold(error: Exception) -> InFlight:
    said = next(iter(str(error).splitlines()), type(error).__name__)
    return InFlight(f"{UNTOLD}: {said}", "", "")
