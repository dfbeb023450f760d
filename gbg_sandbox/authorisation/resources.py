"""Which resources a request names: kind of resource → where its name stands in the parameters.

The ARN templates come from AWS's service authorisation reference (data/actions.json); here stands what that
reference doesn't say: which parameter fills which placeholder, as a JMESPath expression per placeholder.
A parameter that holds an ARN is taken as it is. `=text` is a fixed text.
"""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import jmespath

Placeholders = Mapping[str, str]

KINDS: dict[str, dict[str, Placeholders]] = {
    "application-autoscaling": {},
    "autoscaling": {
        "autoScalingGroup": {
            "GroupFriendlyName": "AutoScalingGroupName || Tags[].ResourceId",
            "GroupId": "=*",
        },
        "launchConfiguration": {"LaunchConfigurationName": "LaunchConfigurationName", "Id": "=*"},
    },
    "cloudformation": {"stack": {"StackName": "StackName", "Id": "=*"}},
    "cloudtrail": {"trail": {"TrailName": "Name || TrailName"}},
    "cloudwatch": {
        "alarm": {"AlarmName": "AlarmName || AlarmNames || ResourceARN"},
        "dashboard": {"DashboardName": "DashboardName || DashboardNames"},
    },
    "codebuild": {"project": {"ProjectName": "projectName || project || names || name || arn"}},
    "codecommit": {"repository": {"RepositoryName": "repositoryName || repositoryNames || resourceArn"}},
    "codedeploy": {
        "application": {"ApplicationName": "applicationName || applicationNames"},
        "deploymentconfig": {"DeploymentConfigurationName": "deploymentConfigName"},
        "deploymentgroup": {
            "ApplicationName": "applicationName",
            "DeploymentGroupName": "deploymentGroupName || currentDeploymentGroupName",
        },
    },
    "codepipeline": {
        "pipeline": {"PipelineName": "pipelineName || pipeline.name || name || resourceArn"},
        "stage": {"PipelineName": "pipelineName", "StageName": "stageName"},
        "action": {"PipelineName": "pipelineName", "StageName": "stageName", "ActionName": "actionName"},
    },
    "ec2": {
        "elastic-ip": {"AllocationId": "AllocationId"},
        "image": {"ImageId": "ImageId || ImageIds"},
        "instance": {"InstanceId": "InstanceId || InstanceIds"},
        "internet-gateway": {"InternetGatewayId": "InternetGatewayId"},
        "key-pair": {"KeyPairName": "KeyName"},
        "launch-template": {"LaunchTemplateId": "LaunchTemplateId"},
        "natgateway": {"NatGatewayId": "NatGatewayId"},
        "network-acl": {"NaclId": "NetworkAclId"},
        "network-interface": {"NetworkInterfaceId": "NetworkInterfaceId"},
        "route-table": {"RouteTableId": "RouteTableId"},
        "security-group": {"SecurityGroupId": "GroupId || GroupIds"},
        "snapshot": {"SnapshotId": "SnapshotId"},
        "subnet": {"SubnetId": "SubnetId"},
        "volume": {"VolumeId": "VolumeId"},
        "vpc": {"VpcId": "VpcId"},
        "vpc-endpoint": {"VpcEndpointId": "VpcEndpointIds"},
    },
    "elasticloadbalancing": {
        "targetgroup": {"TargetGroupName": "TargetGroupArn || Name", "TargetGroupId": "=*"},
        "loadbalancer/app/": {"LoadBalancerName": "LoadBalancerArn || Name", "LoadBalancerId": "=*"},
        "listener/app": {
            "LoadBalancerName": "ListenerArn",
            "LoadBalancerId": "=*",
            "ListenerId": "=*",
        },
        "listener-rule/app": {
            "LoadBalancerName": "RuleArn || RulePriorities[].RuleArn",
            "LoadBalancerId": "=*",
            "ListenerId": "=*",
            "ListenerRuleId": "=*",
        },
    },
    "events": {
        "event-bus": {"EventBusName": "EventBusName || Entries[].EventBusName || '=default'"},
        "rule-on-default-event-bus": {"RuleName": "Rule || Name"},
    },
    "iam": {
        "group": {"GroupNameWithPath": "GroupName"},
        "instance-profile": {"InstanceProfileNameWithPath": "InstanceProfileName"},
        "policy": {"PolicyNameWithPath": "PolicyArn || PolicyName"},
        "role": {"RoleNameWithPath": "RoleName"},
        "user": {"UserNameWithPath": "UserName"},
    },
    "kms": {"key": {"KeyId": "KeyId || TargetKeyId"}, "alias": {"Alias": "AliasName"}},
    "lambda": {
        "function": {"FunctionName": "FunctionName || Resource"},
        "layer": {"LayerName": "LayerName"},
        "eventSourceMapping": {"UUID": "UUID"},
    },
    "logs": {
        "log-group": {
            "LogGroupName": "logGroupName || logGroupIdentifier || resourceArn || logGroupNamePrefix"
        },
        "log-stream": {"LogGroupName": "logGroupName", "LogStreamName": "logStreamName"},
    },
    "s3": {
        "bucket": {"BucketName": "Bucket"},
        "object": {"BucketName": "Bucket", "ObjectName": "Key || Delete.Objects[].Key"},
    },
    "scheduler": {
        "schedule": {"GroupName": "GroupName || '=default'", "ScheduleName": "Name"},
        "schedule-group": {"GroupName": "ResourceArn || Name"},
    },
    "secretsmanager": {"Secret": {"SecretId": "SecretId || Name"}},
    "sns": {"topic": {"TopicName": "TopicArn || ResourceArn || Name || TargetArn"}},
    "sqs": {"queue": {"QueueName": "QueueUrl || QueueName"}},
    "ssm": {
        "automation-definition": {
            "AutomationDefinitionName": "DocumentName",
            "VersionId": "DocumentVersion || '=$DEFAULT'",
        },
        "automation-execution": {"AutomationExecutionId": "AutomationExecutionId"},
        "document": {"DocumentName": "DocumentName || Name"},
        "instance": {"InstanceId": "InstanceIds || InstanceId || Targets[?Key=='InstanceIds'].Values[]"},
        "parameter": {"ParameterNameWithoutLeadingSlash": "Name || Names || Path"},
        "session": {"SessionId": "SessionId"},
    },
    "sts": {"role": {"RoleNameWithPath": "RoleArn"}},
}

