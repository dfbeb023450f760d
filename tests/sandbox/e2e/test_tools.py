"""The plain `aws` command and plain git, with nothing but the exports of `gbg env`."""

from __future__ import annotations

import json
import subprocess
import zipfile
from pathlib import Path

from gbg_lib.pipeline import BUILD
from tests.command import clean_environment
from tests.sandbox.e2e.world import Deployment, World

REFUSED = 255
"""what version 1 of the command ends with when AWS says no"""


def test_aws_knows_who_asks_and_what_there_is(world: World, deployment: Deployment) -> None:
    told = world.shell(
        "aws sts get-caller-identity --query Account --output text\n"
        f"aws cloudformation describe-stacks --stack-name {deployment.name}-base --output text"
        " --query \"Stacks[0].Outputs[?OutputKey=='SiteUrl'].OutputValue\"\n"
        f"aws ssm get-parameter --name /{deployment.name}/golden-ami --query Parameter.Value --output text\n"
        "aws configure get region"
    )
    assert told.split() == [
        world.running.account,
        deployment.run.base["SiteUrl"],
        deployment.serving.image,
        world.running.region,
    ]


def test_aws_pages_and_waits(world: World, deployment: Deployment) -> None:
    told = json.loads(
        world.shell(
            f"aws cloudformation wait stack-exists --stack-name {deployment.name}-pipeline\n"
            "aws cloudformation list-stack-resources --max-items 5 "
            f"--stack-name {deployment.name}-base"
        )
    )
    assert len(told["StackResourceSummaries"]) == 5
    assert told["NextToken"]


def test_aws_s3_fetches_the_revision_that_was_deployed(
    world: World, deployment: Deployment, tmp_path: Path
) -> None:
    found = deployment.aws.call(
        "codedeploy", "get_deployment", deploymentId=deployment.serving.deployment_id
    )["deploymentInfo"]["revision"]["s3Location"]
    world.shell(f"aws s3 cp --quiet s3://{found['bucket']}/{found['key']} {tmp_path}/revision.zip")
    with zipfile.ZipFile(tmp_path / "revision.zip") as revision:
        assert {"ROOT.war", "appspec.yml", "commit", "scripts/validate.sh"} <= set(revision.namelist())
        assert revision.read("commit").decode().strip() == deployment.serving.commit


def test_aws_logs_shows_the_build(world: World, deployment: Deployment) -> None:
    [build] = [action.external_id for action in deployment.serving.actions if action.stage == BUILD]
    log = world.shell(
        f"aws logs get-log-events --log-group-name /aws/codebuild/{deployment.name}-build --start-from-head"
        f" --log-stream-name {build.partition(':')[2]} --query 'events[].message' --output text"
    )
    assert "BUILD SUCCESS" in log
    assert "Tests run:" in log


def test_aws_tells_refusals_as_always(world: World) -> None:
    missing = "aws ec2 describe-instances --instance-ids i-0123456789abcdef0"
    assert "(InvalidInstanceID.NotFound)" in world.shell(missing, status=REFUSED)
    unknown = world.shell("aws codecommit list-pull-requests --repository-name x", status=REFUSED)
    assert "gbg_sandbox does not have codecommit:ListPullRequests" in unknown


def test_git_clones_and_pushes_a_branch_that_releases_nothing(
    world: World, deployment: Deployment, tmp_path: Path
) -> None:
    url = deployment.run.base["RepositoryCloneUrlHttp"]
    commit = world.shell(
        f"git clone -q {url} app && cd app && git switch -q -c side && echo note > note.txt && git add -A\n"
        "git -c user.name=Mary -c user.email=mary@example.com commit -q -m 'A note'\n"
        "git push -q origin side && git rev-parse HEAD",
        cwd=tmp_path,
    ).strip()
    branch = deployment.aws.call(
        "codecommit", "get_branch", repositoryName=f"{deployment.name}-app", branchName="side"
    )["branch"]
    assert branch["commitId"] == commit
    assert commit not in {execution.commit for execution in deployment.run.pipeline.executions()}


def test_git_is_refused_without_the_exports(deployment: Deployment, tmp_path: Path) -> None:
    done = subprocess.run(
        ["git", "-c", "credential.helper=", "ls-remote", deployment.run.base["RepositoryCloneUrlHttp"]],
        env=clean_environment(GIT_TERMINAL_PROMPT="0", HOME=str(tmp_path)),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 128
    assert "could not read Username" in done.stderr
