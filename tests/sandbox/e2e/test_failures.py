"""Releases that fail: blue serves on, on its former template version, and nothing is left over."""

from __future__ import annotations

import io
import json
import shutil
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml

from gbg_lib import blueprint
from gbg_lib.deployments import Target, targets
from gbg_lib.diagnosis import require_succeeded
from gbg_lib.errors import ReleaseFailed
from gbg_lib.fleet import target_health
from gbg_lib.images import golden_images
from gbg_lib.pipeline import BUILD
from gbg_lib.release import Release
from tests.sandbox.e2e.inventory import instances_alive
from tests.sandbox.e2e.load import Load
from tests.sandbox.e2e.world import Deployment

COMPILES_NOT = "src/main/java/release/HealthServlet.java"
BUILDSPEC = "version: 0.2\nphases:\n  build:\n    comands: [mvn package]\n"
APPSPEC = "version: 0.0\nos: linux\nhooks:\n  ValidateServices:\n    - location: scripts/validate.sh\n"
VALIDATES_NOT = "#!/bin/bash\necho Looking for the answer\necho 'FAILED: there is none' >&2\nexit 3\n"


def message_of(deployment: Deployment, release: Release) -> str:
    with pytest.raises(ReleaseFailed) as failed:
        require_succeeded(deployment.aws, release)
    return str(failed.value)


def pushed(deployment: Deployment, message: str, path: str, content: str) -> Release:
    """The release, over, of the sample application with another content in one file."""

    def edit(work: Path) -> None:
        shutil.copytree(
            blueprint.APPLICATION, work, ignore=shutil.ignore_patterns("target"), dirs_exist_ok=True
        )
        (work / path).write_text(content)

    return deployment.follow(deployment.release_of(deployment.push(edit, message).id))


def version_of_the_fleet(deployment: Deployment) -> str:
    return str(deployment.group["LaunchTemplate"]["Version"])


def check_that_blue_serves_on(deployment: Deployment) -> None:
    """And that nothing is there beside it."""
    release = deployment.serving
    deployment.until(
        lambda: version_of_the_fleet(deployment) == release.template_version,
        f"the fleet's way back to version {release.template_version}",
    )
    deployment.until(lambda: len(deployment.run.fleets()) == 1, "the end of the green fleet")
    fleet = {instance["InstanceId"] for instance in deployment.group["Instances"]}
    deployment.until(
        lambda: instances_alive(deployment.aws, deployment.name) == fleet,
        "the end of machines that don't serve",
    )
    arn, well = deployment.run.base["TargetGroupArn"], dict.fromkeys(fleet, "healthy")
    deployment.until(lambda: target_health(deployment.aws, arn) == well, "targets that are all well")
    page = deployment.run.page()
    assert page.status == 200
    assert release.deployment_id in page.body


@pytest.fixture(scope="module")
def bad_bake(deployment: Deployment) -> Release:
    with changed_document(deployment):
        return deployment.follow(deployment.run.pipeline.start())


def test_the_release_fails_at_the_bake_and_names_the_step(deployment: Deployment, bad_bake: Release) -> None:
    assert [(one.stage, one.status) for one in bad_bake.actions] == [
        ("Source", "Succeeded"),
        ("BuildGoldenAMI", "Failed"),
    ]
    message = message_of(deployment, bad_bake)
    assert (
        "BuildGoldenAMI/BuildGoldenAMI failed: BakeFailed: the bake ended as Failed: updateSystem" in message
    )


def test_the_automation_tells_step_by_step(deployment: Deployment, bad_bake: Release) -> None:
    found = deployment.aws.call(
        "ssm", "get_automation_execution", AutomationExecutionId=bad_bake.automation_id
    )["AutomationExecution"]
    assert found["AutomationExecutionStatus"] == "Failed"
    steps = {step["StepName"]: step["StepStatus"] for step in found["StepExecutions"]}
    assert {name: status for name, status in steps.items() if status != "Pending"} == {
        "launchBuilder": "Success",
        "waitForAgent": "Success",
        "updateSystem": "Failed",
        "findBuilder": "Success",
        "terminateFailedBuilder": "Success",
        "failBake": "Failed",
    }


def test_no_image_no_parameter_no_template_version_came_of_it(
    deployment: Deployment, bad_bake: Release
) -> None:
    aws, serving = deployment.aws, deployment.serving
    images = {image.id for image in golden_images(aws, deployment.name)}
    assert images == {one.image for one in deployment.releases}
    parameter = aws.call("ssm", "get_parameter", Name=f"/{deployment.name}/golden-ami")["Parameter"]
    assert parameter["Value"] == serving.image
    template = deployment.run.base["LaunchTemplateId"]
    versions = aws.call("ec2", "describe_launch_template_versions", LaunchTemplateId=template)
    assert str(versions["LaunchTemplateVersions"][0]["VersionNumber"]) == serving.template_version


