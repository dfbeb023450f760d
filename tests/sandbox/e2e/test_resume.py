"""Runs that are stopped in the middle of what goes on in AWS, and go on from what AWS shows.

One deployment of its own, built by `gbg run 1 2 3 4`, is stopped in runbook 01, 03 and 04.
"""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC
from pathlib import Path
from typing import Any

import pytest

from gbg_lib.pipeline import Pipeline
from gbg_lib.runner.run import find_runbook, given_to
from gbg_lib.runs import history, resume
from gbg_lib.runs.folder import process_started
from gbg_lib.steps import ReleaseRun
from tests.command import ROOT, clean_environment
from tests.notebooks.small import PARAMETERS, write_notebook
from tests.sandbox.e2e.world import Deployment, World
from tests.sandbox.places import eventually

PATIENCE_SECONDS = 600
LONG = "2000"
"""minutes that blue stays: the deployment goes on until it is told that they are over"""
GIVEN = {
    "deployment": "again",
    "vpc_cidr": "10.8.0.0/16",
    "instance_count": 1,
    "termination_wait_minutes": int(LONG),
    "watch_minutes": 0,
}
HOLDS = """
import pathlib, time
from gbg_lib.parameters import Parameters
from gbg_lib.steps import ReleaseRun
ReleaseRun(Parameters.from_cell(globals())).hold("a test")
pathlib.Path({marker!r}).touch()
time.sleep({seconds})
"""


@dataclass
class Command:
    """`gbg run` in a process of its own."""

    world: World
    runs: Path

    def start(self, *words: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-m", "gbg_cli", "run", *words, "--json"],
            cwd=self.runs.parent,
            env=clean_environment(
                GBG_HOME=str(self.world.home.folder),
                GBG_RUNS=str(self.runs),
                GBG_RECORDS=str(self.runs.parent / "records"),
            ),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def ended(self, process: subprocess.Popen[str], status: int) -> tuple[dict[str, Any], str]:
        """What its one line told, and what it said."""
        stdout, stderr = process.communicate(timeout=PATIENCE_SECONDS)
        assert process.returncode == status, stdout + stderr
        [line] = stdout.splitlines()
        told = json.loads(line)
        assert told["exit_status"] == status
        return dict(told), stderr

    def stopped_when(
        self, true: Callable[[], object], *words: str, with_signal: int = signal.SIGTERM
    ) -> tuple[dict[str, Any], str]:
        process = self.start(*words)
        await_while(process, true)
        process.send_signal(with_signal)
        return self.ended(process, 4)


def await_while(process: subprocess.Popen[str], true: Callable[[], object]) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not true():
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.1)


@pytest.fixture(scope="module")
def command(world: World, tmp_path_factory: pytest.TempPathFactory) -> Command:
    return Command(world, tmp_path_factory.mktemp("stopped") / "runs")


@pytest.fixture(scope="module")
def again(world: World) -> Deployment:
    return world.deployment(**GIVEN)


@dataclass(frozen=True)
class Stopped:
    """What the four commands told, each stopped and gone on from: result line, and stderr."""

    in_base: tuple[dict[str, Any], str]
    base_ended: str
    """when the stack was complete"""
    in_pipeline: tuple[dict[str, Any], str]
    in_release: tuple[dict[str, Any], str]
    at_last: tuple[dict[str, Any], str]


@pytest.fixture(scope="module")
def stopped(command: Command, again: Deployment) -> Stopped:
    stacks = again.base.stacks
    words = [word for name, value in GIVEN.items() for word in ("-p", f"{name}={value}")]

    def begun(stack: str) -> Callable[[], object]:
        return lambda: stacks.status_or_none(stack) == "CREATE_IN_PROGRESS"

    in_base = command.stopped_when(begun("again-base"), "1", "2", "3", "4", *words)
    go_on = ("--resume", in_base[0]["runs"][0]["run"])
    in_pipeline = command.stopped_when(begun("again-pipeline"), *go_on, with_signal=signal.SIGINT)
    in_release = command.stopped_when(lambda: releases(command) and deployment_of(again), *go_on)
    process = command.start(*go_on)
    await_while(process, lambda: releases(command) > 1)
    await_while(process, lambda: blue_waits(again))
    asked = {"deploymentId": deployment_of(again), "deploymentWaitType": "TERMINATION_WAIT"}
    again.aws.call("codedeploy", "continue_deployment", **asked)
    at_last = command.ended(process, 0)
    return Stopped(in_base, completed(again, "again-base"), in_pipeline, in_release, at_last)


