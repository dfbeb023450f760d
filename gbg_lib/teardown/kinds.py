"""The kinds of things that a deployment consists of: how each is listed, with the tags that tell whose it is.

EC2 and Auto Scaling are asked by tag. Other services list everything, and tags are read only of what is named
after the deployment, or told by the tagging API (tagged.py).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from gbg_lib.alarms_of_fleets import OF_A_POLICY
from gbg_lib.aws import Aws
from gbg_lib.errors import NotThere
from gbg_lib.prices import Amount
from gbg_lib.teardown.tagged import TAG, Tagged

ALIVE = ("pending", "running", "stopping", "stopped", "shutting-down")
GIB = 2**30


@dataclass(frozen=True)
class Found:
    """One thing that exists."""

    kind: str
    id: str
    """as CloudFormation's physical id has it, where CloudFormation knows the kind"""
    name: str
    deployment: str
    """whose it is by its tag; empty where it carries none"""
    amounts: tuple[Amount, ...] = ()
    """what it costs something for"""
    facts: Mapping[str, str] = field(default_factory=dict, compare=False)
    """what its removal has to know"""


@dataclass(frozen=True)
class Kind:
    name: str
    find: Callable[[Aws, str, Tagged], Iterator[Found]]
    """everything that carries the deployment's tag, or its name and no tag"""


# ---------------------------------------------------------------- asked by tag


def _by_tag(
    kind: str, service: str, operation: str, key: str, id_key: str, **more: Any
) -> Callable[[Aws, str, Tagged], Iterator[Found]]:
    def find(aws: Aws, deployment: str, tagged: Tagged) -> Iterator[Found]:
        filters = [{"Name": f"tag:{TAG}", "Values": [deployment]}, *more.get("Filters", [])]
        rest = {name: value for name, value in more.items() if name != "Filters"}
        for item in aws.pages(service, operation, key, Filters=filters, **rest):
            identity, attached = item[id_key], item.get("Attachments") or [{}]
            facts = {"machine": attached[0].get("InstanceId", "")} if kind == "volume" else {}
            yield Found(kind, identity, _named(item, identity), deployment, _amounts(kind, item), facts)

    return find


def _instances(aws: Aws, deployment: str, tagged: Tagged) -> Iterator[Found]:
    filters = [
        {"Name": f"tag:{TAG}", "Values": [deployment]},
        {"Name": "instance-state-name", "Values": list(ALIVE)},
    ]
    for reservation in aws.pages("ec2", "describe_instances", "Reservations", Filters=filters):
        for item in reservation["Instances"]:
            tags = tags_of(item.get("Tags", []))
            facts = {"group": tags.get("aws:autoscaling:groupName", ""), "role": tags.get("gbg:role", "")}
            amounts = _amounts("instance", item)
            yield Found("instance", item["InstanceId"], tags.get("Name", ""), deployment, amounts, facts)


def _amounts(kind: str, item: Mapping[str, Any]) -> tuple[Amount, ...]:
    if kind == "instance":
        public = (Amount("public IPv4 address"),) if item.get("PublicIpAddress") else ()
        return (Amount(item["InstanceType"]), *public) if item["State"]["Name"] == "running" else ()
    if kind == "volume":
        return (Amount("volume GiB", item["Size"]),)
    if kind == "snapshot":
        full = item.get("FullSnapshotSizeInBytes")
        return (Amount("snapshot GiB", full / GIB if full else item["VolumeSize"]),)
    if kind == "load balancer":
        addresses = len(item.get("AvailabilityZones", []))
        return (Amount("load balancer"), Amount("public IPv4 address", addresses))
    if kind == "log group":
        return (Amount("log GiB", item.get("storedBytes", 0) / GIB),)
    return (Amount("alarm"),) if kind == "alarm" else ()


# ---------------------------------------------------------------- listed, then asked for their tags


@dataclass(frozen=True)
class _Listed:
    """A service that lists everything it has."""

    kind: str
    service: str
    operation: str
    key: str
    name: Callable[[Mapping[str, Any]], str]
    identity: Callable[[Aws, Mapping[str, Any]], str]
    tags: Callable[[Aws, str, Mapping[str, Any]], Any]
    """of an identity and its item, in whatever form the service has"""
    asked: Mapping[str, Any] = field(default_factory=dict)
    expand: Callable[[Aws, list[Any]], Iterator[Mapping[str, Any]]] | None = None
    """where the list holds names only"""

    def find(self, aws: Aws, deployment: str, tagged: Tagged) -> Iterator[Found]:
        ours = named_after(deployment)
        items = list(aws.pages(self.service, self.operation, self.key, **self.asked))
        for item in self.expand(aws, items) if self.expand else items:
            name = self.name(item)
            identity = self.identity(aws, item)
            if not ours.search(name) and not tagged.names(self.service, identity, name):
                continue
            try:
                owner = tags_of(self.tags(aws, identity, item)).get(TAG, "")
            except NotThere:
                continue
            if owner in ("", deployment):
                facts = {"watches": _watched(item)} if self.kind == "alarm" else {}
                yield Found(self.kind, identity, name, owner, _amounts(self.kind, item), facts)


