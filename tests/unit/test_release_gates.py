"""The gates of a release: before the bake, before traffic, after traffic."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta

import pytest

from gbg_lib.aws import Aws
from gbg_lib.deployment_group import deployment
from gbg_lib.errors import GateRefused
from gbg_lib.gates.after_traffic import AfterTraffic, Change, Tolerance, compared
from gbg_lib.gates.before_traffic import judged
from gbg_lib.gates.figures import Figures, figures, period_seconds
from gbg_lib.gates.gate import Judgement, answering
from gbg_lib.gates.release_gates import AFTER, BEFORE, ReleaseGates
from gbg_lib.parameters import Parameters
from gbg_lib.smoke import smoke
from gbg_lib.steps import ReleaseRun
from gbg_lib.way_back.situation import Alarm
from tests.unit import serving_state
from tests.unit.serving_fakes import FakeServing
from tests.unit.serving_state import COMMITS, IMAGES, LOAD_BALANCER, NEW, OLD, TARGET_GROUP, health
from tests.unit.site import serving

TOLERANCE = Tolerance(1, 50, 500, 20)


@pytest.fixture
def cloud() -> Iterator[FakeServing]:
    made = FakeServing()
    with serving(made.pages) as site:
        made.base["SiteUrl"] = site
        yield made


def step(cloud: FakeServing, **parameters: object) -> ReleaseRun:
    return ReleaseRun(Parameters(**{"gate_minutes": 0} | parameters), cloud.connect())  # type: ignore[arg-type]


class TestBeforeTheBake:
    def said(self, cloud: FakeServing, execution: str = "") -> dict[str, Judgement]:
        return {one.gate: one for one in step(cloud).before_bake(execution)}

    def test_a_quiet_deployment_lets_a_release_begin(self, cloud: FakeServing) -> None:
        assert {one.verdict for one in self.said(cloud).values()} == {"pass"}
        assert cloud.changes == 0

    @pytest.mark.parametrize(
        ("gate", "change", "found"),
        [
            (
                "source image",
                lambda cloud: cloud.images["ami-source"]["tags"].update({"gbg:revoked": "CVE-2026-1"}),
                "ami-source is revoked: CVE-2026-1",
            ),
            ("source image", lambda cloud: cloud.images.pop("ami-source"), "ami-source, which is not there"),
            (
                "other releases",
                lambda cloud: setattr(cloud.executions[0], "status", "InProgress"),
                "release e-new is InProgress",
            ),
            (
                "other releases",
                lambda cloud: setattr(cloud.deployments["d-NEW"], "status", "InProgress"),
                "deployment d-NEW is InProgress",
            ),
            (
                "alarms",
                lambda cloud: cloud.alarms.update({"gbg-elb-5xx": ("ALARM", {})}),
                "firing: gbg-elb-5xx",
            ),
            (
                "drift",
                lambda cloud: setattr(cloud, "stack_status", "UPDATE_FAILED"),
                "gbg-base is UPDATE_FAILED",
            ),
            ("drift", lambda cloud: setattr(cloud, "listed", ["gbg-blue"]), "gbg-blue, which is not there"),
            ("drift", lambda cloud: cloud.alarms.pop("gbg-elb-5xx"), "alarms: gbg-elb-5xx is not there"),
            (
                "drift",
                lambda cloud: cloud.edited.update({"UnhealthyHosts": [("/Threshold", "1", "50")]}),
                "UnhealthyHosts/Threshold is 50, and was 1",
            ),
            ("drift", lambda cloud: cloud.edited.update({"TargetErrors": []}), "TargetErrors is deleted"),
            (
                "drift",
                lambda cloud: cloud.answering.update(Type="fixed-response"),
                "listener: none forwards to the fleet's target group: port 80 gives fixed-response",
            ),
            (
                "drift",
                lambda cloud: cloud.answering.update(
                    ForwardConfig={"TargetGroups": [{"TargetGroupArn": "arn:another", "Weight": 1}]}
                ),
                "port 80 gives arn:another",
            ),
            (
                "drift",
                lambda cloud: cloud.answering.update(
                    ForwardConfig={"TargetGroups": [{"TargetGroupArn": TARGET_GROUP, "Weight": 0}]}
                ),
                "port 80 gives forward",
            ),
        ],
        ids=[
            "revoked",
            "deregistered",
            "release",
            "deployment",
            "firing",
            "stack",
            "fleet",
            "alarm gone",
            "alarm edited",
            "alarm deleted",
            "listener answers itself",
            "listener forwards elsewhere",
            "listener forwards to nobody",
        ],
    )
    def test_what_shuts_a_gate_is_told(
        self, cloud: FakeServing, gate: str, change: Callable[[FakeServing], object], found: str
    ) -> None:
        change(cloud)
        judgement = self.said(cloud)[gate]
        assert judgement.verdict == "fail" and found in judgement.found
        assert judgement.try_this

    def test_a_listener_is_set_back_by_a_command_that_is_told(self, cloud: FakeServing) -> None:
        cloud.answering["Type"] = "fixed-response"
        assert "modify-listener` with a forward to arn" in self.said(cloud)["drift"].try_this

    def test_a_listener_may_forward_to_several(self, cloud: FakeServing) -> None:
        groups = [
            {"TargetGroupArn": "arn:another", "Weight": 9},
            {"TargetGroupArn": TARGET_GROUP, "Weight": 1},
        ]
        cloud.answering["ForwardConfig"] = {"TargetGroups": groups}
        assert self.said(cloud)["drift"].verdict == "pass"

    def test_an_edit_that_no_release_counts_on_leaves_the_gate_open(self, cloud: FakeServing) -> None:
        cloud.edited["TargetGroup"] = [("/TargetGroupAttributes/0/Value", "30", "300")]
        assert self.said(cloud)["drift"].verdict == "pass"

    def test_an_alarm_without_figures_cant_be_told(self, cloud: FakeServing) -> None:
        cloud.alarms["gbg-elb-5xx"] = ("INSUFFICIENT_DATA", cloud.alarms["gbg-elb-5xx"][1])
        assert self.said(cloud)["alarms"].verdict == "can't tell"

    def test_the_first_release_begins_through_open_gates(self, cloud: FakeServing) -> None:
        cloud.executions = []
        assert step(cloud).choose() == ("e-started", "there was none, so one was started")

    def test_behind_a_shut_gate_nothing_is_started(self, cloud: FakeServing) -> None:
        cloud.executions = []
        cloud.alarms["gbg-elb-5xx"] = ("ALARM", cloud.alarms["gbg-elb-5xx"][1])
        with pytest.raises(GateRefused, match="gate alarms: it is shut; it asks that no alarm is firing"):
            step(cloud).choose()
        assert cloud.changes == 0

    def test_a_release_that_a_push_started_is_stopped_while_it_has_no_image(self, cloud: FakeServing) -> None:
        run = step(cloud)
        execution = run.begin("a release")
        assert {one.verdict for one in run.let_begin(execution)} == {"pass"}
        cloud.images["ami-source"]["tags"]["gbg:revoked"] = "CVE-2026-1"
        with pytest.raises(GateRefused, match="revoked"):
            run.let_begin(execution)
        assert cloud.stopped == [execution]

    def test_a_release_that_has_begun_is_not_stopped_for_another_one(self, cloud: FakeServing) -> None:
        """A later one waits for it, and it waits for an earlier one."""
        run = step(cloud)
        first = run.begin("a release")
        cloud.executions.insert(0, serving_state.Execution("e-later", "InProgress", [], NEW))
        assert {one.verdict for one in run.let_begin(first)} == {"pass"}
        assert {one.verdict for one in run.let_begin("e-later")} == {"pass"}
        assert cloud.stopped == []
        assert "is InProgress" in self.said(cloud)["other releases"].found

    def test_a_release_that_is_over_is_only_told_about(self, cloud: FakeServing) -> None:
        cloud.images["ami-source"]["tags"]["gbg:revoked"] = "CVE-2026-1"
        assert step(cloud).let_begin(NEW)[0].verdict == "fail"
        assert cloud.stopped == []


class TestSmoke:
    """What green's machines answer, asked directly."""

    def finding(self, cloud: FakeServing, answers: dict[str, str]) -> tuple[str, str]:
        cloud.answers = answers
        wanted = {"commit": COMMITS[NEW], "image": IMAGES[NEW], "deployment": "d-NEW"}
        found = judged(smoke(cloud.connect(), ["i-1", "i-2"]), wanted)
        return found.verdict, found.found

    def test_all_machines_are_this_release(self, cloud: FakeServing) -> None:
        verdict, found = self.finding(cloud, dict.fromkeys(["i-1", "i-2"], health(NEW)))
        assert (verdict, found) == ("pass", f"2 of 2 machines answer as commit {COMMITS[NEW][:8]}")

    def test_one_that_doesnt_answer_fails(self, cloud: FakeServing) -> None:
        verdict, found = self.finding(cloud, {"i-1": health(NEW)})
        assert verdict == "fail" and "1 of 2 machines answer; i-2: / no answer" in found

    def test_another_release_on_a_machine_fails(self, cloud: FakeServing) -> None:
        verdict, found = self.finding(cloud, {"i-1": health(NEW), "i-2": health(OLD)})
        assert verdict == "fail" and "i-2 is of image ami-old, not ami-new" in found

    def test_an_application_that_names_no_release_cant_be_told(self, cloud: FakeServing) -> None:
        verdict, found = self.finding(cloud, {"i-1": health(NEW), "i-2": "OK"})
        assert verdict == "can't tell" and "i-2 don't say which release they are" in found


