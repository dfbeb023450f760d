"""Deployment groups and deployment configurations."""

from __future__ import annotations

import copy
from typing import Any

from botocore.exceptions import ClientError

from gbg_sandbox.service import AwsError, Call, modelled, runs
from gbg_sandbox.services.codedeploy import answers, validation
from gbg_sandbox.services.codedeploy.applications_api import Applications
from gbg_sandbox.services.codedeploy.base import page
from gbg_sandbox.services.codedeploy.configs import DEFAULT, PREFIX
from gbg_sandbox.services.codedeploy.failures import DeploymentFailed, cannot_assume
from gbg_sandbox.services.codedeploy.fleet import Fleets
from gbg_sandbox.services.codedeploy.role import ServiceRole
from gbg_sandbox.services.codedeploy.state import Config, Group

SETTINGS = (
    "deploymentConfigName",
    "ec2TagFilters",
    "onPremisesInstanceTagFilters",
    "autoScalingGroups",
    "serviceRoleArn",
    "triggerConfigurations",
    "alarmConfiguration",
    "autoRollbackConfiguration",
    "outdatedInstancesStrategy",
    "deploymentStyle",
    "blueGreenDeploymentConfiguration",
    "loadBalancerInfo",
    "ec2TagSet",
    "ecsServices",
    "onPremisesTagSet",
    "ec2DeploymentOptions",
    "terminationHookEnabled",
)


