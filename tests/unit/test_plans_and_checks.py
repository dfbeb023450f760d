"""What is said before a change and after it: plan with costs, acknowledgement, check cells."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from gbg_lib import blueprint, planned
from gbg_lib.checks import Check, require
from gbg_lib.errors import CheckFailed, GateRefused, NotThere
from gbg_lib.parameters import Parameters
from gbg_lib.prices import read_prices
from gbg_lib.progress import LEARNER, Progress
from gbg_lib.repository import SeedPlan
from gbg_lib.stacks import ResourceChange, StackPlan
from gbg_lib.steps import BaseStack, template_parameters
from gbg_lib.typical import stages
from gbg_lib.views import acknowledge, checks, checks_table, plan_table
from gbg_lib.views.banner import MODE
from gbg_lib.views.checks import as_checks, verdict
from gbg_lib.views.plans import UNDONE
from gbg_lib.views.shown import WIDGET
from tests.unit.aws_fakes import connected


class FakeSts:
    def get_caller_identity(self, **given: Any) -> dict[str, Any]:
        return {"Account": "210987654321"}


class FakeStack:
    """Part 1 as its defaults make it."""

    def describe_stacks(self, **given: Any) -> dict[str, Any]:
        made = template_parameters(Parameters(), "01")
        told = [{"ParameterKey": name, "ParameterValue": value} for name, value in made.items()]
        return {"Stacks": [{"StackName": "gbg-base", "StackStatus": "CREATE_COMPLETE", "Parameters": told}]}


def step(**given: Any) -> BaseStack:
    made = BaseStack(Parameters(**given), connected(sts=FakeSts(), cloudformation=FakeStack()))
    made.aws.acknowledged = made.parameters.acknowledged or made.parameters.cloud == "sandbox"
    return made


def plan_of(part: int) -> StackPlan:
    resources = json.loads(blueprint.template(part))["Resources"]
    changes = [ResourceChange("Add", name, one["Type"], "") for name, one in resources.items()]
    return StackPlan("gbg-base", "create", "it does not exist yet", tuple(changes))


def update_of(type_: str, action: str = "Modify") -> StackPlan:
    changes = (ResourceChange(action, "It", type_, "False"),)
    return StackPlan("gbg-base", "update", "it exists and differs", changes)


class TestPlan:
    @pytest.mark.parametrize("part", [1, 3])
    def test_every_resource_of_a_template_has_its_reason_and_its_way_out(self, part: int) -> None:
        found = planned.kinds(plan_of(part), Parameters())
        assert all(kind.why and kind.goes for kind in found), [kind.type for kind in found if not kind.why]
        assert sum(len(kind.names) for kind in found) == len(plan_of(part).changes)

    def test_it_is_a_row_a_kind_with_costs_that_add_up(self) -> None:
        shown = plan_table(plan_of(1), step(instance_count=3))
        rows = {row["resource"]: row for row in shown.to_dict("records")}
        fleet = rows["AWS::AutoScaling::AutoScalingGroup"]
        by_hand = 3 * (0.0208 + 0.005 + 8 * 0.08 / 730)
        assert float(fleet["USD an hour"]) == pytest.approx(by_hand, abs=0.0001)
        assert rows["AWS::EC2::VPC"]["USD an hour"] == ""
        total = sum(float(row["USD a month"]) for row in rows.values() if row["USD a month"])
        assert f"{total:.2f} a month" in repr(shown)

    def test_what_costs_nothing_here_says_so(self) -> None:
        assert "On the sandbox nothing; on AWS about" in repr(plan_table(plan_of(1), step()))
        assert "On the sandbox" not in repr(plan_table(plan_of(1), step(cloud="aws")))

    def test_a_machine_without_a_price_is_told(self) -> None:
        assert "without a price: u7i.large" in repr(plan_table(plan_of(1), step(instance_type="u7i.large")))

    def test_a_fleet_that_grows_costs_what_it_costs_then_and_says_what_it_costs_now(self) -> None:
        shown = plan_table(update_of(planned.GROUP), grown := step(cloud="aws", instance_count=3))
        [row] = shown.to_dict("records")
        machine = 0.0208 + 0.005 + 8 * 0.08 / 730
        assert float(row["USD an hour"]) == pytest.approx(3 * machine, abs=0.0001)
        now = f"so far {2 * machine:.2f} USD an hour, {2 * machine * 730:.2f} a month ("
        then = f"{3 * machine:.2f} USD an hour, {3 * machine * 730:.2f} a month"
        assert f"On AWS about {then} for what is changed; {now}" in repr(shown)
        gone = plan_table(update_of(planned.GROUP, "Remove"), grown)
        assert f"about 0.00 USD an hour, 0.00 a month for what is changed; {now}" in repr(gone)

    @pytest.mark.parametrize("type_", [planned.GROUP, planned.ALARM, "AWS::EC2::VPC"])
    def test_a_change_that_costs_nothing_more_says_so(self, type_: str) -> None:
        shown = repr(plan_table(update_of(type_), step()))
        assert "a month for what is changed; so far as much (" in shown

    def test_a_bucket_that_outlives_its_stack_says_how_it_goes(self) -> None:
        shown = plan_table(plan_of(1), step()).to_dict("records")
        [bucket] = [row for row in shown if row["resource"] == "AWS::S3::Bucket"]
        assert bucket["removed"] == "kept by the stack; runbook 09 removes it with remove_records"

    def test_an_empty_one_says_why(self) -> None:
        shown = repr(plan_table(StackPlan("s", "nothing", "it exists and equals"), step()))
        assert "s: nothing, because it exists and equals" in shown and "USD an hour," not in shown

    def test_a_repositorys_is_a_row_a_file(self) -> None:
        found = plan_table(SeedPlan("gbg-app", "push", "the repository is empty", ("appspec.yml",)), step())
        assert found.to_dict("records") == [{"file": "appspec.yml", "action": "push"}]

    @pytest.mark.parametrize("action", ["push", "change", "nothing"])
    def test_a_repositorys_says_how_it_is_undone(self, action: str) -> None:
        shown = repr(plan_table(SeedPlan("gbg-app", action, "of a reason", (), "Mine"), step()))
        assert UNDONE[action] in shown
        assert ("a second commit lets the page say 'Mine'" in shown) == (action == "push")

    def test_a_release_is_paid_once_and_for_what_stays(self) -> None:
        minutes = {name: seconds / 60 for name, seconds in stages("aws").items()}
        uses = planned.a_release(2, "t3.small", minutes, read_prices("us-east-1"))
        image = next(use for use in uses if use.what.startswith("golden AMI"))
        assert image.month == pytest.approx(8 * 0.05)
        assert all(use.usd is not None and use.goes for use in uses)
        unknown = planned.a_release(2, "u7i.large", minutes, read_prices("us-east-1"))
        assert next(use for use in unknown if use.what == "builder machine").usd is None


class TestAcknowledgement:
    def test_on_aws_nothing_is_changed_before_the_box_is_ticked(self) -> None:
        one = step(cloud="aws")
        asked = acknowledge(one)
        assert asked.asks and WIDGET in asked._repr_mimebundle_()
        with pytest.raises(GateRefused, match="not acknowledged"):
            one.aws.acts("aws x")
        [_, box, said] = asked.widget().children
        box.value = True
        one.aws.acts("aws x")
        assert "may change AWS" in said.value
        box.value = False
        with pytest.raises(GateRefused):
            one.aws.acts("aws x")

    def test_a_box_that_is_shown_again_asks_again(self) -> None:
        one = step(cloud="aws")
        acknowledge(one).acknowledge(True)
        assert acknowledge(one).asks
        with pytest.raises(GateRefused):
            one.aws.acts("aws x")

    def test_a_run_that_nobody_watches_takes_a_parameter_instead(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv(MODE, "scheduled")
        bundle = acknowledge(step(cloud="aws"))._repr_mimebundle_()
        assert WIDGET not in bundle and "-p acknowledged=true" in bundle["text/plain"]
        assert "is acknowledged" in repr(acknowledge(step(cloud="aws", acknowledged=True)))

    def test_the_sandbox_asks_nothing(self) -> None:
        assert WIDGET not in acknowledge(step())._repr_mimebundle_()
        assert "costs nothing" in repr(acknowledge(step()))


RIGHT = Check("fleet", True, "2 instances serve", "target health")
NOT_YET = Check("page", False, "it answers 502", "target health", pending=True)
WRONG = Check("stack", False, "ROLLBACK_COMPLETE", "delete it")


class TestChecks:
    def test_three_results_each_with_what_to_do(self) -> None:
        rows = checks_table([RIGHT, NOT_YET, WRONG]).to_dict("records")
        assert [row["result"] for row in rows] == ["✓ right", "… not yet", "✗ wrong"]
        assert [row["next"] for row in rows] == ["", "look at: target health", "mend it: delete it"]

    def test_all_right_has_nothing_to_do(self) -> None:
        assert list(checks_table([RIGHT]).columns) == ["check", "result", "found"]

    def test_the_verdict_is_the_worst_of_all_in_both_twins(self) -> None:
        shown = verdict([RIGHT, NOT_YET, WRONG])
        assert shown.text.startswith("check: ✗ Wrong\nstack: ROLLBACK_COMPLETE. Mend it: delete it")
        assert "✗ Wrong" in shown.markup and "Mend it: delete it" in shown.markup
        assert verdict([RIGHT, NOT_YET]).text.startswith("check: … Not yet")

    def test_what_is_wrong_is_raised_before_what_may_still_come(self) -> None:
        with pytest.raises(CheckFailed, match="ROLLBACK_COMPLETE") as failed:
            require([RIGHT, NOT_YET, WRONG])
        assert list(failed.value.checks) == [RIGHT, NOT_YET, WRONG]

    def test_all_rows_are_seen_before_the_cell_fails(self, capsys: pytest.CaptureFixture[str]) -> None:
        with pytest.raises(CheckFailed):
            checks("01", lambda: require([RIGHT, WRONG]))
        told = capsys.readouterr().out
        assert "2 instances serve" in told and "✗ wrong" in told

    def test_what_is_not_there_yet_is_no_fault(self) -> None:
        [found] = as_checks(NotThere("stack", "it does not exist", "run runbook 01"))
        assert (found.result, found.try_this) == ("not yet", "run runbook 01")

    def test_who_learns_has_it_kept(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
        monkeypatch.setenv(LEARNER, "ada")
        with pytest.raises(CheckFailed):
            checks("01", lambda: require([WRONG]))
        assert [(mark.task, mark.result) for mark in Progress().marks()] == [("01: check", "wrong")]
        checks("01", lambda: [RIGHT])
        assert [(mark.result, mark.tries) for mark in Progress().marks()] == [("right", 2)]