def tags_of(told: Any) -> dict[str, str]:
    """A dict, whichever of AWS's forms it has."""
    if isinstance(told, Mapping):
        return {str(key): str(value) for key, value in told.items()}
    return {tag.get("Key", tag.get("key")): tag.get("Value", tag.get("value")) for tag in told}


def named_after(deployment: str) -> re.Pattern[str]:
    """Names as the templates make them: the deployment itself, or followed by a dash, slash or underscore.

    And the alarms that Auto Scaling makes for a policy of such a group.
    """
    return re.compile(rf"(^|^{OF_A_POLICY}|[/:_]){re.escape(deployment)}($|[-/_])")


def _watched(alarm: Mapping[str, Any]) -> str:
    """The Auto Scaling group that an alarm is about; empty for another."""
    about = {one["Name"]: str(one["Value"]) for one in alarm.get("Dimensions", [])}
    return about.get("AutoScalingGroupName", "")


def _named(item: Mapping[str, Any], otherwise: str) -> str:
    for key in ("LaunchTemplateName", "AutoScalingGroupName", "GroupName"):
        if key in item:
            return str(item[key])
    if item.keys() & {"ImageId", "SnapshotId", "VolumeId"}:
        return otherwise  # many carry one and the same name
    return tags_of(item.get("Tags", [])).get("Name", otherwise)


def _ask(service: str, operation: str, parameter: str, key: str) -> Callable[..., Any]:
    def tags(aws: Aws, identity: str, item: Mapping[str, Any]) -> Any:
        return aws.call(service, operation, **{parameter: identity}).get(key, [])

    return tags


def _arn(service: str, resource: str) -> Callable[..., Any]:
    """Tags of what is named in its list and tagged by its ARN."""

    def tags(aws: Aws, identity: str, item: Mapping[str, Any]) -> Any:
        partition = aws.session.get_partition_for_region(aws.region)
        arn = f"arn:{partition}:{service}:{aws.region}:{aws.account()}:{resource}{identity}"
        parameter = "ResourceArn" if service == "codedeploy" else "resourceArn"
        found = aws.call(service, "list_tags_for_resource", **{parameter: arn})
        return found.get("Tags", found.get("tags", []))

    return tags


def _load_balancer_tags(aws: Aws, identity: str, item: Mapping[str, Any]) -> Any:
    return aws.call("elbv2", "describe_tags", ResourceArns=[identity])["TagDescriptions"][0]["Tags"]


def _ssm_tags(kind: str) -> Callable[..., Any]:
    def tags(aws: Aws, identity: str, item: Mapping[str, Any]) -> Any:
        return aws.call("ssm", "list_tags_for_resource", ResourceType=kind, ResourceId=identity)["TagList"]

    return tags


def _log_tags(aws: Aws, identity: str, item: Mapping[str, Any]) -> Any:
    return aws.call("logs", "list_tags_for_resource", resourceArn=item["arn"].removesuffix(":*"))["tags"]


def _alarm_tags(aws: Aws, identity: str, item: Mapping[str, Any]) -> Any:
    return aws.call("cloudwatch", "list_tags_for_resource", ResourceARN=item["AlarmArn"])["Tags"]


def _rule_tags(aws: Aws, identity: str, item: Mapping[str, Any]) -> Any:
    return aws.call("events", "list_tags_for_resource", ResourceARN=item["Arn"])["Tags"]


def _bucket_tags(aws: Aws, identity: str, item: Mapping[str, Any]) -> Any:
    """A bucket without tags is an error to S3."""
    try:
        return aws.call("s3", "get_bucket_tagging", Bucket=identity)["TagSet"]
    except NotThere as error:
        if "NoSuchBucket" in str(error.__cause__):
            raise
        return []


def _projects(aws: Aws, names: list[Any]) -> Iterator[Mapping[str, Any]]:
    for first in range(0, len(names), 100):
        yield from aws.call("codebuild", "batch_get_projects", names=names[first : first + 100])["projects"]


def _names_only(aws: Aws, names: list[Any]) -> Iterator[Mapping[str, Any]]:
    yield from ({"name": name} for name in names)


def _of(key: str) -> Callable[[Mapping[str, Any]], str]:
    return lambda item: str(item[key])


def _id(key: str) -> Callable[[Aws, Mapping[str, Any]], str]:
    return lambda aws, item: str(item[key])


def _listed(
    kind: str,
    service: str,
    operation: str,
    key: str,
    name: str,
    tags: Callable[..., Any],
    identity: str = "",
    expand: Callable[[Aws, list[Any]], Iterator[Mapping[str, Any]]] | None = None,
    **asked: Any,
) -> Kind:
    listed = _Listed(kind, service, operation, key, _of(name), _id(identity or name), tags, asked, expand)
    return Kind(kind, listed.find)


