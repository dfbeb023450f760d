"""Gates of a release, and the ways back from one: stay, the stage once more, traffic to blue, an old release.

One release waits at its gate and is stopped, tried again, let through and taken back; a second becomes good
and is left for the one before it. Visitors notice nothing.
"""

from __future__ import annotations

import shlex
import shutil
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from gbg_lib import blueprint
from gbg_lib.errors import LOCKED, GateRefused
from gbg_lib.faults import moments
from gbg_lib.gates.gate import Answer, Judgement
from gbg_lib.gates.release_gates import AFTER, BEFORE
from gbg_lib.gates.serving import require_serving
from gbg_lib.pipeline import BAKE, Action
from gbg_lib.release import Release
from gbg_lib.release_lock import ReleaseLock, this_process
from gbg_lib.steps import ReleaseRun
from gbg_lib.way_back.rollback import Progress
from gbg_lib.way_back.run import RollbackRun
from gbg_lib.way_back.situation import Situation
from gbg_lib.way_back.ways import WaysBack
from tests.sandbox.e2e.load import Load
from tests.sandbox.e2e.test_failures import check_that_blue_serves_on
from tests.sandbox.e2e.world import Deployment, World, exhaust

LONG = 2800
MACHINES = "InstanceSecurityGroup"
GATES = ("source image", "other releases", "alarms", "drift")
BLUE_STAYS = 120
OWN_ALARM = "somebodys-own"
APPEARANCE = "src/main/resources/appearance.properties"


@dataclass
class Person:
    """Answers in turn, and notes what there was to see when asked."""

    deployment: Deployment
    answers: list[Answer]
    asked: list[Judgement] = field(default_factory=list)
    pages: list[str] = field(default_factory=list)

    def __call__(self, judgement: Judgement) -> Answer:
        self.asked.append(judgement)
        self.pages.append(self.deployment.run.page().body)
        return self.answers.pop(0)


def recoloured(deployment: Deployment, colour: str) -> str:
    """The execution of a release of the sample in another colour, whatever was pushed before."""

    def edit(work: Path) -> None:
        shutil.copytree(
            blueprint.APPLICATION, work, ignore=shutil.ignore_patterns("target"), dirs_exist_ok=True
        )
        lines = (work / APPEARANCE).read_text().splitlines()
        changed = [f"colour={colour}" if line.startswith("colour=") else line for line in lines]
        (work / APPEARANCE).write_text("\n".join(changed) + "\n")

    return deployment.release_of(deployment.push(edit, f"Colour {colour}").id)


SERVLET = "src/main/java/release/HomeServlet.java"
THINKS = "        java.util.concurrent.locks.LockSupport.parkNanos(1_600_000_000L);\n"


def slower(deployment: Deployment) -> str:
    """The execution of a release whose page takes more than `latency_milliseconds`; no alarm knows of it."""

    def edit(work: Path) -> None:
        answer = "        response.getWriter()"
        servlet = work / SERVLET
        servlet.write_text(servlet.read_text().replace(answer, THINKS + answer))

    return deployment.release_of(deployment.push(edit, "Think before answering").id)


def as_fast_as_before(deployment: Deployment) -> str:
    def edit(work: Path) -> None:
        servlet = work / SERVLET
        servlet.write_text(servlet.read_text().replace(THINKS, ""))

    return deployment.release_of(deployment.push(edit, "Answer at once").id)


def waits(deployment: Deployment, ready: int, termination: int) -> None:
    deployment.change(
        ready_wait_minutes=ready, termination_wait_minutes=termination, watch_minutes=3 if ready else 0
    )
    exhaust(deployment.base.apply(deployment.base.plan()))


@dataclass
class Story:
    """What happened, in order."""

    before: Release
    person: Person
    refusal: GateRefused
    stopped: Release
    ways_when_stopped: WaysBack
    stayed: list[Progress]
    retried: list[Progress]
    ways_while_blue_lives: WaysBack
    back: list[Progress]
    after: Situation
    load: Load


@pytest.fixture(scope="module")
def story(deployment: Deployment) -> Iterator[Story]:
    before = deployment.serving
    waits(deployment, LONG, LONG)
    with Load(deployment.run.base["SiteUrl"], per_second=20) as load:
        yield _told(deployment, before, load)
    waits(deployment, 0, 5)