def test_blue_serves_on_after_a_failed_bake(deployment: Deployment, bad_bake: Release) -> None:
    check_that_blue_serves_on(deployment)


@pytest.fixture(scope="module")
def bad_build(deployment: Deployment) -> Release:
    return pushed(deployment, "Break the build", COMPILES_NOT, "this is not Java\n")


def test_the_release_fails_at_the_build_in_aws_words(deployment: Deployment, bad_build: Release) -> None:
    assert [(one.stage, one.status) for one in bad_build.actions] == [
        ("Source", "Succeeded"),
        ("BuildGoldenAMI", "Succeeded"),
        ("Build", "Failed"),
    ]
    message = message_of(deployment, bad_build)
    assert "Build/Build failed: Build terminated with state: FAILED. Phase: BUILD" in message
    assert "COMMAND_EXECUTION_ERROR" in message


def test_the_log_tells_what_does_not_compile(deployment: Deployment, bad_build: Release) -> None:
    [build] = deployment.aws.call("codebuild", "batch_get_builds", ids=[bad_build.build_id])["builds"]
    where = build["logs"]
    events = deployment.aws.pages(
        "logs",
        "filter_log_events",
        "events",
        logGroupName=where["groupName"],
        logStreamNames=[where["streamName"]],
    )
    log = "\n".join(event["message"] for event in events)
    assert "COMPILATION ERROR" in log
    assert "HealthServlet.java" in log


def test_blue_serves_on_after_a_failed_build(deployment: Deployment, bad_build: Release) -> None:
    check_that_blue_serves_on(deployment)


def test_a_release_that_never_came_to_deploy_never_touched_the_fleet(
    deployment: Deployment, bad_build: Release
) -> None:
    assert bad_build.image != ""
    assert bad_build.template_version == ""
    template = deployment.run.base["LaunchTemplateId"]
    versions = deployment.aws.call("ec2", "describe_launch_template_versions", LaunchTemplateId=template)
    newest = versions["LaunchTemplateVersions"][0]["VersionNumber"]
    assert str(newest) == deployment.serving.template_version == version_of_the_fleet(deployment)


@pytest.fixture(scope="module")
def bad_buildspec(deployment: Deployment) -> Release:
    return pushed(deployment, "Misspell a key of the buildspec", "buildspec.yml", BUILDSPEC)


def test_a_buildspec_with_an_error_is_told_before_any_command(
    deployment: Deployment, bad_buildspec: Release
) -> None:
    message = message_of(deployment, bad_buildspec)
    assert "YAML_FILE_ERROR" in message
    assert "comands" in message
    check_that_blue_serves_on(deployment)


@pytest.fixture(scope="module")
def bad_appspec(deployment: Deployment) -> str:
    """The id of a deployment by hand: the revision that serves, with another appspec.yml."""
    aws = deployment.aws
    served = aws.call("codedeploy", "get_deployment", deploymentId=deployment.serving.deployment_id)
    place = served["deploymentInfo"]["revision"]["s3Location"]
    bundle = aws.call("s3", "get_object", Bucket=place["bucket"], Key=place["key"])["Body"].read()
    aws.call(
        "s3", "put_object", Bucket=place["bucket"], Key="by-hand.zip", Body=with_appspec(bundle, APPSPEC)
    )
    made = aws.call(
        "codedeploy",
        "create_deployment",
        applicationName=deployment.run.base["ApplicationName"],
        deploymentGroupName=deployment.run.base["DeploymentGroupName"],
        revision={"revisionType": "S3", "s3Location": place | {"key": "by-hand.zip"}},
    )["deploymentId"]
    deployment.until(lambda: told(deployment, made)["status"] in ("Failed", "Succeeded"), "a deployment")
    return str(made)


def with_appspec(bundle: bytes, appspec: str) -> bytes:
    changed = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(bundle)) as old, zipfile.ZipFile(changed, "w") as new:
        for name in old.namelist():
            new.writestr(name, appspec if name == "appspec.yml" else old.read(name))
    return changed.getvalue()


def told(deployment: Deployment, deployment_id: str) -> dict[str, Any]:
    found = deployment.aws.call("codedeploy", "get_deployment", deploymentId=deployment_id)
    return dict(found["deploymentInfo"])


def test_an_appspec_with_an_error_fails_where_the_agent_reads_it(
    deployment: Deployment, bad_appspec: str
) -> None:
    assert told(deployment, bad_appspec)["status"] == "Failed"
    [failed] = [one for one in targets(deployment.aws, bad_appspec) if one.status == "Failed"]
    [event] = [event for event in failed.events if event.status == "Failed"]
    assert event.name == "Install"
    assert event.message == "appspec.yml file contains unknown lifecycle events: ['ValidateServices']"
    check_that_blue_serves_on(deployment)


