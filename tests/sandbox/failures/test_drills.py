"""A drill from its start to a site that is well again."""

from __future__ import annotations

import pytest

from gbg_lib import faults
from gbg_lib.drills import Exercise
from gbg_lib.drills import session as sessions
from gbg_lib.errors import CheckFailed, GateRefused
from tests.sandbox.e2e.world import Deployment, exhaust
from tests.sandbox.failures.conftest import Table

pytestmark = pytest.mark.xdist_group("failures-0")
GROUP = 0


@pytest.fixture
def deployment(table: Table) -> Deployment:
    return table.deployment(GROUP)


def exercise(deployment: Deployment, **values: object) -> Exercise:
    return Exercise(deployment.parameters.model_copy(update=values), deployment.aws)


def test_a_learner_predicts_watches_asks_mends_and_is_told_how_long_it_took(deployment: Deployment) -> None:
    drill = exercise(deployment, drill="hook-fails-everywhere", predictions="stage=Build, serves=blue")
    drill.start()
    with pytest.raises(GateRefused, match="one goes on"):
        drill.start()
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
    exhaust(drill.follow(drill.mend()))
    assert drill.check()
    times = drill.times()
    assert times["to restore"] > times["to notice"] >= 0
    drill.end()
    assert sessions.load(drill) is None


def test_a_fault_that_waits_for_its_moment_strikes_while_someone_watches(deployment: Deployment) -> None:
    drill = exercise(
        deployment, drill="deployment-stopped", predictions="stage=Deploy, serves=blue, cause=person"
    )
    drill.start()
    exhaust(drill.watch())
    assert all(one.passed for one in drill.check_answers())
    drill.mend()
    exhaust(drill.follow(drill.pipeline.executions()[0].id))
    assert drill.check()
    drill.end()


def test_a_drill_can_be_ended_at_any_time(deployment: Deployment) -> None:
    drill = exercise(deployment, drill="function-raises")
    drill.start()
    drill.end()
    assert faults.planted(drill) is None
    assert sessions.load(drill) is None
    exhaust(drill.follow(drill.pipeline.executions()[0].id))
