"""Custom resource: the blue/green deployment group that CloudFormation's own resource can't describe.

On Update the Auto Scaling groups are left alone: after a release they are CodeDeploy's green ones.
On Delete the green groups go too, for no stack knows them. Every way out of here answers CloudFormation.
"""

from __future__ import annotations

import json
import logging
import time
import urllib.request
from collections.abc import Callable, Mapping
from typing import Any

import boto3
from botocore.exceptions import ClientError

log = logging.getLogger()
log.setLevel(logging.INFO)

ROLE_TRIES = 12
"""times 10 s: how long a new role may take until CodeDeploy can assume it"""


class Refused(Exception):
    """The request can't be carried out; says why."""


class DeploymentGroup:
    def __init__(
        self,
        codedeploy: Any,
        autoscaling: Any,
        remaining_ms: Callable[[], int],
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.codedeploy = codedeploy
        self.autoscaling = autoscaling
        self.sleep = sleep
        self.remaining_ms = remaining_ms

    def create(self, wanted: Mapping[str, Any]) -> None:
        try:
            self._when_role_is_known(
                self.codedeploy.create_deployment_group,
                **settings(wanted),
                deploymentGroupName=wanted["DeploymentGroupName"],
                autoScalingGroups=[wanted["AutoScalingGroupName"]],
                tags=[{"Key": "gbg:deployment", "Value": wanted["DeploymentTag"]}],
            )
        except self.codedeploy.exceptions.DeploymentGroupAlreadyExistsException:
            # The application belongs to this stack, so this is our own earlier try.
            self.update(wanted)

    def update(self, wanted: Mapping[str, Any]) -> None:
        self._when_role_is_known(
            self.codedeploy.update_deployment_group,
            **settings(wanted),
            currentDeploymentGroupName=wanted["DeploymentGroupName"],
        )

    def delete(self, application: str, name: str) -> None:
        try:
            kept = self.codedeploy.delete_deployment_group(
                applicationName=application, deploymentGroupName=name
            ).get("hooksNotCleanedUp")
            log.info("hooks not cleaned up: %s", kept or "none")
        except ClientError as error:
            gone = ("ApplicationDoesNotExistException", "DeploymentGroupDoesNotExistException")
            if error.response["Error"]["Code"] not in gone:
                raise
        for green in self._green(name):
            if green.get("Status") is None:
                group = green["AutoScalingGroupName"]
                self.autoscaling.delete_auto_scaling_group(AutoScalingGroupName=group, ForceDelete=True)
        while left := [green["AutoScalingGroupName"] for green in self._green(name)]:
            if self.remaining_ms() < 60_000:
                raise Refused(f"still being deleted: {', '.join(left)}; delete the stack again")
            self.sleep(10)

    def _green(self, name: str) -> list[dict[str, Any]]:
        pages = self.autoscaling.get_paginator("describe_auto_scaling_groups").paginate()
        groups = [group for page in pages for group in page["AutoScalingGroups"]]
        return [group for group in groups if group["AutoScalingGroupName"].startswith(f"CodeDeploy_{name}_")]

    def _when_role_is_known(self, call: Callable[..., Any], **arguments: Any) -> None:
        for attempt in range(1, ROLE_TRIES + 1):
            try:
                call(**arguments)
                return
            except self.codedeploy.exceptions.InvalidRoleException:
                if attempt == ROLE_TRIES:
                    raise
                self.sleep(10)


def settings(wanted: Mapping[str, Any]) -> dict[str, Any]:
    """What creating and updating have in common. CloudFormation hands numbers over as strings."""
    ready = int(wanted["ReadyWaitMinutes"])
    return {
        "applicationName": wanted["ApplicationName"],
        "serviceRoleArn": wanted["ServiceRoleArn"],
        "deploymentConfigName": wanted["DeploymentConfigName"],
        "deploymentStyle": {"deploymentType": "BLUE_GREEN", "deploymentOption": "WITH_TRAFFIC_CONTROL"},
        "loadBalancerInfo": {"targetGroupInfoList": [{"name": wanted["TargetGroupName"]}]},
        "blueGreenDeploymentConfiguration": {
            "greenFleetProvisioningOption": {"action": "COPY_AUTO_SCALING_GROUP"},
            "deploymentReadyOption": (
                {"actionOnTimeout": "STOP_DEPLOYMENT", "waitTimeInMinutes": ready}
                if ready
                else {"actionOnTimeout": "CONTINUE_DEPLOYMENT"}
            ),
            "terminateBlueInstancesOnDeploymentSuccess": {
                "action": "TERMINATE",
                "terminationWaitTimeInMinutes": int(wanted["TerminationWaitMinutes"]),
            },
        },
        "alarmConfiguration": {"enabled": True, "alarms": [{"name": name} for name in wanted["AlarmNames"]]},
        "autoRollbackConfiguration": {
            "enabled": True,
            "events": ["DEPLOYMENT_FAILURE", "DEPLOYMENT_STOP_ON_ALARM"],
        },
    }


def carry_out(event: Mapping[str, Any], group: DeploymentGroup) -> dict[str, Any]:
    """The answer to one request, whatever happens."""
    wanted = event.get("ResourceProperties", {})
    identity = f"{wanted.get('ApplicationName')}/{wanted.get('DeploymentGroupName')}"
    former = event.get("PhysicalResourceId", identity)
    outcome: dict[str, Any] = {"Status": "SUCCESS", "PhysicalResourceId": former, "Data": {}}
    try:
        kind = event["RequestType"]
        if kind == "Delete":
            group.delete(*former.split("/", 1))
        elif identity != former:
            raise Refused(f"{former} can't become {identity}; make a second deployment instead")
        elif kind == "Update":
            group.update(wanted)
        else:
            group.create(wanted)
        outcome["Data"] = {"DeploymentGroupName": former.split("/", 1)[1]}
    except Exception as error:
        log.exception("failed")
        outcome |= {"Status": "FAILED", "Reason": f"{type(error).__name__}: {error}"[:1000]}
    return outcome


def answer(
    event: Mapping[str, Any],
    outcome: Mapping[str, Any],
    open_url: Callable[..., Any] = urllib.request.urlopen,
) -> None:
    """Put the outcome where CloudFormation waits for it."""
    asked = {key: event[key] for key in ("StackId", "RequestId", "LogicalResourceId")}
    body = json.dumps({**asked, **outcome}).encode()
    request = urllib.request.Request(event["ResponseURL"], body, {"Content-Type": ""}, method="PUT")
    with open_url(request, timeout=30):
        log.info("answered %s", outcome["Status"])


def handler(event: Mapping[str, Any], context: Any) -> None:
    log.info("%s %s", event.get("RequestType"), event.get("PhysicalResourceId", ""))
    codedeploy, autoscaling = boto3.client("codedeploy"), boto3.client("autoscaling")
    group = DeploymentGroup(codedeploy, autoscaling, context.get_remaining_time_in_millis)
    answer(event, carry_out(event, group))