def releases(command: Command) -> int:
    """How many runs of 04 have begun."""
    return len(list(command.runs.glob("*04_release*")))


def deployment_of(deployment: Deployment) -> str:
    """The deployment that the newest release is at; empty before and afterwards."""
    stacks = deployment.base.stacks
    if stacks.status_or_none("again-pipeline") != "CREATE_COMPLETE":
        return ""
    pipeline = Pipeline(deployment.aws, stacks.outputs("again-pipeline")["PipelineName"])
    actions = [action for one in pipeline.executions()[:1] for action in pipeline.actions(one.id)]
    going_on = [one for one in actions if one.stage == "Deploy" and one.status == "InProgress"]
    return going_on[0].external_id if going_on else ""


def blue_waits(deployment: Deployment) -> bool:
    answer = deployment.aws.call("codedeploy", "get_deployment", deploymentId=deployment_of(deployment))
    return bool(answer["deploymentInfo"]["instanceTerminationWaitTimeStarted"])


def completed(deployment: Deployment, stack: str) -> str:
    """When the stack was made, as a run's result tells times."""
    events = deployment.aws.call("cloudformation", "describe_stack_events", StackName=stack)["StackEvents"]
    [made] = [
        one["Timestamp"]
        for one in events
        if one["LogicalResourceId"] == stack and one["ResourceStatus"] == "CREATE_COMPLETE"
    ]
    return str(made.astimezone(UTC).isoformat(timespec="seconds"))


def decided(told: str) -> dict[str, str]:
    """Runbook → what was decided for it, of what a resumed run says."""
    found = re.findall(r"^(\d\d_\w+): (skipped|done again|done now): (.*)$", told, re.MULTILINE)
    return {runbook: f"{action}: {reason}" for runbook, action, reason in found}


def test_a_run_that_is_stopped_in_a_stack_tells_what_goes_on(stopped: Stopped) -> None:
    told, said = stopped.in_base
    [run] = told["runs"]
    assert (told["status"], run["status"], run["what"]) == (
        "interrupted",
        "interrupted",
        "interrupted by SIGTERM",
    )
    listed = [one for one in run["going_on"] if one["what"] == "stack again-base: CREATE_IN_PROGRESS"]
    assert listed or stopped.base_ended <= run["ended"], run["going_on"]
    for one in listed:
        assert one["follow"] == "aws cloudformation describe-stack-events --stack-name again-base"
        assert one["what"] in said


def test_what_was_stopped_is_done_again_and_waits_for_what_goes_on(stopped: Stopped) -> None:
    """And what was not begun is done now: each with its reason."""
    told, said = stopped.in_pipeline
    found = decided(said)
    assert found["01_base_stack"].startswith("done again: ")
    assert "is interrupted: interrupted by SIGTERM" in found["01_base_stack"]
    assert found["02_seed_repository"] == found["03_pipeline"] == "done now: it was not begun"
    assert [one["status"] for one in told["runs"]] == ["done", "done", "interrupted"]
    assert told["runs"][2]["what"] == "interrupted by SIGINT"


def test_a_run_that_is_stopped_in_a_release_tells_each_of_its_works(
    stopped: Stopped, world: World, again: Deployment
) -> None:
    told, said = stopped.in_release
    assert [one["status"] for one in told["runs"]] == ["done", "interrupted"]
    release, deploy = told["runs"][1]["going_on"]
    [succeeded] = ReleaseRun(again.parameters, again.aws).pipeline.executions()
    assert release["what"] == f"release {succeeded.id} of commit {succeeded.commit[:8]}: InProgress"
    assert succeeded.id in release["stop"] and "stop-pipeline-execution" in release["stop"]
    assert re.fullmatch(r"deployment d-[A-Z0-9]+: \w+", deploy["what"])
    for one in (release, deploy):
        assert one["what"] in said
    id_ = deploy["what"].removeprefix("deployment ").partition(":")[0]
    assert deploy["stop"] == f"aws deploy stop-deployment --deployment-id {id_}"
    assert json.loads(world.shell(deploy["follow"]))["deploymentInfo"]["deploymentId"] == id_