def _told(deployment: Deployment, before: Release, load: Load) -> Story:
    aws, asking = deployment.aws, deployment.parameters.model_copy(update={"decision": "ask"})
    person = Person(deployment, ["stop", "go"])
    execution = recoloured(deployment, "#aa3311")
    with pytest.raises(GateRefused) as refused:
        exhaust(ReleaseRun(asking, aws, person).follow(execution))
    stopped = deployment.run.release(execution)
    check_that_blue_serves_on(deployment)
    run = RollbackRun(asking, aws, person)
    ways_when_stopped = run.plan()
    stayed = list(run.take(ways_when_stopped.choose()))
    run.check()
    retried = []
    for progress in run.take(ways_when_stopped.choose("retry")):
        retried.append(progress)
        if progress.told == f"{AFTER}: Succeeded":
            break
    while_blue_lives = run.plan()
    back = list(run.take(while_blue_lives.choose()))
    run.check()
    return Story(
        before,
        person,
        refused.value,
        stopped,
        ways_when_stopped,
        stayed,
        retried,
        while_blue_lives,
        back,
        run.situation(),
        load,
    )


def test_a_person_looks_at_green_while_blue_serves(story: Story) -> None:
    assert [(one.gate, one.verdict) for one in story.person.asked] == [(BEFORE, "pass")] * 2
    assert story.person.asked[0].found == f"2 of 2 machines answer as commit {story.stopped.commit[:8]}"
    assert all(story.before.deployment_id in page for page in story.person.pages)


def test_a_persons_stop_refuses_the_release_and_says_who_serves(story: Story) -> None:
    assert "a person said stop" in story.refusal.what
    assert "is stopped, and the traffic is blue's" in story.refusal.what
    assert (story.stopped.status, story.stopped.actions[-1].stage) == ("Failed", "Deploy")


def test_what_a_stopped_release_leaves_open_is_staying_or_the_stage_once_more(story: Story) -> None:
    told = {way.kind: way for way in story.ways_when_stopped.ways}
    assert {kind for kind, way in told.items() if way.open} >= {"stay", "retry"}
    assert not told["blue"].open
    assert told["stay"].release == story.before
    assert story.stopped.image != story.before.image


def test_staying_brings_the_parameter_back_to_what_serves(story: Story) -> None:
    assert [(one.step, one.status) for one in story.stayed] == [
        ("pin the launch template", "skipped"),
        ("name the golden AMI", "done"),
    ]
    assert story.before.image in story.stayed[1].told


def test_the_retried_stage_gets_the_image_of_its_own_release(story: Story) -> None:
    """The failure had put the fleet back on the former version."""
    assert (story.retried[0].step, story.retried[0].status) == ("retry Deploy", "done")
    assert story.person.asked[1].found == story.person.asked[0].found


def test_green_is_watched_against_blue_by_the_load_balancers_figures(
    deployment: Deployment, story: Story
) -> None:
    assert story.retried[-1].told == f"{AFTER}: Succeeded"


def test_blue_lives_and_takes_the_traffic_back(story: Story) -> None:
    way = story.ways_while_blue_lives.choose()
    assert (way.kind, way.release) == ("blue", story.before)
    assert "blue's 2 machines take the traffic" in way.cost
    assert story.back[0].told == "2 of 2 machines answer"
    assert story.after.page.facts["deployment"] == story.before.deployment_id
    assert story.after.page.facts["commit"] == story.before.commit


def test_after_the_way_back_everything_names_the_release_that_serves(story: Story) -> None:
    [fleet] = story.after.fleets
    assert fleet.template_version == story.before.template_version
    assert {one.image for one in fleet.instances} == {story.before.image}
    assert story.after.golden_image == story.before.image
    assert story.after.group.groups == (fleet.group,)
    assert {alarm.state for alarm in story.after.alarms if alarm.name in story.after.group.alarms} == {"OK"}


def test_visitors_lost_nothing_in_all_this(story: Story) -> None:
    assert story.load.lost == []
    shown = {(one.commit, one.image) for one in story.load.answers}
    assert shown == {(one.commit, one.image) for one in (story.before, story.stopped)}


