"""A drill from its start to a site that is well again."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from functools import partial

import pytest

from gbg_lib import faults
from gbg_lib.deployments import active_deployments
from gbg_lib.drills import Exercise
from gbg_lib.drills import session as sessions
from gbg_lib.errors import LOCKED, CheckFailed, GateRefused
from gbg_lib.faults import moments
from gbg_lib.release_lock import ReleaseLock, this_process
from tests.command import clean_environment
from tests.sandbox.e2e.world import SHELL_SECONDS, Deployment, exhaust
from tests.sandbox.failures.conftest import Table

pytestmark = pytest.mark.xdist_group("failures-0")
GROUP = 0


@pytest.fixture
def deployment(table: Table) -> Deployment:
    return table.deployment(GROUP)


def exercise(deployment: Deployment, **values: object) -> Exercise:
    return Exercise(deployment.parameters.model_copy(update=values), deployment.aws)


def gbg(table: Table, *words: str, status: int = 0) -> str:
    """What `gbg drill` tells, with these words after it."""
    done = subprocess.run(
        [sys.executable, "-m", "gbg_cli", "drill", *words],
        env=clean_environment(GBG_HOME=str(table.home(GROUP))),
        capture_output=True,
        text=True,
        check=False,
        timeout=SHELL_SECONDS,
    )
    assert done.returncode == status, done.stdout + done.stderr
    return done.stdout + done.stderr


def test_a_learner_predicts_watches_asks_mends_and_is_told_how_long_it_took(deployment: Deployment) -> None:
    drill = exercise(deployment, drill="hook-fails-everywhere", predictions="stage=Build, serves=blue")
    with moments.before_deploy(drill):
        drill.start()
        with pytest.raises(GateRefused, match="one goes on"):
            drill.start()
        begun = drill.session
        sessions.forget(drill)
        with pytest.raises(GateRefused, match=r"no other release is going on; release \w+ is InProgress"):
            drill.start()
        sessions.save(drill, begun)
    with pytest.raises(GateRefused, match="the release goes on"):
        drill.check_answers()
    with pytest.raises(GateRefused, match="nothing has failed yet"):
        drill.notice()
    exhaust(drill.watch())
    assert drill.times() == {}
    drill.notice()
    assert {one.name: one.passed for one in drill.check_answers()} == {
        "stage": False,
        "serves": True,
        "cause": False,
    }
    assert all(one.passed for one in drill.answer("stage=Deploy, cause=application"))
    assert "FAILED: no licence" in drill.message()
    hints = [drill.hint() for _ in range(4)]
    assert len(set(hints)) == 3
    assert hints[-1] == hints[-2]
    with pytest.raises(CheckFailed, match=r"release: .* Failed"):
        drill.check()
    repair = drill.mend()
    assert drill.mend() == repair, "one that goes on is followed"
    exhaust(drill.follow(repair))
    assert drill.check()
    times = drill.times()
    assert times["to restore"] > times["to notice"] >= 0
    drill.end()
    assert sessions.load(drill) is None


def test_a_group_meets_one_from_its_shells_and_mends_it_by_hand(deployment: Deployment, table: Table) -> None:
    """The fault waits for its moment and strikes from the shell that started the drill."""

    run, said = deployment.run, partial(gbg, table)
    assert "stage is one of Source" in said("deployment-stopped", "--predict", "stage=Deploy, serves=blue")
    assert "one goes on since" in said("hook-hangs", status=GateRefused.exit_status)
    exhaust(run.follow(run.pipeline.executions()[0].id))
    assert "s after the failure" in said("--notice")
    assert "cause      application        not yet: " in said("--answer", "cause=application")
    assert said("--answer", "cause=person").count(" right\n") == 3
    assert "not yet: mend the cause" in said("--check")
    rest = run.base["ApplicationName"], run.base["DeploymentGroupName"]
    deployment.until(
        lambda: active_deployments(run.aws, *rest) == [], "the end of the rollback", limit_seconds=300
    )
    exhaust(run.follow(run.pipeline.start()))
    told = said("--check")
    assert "not yet" not in told
    assert "to restore: " in told
    assert said("--end") == "The drill is over\n"
    assert said("--end") == "No drill was going on\n"
    assert faults.planted(run) is None


def test_a_drill_waits_for_whoever_releases(deployment: Deployment, table: Table) -> None:
    """From the shell, where somebody on another machine holds the pipeline: nothing is planted."""
    before = deployment.run.pipeline.executions()[0].id
    owner = replace(this_process(), host="another-machine", run="its-release")
    lock = ReleaseLock(deployment.aws, deployment.run.base["ArtifactBucketName"], owner)
    lock.take("a release")
    told = gbg(table, "hook-hangs", status=LOCKED)
    lock.let_go()
    assert "another-machine" in told and "its-release" in told and "a release" in told
    drill = exercise(deployment, drill="hook-hangs")
    assert faults.planted(drill) is None
    assert sessions.load(drill) is None
    assert deployment.run.pipeline.executions()[0].id == before


def test_a_drill_can_be_ended_at_any_time(deployment: Deployment) -> None:
    """And the pipeline is then anybody's."""
    drill = exercise(deployment, drill="function-raises")
    drill.start()
    drill.end()
    assert faults.planted(drill) is None
    assert sessions.load(drill) is None
    assert (held := drill.lock.look()) is not None and held.released
    exhaust(drill.follow(drill.pipeline.executions()[0].id))