def _tagged(kind: str, service: str, operation: str, key: str, id_key: str, **more: Any) -> Kind:
    return Kind(kind, _by_tag(kind, service, operation, key, id_key, **more))


OWN_DOCUMENTS = [{"Key": "Owner", "Values": ["Self"]}]

KINDS: tuple[Kind, ...] = (
    _listed("pipeline", "codepipeline", "list_pipelines", "pipelines", "name", _arn("codepipeline", "")),
    _listed("rule", "events", "list_rules", "Rules", "Name", _rule_tags),
    _listed(
        "build project",
        "codebuild",
        "list_projects",
        "projects",
        "name",
        lambda aws, identity, item: item.get("tags", []),
        expand=_projects,
    ),
    _listed(
        "application",
        "codedeploy",
        "list_applications",
        "applications",
        "name",
        _arn("codedeploy", "application:"),
        expand=_names_only,
    ),
    _tagged(
        "group",
        "autoscaling",
        "describe_auto_scaling_groups",
        "AutoScalingGroups",
        "AutoScalingGroupName",
    ),
    Kind("instance", _instances),
    _listed("alarm", "cloudwatch", "describe_alarms", "MetricAlarms", "AlarmName", _alarm_tags),
    _listed(
        "load balancer",
        "elbv2",
        "describe_load_balancers",
        "LoadBalancers",
        "LoadBalancerName",
        _load_balancer_tags,
        "LoadBalancerArn",
    ),
    _listed(
        "target group",
        "elbv2",
        "describe_target_groups",
        "TargetGroups",
        "TargetGroupName",
        _load_balancer_tags,
        "TargetGroupArn",
    ),
    _listed(
        "function",
        "lambda",
        "list_functions",
        "Functions",
        "FunctionName",
        lambda aws, identity, item: aws.call("lambda", "list_tags", Resource=item["FunctionArn"])["Tags"],
    ),
    _listed(
        "repository",
        "codecommit",
        "list_repositories",
        "repositories",
        "repositoryName",
        _arn("codecommit", ""),
    ),
    _listed(
        "document",
        "ssm",
        "list_documents",
        "DocumentIdentifiers",
        "Name",
        _ssm_tags("Document"),
        Filters=OWN_DOCUMENTS,
    ),
    _listed("parameter", "ssm", "describe_parameters", "Parameters", "Name", _ssm_tags("Parameter")),
    _listed(
        "topic",
        "sns",
        "list_topics",
        "Topics",
        "TopicArn",
        _ask("sns", "list_tags_for_resource", "ResourceArn", "Tags"),
    ),
    _listed("bucket", "s3", "list_buckets", "Buckets", "Name", _bucket_tags),
    _tagged(
        "image",
        "ec2",
        "describe_images",
        "Images",
        "ImageId",
        Owners=["self"],
        IncludeDisabled=True,
    ),
    _tagged("snapshot", "ec2", "describe_snapshots", "Snapshots", "SnapshotId", OwnerIds=["self"]),
    _tagged("volume", "ec2", "describe_volumes", "Volumes", "VolumeId"),
    _listed(
        "launch template",
        "ec2",
        "describe_launch_templates",
        "LaunchTemplates",
        "LaunchTemplateName",
        lambda aws, identity, item: item.get("Tags", []),
        "LaunchTemplateId",
    ),
    _listed("log group", "logs", "describe_log_groups", "logGroups", "logGroupName", _log_tags),
    _listed(
        "instance profile",
        "iam",
        "list_instance_profiles",
        "InstanceProfiles",
        "InstanceProfileName",
        _ask("iam", "list_instance_profile_tags", "InstanceProfileName", "Tags"),
    ),
    _listed(
        "role",
        "iam",
        "list_roles",
        "Roles",
        "RoleName",
        _ask("iam", "list_role_tags", "RoleName", "Tags"),
    ),
    _listed(
        "policy",
        "iam",
        "list_policies",
        "Policies",
        "PolicyName",
        _ask("iam", "list_policy_tags", "PolicyArn", "Tags"),
        "Arn",
        Scope="Local",
    ),
    _tagged(
        "network interface",
        "ec2",
        "describe_network_interfaces",
        "NetworkInterfaces",
        "NetworkInterfaceId",
    ),
    _tagged("security group", "ec2", "describe_security_groups", "SecurityGroups", "GroupId"),
    _tagged("subnet", "ec2", "describe_subnets", "Subnets", "SubnetId"),
    _tagged("route table", "ec2", "describe_route_tables", "RouteTables", "RouteTableId"),
    _tagged("internet gateway", "ec2", "describe_internet_gateways", "InternetGateways", "InternetGatewayId"),
    _tagged("network", "ec2", "describe_vpcs", "Vpcs", "VpcId"),
)
"""in an order in which they can be deleted"""
