"""Auto Scaling: groups that keep their capacity on running instances. Nothing of it is moto's."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gbg_sandbox.service import AwsError, Call, modelled
from gbg_sandbox.services.autoscaling.base import Answer, Params
from gbg_sandbox.services.autoscaling.clockwork import Clockwork
from gbg_sandbox.services.autoscaling.groups_api import GroupOperations
from gbg_sandbox.services.autoscaling.hooks_api import HookOperations
from gbg_sandbox.services.autoscaling.instances_api import InstanceOperations
from gbg_sandbox.services.autoscaling.policies_api import PolicyOperations
from gbg_sandbox.services.autoscaling.settings_api import SettingOperations

if TYPE_CHECKING:
    from gbg_sandbox.cloud import Cloud

MOST_GROUPS = 500


class AutoScaling(GroupOperations, InstanceOperations, HookOperations, PolicyOperations, SettingOperations):
    def __init__(self, cloud: Cloud) -> None:
        super().__init__(cloud)
        self._clockwork = Clockwork(cloud, self.state, self.engine)

    def start(self) -> None:
        self.engine.start()
        self._clockwork.start()

    def stop(self) -> None:
        self.engine.stop()

    @modelled
    def create_launch_configuration(self, call: Call, params: Params) -> None:
        """As in every account made since 2024-10-01."""
        raise AwsError(
            "UnsupportedOperation",
            "The Launch Configuration creation operation is not available in your account. Use launch "
            "templates to create configuration templates for your Auto Scaling groups.",
        )

    @modelled
    def describe_launch_configurations(self, call: Call, params: Params) -> Answer:
        return {"LaunchConfigurations": []}

    @modelled
    def describe_account_limits(self, call: Call, params: Params) -> Answer:
        with self.state.changed:
            count = len(self.state.groups)
        return {
            "MaxNumberOfAutoScalingGroups": MOST_GROUPS,
            "MaxNumberOfLaunchConfigurations": 0,
            "NumberOfAutoScalingGroups": count,
            "NumberOfLaunchConfigurations": 0,
        }

    @modelled
    def describe_load_balancers(self, call: Call, params: Params) -> Answer:
        """Classic load balancers, of which there are none."""
        with self.state.changed:
            self.state.group(params["AutoScalingGroupName"])
        return {"LoadBalancers": []}

    @modelled
    def describe_warm_pool(self, call: Call, params: Params) -> Answer:
        with self.state.changed:
            self.state.group(params["AutoScalingGroupName"])
        return {"Instances": []}


SERVICE = AutoScaling
