"""Load balancer traffic of a deployment group: targets in, targets out."""

from __future__ import annotations

from functools import cached_property
from typing import Any

from botocore.exceptions import ClientError

from gbg_sandbox.services.codedeploy.failures import DeploymentFailed
from gbg_sandbox.services.codedeploy.role import ServiceRole

GONE = frozenset({"unused"})


class Traffic:
    def __init__(self, role: ServiceRole, target_groups: list[str]) -> None:
        self._role = role
        self._names = target_groups

    @cached_property
    def arns(self) -> list[str]:
        """The target groups' ARNs. Raises DeploymentFailed when one is not there or not of type instance."""
        try:
            found = self._role.call("elbv2", "describe_target_groups", Names=self._names)["TargetGroups"]
        except ClientError as error:
            raise DeploymentFailed(
                "ELASTIC_LOAD_BALANCING_INVALID", error.response["Error"]["Message"]
            ) from error
        wrong = [one["TargetGroupName"] for one in found if one.get("TargetType", "instance") != "instance"]
        if wrong:
            raise DeploymentFailed(
                "ELASTIC_LOAD_BALANCING_INVALID", f"The target type of {wrong[0]} must be instance."
            )
        return [one["TargetGroupArn"] for one in found]

    def register(self, instance_id: str) -> None:
        for arn in self.arns:
            self._role.call("elbv2", "register_targets", TargetGroupArn=arn, Targets=[{"Id": instance_id}])

    def deregister(self, instance_id: str) -> None:
        for arn in self.arns:
            self._role.call("elbv2", "deregister_targets", TargetGroupArn=arn, Targets=[{"Id": instance_id}])

    def states(self, instance_id: str) -> list[dict[str, Any]]:
        """Its health in each target group."""
        found = []
        for arn in self.arns:
            answer = self._role.call(
                "elbv2", "describe_target_health", TargetGroupArn=arn, Targets=[{"Id": instance_id}]
            )
            found += [one["TargetHealth"] for one in answer["TargetHealthDescriptions"]]
        return found

    def serves(self, instance_id: str) -> bool:
        states = self.states(instance_id)
        return bool(states) and all(one["State"] == "healthy" for one in states)

    def left(self, instance_id: str) -> bool:
        return all(one["State"] in GONE for one in self.states(instance_id))

    def registered(self, instance_id: str) -> bool:
        return any(
            one["State"] not in GONE and one["State"] != "draining" for one in self.states(instance_id)
        )
