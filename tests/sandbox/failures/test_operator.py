"""What happens to whoever follows a release, or to what stands beside it, does not happen to the release."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from gbg_lib.errors import AccessRefused, StackFailed, TimedOut
from gbg_lib.faults import rights
from gbg_lib.faults.application import note
from gbg_lib.pipeline import BAKE, Action
from gbg_lib.steps import ReleaseRun
from tests.command import clean_environment
from tests.sandbox.e2e.world import Deployment, exhaust
from tests.sandbox.failures.conftest import Table
from tests.sandbox.failures.hindered import Expiry, Throttle, hindered

pytestmark = pytest.mark.xdist_group("failures-1")
GROUP = 1


@pytest.fixture
def deployment(table: Table) -> Deployment:
    return table.deployment(GROUP)


def test_throttling_on_every_call_is_waited_out(deployment: Deployment) -> None:
    throttle = Throttle()
    step = ReleaseRun(deployment.parameters, hindered(deployment.aws, throttle))
    execution = step.pipeline.start()
    exhaust(step.follow(execution))
    assert step.check(execution)
    assert throttle.refused >= 10
    deployment.releases.append(step.release(execution))


def test_credentials_that_expire_midway_stop_the_watching_and_not_the_release(deployment: Deployment) -> None:
    expiry = Expiry(12)
    step = ReleaseRun(deployment.parameters, hindered(deployment.aws, expiry))
    execution = step.pipeline.start()
    with pytest.raises(AccessRefused, match=r"security token .* expired") as told:
        exhaust(step.follow(execution))
    assert "keys" in told.value.try_this
    assert not deployment.run.pipeline.execution(execution).over
    expiry.renewed = True
    assert step.choose() == (execution, "the newest; it is going on")
    exhaust(step.follow(execution))
    assert step.check(execution)


def test_the_operators_killed_process_leaves_the_release_alone(deployment: Deployment, table: Table) -> None:
    """A process that follows a release is killed without warning; another one takes over."""
    execution = deployment.run.pipeline.start()
    home = table.home(GROUP)
    watcher = subprocess.Popen(
        [sys.executable, "-m", "gbg_cli", "run", "4"],
        cwd=home.parent,
        env=clean_environment(GBG_HOME=str(home), GBG_RUNS=str(home.parent / "runs")),
        start_new_session=True,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    deployment.until(lambda: len(deployment.run.pipeline.actions(execution)) > 1, "the bake")
    os.killpg(watcher.pid, signal.SIGKILL)
    watcher.wait()
    assert deployment.run.choose()[0] == execution
    exhaust(deployment.run.follow(execution))
    assert deployment.run.check(execution)
    newest = deployment.run.pipeline.executions()[0]
    assert newest.id == execution, "nobody started a second release"


@contextmanager
def denied(deployment: Deployment, role: str, action: str, *, part: int) -> Iterator[None]:
    rights.deny(role, action, part=part)(deployment.run, {})
    yield
    rights.allow(role, part=part)(deployment.run, {})


def test_a_push_whose_rule_may_not_start_the_pipeline_starts_nothing(deployment: Deployment) -> None:
    run, rule = deployment.run, f"{deployment.name}-push"
    deployment.aws.call("events", "enable_rule", Name=rule)
    with denied(deployment, "StartRole", "codepipeline:StartPipelineExecution", part=3):
        commit = deployment.push(note, "A note that nobody releases").id
        deployment.until(lambda: refusals(deployment, "StartPipelineExecution"), "the refused start")
        with pytest.raises(TimedOut) as told:
            run.pipeline.execution_for(commit, limit_seconds=0)
    deployment.aws.call("events", "disable_rule", Name=rule)
    assert "may its role start the pipeline" in told.value.try_this
    assert run.pipeline.executions()[0].over
    assert deployment.succeed(run.pipeline.start()).commit == commit


def refusals(deployment: Deployment, event: str) -> list[str]:
    """Who was refused it, as CloudTrail tells."""
    found = deployment.aws.call(
        "cloudtrail",
        "lookup_events",
        LookupAttributes=[{"AttributeKey": "EventName", "AttributeValue": event}],
    )["Events"]
    trail = [json.loads(one["CloudTrailEvent"]) for one in found]
    return [one["userIdentity"]["arn"] for one in trail if "AccessDenied" in one.get("errorCode", "")]


def test_a_stack_update_without_its_right_fails_and_goes_back_when_the_right_is_there_again(
    deployment: Deployment,
) -> None:
    """The way back asks the same function for the same."""
    base, before = deployment.base, deployment.parameters.ready_wait_minutes
    with denied(deployment, "DeploymentGroupFunctionRole", "codedeploy:UpdateDeploymentGroup", part=1):
        deployment.change(ready_wait_minutes=9)
        with pytest.raises(StackFailed) as told:
            exhaust(deployment.base.apply(deployment.base.plan()))
        deployment.change(ready_wait_minutes=before)
    assert "DeploymentGroupFunctionRole" in str(told.value)
    assert "codedeploy:UpdateDeploymentGroup" in str(told.value)
    assert base.stacks.status(base.base_stack) == "UPDATE_ROLLBACK_FAILED"
    assert deployment.run.page().status == 200
    exhaust(base.stacks.continue_rollback(base.base_stack, []))
    assert base.stacks.status(base.base_stack) == "UPDATE_ROLLBACK_COMPLETE"


def test_a_second_release_bakes_when_the_first_is_over(deployment: Deployment) -> None:
    pipeline = deployment.run.pipeline
    first, second = pipeline.start(), pipeline.start()

    def waits() -> bool:
        return any(action.summary.startswith(f"waiting for release {first[:8]}") for action in actions())

    def actions() -> list[Action]:
        return pipeline.actions(second)

    deployment.until(waits, "the second release at the first one's door")
    assert [action.external_id for action in actions() if action.stage == BAKE] == [""]
    for execution in (second, first):
        deployment.aws.call(
            "codepipeline",
            "stop_pipeline_execution",
            pipelineName=pipeline.name,
            pipelineExecutionId=execution,
            abandon=execution == second,
            reason="enough was seen",
        )
    deployment.until(lambda: all(pipeline.execution(one).over for one in (first, second)), "the end of both")