def test_what_would_leave_nothing_healthy_is_refused(deployment: Deployment, story: Story) -> None:
    [fleet] = story.after.fleets
    with pytest.raises(GateRefused, match="no healthy instance would be left to serve: all that are healthy"):
        require_serving(
            deployment.aws, story.after.target_group, what="deleting it", without_groups=[fleet.group]
        )


@dataclass
class Redeployed:
    before: Release
    good: Release
    rows: list[Action]
    taken: list[Progress]
    after: Situation


def about_the_fleet(deployment: Deployment) -> None:
    """Somebody's own alarm, by the Auto Scaling group that serves now."""
    deployment.aws.call(
        "cloudwatch",
        "put_metric_alarm",
        AlarmName=OWN_ALARM,
        Namespace="AWS/EC2",
        MetricName="CPUUtilization",
        Dimensions=[{"Name": "AutoScalingGroupName", "Value": deployment.group["AutoScalingGroupName"]}],
        Statistic="Average",
        Period=60,
        EvaluationPeriods=3,
        Threshold=95,
        ComparisonOperator="GreaterThanThreshold",
        TreatMissingData="notBreaching",
        AlarmActions=[deployment.run.base["AlarmTopicArn"]],
    )


@pytest.fixture(scope="module")
def redeployed(deployment: Deployment, story: Story) -> Redeployed:
    before = deployment.serving
    waits(deployment, LONG, 5)
    about_the_fleet(deployment)
    execution = recoloured(deployment, "#116633")
    *_, rows = deployment.run.follow(execution)
    good = deployment.succeed(execution)
    run = RollbackRun(deployment.parameters, deployment.aws)
    taken = list(run.take(run.plan().choose()))
    run.check()
    return Redeployed(before, good, rows, taken, run.situation())


def test_without_a_person_the_gates_let_a_good_release_through(redeployed: Redeployed) -> None:
    assert [(one.stage, one.status) for one in redeployed.rows[-2:]] == [
        (BEFORE, "Succeeded"),
        (AFTER, "Succeeded"),
    ]
    assert redeployed.rows[-1].summary == "green errs no more and is no slower than blue"


def test_when_blue_is_gone_the_release_before_comes_again_on_its_own_image(redeployed: Redeployed) -> None:
    assert redeployed.taken[0].step == "roll the stage back"
    [fleet] = redeployed.after.fleets
    assert {one.image for one in fleet.instances} == {redeployed.before.image} != {redeployed.good.image}
    assert redeployed.after.page.facts["commit"] == redeployed.before.commit
    assert redeployed.after.page.facts["image"] == redeployed.before.image
    assert redeployed.after.golden_image == redeployed.before.image


def test_an_alarm_about_a_fleet_that_is_gone_is_put_on_the_one_that_serves(
    deployment: Deployment, redeployed: Redeployed
) -> None:
    [alarm] = deployment.aws.call("cloudwatch", "describe_alarms", AlarmNames=[OWN_ALARM])["MetricAlarms"]
    deployment.aws.call("cloudwatch", "delete_alarms", AlarmNames=[OWN_ALARM])
    [fleet] = redeployed.after.fleets
    assert alarm["Dimensions"] == [{"Name": "AutoScalingGroupName", "Value": fleet.group}]
    assert (alarm["Threshold"], alarm["AlarmActions"]) == (95, [deployment.run.base["AlarmTopicArn"]])


def test_the_pipelines_history_knows_of_the_way_back(deployment: Deployment, redeployed: Redeployed) -> None:
    newest = deployment.run.pipeline.executions()[0]
    assert (newest.rolls_back_to, newest.status) == (redeployed.before.execution_id, "Succeeded")
    release = deployment.run.release(newest.id)
    assert (release.image, release.commit) == (redeployed.before.image, redeployed.before.commit)
    deployment.succeed(newest.id)


@dataclass
class TakenBack:
    before: Release
    refusal: GateRefused
    release: Release
    after: Situation
    load: Load


