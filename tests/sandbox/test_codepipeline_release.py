"""A release through Source, Invoke, Build and Deploy, and what the API tells of it."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from gbg_sandbox.cloud import Cloud
from gbg_sandbox.events import Event
from tests.sandbox.pipelines import World, approval_action, build_action, deploy_action, invoke_action, stage
from tests.sandbox.places import eventually
from tests.sandbox.shell_machines import ShellMachines

RIGHTS = [
    *("codecommit:GetBranch", "codecommit:GetCommit", "codecommit:UploadArchive"),
    *("codecommit:GetUploadArchiveStatus", "s3:GetObject", "s3:PutObject", "lambda:InvokeFunction"),
    *("codebuild:StartBuild", "codebuild:BatchGetBuilds", "codedeploy:GetApplication"),
    *("codedeploy:RegisterApplicationRevision", "codedeploy:GetApplicationRevision"),
    *("codedeploy:CreateDeployment", "codedeploy:GetDeployment", "codedeploy:GetDeploymentConfig"),
]
"""what AWS's documentation asks of a pipeline's role for these actions"""


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    cloud = Cloud(
        tmp_path / "state", open_machines=lambda *_: ShellMachines(tmp_path / "machines"), scale=6000
    )
    cloud.start()
    yield World(cloud)
    cloud.stop()


def answer(world: World) -> None:
    """The function reports success with a variable."""
    world.functions.functions["function"] = lambda job: world.pipelines.put_job_success_result(
        jobId=job["id"],
        outputVariables={"ImageId": "ami-1"},
        executionDetails={"summary": "baked", "externalExecutionId": "bake-1"},
    )


def test_a_release_runs_from_commit_to_deployment(world: World) -> None:
    answer(world)
    world.allow("pipeline", RIGHTS)
    execution = world.create(
        stage("Bake", invoke_action(user_parameters="#{codepipeline.PipelineExecutionId}", namespace="Bake")),
        stage("Build", build_action()),
        stage("Deploy", deploy_action()),
    )
    summary = world.finished(execution)
    assert summary["status"] == "Succeeded", world.actions(execution)
    assert summary["trigger"]["triggerType"] == "CreatePipeline"
    (revision,) = summary["sourceRevisions"]
    assert (revision["actionName"], revision["revisionId"]) == ("Commit", world.commit)
    assert revision["revisionSummary"] == "Make it plain"

    actions = world.actions(execution)
    assert list(actions) == ["Deploy", "Maven", "Ask", "Commit"]
    assert actions["Commit"]["output"]["outputVariables"]["CommitId"] == world.commit
    assert actions["Ask"]["input"]["resolvedConfiguration"]["UserParameters"] == execution
    assert actions["Ask"]["output"]["outputVariables"] == {"ImageId": "ami-1"}
    assert actions["Ask"]["output"]["executionResult"]["externalExecutionId"] == "bake-1"
    assert actions["Maven"]["output"]["outputVariables"] == {"FLAVOUR": "plain"}
    assert actions["Deploy"]["output"]["executionResult"]["externalExecutionId"] == "d-000000001"

    (place,) = [one["s3location"] for one in actions["Maven"]["output"]["outputArtifacts"]]
    assert place["key"].startswith("release/Bundle/")
    content = world.s3.get_object(Bucket=place["bucket"], Key=place["key"])["Body"].read()
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        assert archive.read("bundle.txt").decode() == f"plain {world.commit} {execution}\n"
    revision = world.codedeploy.deployments["d-000000001"]["revision"]["s3Location"]
    assert revision == {"bundleType": "zip", **place}


def test_states_of_a_release_are_announced(world: World) -> None:
    answer(world)
    execution = world.create(stage("Bake", invoke_action()))
    world.finished(execution)

    def announced() -> list[Event]:
        return [event for event in world.cloud.events.since(0) if event.source == "aws.codepipeline"]

    eventually(lambda: len(announced()) >= 10)
    told = announced()
    assert {event.detail["execution-id"] for event in told} == {execution}
    assert [
        (
            event.detail_type.split()[1],
            event.detail.get("action") or event.detail.get("stage"),
            event.detail["state"],
        )
        for event in told
    ] == [
        ("Pipeline", None, "STARTED"),
        ("Stage", "Source", "STARTED"),
        ("Action", "Commit", "STARTED"),
        ("Action", "Commit", "SUCCEEDED"),
        ("Stage", "Source", "SUCCEEDED"),
        ("Stage", "Bake", "STARTED"),
        ("Action", "Ask", "STARTED"),
        ("Action", "Ask", "SUCCEEDED"),
        ("Stage", "Bake", "SUCCEEDED"),
        ("Pipeline", None, "SUCCEEDED"),
    ]


def test_a_failed_build_tells_phase_and_command(world: World) -> None:
    execution = world.create(stage("Build", build_action()), stage("Deploy", deploy_action()))
    world.finished(execution)
    world.push("broken")
    execution = world.start()
    assert world.finished(execution)["status"] == "Failed"
    code, message = world.error(execution, "Maven")
    assert code == "JobFailed"
    assert message == (
        "Build terminated with state: FAILED. Phase: BUILD, Code: COMMAND_EXECUTION_ERROR, Message: "
        'Error while executing command: test "$FLAVOUR" != broken. Reason: exit status 1'
    )
    assert "Deploy" not in world.actions(execution)


def test_a_failed_deployment_tells_its_reason(world: World) -> None:
    world.codedeploy.ending = {
        "status": "Failed",
        "errorInformation": {"code": "HEALTH_CONSTRAINTS", "message": "Too few healthy instances."},
    }
    execution = world.create(stage("Build", build_action()), stage("Deploy", deploy_action()))
    world.finished(execution)
    assert world.error(execution, "Deploy") == (
        "JobFailed",
        "Deployment d-000000001 failed. Too few healthy instances. (Error code: HEALTH_CONSTRAINTS)",
    )


@pytest.mark.parametrize(
    ("missing", "action", "words"),
    [
        ("codecommit:GetBranch", "Commit", "doesn’t have the permissions required to access"),  # noqa: RUF001
        ("codecommit:UploadArchive", "Commit", "codecommit:UploadArchive"),
        ("s3:PutObject", "Commit", "s3:PutObject"),
        ("lambda:InvokeFunction", "Ask", "does not have permissions to perform this action"),
        ("codebuild:StartBuild", "Maven", "codebuild:StartBuild"),
        ("codedeploy:RegisterApplicationRevision", "Deploy", "codedeploy:RegisterApplicationRevision"),
    ],
)
def test_a_right_missing_from_the_pipelines_role_fails_its_action(
    world: World, missing: str, action: str, words: str
) -> None:
    answer(world)
    world.allow("pipeline", [one for one in RIGHTS if one != missing])
    execution = world.create(
        stage("Bake", invoke_action()), stage("Build", build_action()), stage("Deploy", deploy_action())
    )
    assert world.finished(execution)["status"] == "Failed"
    code, message = world.error(execution, action)
    assert code == "PermissionError"
    assert words in message


def test_a_branch_that_is_not_there_is_told_in_awss_words(world: World) -> None:
    world.create(stage("Approval", approval_action()))
    pipeline = world.pipelines.get_pipeline(name="release")["pipeline"]
    pipeline["stages"][0]["actions"][0]["configuration"]["BranchName"] = "trunk"
    world.pipelines.update_pipeline(pipeline=pipeline)
    assert world.pipelines.get_pipeline(name="release")["pipeline"]["version"] == 2
    _, message = world.error(world.finished(world.start())["pipelineExecutionId"], "Commit")
    assert "no branch named trunk was found in the selected AWS CodeCommit repository app" in message


def test_a_commit_can_be_pinned(world: World) -> None:
    first = world.commit
    world.finished(world.create(stage("Build", build_action())))
    world.push("newer")
    revision = {"actionName": "Commit", "revisionType": "COMMIT_ID", "revisionValue": first}
    execution = world.start(sourceRevisions=[revision])
    assert world.finished(execution)["sourceRevisions"][0]["revisionId"] == first
    with pytest.raises(ClientError, match="has no source action Other"):
        world.start(sourceRevisions=[{**revision, "actionName": "Other"}])


def test_pipeline_variables_take_defaults_and_refuse_unknown_names(world: World) -> None:
    answer(world)
    variables = [{"name": "Colour", "defaultValue": "blue"}]
    world.create(stage("Bake", invoke_action(user_parameters="#{variables.Colour}")), variables=variables)
    green: dict[str, Any] = {"variables": [{"name": "Colour", "value": "green"}]}
    cases: list[tuple[dict[str, Any], str]] = [({}, "blue"), (green, "green")]
    for given, expected in cases:
        execution = world.start(**given)
        world.finished(execution)
        assert world.actions(execution)["Ask"]["input"]["resolvedConfiguration"]["UserParameters"] == expected
    with pytest.raises(ClientError, match="The pipeline has no variable Color; it has Colour"):
        world.start(variables=[{"name": "Color", "value": "x"}])


def test_one_request_token_starts_one_execution(world: World) -> None:
    world.create(stage("Approval", approval_action()))
    assert world.start(clientRequestToken="once") == world.start(clientRequestToken="once")


def test_a_pipeline_is_kept_by_name(world: World) -> None:
    world.create(stage("Approval", approval_action()))
    with pytest.raises(ClientError, match="PipelineNameInUseException"):
        world.create(stage("Approval", approval_action()))
    assert [one["name"] for one in world.pipelines.list_pipelines()["pipelines"]] == ["release"]
    world.pipelines.delete_pipeline(name="release")
    with pytest.raises(ClientError, match="does not have a pipeline with name 'release'"):
        world.pipelines.get_pipeline_state(name="release")
    with pytest.raises(ClientError, match="does not have codepipeline:PollForJobs"):
        type_id = {"category": "Build", "owner": "Custom", "provider": "x", "version": "1"}
        world.pipelines.poll_for_jobs(actionTypeId=type_id)
