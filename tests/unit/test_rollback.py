"""Ways back: which are open in which state, what they cost, and that afterwards everything agrees."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from gbg_lib.errors import (
    AccessRefused,
    AwsError,
    CheckFailed,
    GateRefused,
    GbgError,
    MisuseError,
    NotThere,
    ReleaseFailed,
)
from gbg_lib.parameters import Parameters
from gbg_lib.way_back.consistency import releasable
from gbg_lib.way_back.rollback import Progress
from gbg_lib.way_back.run import RollbackRun
from gbg_lib.way_back.ways import Way, WaysBack
from tests.unit.serving_fakes import FakeServing
from tests.unit.serving_state import COMMITS, NEW, OLD, FakeDeployment, Group, green
from tests.unit.site import serving


@pytest.fixture
def cloud() -> Iterator[FakeServing]:
    made = FakeServing()
    with serving(made.pages) as site:
        made.base["SiteUrl"] = site
        yield made


def run(cloud: FakeServing, **parameters: str) -> RollbackRun:
    return RollbackRun(Parameters(**parameters), cloud.connect())  # type: ignore[arg-type]


def ways(cloud: FakeServing, **parameters: str) -> dict[str, Way]:
    return {way.kind: way for way in run(cloud, **parameters).plan().ways}


def plan(cloud: FakeServing) -> WaysBack:
    return run(cloud).plan()


def take(cloud: FakeServing, kind: str = "") -> list[Progress]:
    """Plan, take, and check."""
    step = run(cloud)
    taken = list(step.take(step.plan().choose(kind)))
    step.check()
    return taken


def steps(taken: list[Progress]) -> list[tuple[str, str]]:
    return list(dict.fromkeys((one.step, one.status) for one in taken))


class TestAfterAGoodRelease:
    """NEW serves, blue is gone."""

    def test_the_release_before_is_the_way(self, cloud: FakeServing) -> None:
        found = plan(cloud)
        assert found.serving is not None and found.serving.execution_id == NEW
        way = found.choose()
        assert (way.kind, way.reason) == ("redeploy", f"commit {COMMITS[OLD][:8]} on ami-old")
        assert "2 more machines meanwhile" in way.cost
        assert cloud.changes == 0

    def test_it_comes_on_its_own_image(self, cloud: FakeServing) -> None:
        assert steps(take(cloud)) == [
            ("roll the stage back", "done"),
            ("follow the pipeline", "going on"),
            ("follow the pipeline", "done"),
            ("pin the launch template", "skipped"),
            ("name the golden AMI", "done"),
        ]
        assert cloud.deployed_to == [OLD]
        [group] = cloud.groups.values()
        assert (group.version, set(group.machines.values())) == ("2", {"2"})
        assert cloud.parameters["/gbg/golden-ami"] == "ami-old"

    @pytest.mark.parametrize("code", ["PipelineExecutionOutdatedException", "UnableToRollbackStageException"])
    def test_where_the_pipeline_cant_codedeploy_can(self, cloud: FakeServing, code: str) -> None:
        cloud.stage_rollback_error = code
        taken = take(cloud)
        assert steps(taken)[:2] == [("roll the stage back", "skipped"), ("pin the launch template", "done")]
        assert ("the deployment of the good release", "done") in steps(taken)
        assert cloud.deployed_to == [OLD]

    def test_where_a_gate_stops_codedeploy_its_reason_is_told_and_the_fleet_keeps_its_image(
        self, cloud: FakeServing
    ) -> None:
        """Green is ready for the traffic, and does not answer."""
        cloud.stage_rollback_error, cloud.ready_minutes = "PipelineExecutionOutdatedException", 60
        step = RollbackRun(Parameters(gate_minutes=0), cloud.connect())
        with pytest.raises(GateRefused, match=r"gate Gate before traffic: it is shut.*d-AGAIN0 is stopped"):
            list(step.take(step.plan().choose("redeploy")))
        assert cloud.stopped == ["d-AGAIN0"]
        assert cloud.groups[green("d-NEW")].version == "3"

    @pytest.mark.parametrize(
        ("code", "error"),
        [
            ("RevisionDoesNotExistException", NotThere),
            ("AccessDeniedException", AccessRefused),
            ("DeploymentLimitExceededException", AwsError),
        ],
    )
    def test_where_codedeploy_cant_either_the_fleet_keeps_its_image(
        self, cloud: FakeServing, code: str, error: type[GbgError]
    ) -> None:
        cloud.stage_rollback_error, cloud.deployment_error = "PipelineExecutionOutdatedException", code
        step = run(cloud)
        with pytest.raises(error):
            list(step.take(step.plan().choose("redeploy")))
        assert cloud.groups[green("d-NEW")].version == "3"

    def test_what_goes_on_in_the_pipeline_keeps_the_image_that_it_needs(self, cloud: FakeServing) -> None:
        """Nobody can follow it; the pipeline goes on by itself."""
        step = run(cloud)
        way = step.plan().choose("redeploy")
        cloud.fate, cloud.actions_unheard = "", True
        with pytest.raises(AwsError):
            list(step.take(way))
        assert cloud.groups[green("d-NEW")].version == "2"

    def test_where_it_cannot_be_told_what_goes_on_the_first_reason_is_told(self, cloud: FakeServing) -> None:
        cloud.stage_rollback_error = "PipelineExecutionOutdatedException"
        cloud.deployment_error = "DeploymentLimitExceededException"
        step = run(cloud)
        way = step.plan().choose("redeploy")
        cloud.executions_unheard = True
        with pytest.raises(AwsError, match="codedeploy:create_deployment"):
            list(step.take(way))
        assert cloud.groups[green("d-NEW")].version == "2", "what may go on needs it"

    def test_a_template_version_that_is_gone_is_written_again(self, cloud: FakeServing) -> None:
        del cloud.versions["2"]
        take(cloud)
        [group] = cloud.groups.values()
        assert cloud.versions[group.version] == "ami-old"

    def test_when_the_old_release_fails_too_the_fleet_keeps_its_image(self, cloud: FakeServing) -> None:
        cloud.fate = "Failed"
        step = run(cloud)
        with pytest.raises(ReleaseFailed, match="it ended as Failed"):
            list(step.take(step.plan().choose()))
        [group] = cloud.groups.values()
        assert group.version == "3"
        assert cloud.parameters["/gbg/golden-ami"] == "ami-new"

    @pytest.mark.parametrize(
        ("change", "reason"),
        [
            ({"State": "pending"}, "its image ami-old is pending"),
            ({"tags": {"gbg:revoked": "CVE-1"}}, "its image ami-old is revoked: CVE-1"),
        ],
    )
    def test_an_image_that_may_not_serve_shuts_the_way(
        self, cloud: FakeServing, change: dict[str, object], reason: str
    ) -> None:
        cloud.images["ami-old"] |= change
        assert not ways(cloud)["redeploy"].open
        with pytest.raises(GateRefused, match=reason) as refused:
            plan(cloud).choose("redeploy")
        assert "open is stay" in refused.value.try_this

    def test_an_image_whose_source_is_revoked_shuts_the_way(self, cloud: FakeServing) -> None:
        cloud.images["ami-old"]["tags"]["gbg:source-ami"] = "ami-source"
        cloud.images["ami-source"]["tags"]["gbg:revoked"] = "CVE-1"
        way = ways(cloud)["redeploy"]
        assert (way.open, way.reason) == (
            False,
            "its image ami-old, which came from ami-source, is revoked: CVE-1",
        )

    def test_a_deregistered_image_shuts_the_way(self, cloud: FakeServing) -> None:
        del cloud.images["ami-old"]
        assert ways(cloud)["redeploy"].reason == "its image ami-old is not there any more"

    def test_another_release_that_is_going_on_shuts_the_way(self, cloud: FakeServing) -> None:
        cloud.executions[0].status = "InProgress"
        cloud.executions[0].actions[-1]["status"] = "InProgress"
        assert "going on: wait for it" in ways(cloud)["redeploy"].reason

    def test_a_fleet_without_a_machine_in_service_cant_be_copied(self, cloud: FakeServing) -> None:
        cloud.groups[green("d-NEW")].lifecycle = "Terminating"
        cloud.health = {}
        assert "no fleet with a machine in service" in ways(cloud)["redeploy"].reason
        with pytest.raises(GateRefused, match="none is open"):
            plan(cloud).choose()

    def test_without_an_older_release_nothing_is_touched(self, cloud: FakeServing) -> None:
        cloud.executions = cloud.executions[:1]
        assert plan(cloud).choose().kind == "stay"
        assert steps(take(cloud)) == [
            ("pin the launch template", "skipped"),
            ("name the golden AMI", "skipped"),
        ]
        assert cloud.changes == 0

    def test_the_release_to_go_to_can_be_named(self, cloud: FakeServing) -> None:
        take(cloud)
        found = run(cloud, release_to=NEW).plan()
        assert [(way.kind, way.open) for way in found.ways] == [("redeploy", True)]
        assert found.choose().reason.endswith("on ami-new")
        with pytest.raises(MisuseError, match="e-none is no release that succeeded"):
            run(cloud, release_to="e-none").plan()

    def test_a_way_that_is_none_is_misuse(self, cloud: FakeServing) -> None:
        with pytest.raises(MisuseError, match="there is no way 'forward'"):
            plan(cloud).choose("forward")


class TestWhileBlueLives:
    @pytest.mark.parametrize("moved", [False, True], ids=["before traffic", "after traffic"])
    def test_traffic_goes_back_to_blue(self, cloud: FakeServing, moved: bool) -> None:
        cloud.deploying(moved=moved)
        way = plan(cloud).choose()
        assert way.kind == "blue"
        assert ("nothing for visitors" in way.cost) == (not moved)
        taken = take(cloud)
        assert cloud.stopped == ["d-NEW"]
        assert ("traffic back to blue", "done") in steps(taken)
        assert list(cloud.groups) == [green("d-OLD")]
        assert cloud.parameters["/gbg/golden-ami"] == "ami-old"

    def test_blue_that_is_pinned_to_the_new_image_gets_its_own_again(self, cloud: FakeServing) -> None:
        cloud.deploying(moved=False)
        cloud.groups[green("d-OLD")].version = "3"
        take(cloud)
        assert cloud.groups[green("d-OLD")].version == "2"

    def test_blue_that_doesnt_answer_gets_no_traffic(self, cloud: FakeServing) -> None:
        cloud.deploying(moved=True)
        cloud.answers = {}
        step = run(cloud)
        with pytest.raises(GateRefused, match="no healthy instance would be left"):
            list(step.take(step.plan().choose()))
        assert (cloud.changes, cloud.stopped) == (0, [])

    def test_one_machine_of_blue_that_answers_is_not_enough(self, cloud: FakeServing) -> None:
        cloud.deploying(moved=True)
        del cloud.answers["i-8"]
        step = run(cloud)
        with pytest.raises(GateRefused, match="1 of 2 machines answer; i-8: / no answer, /health no answer"):
            list(step.take(step.plan().choose()))

    def test_a_rollback_that_fails_says_so(self, cloud: FakeServing) -> None:
        cloud.deploying(moved=True)
        cloud.fate = "Failed"
        step = run(cloud)
        with pytest.raises(ReleaseFailed, match="did not take the traffic: it ended as Failed; HEALTH_CON"):
            list(step.take(step.plan().choose()))

    def test_a_rollback_that_is_going_on_already_is_waited_for(self, cloud: FakeServing) -> None:
        cloud.deploying(moved=True)
        cloud.deployments["d-NEW"].status = "Stopped"
        cloud.deployments["d-back"] = FakeDeployment("InProgress", OLD, "codeDeployRollback")
        assert "is a rollback already" in ways(cloud)["blue"].reason

    def test_when_blue_is_being_deleted_it_is_too_late(self, cloud: FakeServing) -> None:
        cloud.deploying(moved=True)
        cloud.groups[green("d-OLD")].status = "Delete in progress"
        assert ways(cloud)["blue"].reason.startswith("blue's machines are gone, or going")

    @pytest.mark.parametrize("moved", [False, True], ids=["before traffic", "after traffic"])
    def test_a_fleet_that_a_failed_release_left_is_not_taken_for_blue(
        self, cloud: FakeServing, moved: bool
    ) -> None:
        cloud.deploying(moved=moved)
        cloud.groups = {green("d-FAILED"): Group("2", {"i-9": "2"}, attached=False), **cloud.groups}
        assert f"and {green('d-OLD')} lives" in ways(cloud)["blue"].reason
        del cloud.groups[green("d-OLD")].machines["i-7"], cloud.groups[green("d-OLD")].machines["i-8"]
        assert not ways(cloud)["blue"].open

    def test_after_a_rollback_blue_bears_another_name_and_is_found_only_where_it_is_alone(
        self, cloud: FakeServing
    ) -> None:
        cloud.deploying(moved=True)
        cloud.last_successful = "d-ROLLBACK"
        assert ways(cloud)["blue"].open
        cloud.groups[green("d-FAILED")] = Group("2", {"i-9": "2"}, attached=False)
        assert "can't be told from others" in ways(cloud)["blue"].reason

    def test_a_way_that_has_shut_meanwhile_is_refused(self, cloud: FakeServing) -> None:
        cloud.deploying(moved=True)
        step = run(cloud)
        way = step.plan().choose()
        cloud.deployments["d-NEW"].status = "Succeeded"
        with pytest.raises(GateRefused, match="ended meanwhile"):
            list(step.take(way))

    def test_before_the_first_release_is_good_green_is_removed(self, cloud: FakeServing) -> None:
        """CodeDeploy rolls back to nothing, and leaves green beside blue."""
        cloud.deploying(moved=False)
        cloud.last_successful, cloud.executions = "", cloud.executions[:1]
        taken = take(cloud)
        assert ("remove green", "done") in steps(taken)
        assert list(cloud.groups) == [green("d-OLD")]

    def test_a_first_release_that_has_the_traffic_has_no_blue_way_back(self, cloud: FakeServing) -> None:
        cloud.deploying(moved=True)
        cloud.last_successful, cloud.executions = "", cloud.executions[:1]
        assert "this is the first" in ways(cloud)["blue"].reason


class TestAfterAReleaseThatFailed:
    """OLD serves; NEW failed at Deploy."""

    @pytest.fixture
    def cloud(self, cloud: FakeServing) -> FakeServing:
        cloud.failed_and_rolled_back()
        return cloud

    def test_staying_comes_first_and_brings_the_parameter_in_line(self, cloud: FakeServing) -> None:
        with pytest.raises(CheckFailed, match="the parameter names ami-new, the fleet's version ami-old"):
            run(cloud).check()
        assert steps(take(cloud)) == [("pin the launch template", "skipped"), ("name the golden AMI", "done")]

    def test_the_retried_stage_gets_its_own_image(self, cloud: FakeServing) -> None:
        """The failure put the fleet back on version 2; the stage begins by pinning it again."""
        taken = take(cloud, "retry")
        assert taken[0].step == "retry Deploy"
        [group] = cloud.groups.values()
        assert set(group.machines.values()) == {"3"}
        assert cloud.parameters["/gbg/golden-ami"] == "ami-new"

    def test_a_retry_that_fails_puts_the_fleet_back(self, cloud: FakeServing) -> None:
        cloud.fate = "Failed"
        step = run(cloud)
        with pytest.raises(ReleaseFailed):
            list(step.take(step.plan().choose("retry")))
        assert [group.version for group in cloud.groups.values()] == ["2"]
        assert cloud.parameters["/gbg/golden-ami"] == "ami-old"

    def test_a_release_whose_image_is_not_known_cant_be_retried(self, cloud: FakeServing) -> None:
        cloud.executions[0].actions[1]["output"]["outputVariables"] = {}
        assert "its image is not known" in ways(cloud)["retry"].reason


def test_machines_of_a_template_version_that_is_gone_cant_be_pinned(cloud: FakeServing) -> None:
    del cloud.versions["3"]
    cloud.versions["4"] = "ami-new"
    cloud.groups[green("d-NEW")].machines = {"i-1": "4", "i-2": "4"}
    step = run(cloud)
    way = step.plan().choose("stay")
    del cloud.groups[green("d-NEW")]
    with pytest.raises(NotThere, match="no fleet is there"):
        list(step.take(way))


class TestConsistency:
    def test_everything_agrees(self, cloud: FakeServing) -> None:
        assert {check.passed for check in run(cloud).check()} == {True}

    def failing(self, cloud: FakeServing) -> str:
        with pytest.raises(CheckFailed) as failed:
            run(cloud).check()
        return str(failed.value).splitlines()[0]

    def test_a_deployment_group_that_names_a_dead_fleet(self, cloud: FakeServing) -> None:
        cloud.listed = ["gbg-blue"]
        assert self.failing(cloud).endswith("gbg-fleet names gbg-blue, which is not there")

    def test_a_fleet_that_is_not_attached(self, cloud: FakeServing) -> None:
        cloud.groups[green("d-NEW")].attached = False
        assert "the group is not attached to the target group" in self.failing(cloud)

    def test_a_template_of_somebody_else(self, cloud: FakeServing) -> None:
        cloud.groups[green("d-NEW")].template = "lt-9"
        assert "is on version 3 of lt-9" in self.failing(cloud)

    def test_a_version_that_floats(self, cloud: FakeServing) -> None:
        cloud.groups[green("d-NEW")].version = "$Latest"
        assert "is on version $Latest" in self.failing(cloud)

    def test_an_alarm_that_is_gone(self, cloud: FakeServing) -> None:
        del cloud.alarms["gbg-elb-5xx"]
        assert self.failing(cloud) == "check: alarms: gbg-elb-5xx is not there"

    def test_an_alarm_about_another_load_balancer(self, cloud: FakeServing) -> None:
        cloud.alarms["gbg-elb-5xx"] = ("OK", {"LoadBalancer": "app/other/33"})
        assert "is about another load balancer" in self.failing(cloud)

    def test_no_alarm_at_all(self, cloud: FakeServing) -> None:
        cloud.watched = []
        assert "watches no alarm" in self.failing(cloud)

    def test_a_machine_of_another_version(self, cloud: FakeServing) -> None:
        cloud.groups[green("d-NEW")].machines["i-2"] = "2"
        assert "they run ami-new, ami-old; the next one would run ami-new" in self.failing(cloud)

    def test_a_parameter_that_names_another_image(self, cloud: FakeServing) -> None:
        cloud.parameters["/gbg/golden-ami"] = "ami-old"
        assert "the parameter names ami-old" in self.failing(cloud)

    def test_an_application_of_another_release(self, cloud: FakeServing) -> None:
        cloud.images["ami-new"]["tags"]["gbg:commit"] = COMMITS[OLD]
        assert "check: one whole release" in self.failing(cloud)

    def test_an_alarm_about_a_fleet_that_is_gone_is_put_on_the_one_that_serves(
        self, cloud: FakeServing
    ) -> None:
        cloud.alarms["slow"] = ("OK", {"AutoScalingGroupName": green("d-OLD"), "Other": "kept"})
        cloud.acting["slow"] = ["arn:aws:sns:us-east-1:1:gbg-alarms"]
        assert ("put alarms on the fleet", "done") in steps(take(cloud, "stay"))
        assert cloud.alarms["slow"][1] == {"AutoScalingGroupName": green("d-NEW"), "Other": "kept"}
        assert cloud.acting["slow"] == ["arn:aws:sns:us-east-1:1:gbg-alarms"]

    @pytest.mark.parametrize("group", ["gbg-blue-blue", "gbg-bluebird-web", "CodeDeploy_gbg-fleets_d-1"])
    def test_an_alarm_about_another_deployments_fleet_is_left_alone(
        self, cloud: FakeServing, group: str
    ) -> None:
        cloud.alarms["theirs"] = ("OK", {"AutoScalingGroupName": group})
        take(cloud, "stay")
        assert cloud.alarms["theirs"][1] == {"AutoScalingGroupName": group}

    @pytest.mark.parametrize(
        ("name", "action"),
        [
            ("TargetTracking-x", "arn:aws:sns:us-east-1:1:gbg-alarms"),
            ("grow", "arn:aws:autoscaling:us-east-1:1:scalingPolicy:0:autoScalingGroupName/x:policyName/y"),
        ],
    )
    def test_an_alarm_that_acts_on_a_dead_fleets_policy_is_told_with_what_to_do(
        self, cloud: FakeServing, name: str, action: str
    ) -> None:
        cloud.alarms[name] = ("OK", {"AutoScalingGroupName": green("d-OLD")})
        cloud.acting[name] = [action]
        with pytest.raises(CheckFailed, match=rf"{name} \(CodeDeploy_gbg-fleet_d-OLD\)") as told:
            take(cloud, "stay")
        assert "aws cloudwatch delete-alarms" in told.value.try_this

    def test_an_orphaned_alarm(self, cloud: FakeServing) -> None:
        cloud.alarms["scale"] = ("OK", {"AutoScalingGroupName": green("d-GONE")})
        assert self.failing(cloud).endswith(f"about a group that is gone: scale ({green('d-GONE')})")

    def test_machines_that_do_not_serve_yet_may_still_come_right(self, cloud: FakeServing) -> None:
        cloud.health = dict.fromkeys(cloud.health, "initial")
        told = {check.name: check for check in releasable(run(cloud).situation())}
        assert told["load balancer"].result == "not yet"
        assert "target health" in told["load balancer"].try_this

    def test_two_fleets_that_serve(self, cloud: FakeServing) -> None:
        cloud.groups[green("d-OLD")] = Group("2", {"i-7": "2"}, status="")
        cloud.health["i-7"] = "healthy"
        situation = run(cloud).situation()
        told = {check.name: check for check in releasable(situation)}
        assert not told["load balancer"].passed
        assert told["load balancer"].found.endswith(f"so do machines of {green('d-OLD')}")
