"""What there is in the account under a deployment's name."""

from __future__ import annotations

import re
from typing import Any

from gbg_lib.aws import Aws

LISTS: tuple[tuple[str, str, str, str, dict[str, Any]], ...] = (
    ("cloudformation", "describe_stacks", "Stacks", "StackName", {}),
    ("autoscaling", "describe_auto_scaling_groups", "AutoScalingGroups", "AutoScalingGroupName", {}),
    ("elbv2", "describe_load_balancers", "LoadBalancers", "LoadBalancerName", {}),
    ("elbv2", "describe_target_groups", "TargetGroups", "TargetGroupName", {}),
    ("ec2", "describe_launch_templates", "LaunchTemplates", "LaunchTemplateName", {}),
    ("iam", "list_roles", "Roles", "RoleName", {}),
    ("iam", "list_instance_profiles", "InstanceProfiles", "InstanceProfileName", {}),
    ("iam", "list_policies", "Policies", "PolicyName", {"Scope": "Local"}),
    ("logs", "describe_log_groups", "logGroups", "logGroupName", {}),
    ("lambda", "list_functions", "Functions", "FunctionName", {}),
    ("codecommit", "list_repositories", "repositories", "repositoryName", {}),
    ("codebuild", "list_projects", "projects", "", {}),
    ("codedeploy", "list_applications", "applications", "", {}),
    ("codepipeline", "list_pipelines", "pipelines", "name", {}),
    ("ssm", "describe_parameters", "Parameters", "Name", {}),
    (
        "ssm",
        "list_documents",
        "DocumentIdentifiers",
        "Name",
        {"Filters": [{"Key": "Owner", "Values": ["Self"]}]},
    ),
    ("events", "list_rules", "Rules", "Name", {}),
    ("cloudwatch", "describe_alarms", "MetricAlarms", "AlarmName", {}),
    ("sns", "list_topics", "Topics", "TopicArn", {}),
    ("s3", "list_buckets", "Buckets", "Name", {}),
)
"""service, operation, key of the list, key of the name (empty where the item is the name), parameters"""
TAGGED = ("vpc", "subnet", "internet-gateway", "route-table", "security-group", "volume", "launch-template")
ALIVE = ("pending", "running", "stopping", "stopped")


def inventory(aws: Aws, deployment: str) -> list[str]:
    """Everything but images and snapshots, which no stack removes."""
    named = re.compile(rf"(?<![a-z0-9]){deployment}(?![a-z0-9])")
    found = []
    for service, operation, key, name, parameters in LISTS:
        for item in aws.pages(service, operation, key, **parameters):
            told = str(item[name] if name else item)
            if named.search(told):
                found.append(f"{service}: {told}")
    tagged = [
        {"Name": "key", "Values": ["gbg:deployment"]},
        {"Name": "value", "Values": [deployment]},
        {"Name": "resource-type", "Values": list(TAGGED)},
    ]
    found += [
        f"ec2: {one['ResourceId']}" for one in aws.pages("ec2", "describe_tags", "Tags", Filters=tagged)
    ]
    return found + [f"ec2: {instance}" for instance in sorted(instances_alive(aws, deployment))]


def instances_alive(aws: Aws, deployment: str) -> set[str]:
    """Those that carry the deployment's tag and are not gone."""
    filters = [
        {"Name": "tag:gbg:deployment", "Values": [deployment]},
        {"Name": "instance-state-name", "Values": list(ALIVE)},
    ]
    found = aws.pages("ec2", "describe_instances", "Reservations", Filters=filters)
    return {instance["InstanceId"] for one in found for instance in one["Instances"]}
