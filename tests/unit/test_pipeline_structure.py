"""What makes a pipeline, and what is said of one that isn't."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pytest

from gbg_sandbox.service import AwsError
from gbg_sandbox.services.codepipeline.structure import complete, groups
from gbg_sandbox.services.codepipeline.variables import UnresolvedVariableError, resolve

Change = Callable[[dict[str, Any]], object]


def action(
    name: str, category: str, provider: str, configuration: dict[str, str], **more: Any
) -> dict[str, Any]:
    type_id = {"category": category, "owner": "AWS", "provider": provider, "version": "1"}
    return {"name": name, "actionTypeId": type_id, "configuration": configuration, **more}


def declaration() -> dict[str, Any]:
    """A pipeline that is right."""
    return {
        "name": "release",
        "roleArn": "arn:aws:iam::123456789012:role/pipeline",
        "artifactStore": {"type": "S3", "location": "artifacts"},
        "pipelineType": "V2",
        "executionMode": "QUEUED",
        "stages": [
            {
                "name": "Source",
                "actions": [
                    action(
                        "Commit",
                        "Source",
                        "CodeCommit",
                        {"RepositoryName": "app", "BranchName": "main", "PollForSourceChanges": "false"},
                        outputArtifacts=[{"name": "Code"}],
                        namespace="Source",
                    )
                ],
            },
            {
                "name": "Build",
                "actions": [
                    action(
                        "Maven",
                        "Build",
                        "CodeBuild",
                        {"ProjectName": "app", "EnvironmentVariables": "#{Source.CommitId}"},
                        inputArtifacts=[{"name": "Code"}],
                        outputArtifacts=[{"name": "Bundle"}],
                    ),
                    action("Ask", "Approval", "Manual", {}, runOrder=2),
                ],
            },
        ],
    }


def commit(pipeline: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = pipeline["stages"][0]["actions"][0]
    return found


def maven(pipeline: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = pipeline["stages"][1]["actions"][0]
    return found


def test_defaults_are_filled_in() -> None:
    pipeline = declaration()
    del pipeline["pipelineType"], pipeline["executionMode"]
    done = complete(pipeline, "us-east-1")
    assert (done["pipelineType"], done["executionMode"]) == ("V1", "SUPERSEDED")
    assert [[one["name"] for one in group] for group in groups(done["stages"][1]["actions"])] == [
        ["Maven"],
        ["Ask"],
    ]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda p: p["stages"].pop(), "Pipeline has only 1 stage(s). There should be a minimum of 2 stages"),
        (lambda p: p["stages"].reverse(), "should start with a stage that only contains source actions"),
        (lambda p: p["stages"][1].update(name="Source"), "Stage name Source is used 2 times"),
        (
            lambda p: commit(p)["configuration"].pop("BranchName"),
            "Action configuration for action 'Commit' is missing required configuration 'BranchName'",
        ),
        (
            lambda p: commit(p)["configuration"].update(Branch="x"),
            "Action configuration for action 'Commit' contains unknown configuration 'Branch'",
        ),
        (
            lambda p: commit(p)["configuration"].pop("PollForSourceChanges"),
            'PollForSourceChanges of action \'Commit\' only as "false", not as "true" (the default)',
        ),
        (
            lambda p: maven(p)["actionTypeId"].update(provider="ECS", category="Deploy"),
            "ActionType (Category: 'Deploy', Provider: 'ECS', Owner: 'AWS', Version: '1') in action 'Maven'",
        ),
        (
            lambda p: maven(p).update(inputArtifacts=[{"name": "Cod"}]),
            "Input Artifact Bundle Cod in action Maven is not declared as Output Artifact Bundle",
        ),
        (lambda p: maven(p).update(inputArtifacts=[]), "declares 0 input artifacts; CodeBuild takes 1 to 5"),
        (
            lambda p: maven(p).update(outputArtifacts=[{"name": "Code"}]),
            "Output Artifact Bundle name must be unique in the pipeline: Code",
        ),
        (
            lambda p: maven(p)["configuration"].update(PrimarySource="#{Other.CommitId}"),
            "references the variable namespace Other",
        ),
        (lambda p: maven(p).update(namespace="Source"), "Namespace Source is used twice"),
        (lambda p: p.update(pipelineType="V1"), "Pipeline type V1 can't have executionMode QUEUED"),
        (lambda p: p["stages"][1].update(onFailure={"result": "SKIP"}), "can't have the result SKIP"),
        (
            lambda p: p["stages"][1].update(beforeEntry={"conditions": [{}]}),
            "gbg_sandbox does not run beforeEntry of stage Build",
        ),
        (lambda p: maven(p).update(region="eu-west-1"), "gbg_sandbox has the Region us-east-1 only"),
        (lambda p: p.pop("artifactStore"), "Pipeline must have an artifact store"),
    ],
)
def test_mistakes_are_told(change: Change, message: str) -> None:
    pipeline = copy.deepcopy(declaration())
    change(pipeline)
    with pytest.raises(AwsError) as error:
        complete(pipeline, "us-east-1")
    assert message in error.value.message
    assert error.value.code == "InvalidStructureException"


def test_variables_are_put_in() -> None:
    values = {"codepipeline": {"PipelineExecutionId": "1-2"}, "Source": {"CommitId": "abc"}}
    text = "id=#{codepipeline.PipelineExecutionId} commit=#{Source.CommitId} #{not a variable}"
    assert resolve(text, values) == "id=1-2 commit=abc #{not a variable}"
    with pytest.raises(UnresolvedVariableError, match=r"#\{Source\.Author\}"):
        resolve("#{Source.Author}", values)
