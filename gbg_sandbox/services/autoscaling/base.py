"""What Auto Scaling's groups of operations share."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from gbg_sandbox.service import AwsError, Service
from gbg_sandbox.services.autoscaling.engine import AutoScalingEngine
from gbg_sandbox.services.autoscaling.scaling import Scaling
from gbg_sandbox.services.autoscaling.state import AutoScalingState, Group

if TYPE_CHECKING:
    from gbg_sandbox.cloud import Cloud

Params = dict[str, Any]
Answer = dict[str, Any]


class AutoScalingOperations(Service):
    name = "autoscaling"

    def __init__(self, cloud: Cloud) -> None:
        super().__init__(cloud)
        self.state = AutoScalingState()
        self.engine = AutoScalingEngine(cloud, self.state)
        self.scaling = Scaling(cloud, self.state, self.engine)

    def live_group(self, params: Mapping[str, Any]) -> Group:
        """The group that a changing request names. Raises ValidationError for one that is being deleted."""
        group = self.state.group(params["AutoScalingGroupName"])
        if group.deleting:
            raise AwsError("ValidationError", f"AutoScalingGroup '{group.name}' is pending delete")
        return group

    def arn_of(self, kind: str, rest: str) -> str:
        return self.cloud.arn("autoscaling", f"{kind}:{rest}")


def refuse_others(params: Mapping[str, Any], known: Iterable[str], what: str) -> None:
    """Raise ValidationError for a parameter that would be ignored."""
    for name in sorted(set(params) - set(known)):
        if params[name] not in (None, False, [], {}, ""):
            raise AwsError("ValidationError", f"gbg_sandbox does not run {what} with {name}.")


def one_of(value: str, allowed: Iterable[str], name: str) -> str:
    if value not in allowed:
        raise AwsError("ValidationError", f"{name} {value} is not valid; one of {', '.join(allowed)}")
    return value
