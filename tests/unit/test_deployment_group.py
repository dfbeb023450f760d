"""The custom resource that makes the blue/green deployment group."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError

from gbg_lib.blueprint.part1.deployment_group import DeploymentGroup, answer, carry_out
from tests.unit.shapes import checked

PROPERTIES = {
    "ServiceToken": "arn:function",
    "ApplicationName": "gbg-app",
    "DeploymentGroupName": "gbg-fleet",
    "ServiceRoleArn": "arn:role",
    "DeploymentConfigName": "CodeDeployDefault.OneAtATime",
    "AutoScalingGroupName": "gbg-blue",
    "TargetGroupName": "gbg",
    "AlarmNames": ["gbg-target-5xx", "gbg-unhealthy-hosts"],
    "ReadyWaitMinutes": "0",
    "TerminationWaitMinutes": "5",
    "DeploymentTag": "gbg",
}
IDENTITY = "gbg-app/gbg-fleet"


class NotYet(ClientError):
    def __init__(self) -> None:
        super().__init__({"Error": {"Code": "InvalidRoleException", "Message": "not yet"}}, "Create")


class Exists(ClientError):
    def __init__(self) -> None:
        super().__init__(
            {"Error": {"Code": "DeploymentGroupAlreadyExistsException", "Message": "is there"}}, "Create"
        )


class FakeCodeDeploy:
    class exceptions:  # noqa: N801
        InvalidRoleException = NotYet
        DeploymentGroupAlreadyExistsException = Exists

    def __init__(self, role_unknown_for: int = 0) -> None:
        self.groups: dict[str, dict[str, Any]] = {}
        self.role_unknown_for = role_unknown_for

    def create_deployment_group(self, **given: Any) -> None:
        name = checked("codedeploy", "create_deployment_group", given)["deploymentGroupName"]
        if self.role_unknown_for:
            self.role_unknown_for -= 1
            raise NotYet
        if name in self.groups:
            raise Exists
        self.groups[name] = given

    def update_deployment_group(self, **given: Any) -> None:
        checked("codedeploy", "update_deployment_group", given)
        self.groups[given["currentDeploymentGroupName"]] |= given

    def delete_deployment_group(self, **given: Any) -> dict[str, Any]:
        self.groups.pop(checked("codedeploy", "delete_deployment_group", given)["deploymentGroupName"], None)
        return {"hooksNotCleanedUp": []}


class FakeAutoScaling:
    """Groups that are gone `slowness` looks after they were deleted."""

    def __init__(self, *names: str, slowness: int = 2) -> None:
        self.names = list(names)
        self.slowness = slowness
        self.deleting: dict[str, int] = {}

    def get_paginator(self, operation: str) -> FakeAutoScaling:
        assert operation == "describe_auto_scaling_groups"
        return self

    def paginate(self) -> Iterator[dict[str, Any]]:
        self.deleting = {name: left - 1 for name, left in self.deleting.items()}
        self.names = [name for name in self.names if self.deleting.get(name, 1) > 0]
        for name in self.names:
            status = {"Status": "Delete in progress"} if name in self.deleting else {}
            yield {"AutoScalingGroups": [{"AutoScalingGroupName": name, **status}]}

    def delete_auto_scaling_group(self, **given: Any) -> None:
        assert checked("autoscaling", "delete_auto_scaling_group", given)["ForceDelete"]
        assert given["AutoScalingGroupName"] not in self.deleting
        self.deleting[given["AutoScalingGroupName"]] = self.slowness


class World:
    def __init__(self, *groups: str, role_unknown_for: int = 0, slowness: int = 2) -> None:
        self.codedeploy = FakeCodeDeploy(role_unknown_for)
        self.autoscaling = FakeAutoScaling(*groups, slowness=slowness)
        self.slept = 0.0
        self.group = DeploymentGroup(self.codedeploy, self.autoscaling, self.remaining_ms, self.sleep)

    def sleep(self, seconds: float) -> None:
        self.slept += seconds

    def remaining_ms(self) -> int:
        return int(900_000 - self.slept * 1000)

    def ask(self, kind: str, physical_id: str = IDENTITY, **changes: Any) -> dict[str, Any]:
        event: dict[str, Any] = {"RequestType": kind, "ResourceProperties": PROPERTIES | changes}
        if kind != "Create":
            event["PhysicalResourceId"] = physical_id
        return carry_out(event, self.group)


def test_creates_a_blue_green_group_with_everything_that_cloudformation_refuses() -> None:
    world = World()
    outcome = world.ask("Create")

    assert outcome == {
        "Status": "SUCCESS",
        "PhysicalResourceId": IDENTITY,
        "Data": {"DeploymentGroupName": "gbg-fleet"},
    }
    made = world.codedeploy.groups["gbg-fleet"]
    blue_green = made["blueGreenDeploymentConfiguration"]
    assert made["autoScalingGroups"] == ["gbg-blue"]
    assert made["deploymentStyle"] == {
        "deploymentType": "BLUE_GREEN",
        "deploymentOption": "WITH_TRAFFIC_CONTROL",
    }
    assert made["loadBalancerInfo"] == {"targetGroupInfoList": [{"name": "gbg"}]}
    assert blue_green["greenFleetProvisioningOption"] == {"action": "COPY_AUTO_SCALING_GROUP"}
    assert blue_green["deploymentReadyOption"] == {"actionOnTimeout": "CONTINUE_DEPLOYMENT"}
    assert blue_green["terminateBlueInstancesOnDeploymentSuccess"] == {
        "action": "TERMINATE",
        "terminationWaitTimeInMinutes": 5,
    }
    assert made["alarmConfiguration"]["alarms"] == [
        {"name": "gbg-target-5xx"},
        {"name": "gbg-unhealthy-hosts"},
    ]
    assert made["autoRollbackConfiguration"]["events"] == ["DEPLOYMENT_FAILURE", "DEPLOYMENT_STOP_ON_ALARM"]


def test_a_ready_wait_stops_a_deployment_that_nobody_continues() -> None:
    world = World()
    world.ask("Create", ReadyWaitMinutes="60")
    option = world.codedeploy.groups["gbg-fleet"]["blueGreenDeploymentConfiguration"]["deploymentReadyOption"]
    assert option == {"actionOnTimeout": "STOP_DEPLOYMENT", "waitTimeInMinutes": 60}


def test_a_new_role_gets_time_to_be_known() -> None:
    world = World(role_unknown_for=3)
    assert world.ask("Create")["Status"] == "SUCCESS"
    assert world.slept == 30


def test_a_role_that_stays_unknown_is_a_failure_with_its_reason() -> None:
    outcome = World(role_unknown_for=100).ask("Create")
    assert outcome["Status"] == "FAILED"
    assert outcome["PhysicalResourceId"] == IDENTITY
    assert "InvalidRoleException" in outcome["Reason"]


def test_a_second_delivery_of_create_finds_its_own_group() -> None:
    world = World()
    assert world.ask("Create") == world.ask("Create")


def test_update_leaves_the_green_group_where_it_is() -> None:
    world = World()
    world.ask("Create")
    world.codedeploy.groups["gbg-fleet"]["autoScalingGroups"] = ["CodeDeploy_gbg-fleet_d-1"]

    outcome = world.ask("Update", TerminationWaitMinutes="30")

    group = world.codedeploy.groups["gbg-fleet"]
    assert (outcome["Status"], outcome["PhysicalResourceId"]) == ("SUCCESS", IDENTITY)
    assert group["autoScalingGroups"] == ["CodeDeploy_gbg-fleet_d-1"]
    terminate = group["blueGreenDeploymentConfiguration"]["terminateBlueInstancesOnDeploymentSuccess"]
    assert terminate["terminationWaitTimeInMinutes"] == 30


def test_another_name_is_refused_and_the_physical_id_stays() -> None:
    world = World()
    world.ask("Create")
    outcome = world.ask("Update", DeploymentGroupName="other")
    assert (outcome["Status"], outcome["PhysicalResourceId"]) == ("FAILED", IDENTITY)
    assert list(world.codedeploy.groups) == ["gbg-fleet"]


def test_delete_takes_its_own_green_groups_along_and_no_others() -> None:
    others = ["gbg-blue", "CodeDeploy_other-fleet_d-9", "CodeDeploy_gbg-fleet2_d-9"]
    world = World("CodeDeploy_gbg-fleet_d-1", *others, "CodeDeploy_gbg-fleet_d-2")
    world.ask("Create")

    assert world.ask("Delete")["Status"] == "SUCCESS"
    assert world.codedeploy.groups == {}
    assert world.autoscaling.names == others


def test_deleting_twice_is_deleting() -> None:
    world = World("CodeDeploy_gbg-fleet_d-1")
    world.autoscaling.delete_auto_scaling_group(
        AutoScalingGroupName="CodeDeploy_gbg-fleet_d-1", ForceDelete=True
    )
    assert world.ask("Delete")["Status"] == "SUCCESS"
    assert world.ask("Delete")["Status"] == "SUCCESS"


def test_a_group_that_does_not_go_is_a_failure_before_the_function_times_out() -> None:
    world = World("CodeDeploy_gbg-fleet_d-1", slowness=10_000)
    outcome = world.ask("Delete")
    assert outcome["Status"] == "FAILED"
    assert "CodeDeploy_gbg-fleet_d-1" in outcome["Reason"]
    assert world.remaining_ms() > 0


@pytest.mark.parametrize("missing", ["ApplicationName", "TargetGroupName", "AlarmNames"])
def test_whatever_is_wrong_there_is_an_answer(missing: str) -> None:
    wanted = {name: value for name, value in PROPERTIES.items() if name != missing}
    outcome = carry_out({"RequestType": "Create", "ResourceProperties": wanted}, World().group)
    assert outcome["Status"] == "FAILED"
    assert missing in outcome["Reason"]


class Doorstep:
    """Where CloudFormation waits."""

    def __enter__(self) -> Doorstep:
        return self

    def __exit__(self, *_: object) -> None:
        return None


def test_the_answer_is_put_to_the_signed_address_without_a_content_type() -> None:
    seen: list[Any] = []

    def open_url(request: Any, timeout: float) -> Doorstep:
        seen.append(request)
        return Doorstep()

    event = {
        "StackId": "s",
        "RequestId": "r",
        "LogicalResourceId": "l",
        "ResponseURL": "https://example.com/x?y",
    }
    answer(event, {"Status": "FAILED", "Reason": "no", "PhysicalResourceId": "p"}, open_url)

    (request,) = seen
    assert (request.method, request.full_url) == ("PUT", "https://example.com/x?y")
    assert request.get_header("Content-type") == ""
    assert json.loads(request.data) == {
        "StackId": "s",
        "RequestId": "r",
        "LogicalResourceId": "l",
        "Status": "FAILED",
        "Reason": "no",
        "PhysicalResourceId": "p",
    }
