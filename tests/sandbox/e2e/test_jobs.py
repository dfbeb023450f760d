"""Every job that people schedule, whole and in a row, by the command that schedulers call; and who is told.

All of them work on the shared deployment. A topic inside of AWS and a chat on this machine listen.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import nbformat
import pytest

from gbg_lib.errors import AccessRefused, GateRefused
from gbg_lib.faults import moments
from gbg_lib.gates.gate import answering, judge, require_open
from gbg_lib.images import golden_images
from gbg_lib.jobs.drift_report import DriftReport
from gbg_lib.runs import history
from gbg_lib.steps import ReleaseRun
from tests.command import ROOT, clean_environment
from tests.sandbox.e2e.listener import Listener
from tests.sandbox.e2e.rights import Somebody
from tests.sandbox.e2e.world import Deployment, World, exhaust
from tests.sandbox.environments import far_window
from tests.webhooks import Chat, chat

PATIENCE_SECONDS = 600
ALWAYS = "daily 00:00-12:00; daily 12:00-00:00"
OLDER = "2023.11.20260406"
"""an Amazon Linux release before that of Amazon's newest image"""
FILES = ROOT / "parameters" / "jobs"


@dataclass(frozen=True)
class Ran:
    result: dict[str, Any]
    shown: str
    """what its notebook shows, as text"""
    evidence: list[str]
    """the steps that left evidence to resume by"""


