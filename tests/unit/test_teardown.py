"""Teardown: the order, resuming after any interruption, refusals, and proof."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import pytest

from gbg_lib.errors import AwsError, CheckFailed, GateRefused
from gbg_lib.parameters import Parameters
from gbg_lib.teardown import Teardown
from gbg_lib.views.teardown import removal_table
from tests.unit.account_fakes import OURS, Died, FakeAccount, FakeStack
from tests.unit.aws_fakes import refusal

BAKE = "b0000000-0000-4000-8000-000000000001"
GREEN = "CodeDeploy_gbg-fleet_d-ABC"


@pytest.fixture
def account() -> FakeAccount:
    """After a release, with the next one on its way: a copied group, a builder, images, records."""
    return FakeAccount(
        stacks={
            "gbg-pipeline": FakeStack(resources={"ArtifactBucket": "gbg-artifacts"}),
            "gbg-base": FakeStack(resources={"BakeLogs": "/gbg/bake"}),
        },
        groups={GREEN: "gbg", "shop-blue": "shop"},
        machines={"i-green": GREEN, "i-builder": ""},
        images={"ami-1": "snap-1", "ami-2": "snap-2"},
        buckets={"gbg-artifacts": ["revision.zip"], "gbg-base-records-x": ["record"], "photos": ["cat"]},
        logs={"/gbg/bake", "/gbg/instances", "/shop/bake"},
        untagged={"photos"},
        going_on={"e-1": "release", BAKE: "bake"},
    )


ALL = [
    "stop release e-1",
    f"cancel bake {BAKE}",
    "empty gbg-artifacts",
    "delete stack gbg-pipeline",
    f"delete group {GREEN}",
    "terminate i-builder",
    "delete stack gbg-base",
    "deregister ami-1",
    "deregister ami-2",
    "delete log group /gbg/instances",
]


def teardown(account: FakeAccount, rest_seconds: float = 60.0, **given: object) -> Teardown:
    parameters = Parameters(**{"confirm": "gbg", **given})  # type: ignore[arg-type]
    return Teardown(parameters, account.aws, rest_seconds)


def run(account: FakeAccount, rest_seconds: float = 60.0, **given: object) -> Teardown:
    step = teardown(account, rest_seconds, **given)
    for _ in step.apply(step.plan()):
        pass
    return step


class TestOrder:
    def test_what_starts_things_goes_first_and_what_stacks_leave_goes_last(
        self, account: FakeAccount
    ) -> None:
        step = run(account)
        assert account.done == ALL
        checks = ["stacks", "what goes on", "tagged things", "EC2's own list of tags", "tags of other kinds"]
        assert [check.name for check in step.check()] == checks

    def test_other_peoples_things_and_records_stay(self, account: FakeAccount) -> None:
        run(account)
        assert account.groups == {"shop-blue": "shop"}
        assert account.logs == {"/shop/bake"}
        assert account.buckets == {"gbg-base-records-x": ["record"], "photos": ["cat"]}

    def test_records_go_when_that_is_asked_for(self, account: FakeAccount) -> None:
        step = run(account, remove_records=True)
        assert account.buckets == {"photos": ["cat"]}
        assert step.check()[-1].found == "none"

    def test_the_plan_tells_all_of_it_and_what_stays(self, account: FakeAccount) -> None:
        plan = teardown(account).plan()
        assert [(one.what, one.count) for one in plan.removals] == [
            ("what goes on", 2),
            ("bucket content", 1),
            ("stack", 1),
            ("group", 1),
            ("instance", 1),
            ("stack", 1),
            ("image", 2),
            ("snapshot", 2),
            ("log group", 1),
        ]
        assert plan.kept == ("bucket gbg-base-records-x",)
        assert plan.saved.month == pytest.approx(2 * (0.0208 + 0.005) * 730 + 16 * 0.05)


class TestDryRun:
    def test_without_the_name_nothing_is_done_and_the_check_proves_it(self, account: FakeAccount) -> None:
        step = run(account, confirm="")
        assert account.done == []
        [check] = step.check()
        assert (check.name, check.passed) == ("dry run: nothing was removed", True)
        account.logs.clear()
        with pytest.raises(CheckFailed, match="things are there as before"):
            step.check()

    def test_another_name_is_refused(self, account: FakeAccount) -> None:
        said = "confirm says 'shop', which is another name; nothing was removed"
        with pytest.raises(GateRefused, match=said):
            run(account, confirm="shop")
        assert account.done == []
        with pytest.raises(GateRefused, match=said):
            run(FakeAccount(), confirm="shop")

    @pytest.mark.parametrize("confirm", ["GBG", " gbg", "gbg ", "gbg-base", "true", "yes"])
    def test_what_is_nearly_the_name_is_another(self, account: FakeAccount, confirm: str) -> None:
        with pytest.raises(GateRefused, match="another name"):
            run(account, confirm=confirm)
        assert account.done == []


class TestResuming:
    @pytest.mark.parametrize("dies_at", range(len(ALL)))
    def test_killed_before_any_change_the_next_run_ends_it(self, account: FakeAccount, dies_at: int) -> None:
        account.dies_at = dies_at
        with pytest.raises(Died):
            run(account)
        assert run(account).check()[-1].found == "none"
        assert account.done == ALL

    def test_again_there_is_nothing_to_do(self, account: FakeAccount) -> None:
        run(account)
        account.done.clear()
        plan = teardown(account).plan()
        assert (plan.action, plan.reason) == ("nothing", "nothing is left that carries its tag")
        run(account)
        assert account.done == []


@dataclass
class GoingAccount(FakeAccount):
    """A deletion goes on: what was listed a moment ago is gone when it is asked about."""

    def list_applications(self, **given: Any) -> dict[str, Any]:
        return {"applications": ["gbg-app"] if "gbg-base" in self.stacks else []}

    def list_object_versions(self, **given: Any) -> dict[str, Any]:
        self.buckets.pop(given["Bucket"])
        raise refusal("NoSuchBucket", "The specified bucket does not exist")

    def describe_launch_templates(self, **given: Any) -> dict[str, Any]:
        template = {"LaunchTemplateId": "lt-1", "LaunchTemplateName": "gbg", "Tags": OURS}
        return {"LaunchTemplates": [template] if "gbg-base" in self.stacks else []}

    def describe_launch_template_versions(self, **given: Any) -> dict[str, Any]:
        raise refusal("InvalidLaunchTemplateId.NotFound", "The specified launch template does not exist.")


def test_what_another_deletion_takes_meanwhile_is_no_hindrance(account: FakeAccount) -> None:
    """As that of a teardown that was killed: CloudFormation goes on with it."""
    going = GoingAccount(**vars(account))
    assert run(going).check()
    assert going.stacks == {}


class TestStacks:
    @pytest.mark.parametrize(
        "status",
        [
            *("CREATE_FAILED", "ROLLBACK_FAILED", "ROLLBACK_COMPLETE", "UPDATE_FAILED", "DELETE_FAILED"),
            *(
                "UPDATE_ROLLBACK_FAILED",
                "UPDATE_ROLLBACK_COMPLETE",
                "REVIEW_IN_PROGRESS",
                "CREATE_IN_PROGRESS",
            ),
        ],
    )
    def test_goes_from_whatever_state_it_rests_in(self, account: FakeAccount, status: str) -> None:
        account.stacks["gbg-base"].status = status
        run(account)
        assert account.stacks == {}

    def test_an_update_that_goes_on_is_waited_for(self, account: FakeAccount) -> None:
        account.stacks["gbg-base"] = replace(
            account.stacks["gbg-base"], status="UPDATE_IN_PROGRESS", settles="UPDATE_COMPLETE"
        )
        run(account)
        assert account.stacks == {}

    def test_what_holds_a_stack_is_left_out_and_then_removed_for_itself(self, account: FakeAccount) -> None:
        account.stacks["gbg-base"].holds = {"BakeLogs"}
        run(account)
        stacks = [line for line in account.done if "gbg-base" in line]
        assert stacks == ["delete stack gbg-base", "delete stack gbg-base", "force delete stack gbg-base"]
        assert "delete log group /gbg/bake" in account.done

    @pytest.mark.parametrize("gone", ["gbg-pipeline", "gbg-base"])
    def test_half_of_the_stacks_is_no_hindrance(self, account: FakeAccount, gone: str) -> None:
        del account.stacks[gone]
        assert run(account).check()
        assert account.groups == {"shop-blue": "shop"}


class TestRefusals:
    def refused(self, account: FakeAccount, why: str) -> None:
        step = teardown(account)
        with pytest.raises(GateRefused, match=why):
            list(step.apply(step.plan()))
        assert account.done == []

    def test_a_stack_of_the_same_name_without_the_tag(self, account: FakeAccount) -> None:
        account.stacks["gbg-base"].tags = []
        self.refused(account, "stack gbg-base is not this deployment's: it carries no gbg:deployment tag")

    def test_a_stack_that_is_tagged_for_another(self, account: FakeAccount) -> None:
        account.stacks["gbg-base"].tags = [{"Key": "gbg:deployment", "Value": "shop"}]
        self.refused(account, "it is tagged shop")

    def test_a_stack_that_someone_protected(self, account: FakeAccount) -> None:
        account.stacks["gbg-pipeline"].protected = True
        self.refused(account, "stack gbg-pipeline is protected against deletion")

    def test_an_image_that_others_run(self, account: FakeAccount) -> None:
        account.others["i-9"] = "ami-1"
        self.refused(account, "image ami-1 is run by others: i-9")

    def test_what_is_named_alike_without_a_tag_is_shown_and_never_touched(self, account: FakeAccount) -> None:
        account.logs.add("/gbg/mine")
        account.untagged.add("/gbg/mine")
        assert [one.name for one in teardown(account).before.strangers] == ["/gbg/mine"]
        run(account)
        assert "/gbg/mine" in account.logs


class TestTags:
    HERE = "us-east-1:123456789012"

    def test_a_tagged_thing_of_any_name_goes_where_its_service_confirms_it(
        self, account: FakeAccount
    ) -> None:
        account.logs.add("/odd")
        account.told = [
            f"arn:aws:logs:{self.HERE}:log-group:/odd",
            f"arn:aws:logs:{self.HERE}:log-group:/gone",
        ]
        assert run(account).check()
        assert account.logs == {"/shop/bake"}
        assert "delete log group /odd" in account.done

    def test_a_name_that_ends_alike_is_no_thing_that_was_told(self, account: FakeAccount) -> None:
        account.logs.add("/very/odd")
        account.told = [f"arn:aws:lambda:{self.HERE}:function:/very/odd"]
        run(account)
        assert "/very/odd" in account.logs

    @pytest.mark.parametrize(
        ("arn", "foreign"),
        [
            (f"arn:aws:dynamodb:{HERE}:table/orders", True),
            (f"arn:aws:s3:{HERE}:accesspoint/records", True),
            (f"arn:aws:cloudformation:{HERE}:stack/gbg-extra/0a", True),
            (f"arn:aws:cloudformation:{HERE}:stack/gbg-base/0a", False),
            ("arn:aws:s3:::gbg-artifacts", False),
            (f"arn:aws:ec2:{HERE}:instance/i-1", False),
            (f"arn:aws:elasticloadbalancing:{HERE}:targetgroup/gbg/0a", False),
            (f"arn:aws:sns:{HERE}:gbg-alarms", False),
        ],
    )
    def test_what_no_list_asks_for_is_named_before_and_after(
        self, account: FakeAccount, arn: str, foreign: bool
    ) -> None:
        account.told = [arn]
        assert (f"{arn} (no runbook makes such)" in teardown(account).plan().kept) is foreign
        told = run(account).check()[-1].found
        assert told == (f"kept, as no runbook makes such: {arn}" if foreign else "none")

    def test_without_the_right_to_ask_for_tags_it_goes_by_names_and_says_what_it_can_not_find(
        self, account: FakeAccount
    ) -> None:
        account.logs.add("/odd")
        account.told = [f"arn:aws:logs:{self.HERE}:log-group:/odd"]
        account.may_ask_for_tags = False
        step = run(account)
        assert account.logs == {"/shop/bake", "/odd"}
        said = "things under odd names are not found, for tag:GetResources is refused (not authorized"
        assert step.plan().unseen.startswith(said)
        assert said in str(removal_table(step.plan()))
        assert step.check()[-1].found.startswith(said)


def test_what_stays_is_named_with_its_reason(account: FakeAccount) -> None:
    account.stuck.add("/gbg/instances")
    with pytest.raises(
        AwsError, match="log group /gbg/instances: OperationAbortedException: it is protected"
    ):
        run(account, rest_seconds=0.0)
    with pytest.raises(CheckFailed, match="/gbg/instances"):
        teardown(account).check()