def test_what_aws_shows_to_be_done_is_skipped_with_the_evidence(stopped: Stopped) -> None:
    told, said = stopped.at_last
    found = decided(said)
    for runbook in ("01_base_stack", "02_seed_repository", "03_pipeline"):
        assert re.fullmatch(rf"skipped: everything is as \S+-{runbook} left it", found[runbook])
    assert "is interrupted: interrupted by SIGTERM" in found["04_release"]
    same = [line for line in said.splitlines() if line.startswith("  ")]
    assert {line.partition(":")[0].strip() for line in same} == {
        "stack again-base", "a fleet", "branch main", "stack again-pipeline",
    }  # fmt: skip
    assert all(" = live " in line for line in same)
    assert [one["runbook"] for one in told["runs"]] == ["04_release"]


def test_a_release_that_is_done_is_skipped_and_another_commit_does_it_again(
    stopped: Stopped, command: Command, again: Deployment
) -> None:
    """A record that says done is never enough: it is AWS that is asked."""
    name = stopped.in_base[0]["runs"][0]["run"]
    told, said = command.ended(command.start("--resume", name), 0)
    assert told["runs"] == []
    assert [word.partition(":")[0] for word in decided(said).values()] == ["skipped"] * 4

    again.aws.call("events", "disable_rule", Name="again-push")
    again.push(lambda work: (work / "NOTES").touch(), "Notes")
    assert decision(command, again, name, "2").reason.startswith("branch main differs from what")
    again.aws.call("cloudformation", "delete_stack", StackName="again-pipeline")
    again.until(
        lambda: again.base.stacks.status_or_none("again-pipeline") in (None, "DELETE_FAILED"),
        "the end of the stack",
    )
    for word, what in (
        ("3", "stack again-pipeline differs from"),
        ("4", "pipeline with name 'again-release'"),
    ):
        gone = decision(command, again, name, word)
        assert (gone.action, what in gone.reason) == ("again", True), gone
    assert decision(command, again, name, "1").action == "skip"


def decision(command: Command, deployment: Deployment, series: str, word: str) -> resume.Decision:
    path = find_runbook(ROOT / "runbooks", word)
    values = resume.series_of(command.runs, series).values
    look = resume.look_with(lambda _: deployment.aws)
    return resume.decide(command.runs, series, path, given_to(path, values), look)


def test_the_lock_of_a_killed_run_is_taken_over_and_its_folder_closed(
    command: Command, deployment: Deployment, tmp_path: Path
) -> None:
    first = PARAMETERS + 'cloud = "sandbox"\ndeployment = "gbg"'
    marker = tmp_path / "marker"
    holds = write_notebook(tmp_path / "holds.ipynb", first, HOLDS.format(marker=str(marker), seconds=600))
    takes = write_notebook(tmp_path / "takes.ipynb", first, HOLDS.format(marker=str(marker), seconds=0))
    killed = command.start(str(holds))
    await_while(killed, marker.exists)

    told, _ = command.ended(command.start(str(takes)), 5)
    assert (told["status"], told["runs"][0]["exit_status"]) == ("locked", 5)
    assert "held by" in told["what"] and "-holds" in told["what"]

    killed.kill()
    killed.communicate()
    holder = int(told["what"].partition(", process ")[2].partition(",")[0])
    eventually(lambda: not process_started(holder))
    command.ended(command.start(str(takes)), 0)
    [left] = [one for one in history.entries(command.runs) if one.runbook == "holds"]
    assert left.status == "killed"
    newest = next(
        one for one in history.entries(command.runs) if one.status == "done" and one.runbook == "takes"
    )
    notebook = (command.runs / newest.name / "takes.ipynb").read_text()
    assert "taken over from" in notebook and "that process is gone" in notebook
