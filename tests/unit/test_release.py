"""A release: everything one execution made, and why it failed, down to the line that a script printed."""

from __future__ import annotations

import pytest

from gbg_lib.aws import Aws
from gbg_lib.deployments import targets
from gbg_lib.diagnosis import require_succeeded
from gbg_lib.errors import ReleaseFailed
from gbg_lib.pipeline import Pipeline
from gbg_lib.release import read_release
from tests.unit.aws_fakes import connected
from tests.unit.release_fakes import (
    COMMIT,
    DEPLOYMENT,
    EXECUTION,
    GOOD,
    FakeCodeDeploy,
    FakeCodePipeline,
    FakeMachines,
    FakeTrail,
    action,
    lifecycle,
)

BLUE = ("i-0b", "BLUE", [lifecycle("BlockTraffic")])
GREEN = ("i-0g", "GREEN", [lifecycle("BeforeInstall"), lifecycle("AfterInstall")])


def cloud(pipeline: FakeCodePipeline, deploy: FakeCodeDeploy | None = None) -> tuple[Aws, Pipeline]:
    aws = connected(
        codepipeline=pipeline,
        codedeploy=deploy or FakeCodeDeploy([BLUE, GREEN]),
        cloudtrail=FakeTrail(),
        ec2=FakeMachines(**{"i-0g": ("running", "")}),
    )
    return aws, Pipeline(aws, "gbg-release")


def test_a_release_gathers_what_its_stages_made() -> None:
    aws, pipeline = cloud(FakeCodePipeline(GOOD))
    release = require_succeeded(aws, read_release(pipeline, EXECUTION))
    assert (release.commit, release.message) == (COMMIT, "First")
    assert (release.image, release.template_version) == ("ami-1", "2")
    assert (release.build_id, release.deployment_id) == ("gbg-build:1", DEPLOYMENT)
    assert release.seconds == 90


def test_a_release_of_nothing_yet_lasts_no_time() -> None:
    _, pipeline = cloud(FakeCodePipeline([], "InProgress"))
    release = read_release(pipeline, EXECUTION)
    assert (release.seconds, release.image, release.deployment_id) == (0, "", "")


def test_machines_come_green_first_more_than_one_request_at_a_time() -> None:
    many = [(f"i-{number:02}", "BLUE", [lifecycle("BlockTraffic")]) for number in range(30)]
    aws, _ = cloud(FakeCodePipeline([]), FakeCodeDeploy([*many, GREEN]))
    found = targets(aws, DEPLOYMENT)
    assert (found[0].instance, found[0].side, len(found)) == ("i-0g", "Green", 31)
    assert [event.name for event in found[0].events] == ["BeforeInstall", "AfterInstall"]
    assert found[0].events[0].seconds == 3


def test_a_failed_hook_is_told_down_to_its_last_lines() -> None:
    failed = lifecycle(
        "ApplicationStart",
        "Failed",
        errorCode="ScriptFailed",
        scriptName="scripts/start.sh",
        message="Script at specified location failed with exit code 1",
        logTail="\n".join(f"[stdout]line {number}" for number in range(9)),
    )
    green = ("i-0g", "GREEN", [lifecycle("BeforeInstall"), failed])
    actions = [*GOOD[:3], action("Deploy", 51, 60, "Failed", external=DEPLOYMENT, error="deployment failed")]
    aws, pipeline = cloud(FakeCodePipeline(actions, "Failed"), FakeCodeDeploy([BLUE, green]))
    with pytest.raises(ReleaseFailed) as told:
        require_succeeded(aws, read_release(pipeline, EXECUTION))
    assert told.value.what.splitlines() == [
        "Deploy/Deploy failed: deployment failed",
        "  i-0g (Green), ApplicationStart, scripts/start.sh: "
        "Script at specified location failed with exit code 1",
        *(f"    [stdout]line {number}" for number in range(4, 9)),
    ]
    assert "blue still serves" in told.value.try_this


@pytest.mark.parametrize(
    ("stage", "words"),
    [
        ("Source", "repository and branch"),
        ("BuildGoldenAMI", "blue still serves"),
        ("Build", "build's log"),
        ("Deploy", "retry the stage"),
        ("Approval", "mend the cause"),
    ],
)
def test_each_stage_has_its_own_way_on(stage: str, words: str) -> None:
    aws, pipeline = cloud(FakeCodePipeline([action(stage, 0, 1, "Failed", summary="it broke")], "Failed"))
    with pytest.raises(ReleaseFailed, match="it broke") as told:
        require_succeeded(aws, read_release(pipeline, EXECUTION))
    assert words in told.value.try_this


@pytest.mark.parametrize("status", ["Stopped", "Superseded", "InProgress", "SomethingNew"])
def test_no_other_status_is_success(status: str) -> None:
    aws, pipeline = cloud(FakeCodePipeline(GOOD, status))
    with pytest.raises(ReleaseFailed, match=f"status is {status}"):
        require_succeeded(aws, read_release(pipeline, EXECUTION))
