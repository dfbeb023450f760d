"""A group's instances in its target groups, by the load balancer's own API as Auto Scaling's linked role."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from gbg_sandbox.service import AwsError
from gbg_sandbox.services.autoscaling.state import ACTING

if TYPE_CHECKING:
    from gbg_sandbox.cloud import Cloud

log = logging.getLogger(__name__)

LOOK_SECONDS = 0.04
"""real time between two looks at a draining target"""


class Targets:
    def __init__(self, cloud: Cloud) -> None:
        self._cloud = cloud

    @property
    def _elb(self) -> Any:
        return self._cloud.client("elbv2", acting=ACTING)

    def check(self, arns: Sequence[str]) -> None:
        """Raises ValidationError for target groups that don't exist or take no instances."""
        if not arns:
            return
        try:
            found = self._elb.describe_target_groups(TargetGroupArns=list(arns))["TargetGroups"]
        except ClientError as error:
            raise AwsError(
                "ValidationError",
                "Provided Target Groups may not be valid. Please ensure they exist and try again.",
            ) from error
        for group in found:
            if group["TargetType"] != "instance":
                raise AwsError(
                    "ValidationError",
                    f"Provided Target Group {group['TargetGroupArn']} has target type {group['TargetType']}; "
                    "an Auto Scaling group needs target type instance.",
                )

    def add(self, arns: Iterable[str], instance_ids: Sequence[str]) -> None:
        """Register; a target group that is gone is left out."""
        targets = [{"Id": one} for one in instance_ids]
        for arn in arns:
            self._unless_gone(arn, self._elb.register_targets, Targets=targets)

    def remove(self, arns: Sequence[str], instance_ids: Sequence[str]) -> None:
        """Deregister and wait until the last request has been answered or the delay is over."""
        targets = [{"Id": one} for one in instance_ids]
        for arn in arns:
            self._unless_gone(arn, self._elb.deregister_targets, Targets=targets)
        for arn in arns:
            while self._draining(arn, instance_ids):
                self._cloud.clock.pause(LOOK_SECONDS)

    def _draining(self, arn: str, instance_ids: Sequence[str]) -> bool:
        return any(state == "draining" for name, state in self.health(arn).items() if name in instance_ids)

    def health(self, arn: str) -> dict[str, str]:
        """Instance → state of its target; nothing for a target group that is gone."""
        found = self._unless_gone(arn, self._elb.describe_target_health)
        return {
            one["Target"]["Id"]: one["TargetHealth"]["State"]
            for one in (found or {}).get("TargetHealthDescriptions", ())
        }

    @staticmethod
    def _unless_gone(arn: str, operation: Any, **params: Any) -> Any:
        try:
            return operation(TargetGroupArn=arn, **params)
        except ClientError as error:
            if error.response["Error"]["Code"] != "TargetGroupNotFound":
                raise
            log.info("target group %s is gone", arn)
            return None