@dataclass
class Night:
    """Runs jobs from their own parameters files; a parameter that is given here comes over the file's."""

    world: World
    folder: Path
    listener: Listener
    room: Chat
    actors: dict[str, Somebody] = field(default_factory=dict)
    """who runs each job"""

    def __call__(self, job: str, status: int, **parameters: str) -> Ran:
        """With the rights that the job has inside AWS, and no others."""
        runbook = job.replace("-", "_")
        given = {"notify": f"{self.listener.topic}, {self.room.url}", **parameters}
        words = [word for name, value in given.items() for word in ("-p", f"{name}={value}")]
        words += ["-f", str(FILES / f"{runbook}.yaml")]
        with self.actor(runbook).acting():
            done = subprocess.run(
                [sys.executable, "-m", "gbg_cli", "run", job, *words, "--json"],
                cwd=self.folder,
                env=clean_environment(
                    GBG_HOME=str(self.world.home.folder),
                    GBG_RUNS=str(self.folder / "runs"),
                    GBG_RECORDS=str(self.folder / "records"),
                ),
                capture_output=True,
                text=True,
                timeout=PATIENCE_SECONDS,
                check=False,
            )
        assert done.returncode == status, done.stdout + done.stderr
        [result] = json.loads(done.stdout)["runs"]
        folder = self.folder / "runs" / result["run"]
        evidence = [str(one["step"]) for one in history.facts(folder)["evidence"]]
        return Ran(result, text_of(folder / f"{runbook}.ipynb"), evidence)

    def actor(self, runbook: str) -> Somebody:
        if runbook not in self.actors:
            self.actors[runbook] = Somebody(self.world, runbook, "gbg", self.listener.topic)
        return self.actors[runbook]

    def heard(self, count: int) -> list[tuple[str, str]]:
        """Subject and message of what came to the topic, when there are so many."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while len(found := self.listener.heard()) < count:
            assert time.monotonic() < deadline, found
            time.sleep(0.2)
        return found


class Silenced:
    """An alarm that measures nothing, for as long as this lasts."""

    def __init__(self, deployment: Deployment, name: str) -> None:
        self.of, self.name = deployment, name
        self.former = self._told()

    def _told(self) -> dict[str, Any]:
        [found] = self.of.aws.call("cloudwatch", "describe_alarms", AlarmNames=[self.name])["MetricAlarms"]
        return dict(found)

    def _put(self, **values: Any) -> None:
        taken = self.of.aws.session.client("cloudwatch").meta.service_model.operation_model("PutMetricAlarm")
        assert taken.input_shape is not None
        names = set(taken.input_shape.members)
        kept = {name: value for name, value in self.former.items() if name in names}
        self.of.aws.call("cloudwatch", "put_metric_alarm", **kept | values)

    def __enter__(self) -> None:
        self._put(MetricName="NobodySendsThis", TreatMissingData="missing")
        self.of.until(lambda: self._told()["StateValue"] == "INSUFFICIENT_DATA", "an alarm without figures")

    def __exit__(self, *_: object) -> None:
        self._put()


def text_of(notebook: Path) -> str:
    cells = nbformat.read(notebook, as_version=4).cells
    outputs = [output for cell in cells for output in cell.get("outputs", [])]
    return "\n".join(output.get("text") or output.get("data", {}).get("text/plain", "") for output in outputs)


@pytest.fixture(scope="module")
def night(world: World, deployment: Deployment, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Night]:
    """A push is released at its hour only, as docs/scheduling.md says."""
    deployment.aws.call("events", "disable_rule", Name=f"{deployment.name}-push")
    with chat() as room:
        yield Night(world, tmp_path_factory.mktemp("night"), Listener(world), room)
    deployment.aws.call("events", "enable_rule", Name=f"{deployment.name}-push")


def newest(deployment: Deployment) -> Any:
    return deployment.run.pipeline.executions()[0]


def test_a_release_at_a_set_hour_is_refused_outside_of_its_window(
    night: Night, deployment: Deployment
) -> None:
    before = newest(deployment).id
    window = far_window()
    ran = night("timed-release", 3, window=window)
    assert (ran.result["status"], ran.result["exit_status"], ran.result["error"]) == (
        "failed",
        3,
        "GateRefused",
    )
    assert f"is outside {window}" in ran.result["what"]
    assert newest(deployment).id == before
    [(subject, message)] = night.heard(1)
    assert subject.startswith("refused: release window: ")
    assert message.splitlines()[0].startswith("refused: release window: ")
    assert night.room.said[0]["text"].splitlines()[0] == message.splitlines()[0]


@pytest.fixture(scope="module")
def unreleased(night: Night, deployment: Deployment) -> str:
    """A commit that only a job releases."""
    return deployment.push(lambda work: (work / "NIGHT").touch(), "A night's work").id


def test_a_shut_gate_is_a_refusal_of_the_job_and_starts_nothing(
    night: Night, deployment: Deployment, unreleased: str
) -> None:
    """The page that told of last night's maintenance is still there instead of the site."""
    before, aws = newest(deployment).id, deployment.aws
    balancer = deployment.run.base["LoadBalancerArn"]
    [listener] = aws.call("elbv2", "describe_listeners", LoadBalancerArn=balancer)["Listeners"]
    page = {
        "Type": "fixed-response",
        "FixedResponseConfig": {"StatusCode": "200", "MessageBody": "Back soon"},
    }
    change = {"ListenerArn": listener["ListenerArn"]}
    aws.call("elbv2", "modify_listener", **change, DefaultActions=[page])
    ran = night("timed-release", 3, window=ALWAYS)
    aws.call("elbv2", "modify_listener", **change, DefaultActions=listener["DefaultActions"])
    assert ran.result["error"] == "GateRefused"
    assert "it is shut" in ran.result["what"]
    assert "none forwards to the fleet's target group: port 80 gives fixed-response" in ran.result["what"]
    assert newest(deployment).id == before