def seen(requests: int, errors: int = 0, milliseconds: float = 20) -> Figures:
    now = datetime.now(UTC)
    return Figures(now, now, requests, errors, milliseconds / 1000)


class TestFigures:
    @pytest.mark.parametrize(
        ("blue", "green", "verdict"),
        [
            (seen(1000), seen(1000), "pass"),
            (seen(1000), seen(1000, errors=11), "fail"),
            (seen(1000, errors=50), seen(1000, errors=55), "pass"),
            (seen(1000, errors=50), seen(1000, errors=61), "fail"),
            (seen(1000), seen(1000, milliseconds=499), "pass"),
            (seen(1000), seen(1000, milliseconds=501), "fail"),
            (seen(1000, milliseconds=800), seen(1000, milliseconds=1100), "pass"),
            (seen(1000, milliseconds=800), seen(1000, milliseconds=1201), "fail"),
            (seen(0), seen(20), "pass"),
            (seen(19, milliseconds=9000), seen(20, milliseconds=600), "fail"),
            (seen(1000), seen(19), "can't tell"),
            (seen(1000), seen(0), "can't tell"),
        ],
    )
    def test_green_against_blue(self, blue: Figures, green: Figures, verdict: str) -> None:
        assert compared(blue, green, TOLERANCE).verdict == verdict

    def test_a_load_balancer_without_a_target_counts_as_an_error(self, cloud: FakeServing) -> None:
        cloud.green = serving_state.figures(0, balancer_errors=30)
        now = cloud.moved + timedelta(minutes=5)
        found = figures(cloud.connect(), LOAD_BALANCER, TARGET_GROUP, cloud.moved, now)
        assert (found.errors, found.error_percent, found.mean_seconds) == (30, 100, 0)

    def test_periods_that_touch_the_change_are_left_out(self, cloud: FakeServing) -> None:
        begin = cloud.moved + timedelta(seconds=1)
        found = figures(cloud.connect(), LOAD_BALANCER, TARGET_GROUP, begin, begin + timedelta(seconds=150))
        assert (found.begin, found.end) == (
            cloud.moved + timedelta(minutes=1),
            cloud.moved + timedelta(minutes=2),
        )
        none = figures(cloud.connect(), LOAD_BALANCER, TARGET_GROUP, begin, begin + timedelta(seconds=50))
        assert none.requests == 0

    @pytest.mark.parametrize(("minute", "period"), [(60, 60), (90, 60), (12, 10), (1, 1), (0.5, 1), (59, 30)])
    def test_a_hurried_minute_has_the_period_that_cloudwatch_takes(self, minute: float, period: int) -> None:
        assert period_seconds(minute) == period


