"""Drills: what is drawn, asked and told."""

from __future__ import annotations

import pytest

from gbg_lib import faults
from gbg_lib.drills import DRILLS, Drill, Exercise
from gbg_lib.drills.drill import QUESTIONS, WHERE_TO_LOOK, draw, predictions
from gbg_lib.drills.session import seconds_between
from gbg_lib.errors import MisuseError, NotThere
from gbg_lib.parameters import Parameters
from tests.sandbox.failures.rows import ROWS
from tests.unit.aws_fakes import connected
from tests.unit.stack_fakes import FakeCloudFormation
from tests.unit.test_faults import FakeParameters

BY_FAULT = {row.fault: row for row in ROWS}


def test_there_are_at_least_ten() -> None:
    assert len(DRILLS) >= 10


@pytest.mark.parametrize("drill", DRILLS.values(), ids=list(DRILLS))
def test_a_drills_answers_are_those_of_the_failure_table(drill: Drill) -> None:
    row = BY_FAULT[drill.name]
    assert (drill.stage, drill.serves) == (row.failed, row.serves)
    assert drill.name in faults.CATALOGUE


@pytest.mark.parametrize("drill", DRILLS.values(), ids=list(DRILLS))
def test_every_right_answer_can_be_given(drill: Drill) -> None:
    assert all(drill.right(question) in answers for question, answers in QUESTIONS.items())
    assert set(WHERE_TO_LOOK) == set(QUESTIONS)


@pytest.mark.parametrize("drill", DRILLS.values(), ids=list(DRILLS))
def test_hints_get_nearer_and_are_different(drill: Drill) -> None:
    assert len(set(drill.hints)) == len(drill.hints) >= 3


def test_a_seed_draws_the_same_drill_and_seeds_draw_different_ones() -> None:
    drawn = [draw(DRILLS, "", seed).name for seed in range(40)]
    assert drawn == [draw(DRILLS, "", seed).name for seed in range(40)]
    assert len(set(drawn)) > 8


def test_a_named_drill_is_that_one() -> None:
    assert draw(DRILLS, "hook-hangs", 7).name == "hook-hangs"
    with pytest.raises(MisuseError, match="hook-hangs"):
        draw(DRILLS, "hook-hnags", 7)


def test_without_a_release_that_could_serve_meanwhile_nothing_is_planted() -> None:
    kept = FakeParameters()
    drill = Exercise(
        Parameters(drill="hook-hangs"), connected(cloudformation=FakeCloudFormation([]), ssm=kept)
    )
    for asked in (drill.describe, drill.start):
        with pytest.raises(NotThere, match="gbg has no good release yet") as told:
            asked()
        assert "runbooks 01 to 04" in told.value.try_this
    assert kept.kept == {}


def test_predictions_are_read_from_a_line() -> None:
    assert predictions(" stage = Build,serves=blue ") == {"stage": "Build", "serves": "blue"}
    assert predictions("") == {}


@pytest.mark.parametrize("text", ["stage=Bild", "stage", "colour=blue", "serves=", "stage=Build serves=blue"])
def test_an_answer_that_there_is_not_is_refused_with_those_there_are(text: str) -> None:
    with pytest.raises(MisuseError, match="serves is one of blue, green"):
        predictions(text)


def test_times_are_counted_in_seconds() -> None:
    assert seconds_between("2026-11-28T10:00:00+00:00", "2026-11-28T11:01:00+01:00") == 60
