"""Applications, deployment groups and their hooks, in place deployments, what is refused."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from gbg_sandbox.cloud import Cloud
from tests.sandbox.fleets import Fleet, make_fleet
from tests.sandbox.loopback_machines import LoopbackMachines

HOOK = "CodeDeploy-managed-automatic-launch-deployment-hook-fleet-"


@pytest.fixture
def cloud(tmp_path: Path) -> Iterator[Cloud]:
    made = Cloud(
        tmp_path / "state", open_machines=lambda *_: LoopbackMachines(tmp_path / "machines"), scale=600.0
    )
    made.start()
    yield made
    made.stop()


@pytest.fixture
def fleet(cloud: Cloud) -> Iterator[Fleet]:
    made = make_fleet(cloud)
    yield made
    made.agents.close()


def refused(code: str, call: Any, **params: Any) -> str:
    with pytest.raises(ClientError) as caught:
        call(**params)
    assert caught.value.response["Error"]["Code"] == code
    return str(caught.value.response["Error"]["Message"])


def hooks(fleet: Fleet, group: str) -> list[str]:
    found = fleet.autoscaling.describe_lifecycle_hooks(AutoScalingGroupName=group)["LifecycleHooks"]
    return [one["LifecycleHookName"] for one in found]


def test_the_launch_hook_follows_the_deployment_group(fleet: Fleet) -> None:
    fleet.add_group("blue", 1)
    fleet.add_deployment_group()
    assert [name.startswith(HOOK) for name in hooks(fleet, "blue")] == [True]
    fleet.codedeploy.update_deployment_group(
        applicationName="app",
        currentDeploymentGroupName="fleet",
        autoScalingGroups=[],
        deploymentStyle={"deploymentType": "IN_PLACE", "deploymentOption": "WITHOUT_TRAFFIC_CONTROL"},
    )
    assert hooks(fleet, "blue") == []


def test_a_deleted_deployment_group_takes_its_hook_along(fleet: Fleet) -> None:
    fleet.add_group("blue", 1)
    fleet.add_deployment_group()
    answer = fleet.codedeploy.delete_deployment_group(applicationName="app", deploymentGroupName="fleet")
    assert answer["hooksNotCleanedUp"] == []
    assert hooks(fleet, "blue") == []


def test_a_hook_that_can_not_be_removed_is_told(fleet: Fleet) -> None:
    fleet.add_group("blue", 1)
    fleet.add_deployment_group()
    fleet.cloud.client("iam").detach_role_policy(
        RoleName="codedeploy", PolicyArn="arn:aws:iam::aws:policy/service-role/AWSCodeDeployRole"
    )
    answer = fleet.codedeploy.delete_deployment_group(applicationName="app", deploymentGroupName="fleet")
    assert [one["name"] for one in answer["hooksNotCleanedUp"]] == ["blue"]


def test_a_role_that_codedeploy_can_not_assume(fleet: Fleet) -> None:
    fleet.add_group("blue", 1)
    trust = {"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"}
    fleet.cloud.client("iam").update_assume_role_policy(
        RoleName="codedeploy", PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": trust})
    )
    message = refused("InvalidRoleException", fleet.add_deployment_group)
    expected = f"AWS CodeDeploy does not have the permissions required to assume the role {fleet.role_arn}."
    assert message == expected


def test_a_group_that_is_not_there(fleet: Fleet) -> None:
    message = refused("InvalidAutoScalingGroupException", fleet.add_deployment_group)
    assert message == "No AutoScaling Groups found with names: blue"


def test_what_is_not_there_is_told(fleet: Fleet) -> None:
    codedeploy = fleet.codedeploy
    refused("ApplicationDoesNotExistException", codedeploy.get_application, applicationName="nil")
    refused("DeploymentDoesNotExistException", codedeploy.get_deployment, deploymentId="d-NIL")
    codedeploy.create_application(applicationName="app")
    refused("ApplicationAlreadyExistsException", codedeploy.create_application, applicationName="app")
    group = {"applicationName": "app", "deploymentGroupName": "nil"}
    refused("DeploymentGroupDoesNotExistException", codedeploy.get_deployment_group, **group)
    refused("DeploymentGroupDoesNotExistException", codedeploy.create_deployment, **group)


def test_what_is_not_run_is_refused_by_name(fleet: Fleet) -> None:
    codedeploy = fleet.codedeploy
    message = refused(
        "UnsupportedOperationException",
        codedeploy.create_application,
        applicationName="l",
        computePlatform="Lambda",
    )
    assert "gbg_sandbox does not run applications for Lambda" in message
    message = refused("UnknownOperationException", codedeploy.list_on_premises_instances)
    assert "codedeploy:ListOnPremisesInstances" in message


def test_revisions_configurations_and_tags_are_kept(fleet: Fleet) -> None:
    codedeploy = fleet.codedeploy
    codedeploy.create_application(applicationName="app", tags=[{"Key": "gbg:deployment", "Value": "gbg"}])
    arn = fleet.cloud.arn("codedeploy", "application:app")
    tags = codedeploy.list_tags_for_resource(ResourceArn=arn)["Tags"]
    assert tags == [{"Key": "gbg:deployment", "Value": "gbg"}]
    revision = {"revisionType": "S3", "s3Location": {"bucket": "b", "key": "k", "bundleType": "zip"}}
    codedeploy.register_application_revision(applicationName="app", revision=revision, description="first")
    found = codedeploy.get_application_revision(applicationName="app", revision=revision)
    assert found["revisionInfo"]["description"] == "first"
    assert codedeploy.list_application_revisions(applicationName="app")["revisions"] == [revision]
    codedeploy.create_deployment_config(
        deploymentConfigName="two", minimumHealthyHosts={"type": "HOST_COUNT", "value": 2}
    )
    names = codedeploy.list_deployment_configs()["deploymentConfigsList"]
    assert {"two", "CodeDeployDefault.OneAtATime"} <= set(names)


def test_an_in_place_deployment_stays_on_its_instances(fleet: Fleet) -> None:
    blue = fleet.add_group("blue", 2)
    fleet.add_deployment_group(
        deploymentStyle={"deploymentType": "IN_PLACE", "deploymentOption": "WITH_TRAFFIC_CONTROL"},
        deploymentConfigName="CodeDeployDefault.OneAtATime",
    )
    deployment_id = fleet.deploy()
    assert fleet.ended(deployment_id)["status"] == "Succeeded"
    assert set(fleet.agents.ran) == set(blue)
    order = fleet.agents.ran[blue[0]]
    assert order[0] == "BeforeBlockTraffic"
    assert order[-1] == "AfterAllowTraffic"
    assert fleet.healthy_targets() == set(blue)


def test_a_caller_needs_the_right_to_pass_the_service_role(fleet: Fleet) -> None:
    iam = fleet.cloud.client("iam")
    trust = {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}
    arn = iam.create_role(
        RoleName="maker", AssumeRolePolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": trust})
    )["Role"]["Arn"]
    document = {
        "Version": "2012-10-17",
        "Statement": {"Effect": "Allow", "Action": "codedeploy:*", "Resource": "*"},
    }
    iam.put_role_policy(RoleName="maker", PolicyName="p", PolicyDocument=json.dumps(document))
    maker = fleet.cloud.client("codedeploy", role=arn, acting="lambda.amazonaws.com", session="s")
    maker.create_application(applicationName="app")
    message = refused(
        "AccessDeniedException",
        maker.create_deployment_group,
        applicationName="app",
        deploymentGroupName="fleet",
        serviceRoleArn=fleet.role_arn,
    )
    assert "iam:PassRole on resource: " + fleet.role_arn in message
