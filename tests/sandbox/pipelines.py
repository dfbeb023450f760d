"""What a pipeline of a test needs: repository, bucket, roles, project, a Lambda and a CodeDeploy.

Lambda and CodeDeploy keep state and answer by the API's rules, but run nothing: the functions are Python
callables, the deployments end as the test says.
"""

from __future__ import annotations

import itertools
import json
import threading
from collections.abc import Callable, Mapping
from typing import Any

from gbg_sandbox.cloud import Cloud
from gbg_sandbox.service import Call, Service, modelled

Function = Callable[[dict[str, Any]], object]

BUILDSPEC = b"""
version: 0.2
env:
  exported-variables: [FLAVOUR]
phases:
  build:
    commands:
      - FLAVOUR=$(cat flavour.txt)
      - test "$FLAVOUR" != broken
      - echo "$FLAVOUR $CODEBUILD_RESOLVED_SOURCE_VERSION $GIVEN" > bundle.txt
artifacts:
  files: [bundle.txt]
"""


class PlayLambda(Service):
    name = "lambda"

    def __init__(self, cloud: Cloud) -> None:
        super().__init__(cloud)
        self.functions: dict[str, Function] = {}
        self.events: list[dict[str, Any]] = []

    @modelled
    def invoke(self, call: Call, params: dict[str, Any]) -> dict[str, Any]:
        assert params["InvocationType"] == "Event"
        event = json.loads(params["Payload"])
        self.events.append(event)
        self.cloud.spawn("function", self.functions[params["FunctionName"]], event["CodePipeline.job"])
        return {"StatusCode": 202}


class PlayCodeDeploy(Service):
    name = "codedeploy"

    def __init__(self, cloud: Cloud) -> None:
        super().__init__(cloud)
        self.ending: dict[str, Any] = {"status": "Succeeded"}
        self.deployments: dict[str, dict[str, Any]] = {}
        self.revisions: list[dict[str, Any]] = []
        self._numbers = itertools.count(1)

    def group_of(self, deployment: str) -> str:
        """Asked by the gateway when it authorises GetDeployment."""
        return "app/fleet"

    @modelled
    def get_application(self, call: Call, params: dict[str, Any]) -> dict[str, Any]:
        return {"application": {"applicationName": params["applicationName"]}}

    @modelled
    def register_application_revision(self, call: Call, params: dict[str, Any]) -> None:
        self.revisions.append(params["revision"])

    @modelled
    def get_application_revision(self, call: Call, params: dict[str, Any]) -> dict[str, Any]:
        return {"applicationName": params["applicationName"], "revision": self.revisions[-1]}

    @modelled
    def create_deployment(self, call: Call, params: dict[str, Any]) -> dict[str, Any]:
        deployment = f"d-{next(self._numbers):09}"
        self.deployments[deployment] = params
        return {"deploymentId": deployment}

    @modelled
    def get_deployment(self, call: Call, params: dict[str, Any]) -> dict[str, Any]:
        return {"deploymentInfo": {"deploymentId": params["deploymentId"], **self.ending}}


