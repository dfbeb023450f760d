"""What goes on in AWS without the run that began it, and how each of it is followed or stopped."""

from __future__ import annotations

import shlex
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from gbg_lib.errors import GbgError, NotThere
from gbg_lib.parameters import Parameters

if TYPE_CHECKING:
    from gbg_lib.aws import Aws
    from gbg_lib.pipeline import Action
    from gbg_lib.stacks import Stacks

LOOK_SECONDS = 20.0
"""a run that was told to stop has not long to look"""
COMMANDS = {
    "BuildGoldenAMI": (
        "aws ssm get-automation-execution --automation-execution-id {}",
        "aws ssm stop-automation-execution --automation-execution-id {}",
    ),
    "Build": ("aws codebuild batch-get-builds --ids {}", "aws codebuild stop-build --id {}"),
    "Deploy": (
        "aws deploy get-deployment --deployment-id {}",
        "aws deploy stop-deployment --deployment-id {}",
    ),
}
"""the stage that is at work → how its own work is followed and stopped"""


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
    """For a run's parameters; where that can't be told, this is said instead. Raises nothing."""
    from gbg_lib.aws import open_aws  # few runs are interrupted

    found: list[InFlight] = []

    def look() -> None:
        names = {name: value for name, value in given.items() if name in Parameters.model_fields}
        try:
            parameters = Parameters(**names)
            aws = open_aws(parameters)
            found.extend(in_flight(aws, parameters.deployment))
        except (GbgError, ValueError) as error:
            said = str(error).splitlines()[0]
            found.append(InFlight(f"What goes on could not be told: {said}", "", ""))

    thread = threading.Thread(target=look, daemon=True, name="what goes on")
    thread.start()
    thread.join(limit_seconds)
    if thread.is_alive():
        return [
            InFlight(f"What goes on could not be told: AWS said nothing for {limit_seconds:.0f} s", "", "")
        ]
    return found


def in_flight(aws: Aws, deployment: str) -> list[InFlight]:
    """A deployment's stacks and releases that are going on."""
    from gbg_lib.stacks import Stacks

    stacks = Stacks(aws)
    return [
        *_stack(stacks, f"{deployment}-base"),
        *_stack(stacks, f"{deployment}-pipeline"),
        *_releases(aws, stacks, f"{deployment}-pipeline"),
    ]


def _stack(stacks: Stacks, name: str) -> Iterator[InFlight]:
    from gbg_lib.stacks import GOING_ON

    status = stacks.status_or_none(name) or ""
    if status.endswith(GOING_ON):
        stop = f"aws cloudformation cancel-update-stack --stack-name {name}"
        yield InFlight(
            f"stack {name}: {status}",
            f"aws cloudformation describe-stack-events --stack-name {name}",
            stop if status == "UPDATE_IN_PROGRESS" else "",
        )


def _releases(aws: Aws, stacks: Stacks, stack: str) -> Iterator[InFlight]:
    from gbg_lib.pipeline import Pipeline

    try:
        pipeline = Pipeline(aws, stacks.outputs(stack)["PipelineName"])
        executions = pipeline.executions()
    except (NotThere, KeyError):
        return
    for execution in executions:
        if not execution.over:
            yield InFlight(
                f"release {execution.id} of commit {execution.commit[:8]}: {execution.status}",
                f"gbg run 4 -p execution_id={execution.id}",
                f"aws codepipeline stop-pipeline-execution --pipeline-name {shlex.quote(pipeline.name)} "
                f"--pipeline-execution-id {execution.id} --reason stopped",
            )
            yield from filter(None, map(_action, pipeline.actions(execution.id)))


def _action(action: Action) -> InFlight | None:
    """What a stage has set to work goes on when the pipeline is stopped."""
    if action.status != "InProgress" or not action.external_id or action.stage not in COMMANDS:
        return None
    follow, stop = COMMANDS[action.stage]
    return InFlight(
        f"{action.stage} at work: {action.external_id}",
        follow.format(action.external_id),
        stop.format(action.external_id),
    )
