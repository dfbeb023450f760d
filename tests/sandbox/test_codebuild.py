"""CodeBuild: real shell commands in a build container, under the project's service role."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from gbg_sandbox.cloud import Cloud
from tests.sandbox.builds import (
    BUCKET,
    LOGS,
    context,
    finished,
    log_of,
    phase,
    project,
    put_source,
    run,
    service_role,
)
from tests.sandbox.places import eventually
from tests.sandbox.shell_machines import ShellMachines

PHASES = [
    "SUBMITTED",
    "QUEUED",
    "PROVISIONING",
    "DOWNLOAD_SOURCE",
    "INSTALL",
    "PRE_BUILD",
    "BUILD",
    "POST_BUILD",
    "UPLOAD_ARTIFACTS",
    "FINALIZING",
    "COMPLETED",
]


@pytest.fixture
def cloud(tmp_path: Path) -> Iterator[Cloud]:
    made = Cloud(
        tmp_path / "state", open_machines=lambda *_: ShellMachines(tmp_path / "machines"), scale=6000
    )
    made.start()
    s3: Any = made.client("s3")
    s3.create_bucket(Bucket="artifacts")
    yield made
    made.stop()


def test_commands_share_one_shell_and_the_artifact_is_uploaded(cloud: Cloud) -> None:
    put_source(
        cloud,
        """
version: 0.2
env:
  variables: {COLOUR: blue, KEPT: buildspec}
  exported-variables: [COLOUR, RESULT]
phases:
  pre_build:
    commands:
      - mkdir out && cd out
      - RESULT="$COLOUR $KEPT"
  build:
    commands:
      - echo "$RESULT" > result.txt
      - pwd
      - cp -r ../web .
artifacts:
  files: ['**/*']
  exclude-paths: ['web/secret*']
  base-directory: out
""",
        **{"web/index.html": "hello", "web/secret.txt": "no"},
    )
    client = project(cloud, service_role(cloud, LOGS, BUCKET))
    build = run(
        cloud,
        client,
        environmentVariablesOverride=[{"name": "KEPT", "value": "override", "type": "PLAINTEXT"}],
    )
    assert build["buildStatus"] == "SUCCEEDED", log_of(cloud, build)
    assert [one["phaseType"] for one in build["phases"]] == PHASES
    assert build["exportedEnvironmentVariables"] == [
        {"name": "COLOUR", "value": "blue"},
        {"name": "RESULT", "value": "blue override"},
    ]
    s3: Any = cloud.client("s3")
    content = s3.get_object(Bucket="artifacts", Key="app.zip")["Body"].read()
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        assert archive.namelist() == ["result.txt", "web/index.html"]
        assert archive.read("result.txt") == b"blue override\n"
    assert "/src/out\n" in log_of(cloud, build)


def test_a_failed_command_fails_its_phase_and_post_build_still_runs(cloud: Cloud) -> None:
    put_source(
        cloud,
        """
version: 0.2
phases:
  build:
    commands: ['echo before', 'exit 3', 'echo never']
    finally: ['echo cleaned up']
  post_build:
    commands: ['echo succeeding=$CODEBUILD_BUILD_SUCCEEDING']
artifacts:
  files: [nothing.txt]
