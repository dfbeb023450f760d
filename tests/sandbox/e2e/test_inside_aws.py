"""A runbook as a job inside AWS: Scheduler starts a build at its hour, which runs it; S3 keeps all of it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from gbg_lib.scheduling.inside_aws import Job, JobStacks
from tests.command import gbg
from tests.notebooks.small import PARAMETERS, write_notebook
from tests.sandbox.e2e.listener import Listener
from tests.sandbox.e2e.world import World
from tests.sandbox.environments import GATE, light_runbook
from tests.sandbox.places import eventually

pytestmark = pytest.mark.xdist_group("inside-aws")

BUILD_SECONDS = 300
RIGHTS = {
    "Version": "2012-10-17",
    "Statement": [
        {"Effect": "Allow", "Action": "ssm:PutParameter", "Resource": "arn:aws:ssm:*:*:parameter/marks/night"}
    ],
}


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    made = World(tmp_path_factory.mktemp("inside-aws") / "gbg", None)
    yield made
    made.close()


NIGHT = "cron(0 2 * * ? *)"


def fire(world: World, told: dict[str, str]) -> None:
    """Move the job's hour to this very moment."""
    name = {"Name": told["ScheduleName"], "GroupName": told["GroupName"]}
    there = world.aws.call("scheduler", "get_schedule", **name)
    kept = {key: there[key] for key in ("Target", "FlexibleTimeWindow")}
    soon = f"at({datetime.now(UTC) + timedelta(seconds=8):%Y-%m-%dT%H:%M:%S})"
    world.aws.call("scheduler", "update_schedule", **name, **kept, ScheduleExpression=soon)


def finished(world: World, project: str, number: int = 1) -> dict[str, Any]:
    """The project's build of this number, when it is over."""

    def build() -> dict[str, Any] | None:
        ids = world.aws.call("codebuild", "list_builds_for_project", projectName=project)["ids"]
        found = world.aws.call("codebuild", "batch_get_builds", ids=ids)["builds"] if ids else []
        return next((one for one in found if one["buildNumber"] == number and one["buildComplete"]), None)

    eventually(build, BUILD_SECONDS)
    over = build()
    assert over is not None
    return over


def log_of(world: World, build: dict[str, Any]) -> str:
    told = build["logs"]
    events = world.aws.call(
        "logs", "get_log_events", logGroupName=told["groupName"], logStreamName=told["streamName"],
        startFromHead=True,
    )["events"]  # fmt: skip
    return "".join(event["message"] for event in events)


def results(world: World, bucket: str) -> list[dict[str, Any]]:
    """Of the runs in the bucket, oldest first."""
    listed = list(world.aws.pages("s3", "list_objects_v2", "Contents", Bucket=bucket, Prefix="runs/"))
    keys = sorted(one["Key"] for one in listed if one["Key"].endswith("/result.json"))
    bodies = [world.aws.call("s3", "get_object", Bucket=bucket, Key=key)["Body"].read() for key in keys]
    return [json.loads(body) for body in bodies]


def install(world: World, job: Job) -> dict[str, str]:
    stacks = JobStacks(world.aws)
    list(stacks.apply(stacks.plan(job)))
    return stacks.stacks.outputs(job.stack)


def test_a_job_runs_at_its_hour_with_the_rights_it_was_given(world: World, tmp_path: Path) -> None:
    values = {"cloud": "sandbox", "deployment": "night"}
    job = Job("night", light_runbook(tmp_path), values, NIGHT)
    told = install(world, job)

    fire(world, told)
    build = finished(world, told["ProjectName"])
    assert build["buildStatus"] == "FAILED", log_of(world, build)
    assert len(results(world, told["BucketName"])) == 1, log_of(world, build)
    [failed] = results(world, told["BucketName"])
    assert "ssm:PutParameter" in failed["what"]

    policy = world.aws.call("iam", "create_policy", PolicyName="marks", PolicyDocument=json.dumps(RIGHTS))
    stacks = JobStacks(world.aws).stacks
    list(stacks.apply(stacks.plan_change(job.stack, {"JobPolicyArns": policy["Policy"]["Arn"]})))
    fire(world, told)
    build = finished(world, told["ProjectName"], 2)
    assert build["buildStatus"] == "SUCCEEDED", log_of(world, build)
    marked = world.aws.call("ssm", "get_parameter", Name="/marks/night")["Parameter"]["Value"]
    assert marked == world.aws.account()
    assert [one["status"] for one in results(world, told["BucketName"])] == ["failed", "done"]


def test_a_shut_gate_is_no_failure_and_whom_the_file_names_is_told(world: World, tmp_path: Path) -> None:
    """A topic, and one that Parameter Store keeps."""
    friends = Listener(world, "friends")
    world.aws.call("ssm", "put_parameter", Type="SecureString", Name="/gate/chat", Value=friends.topic)
    runbook = write_notebook(tmp_path / "gate.ipynb", PARAMETERS + 'cloud = "sandbox"', GATE)
    values = {"cloud": "sandbox", "notify": f"{friends.topic}, ssm:/gate/chat"}
    told = install(world, Job("gate", runbook, values, NIGHT))
    fire(world, told)
    build = finished(world, told["ProjectName"])
    assert build["buildStatus"] == "SUCCEEDED", log_of(world, build)
    [refused] = results(world, told["BucketName"])
    assert (refused["exit_status"], "shut until Monday" in refused["what"]) == (3, True)
    eventually(lambda: len(friends.heard()) == 2, BUILD_SECONDS)
    assert all("shut until Monday" in message for _, message in friends.heard())


def test_the_command_plans_installs_and_removes_a_job(world: World, tmp_path: Path) -> None:
    file = tmp_path / "nightly-rebake.yaml"
    file.write_text('cloud: sandbox\nwindow: "daily 01:00-05:00 Europe/Berlin"\n')
    words = ("schedule", "rebake", "-f", str(file), "--as", "aws", "--at", "daily 02:00 Europe/Berlin")
    planned = gbg(world.home.folder, *words)
    assert planned.returncode == 0, planned.stderr
    assert "add AWS::Scheduler::Schedule Schedule" in planned.stdout
    assert "cron(0 2 * * ? *) Europe/Berlin" in planned.stdout
    installed = gbg(world.home.folder, *words, "--install")
    assert installed.returncode == 0, installed.stderr
    schedules = world.aws.call("scheduler", "list_schedules")["Schedules"]
    assert any(one["GroupName"].startswith("gbg-job-nightly-rebake") for one in schedules)
    removed = gbg(world.home.folder, *words, "--remove")
    assert removed.returncode == 0, removed.stderr
    assert "its runs stay at s3://" in removed.stdout
    left = world.aws.call("scheduler", "list_schedules")["Schedules"]
    assert not any(one["GroupName"].startswith("gbg-job-nightly-rebake") for one in left)