class Groups(Applications):
    @runs
    def create_deployment_group(self, call: Call, params: dict[str, Any]) -> dict[str, Any]:
        application, name = params["applicationName"], params["deploymentGroupName"]
        settings = {key: params[key] for key in SETTINGS if key in params}
        settings.setdefault("deploymentConfigName", DEFAULT)
        settings.setdefault("outdatedInstancesStrategy", "UPDATE")
        with self.registry.lock:
            if name in self.registry.application(application).groups:
                raise AwsError(
                    "DeploymentGroupAlreadyExistsException",
                    f"Deployment group name already exists: {name}",
                )
            self._check(settings)
        group = Group(application, name, {**settings, "autoScalingGroups": []})
        self._move_hooks(group, settings.get("autoScalingGroups", []))
        with self.registry.lock:
            self.registry.application(application).groups[name] = group
            self._tag(
                self.cloud.arn("codedeploy", f"deploymentgroup:{application}/{name}"), params.get("tags", [])
            )
        return {"deploymentGroupId": group.id}

    @runs
    def update_deployment_group(self, call: Call, params: dict[str, Any]) -> dict[str, Any]:
        changes = {key: params[key] for key in SETTINGS if key in params}
        with self.registry.lock:
            group = self.registry.group(params["applicationName"], params["currentDeploymentGroupName"])
            settings = {**copy.deepcopy(group.settings), **changes}
            self._check(settings)
            names = settings.pop("autoScalingGroups", [])
            group.settings = {**settings, "autoScalingGroups": group.scaling_groups}
        stayed = self._move_hooks(group, names)
        if new := params.get("newDeploymentGroupName"):
            self._rename(group, new)
        return {"hooksNotCleanedUp": stayed}

    @runs
    def delete_deployment_group(self, call: Call, params: dict[str, Any]) -> dict[str, Any]:
        with self.registry.lock:
            groups = self.registry.application(params["applicationName"]).groups
            group = groups.pop(params["deploymentGroupName"], None)
            if group is not None:
                self.registry.forget_tags(
                    self.cloud.arn("codedeploy", f"deploymentgroup:{group.application}/{group.name}")
                )
        if group is None:
            return {"hooksNotCleanedUp": []}
        hooks = dict(group.hooks)
        fleets = Fleets(ServiceRole(self.cloud, group.role, "CodeDeploy"))
        stayed = self.engine.hooks.move(group, fleets, [])
        return {"hooksNotCleanedUp": [{"name": name, "hook": hooks[name]} for name in stayed]}

    @modelled
    def get_deployment_group(self, call: Call, params: dict[str, Any]) -> dict[str, Any]:
        with self.registry.lock:
            group = self.registry.group(params["applicationName"], params["deploymentGroupName"])
            return {"deploymentGroupInfo": answers.group(group)}

    @modelled
    def batch_get_deployment_groups(self, call: Call, params: dict[str, Any]) -> dict[str, Any]:
        with self.registry.lock:
            groups = [
                self.registry.group(params["applicationName"], name)
                for name in params["deploymentGroupNames"]
            ]
            return {"deploymentGroupsInfo": [answers.group(group) for group in groups]}

    @modelled
    def list_deployment_groups(self, call: Call, params: dict[str, Any]) -> dict[str, Any]:
        with self.registry.lock:
            found = sorted(self.registry.application(params["applicationName"]).groups)
        names, more = page(found, params)
        return {"applicationName": params["applicationName"], "deploymentGroups": names, **more}

    @modelled
    def create_deployment_config(self, call: Call, params: dict[str, Any]) -> dict[str, Any]:
        name = params["deploymentConfigName"]
        if params.get("computePlatform", "Server") != "Server" or "zonalConfig" in params:
            raise validation.not_run("deployment configurations but those of servers without zones")
        hosts = params.get("minimumHealthyHosts")
        if not hosts or hosts.get("type") not in ("HOST_COUNT", "FLEET_PERCENT"):
            raise AwsError(
                "InvalidMinimumHealthyHostValueException",
                "The minimum healthy instance value was specified in an invalid format.",
            )
        with self.registry.lock:
            if name in self.registry.configs or name.startswith(PREFIX):
                raise AwsError(
                    "DeploymentConfigAlreadyExistsException",
                    f"Deployment configuration name already exists: {name}",
                )
            made = Config(name, hosts["type"], hosts.get("value", 0), self.cloud.clock.now())
            self.registry.configs[name] = made
        return {"deploymentConfigId": made.id}

    @modelled
    def get_deployment_config(self, call: Call, params: dict[str, Any]) -> dict[str, Any]:
        with self.registry.lock:
            return {
                "deploymentConfigInfo": answers.config(self.registry.config(params["deploymentConfigName"]))
            }

    @modelled
    def list_deployment_configs(self, call: Call, params: dict[str, Any]) -> dict[str, Any]:
        with self.registry.lock:
            names, more = page(sorted(self.registry.configs), params)
        return {"deploymentConfigsList": names, **more}

    @modelled
    def delete_deployment_config(self, call: Call, params: dict[str, Any]) -> None:
        name = params["deploymentConfigName"]
        if name.startswith(PREFIX):
            raise AwsError(
                "InvalidOperationException", "A predefined deployment configuration can not be deleted."
            )
        with self.registry.lock:
            applications = self.registry.applications.values()
            groups = [group for application in applications for group in application.groups.values()]
            if any(group.settings.get("deploymentConfigName") == name for group in groups):
                raise AwsError(
                    "DeploymentConfigInUseException", f"The deployment configuration {name} is in use."
                )
            self.registry.configs.pop(name, None)

    def _check(self, settings: dict[str, Any]) -> None:
        self.registry.config(settings["deploymentConfigName"])
        validation.group(settings)

    def _move_hooks(self, group: Group, names: list[str]) -> list[dict[str, str]]:
        """Put hooks on these Auto Scaling groups under the service role. Raises AwsError in AWS's codes."""
        hooks = dict(group.hooks)
        role = ServiceRole(self.cloud, group.role, "CodeDeploy")
        fleets = Fleets(role)
        try:
            role.client("autoscaling")
            missing = [name for name in names if fleets.find(name) is None]
            if missing:
                raise AwsError(
                    "InvalidAutoScalingGroupException",
                    f"No AutoScaling Groups found with names: {', '.join(missing)}",
                )
            stayed = self.engine.hooks.move(group, fleets, names)
        except DeploymentFailed as error:
            message = cannot_assume(group.role) if error.code == "IAM_ROLE_MISSING" else error.message
            raise AwsError("InvalidRoleException", message) from error
        except ClientError as error:
            raise AwsError(
                "LifecycleHookLimitExceededException", error.response["Error"]["Message"]
            ) from error
        return [{"name": name, "hook": hooks[name]} for name in stayed]

    def _rename(self, group: Group, name: str) -> None:
        with self.registry.lock:
            groups = self.registry.application(group.application).groups
            if name in groups:
                raise AwsError(
                    "DeploymentGroupAlreadyExistsException", f"Deployment group name already exists: {name}"
                )
            groups[name] = groups.pop(group.name)
            group.name = name