class World:
    """What Source, Invoke, Build and Deploy need; rights are wide until a test narrows them."""

    def __init__(self, cloud: Cloud) -> None:
        self.cloud = cloud
        self.functions = PlayLambda(cloud)
        self.codedeploy = PlayCodeDeploy(cloud)
        cloud.services["lambda"] = self.functions
        cloud.services["codedeploy"] = self.codedeploy
        self.pipelines: Any = cloud.client("codepipeline")
        self.codecommit: Any = cloud.client("codecommit")
        self.s3: Any = cloud.client("s3")
        self.s3.create_bucket(Bucket="store")
        self.codecommit.create_repository(repositoryName="app")
        self.role = self.make_role("pipeline", "codepipeline.amazonaws.com", ["*"])
        self._make_project()
        self.commit = self.push("plain")

    def make_role(self, name: str, service: str, actions: list[str]) -> str:
        iam: Any = self.cloud.stored("iam")
        trust = {"Effect": "Allow", "Principal": {"Service": service}, "Action": "sts:AssumeRole"}
        role = iam.create_role(RoleName=name, AssumeRolePolicyDocument=_policy(trust))["Role"]["Arn"]
        self.allow(name, actions)
        return str(role)

    def allow(self, role: str, actions: list[str]) -> None:
        """Only these actions from now on; through the gateway, so that it is seen at once."""
        iam: Any = self.cloud.client("iam")
        statement = {"Effect": "Allow", "Action": actions, "Resource": "*"}
        iam.put_role_policy(RoleName=role, PolicyName="rights", PolicyDocument=_policy(statement))

    def push(self, flavour: str) -> str:
        """A new commit on main."""
        parent = {"parentCommitId": self.commit} if hasattr(self, "commit") else {}
        self.commit = self.codecommit.create_commit(
            repositoryName="app",
            branchName="main",
            commitMessage=f"Make it {flavour}",
            putFiles=[
                {"filePath": "buildspec.yml", "fileContent": BUILDSPEC},
                {"filePath": "flavour.txt", "fileContent": flavour.encode()},
            ],
            **parent,
        )["commitId"]
        return self.commit

    def create(self, *stages: dict[str, Any], source: bool = True, **settings: Any) -> str:
        """A pipeline `release`; returns the id of the execution that its creation starts."""
        first = [stage("Source", commit_action())] if source else []
        self.pipelines.create_pipeline(
            pipeline={
                "name": "release",
                "roleArn": self.role,
                "artifactStore": {"type": "S3", "location": "store"},
                "pipelineType": "V2",
                "executionMode": "QUEUED",
                "stages": [*first, *stages],
                **settings,
            }
        )
        return str(self.executions()[-1]["pipelineExecutionId"])

    def start(self, **params: Any) -> str:
        return str(self.pipelines.start_pipeline_execution(name="release", **params)["pipelineExecutionId"])

    def executions(self) -> list[dict[str, Any]]:
        """Newest first."""
        found: list[dict[str, Any]] = self.pipelines.list_pipeline_executions(pipelineName="release")[
            "pipelineExecutionSummaries"
        ]
        return found

    def execution(self, execution_id: str) -> dict[str, Any]:
        return next(one for one in self.executions() if one["pipelineExecutionId"] == execution_id)

    def wait(self, condition: Callable[[], object], what: object = "") -> None:
        done = self.cloud.clock.wait_until(lambda: bool(condition()), aws_seconds=0, real_floor=120)
        assert done, what or self.pipelines.get_pipeline_state(name="release")

    def finished(self, execution_id: str) -> dict[str, Any]:
        """The execution's summary when it is over."""
        self.wait(lambda: self.execution(execution_id)["status"] not in ("InProgress", "Stopping"))
        return self.execution(execution_id)

    def actions(self, execution_id: str) -> dict[str, dict[str, Any]]:
        """The latest attempt of each action by name."""
        found = self.pipelines.list_action_executions(
            pipelineName="release",
            filter={
                "latestInPipelineExecution": {
                    "pipelineExecutionId": execution_id,
                    "startTimeRange": "Latest",
                }
            },
        )["actionExecutionDetails"]
        return {one["actionName"]: one for one in found}

    def error(self, execution_id: str, action: str) -> tuple[str, str]:
        told = self.actions(execution_id)[action]["output"]["executionResult"]["errorDetails"]
        return told["code"], told["message"]

    def stage_state(self, name: str) -> dict[str, Any]:
        states = self.pipelines.get_pipeline_state(name="release")["stageStates"]
        found: dict[str, Any] = next(one for one in states if one["stageName"] == name)
        return found

    def action_state(self, stage_name: str, action: str) -> dict[str, Any]:
        states = self.stage_state(stage_name)["actionStates"]
        found: dict[str, Any] = next(one for one in states if one["actionName"] == action)
        return found

    def _make_project(self) -> None:
        role = self.make_role("build", "codebuild.amazonaws.com", ["logs:*", "s3:*"])
        codebuild: Any = self.cloud.client("codebuild")
        codebuild.create_project(
            name="app",
            serviceRole=role,
            source={"type": "CODEPIPELINE"},
            artifacts={"type": "CODEPIPELINE"},
            environment={
                "type": "LINUX_CONTAINER",
                "image": "aws/codebuild/amazonlinux-x86_64-standard:5.0",
                "computeType": "BUILD_GENERAL1_SMALL",
            },
        )


class Hold:
    """A Lambda function that answers only when the test lets it, and counts its invocations."""

    def __init__(self, world: World) -> None:
        self._world = world
        self.begun: list[dict[str, Any]] = []
        self.go = threading.Event()

    def __call__(self, job: dict[str, Any]) -> None:
        self.begun.append(job)
        self._world.wait(self.go.is_set, "the test never let the function go")
        self._world.pipelines.put_job_success_result(jobId=job["id"])


def stage(name: str, *actions: dict[str, Any], **settings: Any) -> dict[str, Any]:
    return {"name": name, "actions": list(actions), **settings}


def _action(
    name: str, category: str, provider: str, configuration: Mapping[str, str], **more: Any
) -> dict[str, Any]:
    type_id = {"category": category, "owner": "AWS", "provider": provider, "version": "1"}
    return {"name": name, "actionTypeId": type_id, "configuration": dict(configuration), **more}


def commit_action(**more: Any) -> dict[str, Any]:
    wanted = {"RepositoryName": "app", "BranchName": "main", "PollForSourceChanges": "false"}
    return _action(
        "Commit",
        "Source",
        "CodeCommit",
        wanted,
        outputArtifacts=[{"name": "Code"}],
        namespace="Source",
        **more,
    )


def invoke_action(name: str = "Ask", user_parameters: str = "", **more: Any) -> dict[str, Any]:
    wanted = {"FunctionName": "function", **({"UserParameters": user_parameters} if user_parameters else {})}
    return _action(name, "Invoke", "Lambda", wanted, **more)


def build_action(**more: Any) -> dict[str, Any]:
    variables = json.dumps([{"name": "GIVEN", "value": "#{codepipeline.PipelineExecutionId}"}])
    wanted = {"ProjectName": "app", "EnvironmentVariables": variables}
    artifacts = {"inputArtifacts": [{"name": "Code"}], "outputArtifacts": [{"name": "Bundle"}]}
    return _action("Maven", "Build", "CodeBuild", wanted, namespace="Build", **artifacts, **more)


def deploy_action(**more: Any) -> dict[str, Any]:
    wanted = {"ApplicationName": "app", "DeploymentGroupName": "fleet"}
    return _action("Deploy", "Deploy", "CodeDeploy", wanted, inputArtifacts=[{"name": "Bundle"}], **more)


def approval_action(**more: Any) -> dict[str, Any]:
    return _action("Approve", "Approval", "Manual", {}, **more)


def _policy(*statements: Mapping[str, Any]) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})