""",
    )
    build = run(cloud, project(cloud, service_role(cloud, LOGS, BUCKET)))
    assert build["buildStatus"] == "FAILED"
    assert phase(build, "BUILD")["phaseStatus"] == "FAILED"
    assert context(build, "BUILD") == (
        "COMMAND_EXECUTION_ERROR",
        "Error while executing command: exit 3. Reason: exit status 3",
    )
    assert phase(build, "POST_BUILD")["phaseStatus"] == "SUCCEEDED"
    assert context(build, "UPLOAD_ARTIFACTS") == ("CLIENT_ERROR", "no matching artifact paths found")
    text = log_of(cloud, build)
    assert (
        "cleaned up\n" in text
        and "succeeding=0\n" in text
        and "never\n" not in text.replace("echo never", "")
    )


def test_a_failed_pre_build_ends_the_build(cloud: Cloud) -> None:
    put_source(
        cloud,
        "version: 0.2\nphases:\n  pre_build:\n    commands: ['false']\n  build:\n    commands: ['echo no']\n",
    )
    build = run(cloud, project(cloud, service_role(cloud, LOGS, BUCKET)))
    assert [one["phaseType"] for one in build["phases"]][-3:] == ["PRE_BUILD", "FINALIZING", "COMPLETED"]


@pytest.mark.parametrize(
    ("buildspec", "override", "message"),
    [
        ("version: 0.2\nphases: {}\n", {}, "At least one phase with commands"),
        ("version: 0.2\n", {"buildspecOverride": "ci/build.yml"}, "/ci/build.yml: no such file or directory"),
        (
            "version: 0.2\nphases:\n  install:\n    runtime-versions: {java: corretto42}\n"
            "  build:\n    commands: [ls]\n",
            {},
            "Unknown runtime version named 'corretto42' of java",
        ),
    ],
)
def test_errors_of_the_buildspec_show_in_download_source(
    cloud: Cloud, buildspec: str, override: dict[str, str], message: str
) -> None:
    put_source(cloud, buildspec)
    build = run(cloud, project(cloud, service_role(cloud, LOGS, BUCKET)), **override)
    code, said = context(build, "DOWNLOAD_SOURCE")
    assert code == "YAML_FILE_ERROR"
    assert message in said
    assert build["buildStatus"] == "FAILED"


def test_missing_rights_of_the_service_role_show_where_aws_shows_them(cloud: Cloud) -> None:
    put_source(cloud, "version: 0.2\nphases:\n  build:\n    commands: [ls]\nartifacts:\n  files: ['*']\n")
    read_only = {**BUCKET, "Action": "s3:GetObject"}
    client = project(cloud, service_role(cloud, read_only, name="no-logs"))
    code, said = context(run(cloud, client), "PROVISIONING")
    assert code == "ACCESS_DENIED"
    assert "does not allow AWS CodeBuild to create Amazon CloudWatch Logs log streams" in said
    client.update_project(name="app", serviceRole=service_role(cloud, LOGS, name="no-source"))
    code, said = context(run(cloud, client), "DOWNLOAD_SOURCE")
    assert code == "CLIENT_ERROR"
    assert said.startswith("AccessDenied: ") and "arn:aws:s3:::artifacts/source.zip" in said
    client.update_project(name="app", serviceRole=service_role(cloud, LOGS, read_only, name="no-upload"))
    code, said = context(run(cloud, client), "UPLOAD_ARTIFACTS")
    assert code == "CLIENT_ERROR" and "AccessDenied" in said


def test_parameters_are_read_under_the_service_role(cloud: Cloud) -> None:
    ssm: Any = cloud.stored("ssm")
    ssm.put_parameter(Name="/gbg/colour", Value="green", Type="String")
    put_source(
        cloud,
        "version: 0.2\nenv:\n  parameter-store: {COLOUR: /gbg/colour}\n"
        "phases:\n  build:\n    commands: ['echo colour=$COLOUR']\n",
    )
    client = project(cloud, service_role(cloud, LOGS, BUCKET))
    code, said = context(run(cloud, client), "DOWNLOAD_SOURCE")
    assert code == "Decrypted Variables Error" and "not authorized to perform: ssm:GetParameters" in said
    allowed = {"Effect": "Allow", "Action": "ssm:GetParameters", "Resource": "*"}
    client.update_project(name="app", serviceRole=service_role(cloud, LOGS, BUCKET, allowed, name="reader"))
    assert "colour=green\n" in log_of(cloud, run(cloud, client))


def test_stop_ends_the_running_command(cloud: Cloud) -> None:
    put_source(cloud, "version: 0.2\nphases:\n  build:\n    commands: ['echo begun', 'sleep 60']\n")
    client = project(cloud, service_role(cloud, LOGS, BUCKET))
    started = client.start_build(projectName="app")["build"]

    def building() -> bool:
        return str(client.batch_get_builds(ids=[started["id"]])["builds"][0]["currentPhase"]) == "BUILD"

    assert cloud.clock.wait_until(building, aws_seconds=0, real_floor=120)
    client.stop_build(id=started["id"])
    build = finished(cloud, started)
    assert build["buildStatus"] == "STOPPED"
    assert phase(build, "BUILD")["phaseStatus"] == "STOPPED"
    with pytest.raises(ClientError, match="already completed"):
        client.stop_build(id=started["id"])


def test_a_build_stopped_before_its_container_runs_leaves_no_machine(cloud: Cloud) -> None:
    put_source(cloud, "version: 0.2\nphases:\n  build:\n    commands: ['sleep 60']\n")
    client = project(cloud, service_role(cloud, LOGS, BUCKET))
    started = client.start_build(projectName="app")["build"]
    client.stop_build(id=started["id"])
    assert finished(cloud, started)["buildStatus"] == "STOPPED"
    assert cloud.machines.get(f"build-{started['id'].partition(':')[2]}") is None


def test_state_changes_are_announced(cloud: Cloud) -> None:
    put_source(cloud, "version: 0.2\nphases:\n  build:\n    commands: ['false']\n")
    build = run(cloud, project(cloud, service_role(cloud, LOGS, BUCKET)))

    def told(kind: str, detail: str) -> list[str]:
        changes = [event for event in cloud.events.since(0) if event.source == "aws.codebuild"]
        return [event.detail[detail] for event in changes if kind in event.detail_type]

    eventually(lambda: told("State Change", "build-status") == ["IN_PROGRESS", "FAILED"])
    phases = told("Phase Change", "completed-phase")
    assert phases == [one["phaseType"] for one in build["phases"]][:-1]


def test_projects_are_checked_when_made(cloud: Cloud) -> None:
    role = service_role(cloud)
    client = project(cloud, role)
    with pytest.raises(ClientError, match="ResourceAlreadyExistsException"):
        project(cloud, role)
    client.delete_project(name="app")
    wrong: list[tuple[dict[str, Any], str]] = [
        ({"serviceRole": role.replace("build", "nobody")}, "not authorized to perform: sts:AssumeRole"),
        ({"source": {"type": "GITHUB", "location": "x"}}, "does not run source type GITHUB"),
        ({"source": {"type": "CODEPIPELINE"}}, "CODEPIPELINE should be used with source type CODEPIPELINE"),
        ({"vpcConfig": {"vpcId": "vpc-1"}}, "does not run projects with vpcConfig"),
        ({"timeoutInMinutes": 3000}, "must be between 5 and 2160"),
    ]
    for settings, message in wrong:
        with pytest.raises(ClientError, match=message):
            project(cloud, role, **settings)
    assert client.list_projects()["projects"] == []


def test_codecommit_source_needs_git_pull(cloud: Cloud) -> None:
    codecommit: Any = cloud.client("codecommit")
    repository = codecommit.create_repository(repositoryName="app")["repositoryMetadata"]
    buildspec = (
        b"version: 0.2\nphases:\n  build:\n    commands: ['echo $CODEBUILD_RESOLVED_SOURCE_VERSION']\n"
    )
    commit = codecommit.create_commit(
        repositoryName="app",
        branchName="main",
        putFiles=[{"filePath": "buildspec.yml", "fileContent": buildspec}],
    )["commitId"]
    source = {"type": "CODECOMMIT", "location": repository["cloneUrlHttp"]}
    client = project(cloud, service_role(cloud, LOGS), source=source, artifacts={"type": "NO_ARTIFACTS"})
    code, said = context(run(cloud, client), "DOWNLOAD_SOURCE")
    assert code == "CLIENT_ERROR" and "authorization failed" in said
    pull = {"Effect": "Allow", "Action": "codecommit:GitPull", "Resource": repository["Arn"]}
    client.update_project(name="app", serviceRole=service_role(cloud, LOGS, pull, name="puller"))
    build = run(cloud, client)
    assert build["resolvedSourceVersion"] == commit
    assert f"\n{commit}\n" in log_of(cloud, build)
