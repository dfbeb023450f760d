"""What CodeDeploy refuses in a deployment group or a deployment, in its words.

https://docs.aws.amazon.com/codedeploy/latest/APIReference/API_CreateDeploymentGroup.html
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gbg_sandbox.service import AwsError

LONGEST_WAIT_MINUTES = 2880
MOST_OF_A_KIND = 10
ROLLBACK_EVENTS = {"DEPLOYMENT_FAILURE", "DEPLOYMENT_STOP_ON_ALARM", "DEPLOYMENT_STOP_ON_REQUEST"}
BUNDLE_TYPES = ("tar", "tgz", "zip")


def not_run(what: str) -> AwsError:
    return AwsError("UnsupportedOperationException", f"gbg_sandbox does not run {what}; see docs/sandbox.md")


def group(settings: Mapping[str, Any]) -> None:
    """Raises AwsError for settings that AWS refuses or this sandbox can't run."""
    _supported(settings)
    _style(settings)
    if len(settings.get("autoScalingGroups", [])) > MOST_OF_A_KIND:
        raise AwsError(
            "InvalidAutoScalingGroupException", "The number of Auto Scaling groups exceeds the limit of 10."
        )
    _alarms(settings.get("alarmConfiguration", {}))
    rollback(settings.get("autoRollbackConfiguration", {}))
    if len(settings.get("triggerConfigurations", [])) > MOST_OF_A_KIND:
        raise AwsError(
            "TriggerTargetsLimitExceededException", "The maximum allowed number of triggers was exceeded."
        )


def _supported(settings: Mapping[str, Any]) -> None:
    refused = {
        "onPremisesInstanceTagFilters": "on-premises instances",
        "onPremisesTagSet": "on-premises instances",
        "ec2TagFilters": "deployment groups chosen by EC2 tags",
        "ec2TagSet": "deployment groups chosen by EC2 tags",
        "ecsServices": "ECS deployments",
        "ec2DeploymentOptions": "ec2DeploymentOptions",
    }
    for name, what in refused.items():
        if settings.get(name):
            raise not_run(what)
    if settings.get("terminationHookEnabled"):
        raise not_run("termination hooks")
    balancer = settings.get("loadBalancerInfo", {})
    if balancer.get("elbInfoList"):
        raise not_run("Classic Load Balancers")
    if balancer.get("targetGroupPairInfoList"):
        raise not_run("target group pairs, which belong to ECS")


def _style(settings: Mapping[str, Any]) -> None:
    style = settings.get("deploymentStyle", {})
    blue_green = style.get("deploymentType") == "BLUE_GREEN"
    with_traffic = style.get("deploymentOption") == "WITH_TRAFFIC_CONTROL"
    if with_traffic and not settings.get("loadBalancerInfo", {}).get("targetGroupInfoList"):
        raise AwsError(
            "InvalidLoadBalancerInfoException",
            "The specification for load balancing in the deployment group is invalid: loadBalancerInfo is "
            "required "
            "when the deployment option is WITH_TRAFFIC_CONTROL.",
        )
    if not blue_green:
        return
    if not with_traffic:
        raise AwsError(
            "InvalidDeploymentStyleException",
            "Blue/green deployments to EC2 instances need the deployment option WITH_TRAFFIC_CONTROL.",
        )
    _blue_green(settings)


def _blue_green(settings: Mapping[str, Any]) -> None:
    config = settings.get("blueGreenDeploymentConfiguration")
    if not config:
        raise _bad_blue_green(
            "The blue/green deployment configuration must be specified for a BLUE_GREEN deployment."
        )
    provisioning = config.get("greenFleetProvisioningOption", {}).get("action", "DISCOVER_EXISTING")
    if provisioning == "COPY_AUTO_SCALING_GROUP" and len(settings.get("autoScalingGroups", [])) != 1:
        raise _bad_blue_green(
            "Exactly one AutoScaling group must be specified when selecting the COPY_AUTO_SCALING_GROUP "
            "green fleet provisioning option."
        )
    ready = config.get("deploymentReadyOption", {})
    _minutes("waitTimeInMinutes", ready.get("waitTimeInMinutes", 0))
    if ready.get("actionOnTimeout", "CONTINUE_DEPLOYMENT") == "CONTINUE_DEPLOYMENT" and ready.get(
        "waitTimeInMinutes"
    ):
        raise _bad_blue_green(
            "waitTimeInMinutes can only be specified when actionOnTimeout is STOP_DEPLOYMENT."
        )
    ending = config.get("terminateBlueInstancesOnDeploymentSuccess", {})
    _minutes("terminationWaitTimeInMinutes", ending.get("terminationWaitTimeInMinutes", 0))
    if ending.get("action") == "KEEP_ALIVE" and ending.get("terminationWaitTimeInMinutes"):
        raise _bad_blue_green(
            "terminationWaitTimeInMinutes can not be specified when the action is KEEP_ALIVE."
        )


def _minutes(name: str, value: int) -> None:
    if not 0 <= value <= LONGEST_WAIT_MINUTES:
        raise _bad_blue_green(f"{name} must be between 0 and {LONGEST_WAIT_MINUTES}.")


def _bad_blue_green(message: str) -> AwsError:
    return AwsError("InvalidBlueGreenDeploymentConfigurationException", message)


def _alarms(configuration: Mapping[str, Any]) -> None:
    alarms = configuration.get("alarms", [])
    if len(alarms) > MOST_OF_A_KIND:
        raise AwsError(
            "AlarmsLimitExceededException",
            "The maximum number of alarms for a deployment group (10) was exceeded.",
        )
    names = [alarm.get("name", "") for alarm in alarms]
    if configuration.get("enabled") and not names:
        raise AwsError(
            "InvalidAlarmConfigException", "At least one alarm must be specified when alarms are enabled."
        )
    if "" in names or len(set(names)) != len(names):
        raise AwsError(
            "InvalidAlarmConfigException", "The alarm configuration has an alarm without a name or twice."
        )


def rollback(configuration: Mapping[str, Any]) -> None:
    unknown = set(configuration.get("events", [])) - ROLLBACK_EVENTS
    if unknown or (configuration.get("enabled") and not configuration.get("events")):
        raise AwsError(
            "InvalidAutoRollbackConfigException",
            "The automatic rollback configuration was specified in an invalid format. "
            "An automatic rollback is enabled without an event that triggers it, or an event is not known.",
        )


def revision(location: Mapping[str, Any] | None) -> dict[str, Any]:
    """An S3 revision, checked. Raises AwsError."""
    if not location:
        raise AwsError("RevisionRequiredException", "The revision ID was not specified.")
    if location.get("revisionType") != "S3":
        raise not_run(f"{location.get('revisionType')} revisions, only S3")
    s3 = location.get("s3Location", {})
    if not s3.get("bucket") or not s3.get("key"):
        raise AwsError(
            "InvalidRevisionException",
            "The revision was specified in an invalid format: bucket and key are required.",
        )
    if s3.get("bundleType") not in BUNDLE_TYPES:
        raise AwsError(
            "InvalidRevisionException", "The bundleType of an EC2 deployment must be tar, tgz or zip."
        )
    return dict(location)