@pytest.mark.parametrize(
    ("gate", "right"),
    [
        ("source image", "ssm:GetParameter"),
        ("alarms", "cloudwatch:DescribeAlarms"),
        ("drift", "cloudformation:DetectStackResourceDrift"),
    ],
)
def test_what_a_gate_cant_tell_is_a_persons_to_decide(
    night: Night, deployment: Deployment, unreleased: str, gate: str, right: str
) -> None:
    """Whoever looks lacks a right: no job goes on then, and a person may."""
    somebody = night.actor("timed_release")
    with somebody.denied(right):
        run = ReleaseRun(deployment.parameters, somebody.aws)
        judgements = run.before_bake()
        assert [one.verdict for one in judgements if one.gate == gate] == ["can't tell"]
        with pytest.raises(GateRefused, match=r"it can't tell whether .*not authorized"):
            require_open(judgements, answering(""))
        decided = require_open(judgements, answering("go"))
    assert {one.gate for one in decided if one.decided_by == "a person"} >= {gate}


def test_a_job_that_cant_tell_is_refused_as_behind_a_shut_gate(
    night: Night, deployment: Deployment, unreleased: str
) -> None:
    before = newest(deployment).id
    with night.actor("timed_release").denied("cloudformation:DetectStackResourceDrift"):
        ran = night("timed-release", 3, window=ALWAYS)
    assert ran.result["error"] == "GateRefused"
    assert "it can't tell whether stacks and fleet are as a release needs them" in ran.result["what"]
    assert newest(deployment).id == before


def test_an_alarm_without_figures_cant_be_told_until_the_gates_time_is_up(
    night: Night, deployment: Deployment, unreleased: str
) -> None:
    """Somebody has put it on a metric that nobody sends; then it is put back while the gate waits."""
    alarm = Silenced(deployment, f"{deployment.name}-target-5xx")
    with alarm:
        hurried = deployment.parameters.model_copy(update={"gate_minutes": 0})
        told = {one.gate: one for one in ReleaseRun(hurried, deployment.aws).before_bake()}
    assert told["alarms"].verdict == "can't tell"
    assert f"{alarm.name} is INSUFFICIENT_DATA; not known after 0 s" in told["alarms"].found
    assert (told["drift"].verdict, "TargetErrors/MetricName" in told["drift"].found) == ("fail", True)
    [gate] = [one for one in deployment.run.gates_before_bake() if one.name == "alarms"]
    assert judge(deployment.aws, gate).verdict == "pass", "it waits for the figures that come again"


def test_inside_of_it_the_branchs_head_is_released_once(
    night: Night, deployment: Deployment, unreleased: str
) -> None:
    ran = night("timed-release", 0, window=ALWAYS)
    assert (newest(deployment).commit, newest(deployment).status) == (unreleased, "Succeeded")
    assert "the branch's head is not released yet" in ran.shown
    released = newest(deployment).id
    again = night("timed-release", 0, window=ALWAYS)
    assert "the branch's head is released already" in again.shown
    assert newest(deployment).id == released


def test_a_rebake_brings_the_same_commit_on_a_patched_image_and_then_has_nothing_to_do(
    night: Night, deployment: Deployment
) -> None:
    deployment.change(os_release=OLDER)
    exhaust(deployment.base.apply(deployment.base.plan()))
    before, images = newest(deployment), golden_images(deployment.aws, deployment.name)
    ran = night("rebake", 0, window=ALWAYS)
    after = newest(deployment)
    assert (after.commit, after.status) == (before.commit, "Succeeded")
    assert after.id != before.id
    assert len(golden_images(deployment.aws, deployment.name)) == len(images) + 1
    moved = deployment.base.stacks.parameters(deployment.run.base_stack)["OsRelease"]
    assert moved > OLDER and moved in ran.shown
    assert ran.evidence == ["gbg_lib.jobs.rebake:Rebake"]
    again = night("rebake", 0, window=ALWAYS)
    assert f"images are on {moved}" in again.shown
    assert newest(deployment).id == after.id


def test_images_that_nobody_needs_go_and_the_serving_ones_stay(night: Night, deployment: Deployment) -> None:
    before = {image.id for image in golden_images(deployment.aws, deployment.name)}
    serving = {instance.image for fleet in deployment.run.fleets() for instance in fleet.instances}
    ran = night("prune-images", 0, keep_images="1")
    assert ran.evidence == ["gbg_lib.jobs.prune_images:PruneImages"]
    assert serving <= {image.id for image in golden_images(deployment.aws, deployment.name)} < before
    assert deployment.run.page().status == 200


