"""CodeDeploy's applications, configurations and deployment groups."""

from __future__ import annotations

from typing import Any

from gbg_sandbox.services.cloudformation.errors import ResourceFailed
from gbg_sandbox.services.cloudformation.resources.base import (
    Made,
    Properties,
    Provider,
    Task,
    changed,
    given,
    ignore_missing,
    names,
    tag_changes,
    tag_list,
)
from gbg_sandbox.services.cloudformation.resources.shapes import to_api


def retag(codedeploy: Any, arn: str, old: Properties, new: Properties) -> None:
    added, removed = tag_changes(old, new)
    if removed:
        codedeploy.untag_resource(ResourceArn=arn, TagKeys=removed)
    if added:
        codedeploy.tag_resource(ResourceArn=arn, Tags=tag_list({"Tags": added}))


class Application(Provider):
    type = "AWS::CodeDeploy::Application"
    properties = names("ApplicationName", "ComputePlatform", "Tags")
    name_property = "ApplicationName"

    def create(self, task: Task, new: Properties) -> Made:
        name = new.get("ApplicationName") or task.name(100)
        wanted = given(new, computePlatform="ComputePlatform")
        tags = {"tags": tag_list(new)} if tag_list(new) else {}
        task.client("codedeploy").create_application(applicationName=name, **wanted, **tags)
        return Made(name)

    def update(self, task: Task, made: Made, old: Properties, new: Properties) -> Made:
        retag(
            task.client("codedeploy"),
            task.cloud.arn("codedeploy", f"application:{made.physical_id}"),
            old,
            new,
        )
        return made

    def delete(self, task: Task, made: Made, old: Properties) -> None:
        ignore_missing(task.client("codedeploy").delete_application, applicationName=made.physical_id)


class DeploymentConfig(Provider):
    type = "AWS::CodeDeploy::DeploymentConfig"
    properties = names(
        "DeploymentConfigName", "ComputePlatform", "MinimumHealthyHosts", "TrafficRoutingConfig"
    )
    name_property = "DeploymentConfigName"

    def create(self, task: Task, new: Properties) -> Made:
        codedeploy = task.client("codedeploy")
        name = new.get("DeploymentConfigName") or task.name(100)
        wanted = {**new, "DeploymentConfigName": name}
        codedeploy.create_deployment_config(**to_api(codedeploy, "CreateDeploymentConfig", wanted))
        return Made(name)

    def delete(self, task: Task, made: Made, old: Properties) -> None:
        ignore_missing(
            task.client("codedeploy").delete_deployment_config, deploymentConfigName=made.physical_id
        )


class DeploymentGroup(Provider):
    type = "AWS::CodeDeploy::DeploymentGroup"
    settings = (
        "DeploymentConfigName", "AutoScalingGroups", "ServiceRoleArn", "TriggerConfigurations",
        "AlarmConfiguration", "AutoRollbackConfiguration", "OutdatedInstancesStrategy", "DeploymentStyle",
        "BlueGreenDeploymentConfiguration", "LoadBalancerInfo", "Ec2TagFilters", "TerminationHookEnabled",
    )  # fmt: skip
    properties = names("ApplicationName", "DeploymentGroupName", "Tags", *settings)
    name_property = "DeploymentGroupName"

    def create(self, task: Task, new: Properties) -> Made:
        self._refuse_blue_green(new)
        codedeploy = task.client("codedeploy")
        name = new.get("DeploymentGroupName") or task.name(100)
        wanted = given(new, "ApplicationName", *self.settings) | {"DeploymentGroupName": name}
        if tag_list(new):
            wanted["Tags"] = tag_list(new)
        codedeploy.create_deployment_group(**to_api(codedeploy, "CreateDeploymentGroup", wanted))
        return Made(name)

    def update(self, task: Task, made: Made, old: Properties, new: Properties) -> Made:
        self._refuse_blue_green(new)
        codedeploy = task.client("codedeploy")
        if changed(old, new, *self.settings):
            wanted = given(new, "ApplicationName", *self.settings)
            wanted["CurrentDeploymentGroupName"] = made.physical_id
            codedeploy.update_deployment_group(**to_api(codedeploy, "UpdateDeploymentGroup", wanted))
        arn = task.cloud.arn("codedeploy", f"deploymentgroup:{new['ApplicationName']}/{made.physical_id}")
        retag(codedeploy, arn, old, new)
        return made

    def delete(self, task: Task, made: Made, old: Properties) -> None:
        ignore_missing(
            task.client("codedeploy").delete_deployment_group,
            applicationName=old["ApplicationName"],
            deploymentGroupName=made.physical_id,
        )

    @staticmethod
    def _refuse_blue_green(new: Properties) -> None:
        """EC2 blue/green: with a group CloudFormation refuses it, without one CodeDeploy does."""
        style = new.get("DeploymentStyle", {}).get("DeploymentType")
        if style == "BLUE_GREEN" and "AutoScalingGroups" in new and "LoadBalancerInfo" in new:
            raise ResourceFailed(
                "Property validation failure: DeploymentStyle with DeploymentType BLUE_GREEN "
                "cannot be combined "
                "with AutoScalingGroups and LoadBalancerInfo"
            )
