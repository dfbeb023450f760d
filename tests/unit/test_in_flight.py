"""What a stopped run tells of AWS: each work with the command that follows it and the one that stops it."""

from __future__ import annotations

import pytest

from gbg_lib.parameters import Parameters
from gbg_lib.runner.in_flight import UNTOLD, InFlight, addressed, in_flight
from tests.unit.account_fakes import FakeAccount, FakeStack

BUILD, BAKE = "gbg-build:1", "b0000000-0000-4000-8000-000000000001"


def told(account: FakeAccount) -> list[str]:
    return [one.sentence for one in in_flight(account.aws, "gbg")]


def test_where_nothing_goes_on_nothing_is_told() -> None:
    made = {"gbg-base": FakeStack(), "gbg-pipeline": FakeStack("REVIEW_IN_PROGRESS")}
    assert told(FakeAccount()) == told(FakeAccount(stacks=made)) == []


@pytest.mark.parametrize(
    ("kind", "id_", "what", "follow", "stop"),
    [
        (
            *("release", "e-1", "release e-1 of commit 4b799fd1: InProgress"),
            *("gbg run 4 -p execution_id=e-1", "stop-pipeline-execution --pipeline-name gbg-release"),
        ),
        (
            *("bake", BAKE, f"bake {BAKE}: InProgress"),
            f"aws ssm get-automation-execution --automation-execution-id {BAKE}",
            f"aws ssm stop-automation-execution --automation-execution-id {BAKE} --type Cancel",
        ),
        (
            *("build", BUILD, f"build {BUILD}: IN_PROGRESS"),
            *(f"aws codebuild batch-get-builds --ids {BUILD}", f"aws codebuild stop-build --id {BUILD}"),
        ),
        (
            *("deployment", "d-ABC", "deployment d-ABC: InProgress"),
            "aws deploy get-deployment --deployment-id d-ABC",
            "aws deploy stop-deployment --deployment-id d-ABC",
        ),
    ],
)
def test_each_work_is_told_whoever_began_it(kind: str, id_: str, what: str, follow: str, stop: str) -> None:
    [one] = in_flight(FakeAccount(going_on={id_: kind}).aws, "gbg")
    assert (one.what, one.follow) == (what, follow)
    assert stop in one.stop


@pytest.mark.parametrize(
    "status", ["DELETE_IN_PROGRESS", "IMPORT_IN_PROGRESS", "UPDATE_ROLLBACK_IN_PROGRESS"]
)
def test_a_stack_that_can_not_be_stopped_is_told_to_end_by_itself(status: str) -> None:
    account = FakeAccount(stacks={"gbg-base": FakeStack(status)})
    [sentence] = told(account)
    assert sentence == (
        f"stack gbg-base: {status}. Follow it: `aws cloudformation describe-stack-events --stack-name "
        "gbg-base`; it can't be stopped, it ends by itself"
    )


def test_its_commands_find_it_from_any_shell() -> None:
    account = FakeAccount(going_on={"e-1": "release", "d-ABC": "deployment"})
    aws = account.aws
    aws.profile = "night shift"
    shop = Parameters(cloud="aws", deployment="shop", profile="night shift")
    release, deployment = (addressed(one, aws, shop) for one in in_flight(aws, "shop"))
    assert release.follow == (
        "gbg run 4 -p execution_id=e-1 -p cloud=aws -p profile='night shift' -p deployment=shop"
    )
    for command in (release.stop, deployment.follow, deployment.stop):
        assert command.endswith(" --region us-east-1 --profile 'night shift'")
    untold = InFlight(UNTOLD, "", "")
    assert addressed(untold, aws, shop) == untold


def test_where_the_shell_has_the_profile_its_commands_are_short() -> None:
    account = FakeAccount(going_on={"e-1": "release", "d-ABC": "deployment"})
    aws = account.aws
    aws.environment["AWS_CONFIG_FILE"] = "/sandbox/aws/config"
    for one in in_flight(aws, "gbg"):
        assert addressed(one, aws, Parameters()) == one


def test_what_may_not_be_looked_at_hides_nothing_else() -> None:
    account = FakeAccount(
        stacks={"gbg-pipeline": FakeStack("UPDATE_IN_PROGRESS")},
        going_on={BAKE: "bake", "d-ABC": "deployment"},
        forbidden={"list_builds_for_project"},
    )
    stack, bake, untold, deployment = in_flight(account.aws, "gbg")
    assert stack.stop == "aws cloudformation cancel-update-stack --stack-name gbg-pipeline"
    assert (bake.what[:4], deployment.what[:10]) == ("bake", "deployment")
    assert untold.what.startswith(UNTOLD) and "codebuild" in untold.what
    assert untold == InFlight(untold.what, "", "")