@pytest.fixture(scope="module")
def taken_back(deployment: Deployment, redeployed: Redeployed) -> Iterator[TakenBack]:
    """A release that is slower than blue, below every alarm: the gate after traffic is alone with it."""
    waits(deployment, 0, BLUE_STAYS)
    deployment.change(watch_minutes=3)
    with Load(deployment.run.base["SiteUrl"], per_second=20) as load:
        execution = slower(deployment)
        with pytest.raises(GateRefused) as refused:
            exhaust(deployment.run.follow(execution))
        run = RollbackRun(deployment.parameters, deployment.aws)
        deployment.until(lambda: run.situation().going_on is None, "traffic that is blue's again")
        exhaust(run.take(run.plan().choose("stay")))
        run.check()
    release = deployment.run.release(execution)
    yield TakenBack(redeployed.before, refused.value, release, run.situation(), load)
    waits(deployment, 0, 5)
    deployment.succeed(as_fast_as_before(deployment))


def test_a_release_that_is_slower_than_blue_is_taken_back_while_blue_lives(taken_back: TakenBack) -> None:
    assert AFTER in taken_back.refusal.where
    assert "ms are allowed" in taken_back.refusal.what
    assert "is stopped, and the traffic is blue's" in taken_back.refusal.what
    assert taken_back.release.status == "Failed"
    facts = taken_back.after.page.facts
    assert (facts["commit"], facts["image"]) == (taken_back.before.commit, taken_back.before.image)


def test_visitors_lost_nothing_when_it_was_taken_back(taken_back: TakenBack) -> None:
    assert taken_back.load.lost == []
    assert taken_back.release.commit in {one.commit for one in taken_back.load.answers}


def test_no_alarm_had_a_part_in_it(deployment: Deployment, taken_back: TakenBack) -> None:
    found = deployment.aws.call("codedeploy", "get_deployment", deploymentId=taken_back.release.deployment_id)
    assert found["deploymentInfo"]["errorInformation"]["code"] == "MANUAL_STOP"


def test_runbook_05_does_not_move_a_pipeline_that_somebody_holds(
    world: World, deployment: Deployment, taken_back: TakenBack, tmp_path: Path
) -> None:
    owner = replace(this_process(), host="another-machine", run="its-release")
    lock = ReleaseLock(deployment.aws, deployment.run.base["ArtifactBucketName"], owner)
    lock.take("a release")
    before = [one.id for one in deployment.run.pipeline.executions()]
    told = world.shell(
        f"export GBG_RUNS={tmp_path}\n{shlex.quote(sys.executable)} -m gbg_cli run 5 -p way_back=retry",
        status=LOCKED,
    )
    lock.let_go()
    assert "another-machine" in told and "its-release" in told
    assert [one.id for one in deployment.run.pipeline.executions()] == before


def test_runbook_04_stops_a_release_behind_an_edit_that_matters(
    world: World, deployment: Deployment, tmp_path: Path
) -> None:
    """Somebody has opened a port of the machines. The release has begun, and has no image yet."""
    run = deployment.run
    [machines] = [one.id for one in run.stacks.resources(run.base_stack) if one.logical_id == MACHINES]
    door = {"GroupId": machines, "IpProtocol": "tcp", "FromPort": 22, "ToPort": 22, "CidrIp": "0.0.0.0/0"}
    deployment.aws.call("ec2", "authorize_security_group_ingress", **door)
    with moments.before(run, BAKE):
        execution = run.pipeline.start()
        told = world.shell(
            f"export GBG_RUNS={tmp_path}\n{shlex.quote(sys.executable)} -m gbg_cli run 4",
            status=GateRefused.exit_status,
        )
        deployment.until(lambda: run.pipeline.execution(execution).over, "the end of the release")
    assert (
        f"gate drift: it is shut; it asks that stacks and fleet are as a release needs them; {MACHINES}"
        in told
    )
    assert "0.0.0.0/0" in told and "runbook 07" in told
    assert (run.pipeline.execution(execution).status, run.release(execution).image) == ("Stopped", "")
    deployment.aws.call("ec2", "revoke_security_group_ingress", **door)
    assert {one.gate: one.verdict for one in run.before_bake()} == dict.fromkeys(GATES, "pass")