class TestWatching:
    def watched(self, cloud: FakeServing, seconds: float, alarm: str = "OK") -> AfterTraffic:
        change = Change(cloud.moved - timedelta(minutes=1), cloud.moved)
        return AfterTraffic(
            cloud.connect(),
            LOAD_BALANCER,
            TARGET_GROUP,
            change,
            180,
            TOLERANCE,
            lambda: [Alarm("gbg-elb-5xx", alarm, {})],
            lambda: cloud.moved + timedelta(seconds=seconds),
        )

    def test_it_passes_only_when_the_whole_time_is_over(self, cloud: FakeServing) -> None:
        assert self.watched(cloud, 120).look().verdict == "can't tell"
        assert self.watched(cloud, 180).look().verdict == "pass"

    def test_errors_end_it_at_once(self, cloud: FakeServing) -> None:
        cloud.green = serving_state.figures(1000, errors=100)
        assert self.watched(cloud, 120).look().verdict == "fail"

    def test_an_alarm_is_codedeploys_to_act_on_first(self, cloud: FakeServing) -> None:
        found = self.watched(cloud, 60, "ALARM").look()
        assert (
            found.verdict == "can't tell" and "CodeDeploy stops a deployment whose alarm fires" in found.found
        )
        found = self.watched(cloud, 180, "ALARM").look()
        assert (found.verdict, found.found) == ("fail", "firing: gbg-elb-5xx")

    def test_an_alarm_without_figures_is_no_pass(self, cloud: FakeServing) -> None:
        assert self.watched(cloud, 180, "INSUFFICIENT_DATA").look().verdict == "can't tell"


