"""Stopping, retrying, rolling back, approving, closing transitions, and executions that meet."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from gbg_sandbox.cloud import Cloud
from tests.sandbox.fakes import FakeMachines
from tests.sandbox.pipelines import Hold, World, approval_action, invoke_action, stage


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    cloud = Cloud(
        tmp_path / "state", open_machines=lambda *_: FakeMachines(tmp_path / "machines"), scale=6000
    )
    cloud.start()
    yield World(cloud)
    cloud.stop()


class Flaky:
    """A Lambda function that fails while it is told to."""

    def __init__(self, world: World) -> None:
        self._world = world
        self.failing = True
        self.calls: list[str] = []

    def __call__(self, job: dict[str, Any]) -> None:
        self.calls.append(job["data"]["actionConfiguration"]["configuration"].get("UserParameters", ""))
        if self.failing:
            details = {"type": "JobFailed", "message": "not today"}
            self._world.pipelines.put_job_failure_result(jobId=job["id"], failureDetails=details)
        else:
            self._world.pipelines.put_job_success_result(jobId=job["id"], outputVariables={"Commit": "x"})


def test_an_approval_waits_for_its_answer(world: World) -> None:
    execution = world.create(stage("Gate", approval_action()))
    world.wait(lambda: "token" in world.action_state("Gate", "Approve").get("latestExecution", {}))
    token = world.action_state("Gate", "Approve")["latestExecution"]["token"]
    answer = {"pipelineName": "release", "stageName": "Gate", "actionName": "Approve"}
    approved = {"summary": "looks right", "status": "Approved"}
    with pytest.raises(ClientError, match="InvalidApprovalTokenException"):
        world.pipelines.put_approval_result(
            **answer, result=approved, token="00000000-0000-0000-0000-000000000000"
        )
    assert world.execution(execution)["status"] == "InProgress"
    world.pipelines.put_approval_result(**answer, result=approved, token=token)
    assert world.finished(execution)["status"] == "Succeeded"
    assert world.action_state("Gate", "Approve")["latestExecution"]["summary"] == "looks right"
    with pytest.raises(ClientError, match="ApprovalAlreadyCompletedException"):
        world.pipelines.put_approval_result(**answer, result=approved, token=token)


def test_a_rejection_fails_the_stage(world: World) -> None:
    execution = world.create(stage("Gate", approval_action()))
    world.wait(lambda: "token" in world.action_state("Gate", "Approve").get("latestExecution", {}))
    world.pipelines.put_approval_result(
        pipelineName="release",
        stageName="Gate",
        actionName="Approve",
        result={"summary": "wrong colour", "status": "Rejected"},
        token=world.action_state("Gate", "Approve")["latestExecution"]["token"],
    )
    assert world.finished(execution)["status"] == "Failed"
    assert world.action_state("Gate", "Approve")["latestExecution"]["summary"] == "wrong colour"
    assert world.stage_state("Gate")["latestExecution"]["status"] == "Failed"


def test_a_retry_runs_the_failed_actions_again(world: World) -> None:
    flaky = Flaky(world)
    steady = Flaky(world)
    steady.failing = False
    world.functions.functions["function"] = lambda job: (
        steady if job["data"]["actionConfiguration"]["configuration"]["UserParameters"] == "steady" else flaky
    )(job)
    execution = world.create(
        stage("Bake", invoke_action("Steady", "steady"), invoke_action("Flaky", "flaky"))
    )
    assert world.finished(execution)["status"] == "Failed"
    before = world.actions(execution)
    flaky.failing = False
    retry = {"pipelineName": "release", "stageName": "Bake", "pipelineExecutionId": execution}
    assert (
        world.pipelines.retry_stage_execution(**retry, retryMode="FAILED_ACTIONS")["pipelineExecutionId"]
        == execution
    )
    assert world.finished(execution)["status"] == "Succeeded"
    after = world.actions(execution)
    assert after["Flaky"]["actionExecutionId"] != before["Flaky"]["actionExecutionId"]
    assert after["Steady"]["actionExecutionId"] == before["Steady"]["actionExecutionId"]
    assert steady.calls == ["steady"]
    with pytest.raises(ClientError, match="StageNotRetryableException"):
        world.pipelines.retry_stage_execution(**retry, retryMode="FAILED_ACTIONS")


def test_a_stage_retries_itself_once_where_it_says_so(world: World) -> None:
    flaky = Flaky(world)
    world.functions.functions["function"] = flaky
    on_failure = {"result": "RETRY", "retryConfiguration": {"retryMode": "ALL_ACTIONS"}}
    execution = world.create(stage("Bake", invoke_action(), onFailure=on_failure))
    assert world.finished(execution)["status"] == "Failed"
    assert len(flaky.calls) == 2
    assert world.stage_state("Bake")["retryStageMetadata"]["autoStageRetryAttempt"] == 1


def test_stop_lets_the_running_action_end(world: World) -> None:
    hold = Hold(world)
    world.functions.functions["function"] = hold
    execution = world.create(stage("Bake", invoke_action()), stage("Gate", approval_action()))
    world.wait(lambda: hold.begun)
    stop = {"pipelineName": "release", "pipelineExecutionId": execution, "reason": "lunch"}
    world.pipelines.stop_pipeline_execution(**stop)
    assert world.execution(execution)["status"] == "Stopping"
    with pytest.raises(ClientError, match="DuplicatedStopRequestException"):
        world.pipelines.stop_pipeline_execution(**stop)
    hold.go.set()
    summary = world.finished(execution)
    assert (summary["status"], summary["stopTrigger"]) == ("Stopped", {"reason": "lunch"})
    assert world.actions(execution)["Ask"]["status"] == "Succeeded"
    with pytest.raises(ClientError, match="PipelineExecutionNotStoppableException"):
        world.pipelines.stop_pipeline_execution(**stop)


def test_abandon_leaves_the_running_action(world: World) -> None:
    execution = world.create(stage("Gate", approval_action()))
    world.wait(lambda: "latestExecution" in world.action_state("Gate", "Approve"))
    world.pipelines.stop_pipeline_execution(
        pipelineName="release", pipelineExecutionId=execution, abandon=True
    )
    assert world.finished(execution)["status"] == "Stopped"
    assert world.actions(execution)["Approve"]["status"] == "Abandoned"


def test_queued_executions_pass_a_stage_one_after_the_other(world: World) -> None:
    hold = Hold(world)
    world.functions.functions["function"] = hold
    first = world.create(stage("Bake", invoke_action()))
    world.wait(lambda: hold.begun)
    second = world.start()
    world.wait(lambda: "inboundExecution" in world.stage_state("Bake"))
    third = world.start()
    world.wait(lambda: len(world.stage_state("Bake").get("inboundExecutions", [])) == 2)
    assert len(hold.begun) == 1
    waiting = [one["pipelineExecutionId"] for one in world.stage_state("Bake")["inboundExecutions"]]
    assert waiting == [second, third]
    hold.go.set()
    for execution in (first, second, third):
        assert world.finished(execution)["status"] == "Succeeded"
    begun = [world.actions(one)["Ask"]["startTime"] for one in (first, second, third)]
    assert begun == sorted(begun)


def test_a_waiting_execution_is_superseded_by_a_later_one(world: World) -> None:
    hold = Hold(world)
    world.functions.functions["function"] = hold
    first = world.create(stage("Bake", invoke_action()), executionMode="SUPERSEDED")
    world.wait(lambda: hold.begun)
    second = world.start()
    world.wait(lambda: "inboundExecution" in world.stage_state("Bake"))
    third = world.start()
    assert world.finished(second)["status"] == "Superseded"
    hold.go.set()
    assert world.finished(first)["status"] == "Succeeded"
    assert world.finished(third)["status"] == "Succeeded"


def test_a_closed_transition_holds_executions_back(world: World) -> None:
    flaky = Flaky(world)
    flaky.failing = False
    world.functions.functions["function"] = flaky
    world.finished(world.create(stage("Bake", invoke_action())))
    transition = {"pipelineName": "release", "stageName": "Bake", "transitionType": "Inbound"}
    world.pipelines.disable_stage_transition(**transition, reason="freeze")
    execution = world.start()
    world.wait(lambda: "inboundExecution" in world.stage_state("Bake"))
    told = world.stage_state("Bake")["inboundTransitionState"]
    assert (told["enabled"], told["disabledReason"]) == (False, "freeze")
    assert len(flaky.calls) == 1
    world.pipelines.enable_stage_transition(**transition)
    assert world.finished(execution)["status"] == "Succeeded"


def test_rollback_takes_the_artifacts_and_variables_of_the_good_execution(world: World) -> None:
    flaky = Flaky(world)
    flaky.failing = False
    world.functions.functions["function"] = flaky
    first_commit = world.commit
    good = world.create(
        stage("Bake", invoke_action("Ask", "#{Source.CommitId}", inputArtifacts=[{"name": "Code"}]))
    )
    world.finished(good)
    world.push("newer")
    world.finished(world.start())
    rollback = {"pipelineName": "release", "targetPipelineExecutionId": good}
    back = world.pipelines.rollback_stage(**rollback, stageName="Bake")["pipelineExecutionId"]
    summary = world.finished(back)
    assert (summary["status"], summary["executionType"]) == ("Succeeded", "ROLLBACK")
    assert summary["rollbackMetadata"] == {"rollbackTargetPipelineExecutionId": good}
    assert summary["trigger"]["triggerType"] == "ManualRollback"
    assert flaky.calls[-1] == first_commit
    assert list(world.actions(back)) == ["Ask"]
    for stage_name, target in (("Source", good), ("Bake", back)):
        with pytest.raises(ClientError, match="UnableToRollbackStageException"):
            world.pipelines.rollback_stage(
                pipelineName="release", stageName=stage_name, targetPipelineExecutionId=target
            )


def test_a_failed_stage_rolls_back_by_itself_where_it_says_so(world: World) -> None:
    flaky = Flaky(world)
    flaky.failing = False
    world.functions.functions["function"] = flaky
    good = world.create(stage("Bake", invoke_action(), onFailure={"result": "ROLLBACK"}))
    world.finished(good)
    flaky.failing = True
    bad = world.start()
    assert world.finished(bad)["status"] == "Failed"
    flaky.failing = False
    world.wait(lambda: world.executions()[0]["executionType"] == "ROLLBACK")
    back = world.executions()[0]
    assert back["trigger"] == {"triggerType": "AutomatedRollback", "triggerDetail": bad}
    assert back["rollbackMetadata"]["rollbackTargetPipelineExecutionId"] == good
    world.finished(back["pipelineExecutionId"])


def test_a_push_starts_the_pipeline_through_eventbridge(world: World) -> None:
    flaky = Flaky(world)
    flaky.failing = False
    world.functions.functions["function"] = flaky
    world.finished(world.create(stage("Bake", invoke_action())))
    role = world.make_role("starter", "events.amazonaws.com", ["codepipeline:StartPipelineExecution"])
    events: Any = world.cloud.client("events")
    pattern = '{"source": ["aws.codecommit"], "detail": {"referenceName": ["main"]}}'
    rule = events.put_rule(Name="on-push", EventPattern=pattern)["RuleArn"]
    arn = world.cloud.arn("codepipeline", "release")
    events.put_targets(Rule="on-push", Targets=[{"Id": "pipeline", "Arn": arn, "RoleArn": role}])
    commit = world.push("newer")
    world.wait(lambda: len(world.executions()) == 2)
    summary = world.finished(world.executions()[0]["pipelineExecutionId"])
    assert summary["trigger"] == {"triggerType": "CloudWatchEvent", "triggerDetail": rule}
    assert summary["sourceRevisions"][0]["revisionId"] == commit
