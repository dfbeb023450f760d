"""Every row of the failure table: a release meets a fault under load, and nobody is hurt."""

from __future__ import annotations

import re

from tests.sandbox.failures.rows import GREEN, Row
from tests.sandbox.failures.trial import Outcome

LEFT_FLEET = {"autoscaling: CodeDeploy_": 1, "cloudwatch: TargetTracking-CodeDeploy_": 2, "ec2: i-": 2}
"""a fleet that stays: its group, the two alarms of its policy, its two machines"""


def told(info: dict[str, object]) -> str:
    """`Failed, HEALTH_CONSTRAINTS` of a deploymentInfo."""
    error = info.get("errorInformation")
    code = f", {error['code']}" if isinstance(error, dict) else ""
    return f"{info.get('status', '')}{code}"


def test_pipeline_and_deployment_end_as_on_aws(row: Row, outcome: Outcome) -> None:
    failed = [action.stage for action in outcome.release.actions if action.status in ("Failed", "Abandoned")]
    assert outcome.release.status == row.pipeline
    assert failed == ([row.failed] if row.failed else [])
    assert told(outcome.deployment) == row.deployment
    assert str(outcome.rollback.get("status", "")) == row.rollback


def test_no_request_is_lost(row: Row, outcome: Outcome) -> None:
    assert len(outcome.lost) <= row.lost, outcome.lost[:3]
    assert len(outcome.answers) > len(outcome.lost)


def test_what_serves_is_a_whole_release(row: Row, outcome: Outcome) -> None:
    new = outcome.new
    answered = {(one.commit, one.image) for one in outcome.answers} - {("", "")}
    assert answered <= {outcome.before, new}
    assert outcome.serves == ({new} if row.serves == GREEN else {outcome.before})


def test_nothing_is_left_behind(row: Row, outcome: Outcome) -> None:
    assert outcome.unsettled == ""
    if row.left:
        counted = {kind: sum(one.startswith(kind) for one in outcome.left) for kind in LEFT_FLEET}
        assert counted == LEFT_FLEET, outcome.left
        assert len(outcome.left) == sum(LEFT_FLEET.values()), outcome.left
    else:
        assert outcome.left == []
    assert outcome.hooks_left == []


def test_the_message_says_what_broke_and_what_to_do_next(row: Row, outcome: Outcome) -> None:
    assert (outcome.error is None) == (row.says == ())
    for pattern in row.says:
        assert re.search(pattern, outcome.message), f"{pattern} is not in:\n{outcome.message}"
    if outcome.error is not None:
        assert row.advice in outcome.error.try_this, outcome.message
        assert len(outcome.message.splitlines()) < 25