PLACEHOLDER = re.compile(r"\$\{(\w+)\}")


def words(text: str) -> list[str]:
    """Names written in a column as wide as the page."""
    return text.split()


@cache
def table() -> dict[str, Any]:
    """prefix → {"arns": kind → template, "actions": action → kinds, required ones with `*`} (make_table)."""
    loaded: dict[str, Any] = json.loads((Path(__file__).parent / "data" / "actions.json").read_text())
    return loaded


COMPILE: Any = jmespath.compile
_expression = cache(COMPILE)


def search(path: str, params: Mapping[str, Any]) -> list[Any]:
    """What a JMESPath expression finds in the parameters, always as a list."""
    found = _expression(path).search(params)
    return [one for one in (found if isinstance(found, list) else [found]) if one not in (None, "")]


def _found(text: str, params: Mapping[str, Any]) -> list[str]:
    if text.startswith("="):
        return [text[1:]]
    return [str(one).removeprefix("=") for one in search(text, params)]


def arns(prefix: str, kind: str, params: Mapping[str, Any], region: str, account: str) -> list[str]:
    """The ARNs of this kind that the parameters name; empty when they name none."""
    placeholders = KINDS[prefix][kind]
    filled = {name: _found(text, params) for name, text in placeholders.items()}
    template: str = table()[prefix]["arns"][kind]
    made = []
    for combination in itertools.product(*filled.values()):
        whole = [value for value in combination if value.startswith("arn:")]
        values = dict(zip(filled, combination, strict=True))
        made.append(whole[0] if whole else _fill(template, values, region, account))
    return made


def _fill(template: str, values: Mapping[str, str], region: str, account: str) -> str:
    names = {"Partition": "aws", "Region": region, "Account": account, **values}
    return PLACEHOLDER.sub(lambda match: _tidy(match.group(1), names[match.group(1)]), template)


def _tidy(placeholder: str, value: str) -> str:
    if placeholder == "ParameterNameWithoutLeadingSlash":
        return value.lstrip("/")
    if placeholder == "QueueName":
        return value.rpartition("/")[2]
    return value


def arn_of(prefix: str, kind: str, region: str, account: str, **values: str) -> str:
    """The ARN of one resource by its placeholders' values."""
    return _fill(table()[prefix]["arns"][kind], values, region, account)