def test_the_archive_keeps_every_release_that_is_over(night: Night, deployment: Deployment) -> None:
    ran = night("archive", 0)
    over = [one for one in deployment.run.pipeline.executions() if one.over]
    assert all(one.id in ran.shown for one in over)
    assert "whole, and so is their chain" in ran.shown


def test_the_drift_report_fails_for_what_is_not_accepted_and_says_it_first(
    night: Night, deployment: Deployment
) -> None:
    """What failed runs have left comes before what releases have moved; both are in the report."""
    report = DriftReport(deployment.parameters, deployment.aws).report()
    first = "left behind" if report.orphans else "moved by releases"
    serving = moments.serving_group(deployment.run)["AutoScalingGroupName"]
    told = len(night.room.said)
    failed = night("drift-report", 1, accepted_drift="none")
    assert failed.result["error"] == "CheckFailed", failed.result
    assert failed.result["what"].startswith(f"check: {first}: ")
    [said] = night.room.said[told:]
    assert said["text"].startswith("failed: ")
    assert first in said["text"].splitlines()[0]
    moved = [line for line in failed.shown.splitlines() if "  a release  " in line]
    assert [line for line in moved if line.startswith("fleet ") and serving in line], failed.shown
    assert [line for line in moved if line.startswith("golden AMI ")], failed.shown
    assert all(one.id in failed.shown for one in report.orphans)
    night("drift-report", 0, accepted_drift="all")


@pytest.mark.parametrize(
    ("runbook", "service", "operation", "asked"),
    [
        ("rebake", "iam", "create_user", {"UserName": "eve"}),
        ("rebake", "ec2", "terminate_instances", {"InstanceIds": ["i-0123456789abcdef0"]}),
        ("rebake", "cloudformation", "delete_stack", {"StackName": "gbg-base"}),
        ("timed_release", "codepipeline", "start_pipeline_execution", {"name": "shop-release"}),
        ("timed_release", "ssm", "update_document", {"Name": "gbg-bake", "Content": "{}"}),
        ("archive", "codepipeline", "start_pipeline_execution", {"name": "gbg-release"}),
        ("prune_images", "codepipeline", "start_pipeline_execution", {"name": "gbg-release"}),
        ("prune_images", "ec2", "deregister_image", {"ImageId": "$amazon"}),
        ("drift_report", "logs", "put_retention_policy", {"logGroupName": "/gbg/bake", "retentionInDays": 1}),
        ("drift_report", "codepipeline", "start_pipeline_execution", {"name": "gbg-release"}),
    ],
)
def test_a_job_may_do_its_own_work_and_no_other(
    night: Night, world: World, runbook: str, service: str, operation: str, asked: dict[str, Any]
) -> None:
    """Every job above ran with the rights that it has inside AWS."""
    if "$amazon" in asked.values():
        images = world.aws.call("ec2", "describe_images", Owners=["amazon"])["Images"]
        asked = {"ImageId": images[0]["ImageId"]}
    with pytest.raises(AccessRefused, match="not authorized"):
        night.actors[runbook].aws.call(service, operation, **asked)


def test_everybody_was_told_of_every_end(night: Night) -> None:
    """Through the topic and in the chat, each message beginning with its reason."""
    ends = [path for path in (night.folder / "runs").iterdir() if (path / "result.json").exists()]
    heard = night.heard(len(ends))
    assert len(heard) == len(night.room.said) == len(ends)
    statuses = {json.loads((path / "result.json").read_text())["status"] for path in ends}
    assert statuses == {"done", "failed"}
    assert all(subject.startswith(("done: ", "failed: ", "refused: ", "locked: ")) for subject, _ in heard)
