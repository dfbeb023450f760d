"""The contract between a pipeline and a Lambda function: event, continuation, answers, silence."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError

from gbg_sandbox.cloud import Cloud
from tests.sandbox.fakes import FakeMachines
from tests.sandbox.pipelines import Hold, World, invoke_action, stage


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    cloud = Cloud(
        tmp_path / "state", open_machines=lambda *_: FakeMachines(tmp_path / "machines"), scale=6000
    )
    cloud.start()
    yield World(cloud)
    cloud.stop()


def test_the_event_has_awss_shape_and_keys_that_open_the_artifacts(world: World) -> None:
    seen: list[dict[str, Any]] = []

    def function(job: dict[str, Any]) -> None:
        seen.append(job)
        keys = job["data"]["artifactCredentials"]
        place = job["data"]["outputArtifacts"][0]["location"]["s3Location"]
        s3 = boto3.client(
            "s3",
            endpoint_url=world.cloud.endpoint_url,
            region_name="us-east-1",
            aws_access_key_id=keys["accessKeyId"],
            aws_secret_access_key=keys["secretAccessKey"],
            aws_session_token=keys["sessionToken"],
        )
        s3.put_object(Bucket=place["bucketName"], Key=place["objectKey"], Body=b"made")
        world.pipelines.put_job_success_result(jobId=job["id"])

    world.functions.functions["function"] = function
    action = invoke_action(
        user_parameters="x", inputArtifacts=[{"name": "Code"}], outputArtifacts=[{"name": "Made"}]
    )
    execution = world.create(stage("Bake", action))
    assert world.finished(execution)["status"] == "Succeeded", world.actions(execution)
    (job,) = seen
    assert set(job) == {"id", "accountId", "data"}
    assert job["accountId"] == "123456789012"
    assert job["data"]["actionConfiguration"]["configuration"] == {
        "FunctionName": "function",
        "UserParameters": "x",
    }
    (given,) = job["data"]["inputArtifacts"]
    assert (given["name"], given["revision"], given["location"]["type"]) == ("Code", world.commit, "S3")
    assert "continuationToken" not in job["data"]
    context = world.pipelines.get_job_details(jobId=job["id"])["jobDetails"]["data"]["pipelineContext"]
    assert context["pipelineExecutionId"] == execution
    assert context["action"]["actionExecutionId"] == world.actions(execution)["Ask"]["actionExecutionId"]


def test_a_continuation_token_brings_a_new_job_with_the_token(world: World) -> None:
    def function(job: dict[str, Any]) -> None:
        turn = int(job["data"].get("continuationToken", "0"))
        if turn < 2:
            world.pipelines.put_job_success_result(
                jobId=job["id"],
                continuationToken=str(turn + 1),
                executionDetails={"summary": f"turn {turn}", "percentComplete": 40 * turn},
            )
        else:
            world.pipelines.put_job_success_result(jobId=job["id"], outputVariables={"Turns": str(turn)})

    world.functions.functions["function"] = function
    execution = world.create(stage("Bake", invoke_action()))
    assert world.finished(execution)["status"] == "Succeeded"
    jobs = [event["CodePipeline.job"] for event in world.functions.events]
    assert [job["data"].get("continuationToken") for job in jobs] == [None, "1", "2"]
    assert len({job["id"] for job in jobs}) == 3
    told = world.actions(execution)["Ask"]["output"]
    assert told["outputVariables"] == {"Turns": "2"}
    assert told["executionResult"]["externalExecutionSummary"] == "turn 1"


def test_a_failure_is_told_as_the_function_gave_it(world: World) -> None:
    world.functions.functions["function"] = lambda job: world.pipelines.put_job_failure_result(
        jobId=job["id"],
        failureDetails={
            "type": "ConfigurationError",
            "message": "no such image",
            "externalExecutionId": "b-1",
        },
    )
    execution = world.create(stage("Bake", invoke_action()))
    assert world.finished(execution)["status"] == "Failed"
    assert world.error(execution, "Ask") == ("ConfigurationError", "no such image")
    assert world.actions(execution)["Ask"]["output"]["executionResult"]["externalExecutionId"] == "b-1"


def test_a_function_that_never_answers_fails_the_action(world: World) -> None:
    world.cloud.service("codepipeline").reply_real_seconds = 0.3
    world.functions.functions["function"] = lambda job: None
    execution = world.create(stage("Bake", invoke_action()))
    assert world.finished(execution)["status"] == "Failed"
    code, message = world.error(execution, "Ask")
    assert code == "JobFailed"
    assert message.startswith("The AWS Lambda function function failed to return a result.")
    job = world.functions.events[0]["CodePipeline.job"]
    with pytest.raises(ClientError, match="InvalidJobStateException"):
        world.pipelines.put_job_success_result(jobId=job["id"])


def test_a_job_is_answered_once(world: World) -> None:
    hold = Hold(world)
    world.functions.functions["function"] = hold
    execution = world.create(stage("Bake", invoke_action()))
    world.wait(lambda: hold.begun)
    job = hold.begun[0]["id"]
    with pytest.raises(ClientError, match="can't be set together with a continuation token"):
        world.pipelines.put_job_success_result(jobId=job, continuationToken="t", outputVariables={"A": "b"})
    with pytest.raises(ClientError, match="JobNotFoundException"):
        world.pipelines.put_job_success_result(jobId="00000000-0000-0000-0000-000000000000")
    hold.go.set()
    world.finished(execution)
    with pytest.raises(ClientError, match="InvalidJobStateException"):
        world.pipelines.put_job_failure_result(
            jobId=job, failureDetails={"type": "JobFailed", "message": "too late"}
        )


def test_a_declared_output_that_was_not_uploaded_fails_the_action(world: World) -> None:
    world.functions.functions["function"] = lambda job: world.pipelines.put_job_success_result(
        jobId=job["id"]
    )
    execution = world.create(stage("Bake", invoke_action(outputArtifacts=[{"name": "Made"}])))
    world.finished(execution)
    code, message = world.error(execution, "Ask")
    assert code == "ConfigurationError"
    assert message.startswith("The action's output artifact Made is not at s3://store/release/Made/")