@pytest.fixture(scope="module")
def visited(deployment: Deployment) -> tuple[Release, Load]:
    with Load(deployment.run.base["SiteUrl"], per_second=20) as load:
        release = pushed(deployment, "Break the last hook", "scripts/validate.sh", VALIDATES_NOT)
        check_that_blue_serves_on(deployment)
    return release, load


@pytest.fixture(scope="module")
def bad_hook(visited: tuple[Release, Load]) -> Release:
    return visited[0]


@pytest.fixture(scope="module")
def machines(deployment: Deployment, bad_hook: Release) -> list[Target]:
    return targets(deployment.aws, bad_hook.deployment_id)


def test_the_message_names_machine_event_script_and_last_lines(
    deployment: Deployment, bad_hook: Release, machines: list[Target]
) -> None:
    assert [(one.name, one.status) for one in bad_hook.actions][2:] == [
        (BUILD, "Succeeded"),
        ("PinFleet", "Succeeded"),
        ("Deploy", "Failed"),
    ]
    [failed] = [machine.instance for machine in machines if machine.status == "Failed"]
    message = message_of(deployment, bad_hook)
    assert "HEALTH_CONSTRAINTS" in message
    assert f"{failed} (Green), ValidateService, scripts/validate.sh: " in message
    assert "failed with exit code 3" in message
    tail = message.partition("failed with exit code 3\n")[2].splitlines()
    lines = {"    [stdout]Looking for the answer", "    [stderr]FAILED: there is none"}
    assert lines <= set(tail), "the agent reads both streams side by side: their order is not told"


def test_traffic_never_moved(deployment: Deployment, machines: list[Target]) -> None:
    moves = {"BeforeAllowTraffic", "AllowTraffic", "AfterAllowTraffic"}
    for machine in machines:
        statuses = {event.status for event in machine.events if event.name in moves or machine.side == "Blue"}
        assert statuses == {"Skipped"}


def test_visitors_saw_nothing_of_it(deployment: Deployment, visited: tuple[Release, Load]) -> None:
    load = visited[1]
    assert load.lost == []
    assert {answer.deployment for answer in load.answers} == {deployment.serving.deployment_id}


def test_the_second_machine_was_left_alone(machines: list[Target]) -> None:
    green = [machine for machine in machines if machine.side == "Green"]
    assert sorted(machine.status for machine in green) == ["Failed", "Skipped"]


def test_codedeploy_rolls_back_and_says_so(deployment: Deployment, bad_hook: Release) -> None:
    failed = told(deployment, bad_hook.deployment_id)
    assert failed["status"] == "Failed"
    assert failed["errorInformation"]["code"] == "HEALTH_CONSTRAINTS"
    back = failed["rollbackInfo"]["rollbackDeploymentId"]
    deployment.until(
        lambda: told(deployment, back)["status"] not in ("Created", "InProgress"), "the rollback"
    )
    assert told(deployment, back)["status"] == "Succeeded"
    assert told(deployment, back)["creator"] == "codeDeployRollback"
    assert told(deployment, back)["rollbackInfo"]["rollbackTriggeringDeploymentId"] == bad_hook.deployment_id
    serving = told(deployment, deployment.serving.deployment_id)
    assert told(deployment, back)["revision"] == serving["revision"] != failed["revision"]


@contextmanager
def changed_document(deployment: Deployment) -> Iterator[None]:
    """While this lasts, bakes run a version of the document whose update fails."""
    aws, name = deployment.aws, deployment.run.base["BakeDocumentName"]
    former = aws.call("ssm", "get_document", Name=name, DocumentFormat="YAML")
    content = yaml.safe_load(former["Content"])
    [step] = [step for step in content["mainSteps"] if step["name"] == "updateSystem"]
    step["inputs"]["Parameters"]["commands"] = ["echo Updating", "false"]
    made = aws.call(
        "ssm",
        "update_document",
        Name=name,
        Content=json.dumps(content),
        DocumentFormat="JSON",
        DocumentVersion="$LATEST",
    )["DocumentDescription"]
    aws.call("ssm", "update_document_default_version", Name=name, DocumentVersion=made["DocumentVersion"])
    try:
        yield
    finally:
        aws.call(
            "ssm", "update_document_default_version", Name=name, DocumentVersion=former["DocumentVersion"]
        )
        restored = aws.call("ssm", "get_document", Name=name, DocumentFormat="YAML")
        assert restored["Content"] == former["Content"]