class TestGoingOn:
    def gates(self, cloud: FakeServing, **parameters: object) -> tuple[ReleaseGates, Aws]:
        given = Parameters(**{"gate_minutes": 0} | parameters)  # type: ignore[arg-type]
        aws = cloud.connect()
        wanted = {"commit": COMMITS[NEW], "image": IMAGES[NEW]}
        return ReleaseGates(aws, cloud.base, given, answering(given.decision), lambda: wanted), aws

    def ready(self, cloud: FakeServing) -> None:
        cloud.deploying(moved=False)
        cloud.deployments["d-NEW"].status = "Ready"
        cloud.ready_minutes = 60

    def look(self, cloud: FakeServing, **parameters: object) -> ReleaseGates:
        gates, aws = self.gates(cloud, **parameters)
        gates.look(deployment(aws, "d-NEW"))
        return gates

    def test_green_that_answers_gets_the_traffic(self, cloud: FakeServing) -> None:
        self.ready(cloud)
        gates = self.look(cloud)
        assert (cloud.continued, gates.judgements[BEFORE].verdict) == (["READY_WAIT"], "pass")
        gates.require()

    def test_green_that_doesnt_answer_never_gets_it(self, cloud: FakeServing) -> None:
        self.ready(cloud)
        cloud.answers = {}
        gates = self.look(cloud)
        assert (cloud.continued, cloud.stopped) == ([], ["d-NEW"])
        with pytest.raises(
            GateRefused, match=r"0 of 2 machines answer.* is stopped, and the traffic is blue's"
        ):
            gates.require()

    @pytest.mark.parametrize(("decision", "continued"), [("go", ["READY_WAIT"]), ("stop", []), ("", [])])
    def test_what_cant_be_told_waits_for_the_decision(
        self, cloud: FakeServing, decision: str, continued: list[str]
    ) -> None:
        self.ready(cloud)
        cloud.answers = dict.fromkeys(["i-1", "i-2"], "OK")
        gates = self.look(cloud, decision=decision)
        assert cloud.continued == continued
        assert (gates.refusal is None) == bool(continued)

    def test_a_person_who_wants_to_be_asked_but_isnt_there_is_a_refusal(self, cloud: FakeServing) -> None:
        self.ready(cloud)
        gates = self.look(cloud, decision="ask")
        with pytest.raises(GateRefused, match="a person is to say whether green answers as this release"):
            gates.require()

    def test_a_release_that_moves_traffic_at_once_is_not_stopped(self, cloud: FakeServing) -> None:
        cloud.deploying(moved=False)
        gates = self.look(cloud)
        assert (gates.judgements, cloud.changes) == ({}, 0)

    def moved(self, cloud: FakeServing) -> None:
        cloud.deploying(moved=True)
        cloud.moved = datetime.now(UTC) - timedelta(minutes=10)

    def failing(self, cloud: FakeServing) -> None:
        """The traffic is green's, which answers one request in ten with an error."""
        self.moved(cloud)
        cloud.green = serving_state.figures(1000, errors=100)

    def test_green_that_errs_is_left_for_blue(self, cloud: FakeServing) -> None:
        self.failing(cloud)
        gates = self.look(cloud)
        assert cloud.stopped == ["d-NEW"]
        with pytest.raises(GateRefused, match=r"10\.0 % errors, 20 ms; blue: 1000 requests, 0\.0 % errors"):
            gates.require()

    def test_green_that_is_as_good_as_blue_passes(self, cloud: FakeServing) -> None:
        self.moved(cloud)
        gates = self.look(cloud)
        assert (gates.judgements[AFTER].verdict, cloud.stopped) == ("pass", [])

    @pytest.mark.parametrize(("watch", "termination"), [(0, 60), (3, 1), (3, 0)])
    def test_where_there_is_no_time_to_watch_the_gate_is_left_out(
        self, cloud: FakeServing, watch: int, termination: int
    ) -> None:
        self.moved(cloud)
        cloud.termination_minutes = termination
        gates = self.look(cloud, watch_minutes=watch)
        assert gates.judgements == {}
        gates.finish()

    def test_when_blue_is_gone_already_the_refusal_says_so(self, cloud: FakeServing) -> None:
        self.failing(cloud)
        gates, aws = self.gates(cloud)
        found = deployment(aws, "d-NEW")
        cloud.deployments["d-NEW"].status = "Succeeded"
        gates.look(found)
        with pytest.raises(
            GateRefused, match=r"blue is gone already .*; runbook 05 says which way back is open"
        ):
            gates.require()

    def test_a_deployment_that_was_stopped_meanwhile_is_not_told_as_a_blue_that_is_gone(
        self, cloud: FakeServing
    ) -> None:
        """As by an alarm, or by a stop whose answer was lost."""
        self.failing(cloud)
        gates, aws = self.gates(cloud)
        found = deployment(aws, "d-NEW")
        cloud.deployments["d-NEW"].status = "Stopped"
        gates.look(found)
        with pytest.raises(GateRefused, match=r"deployment d-NEW is over already: Stopped"):
            gates.require()

    def test_a_stop_that_aws_did_not_take_is_tried_again_at_the_next_look(self, cloud: FakeServing) -> None:
        self.failing(cloud)
        cloud.stop_errors = ["ThrottlingException"]
        gates, aws = self.gates(cloud)
        gates.look(deployment(aws, "d-NEW"))
        assert cloud.stopped == []
        with pytest.raises(GateRefused, match="deployment d-NEW could not be stopped"):
            gates.require()
        gates.look(deployment(aws, "d-NEW"))
        assert cloud.stopped == ["d-NEW"]
        with pytest.raises(GateRefused, match="is stopped, and the traffic is blue's"):
            gates.require()

    def test_what_became_of_a_deployment_is_asked_again_where_aws_did_not_tell(
        self, cloud: FakeServing
    ) -> None:
        self.failing(cloud)
        gates, aws = self.gates(cloud)
        found = deployment(aws, "d-NEW")
        cloud.deployments["d-NEW"].status = "Stopped"
        cloud.read_errors = ["ThrottlingException"]
        gates.look(found)
        with pytest.raises(GateRefused, match="deployment d-NEW could not be stopped"):
            gates.require()
        gates.look(found)
        with pytest.raises(GateRefused, match="deployment d-NEW is over already: Stopped"):
            gates.require()

    def test_a_release_that_may_not_be_stopped_is_told_with_the_gates_own_reason(
        self, cloud: FakeServing
    ) -> None:
        self.failing(cloud)
        cloud.stop_errors = ["AccessDeniedException"]
        gates, aws = self.gates(cloud)
        gates.look(deployment(aws, "d-NEW"))
        with pytest.raises(
            GateRefused, match=r"errors.*; deployment d-NEW goes on, for it may not be stopped"
        ):
            gates.require()

    def test_a_gate_that_the_end_came_before_still_says_its_word(self, cloud: FakeServing) -> None:
        self.moved(cloud)
        cloud.moved = datetime.now(UTC) - timedelta(minutes=1)
        gates = self.look(cloud)
        assert gates.judgements[AFTER].verdict == "can't tell"
        cloud.moved -= timedelta(minutes=10)
        cloud.deployments["d-NEW"].status = "Succeeded"
        gates._watches[AFTER].gate.look.__self__.change = Change(cloud.moved, cloud.moved)  # type: ignore[attr-defined]
        gates.finish()
        assert gates.judgements[AFTER].verdict == "pass"
