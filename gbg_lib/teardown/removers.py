"""How one thing of each kind is removed. What is gone already is no error to the caller of `remove`."""

from __future__ import annotations

from collections.abc import Callable

from gbg_lib.aws import Aws
from gbg_lib.errors import AwsError, NotThere
from gbg_lib.teardown.kinds import Found

OBJECTS = 1000
"""that DeleteObjects takes"""
Remover = Callable[[Aws, Found], object]


def remove(aws: Aws, thing: Found) -> None:
    """Raises AwsError where something else still needs it; then it is to be tried again."""
    try:
        REMOVERS[thing.kind](aws, thing)
    except NotThere:
        return


def empty_bucket(aws: Aws, bucket: str) -> int:
    """Every version, delete marker and unfinished upload; returns how many objects that were."""
    count = 0
    while objects := _versions(aws, bucket):
        done = aws.call("s3", "delete_objects", Bucket=bucket, Delete={"Objects": objects, "Quiet": True})
        if errors := done.get("Errors"):
            first = errors[0]
            raise AwsError(
                f"bucket {bucket}",
                f"{len(errors)} objects stay, first {first['Key']}: {first['Code']}",
                "look at the bucket's policy and at object locks",
            )
        count += len(objects)
    for upload in list(aws.pages("s3", "list_multipart_uploads", "Uploads", Bucket=bucket)):
        aws.call(
            "s3", "abort_multipart_upload", Bucket=bucket, Key=upload["Key"], UploadId=upload["UploadId"]
        )
    return count


def _versions(aws: Aws, bucket: str) -> list[dict[str, str]]:
    found = aws.call("s3", "list_object_versions", Bucket=bucket, MaxKeys=OBJECTS)
    listed = [*found.get("Versions", []), *found.get("DeleteMarkers", [])]
    return [{"Key": one["Key"], "VersionId": one["VersionId"]} for one in listed]


def _by(service: str, operation: str, parameter: str) -> Remover:
    def call(aws: Aws, thing: Found) -> None:
        aws.call(service, operation, **{parameter: thing.id})

    return call


def _group(aws: Aws, thing: Found) -> None:
    aws.call("autoscaling", "delete_auto_scaling_group", AutoScalingGroupName=thing.id, ForceDelete=True)


def _bucket(aws: Aws, thing: Found) -> None:
    empty_bucket(aws, thing.id)
    aws.call("s3", "delete_bucket", Bucket=thing.id)


def _image(aws: Aws, thing: Found) -> None:
    aws.call("ec2", "deregister_image", ImageId=thing.id, DeleteAssociatedSnapshots=True)


def _alarm(aws: Aws, thing: Found) -> None:
    aws.call("cloudwatch", "delete_alarms", AlarmNames=[thing.id])


def _instance(aws: Aws, thing: Found) -> None:
    aws.call("ec2", "terminate_instances", InstanceIds=[thing.id])


def _rule(aws: Aws, thing: Found) -> None:
    targets = [one["Id"] for one in aws.pages("events", "list_targets_by_rule", "Targets", Rule=thing.id)]
    if targets:
        aws.call("events", "remove_targets", Rule=thing.id, Ids=targets)
    aws.call("events", "delete_rule", Name=thing.id)


def _role(aws: Aws, thing: Found) -> None:
    name = {"RoleName": thing.id}
    for profile in list(aws.pages("iam", "list_instance_profiles_for_role", "InstanceProfiles", **name)):
        leave = {**name, "InstanceProfileName": profile["InstanceProfileName"]}
        aws.call("iam", "remove_role_from_instance_profile", **leave)
    for policy in list(aws.pages("iam", "list_attached_role_policies", "AttachedPolicies", **name)):
        aws.call("iam", "detach_role_policy", **name, PolicyArn=policy["PolicyArn"])
    for inline in list(aws.pages("iam", "list_role_policies", "PolicyNames", **name)):
        aws.call("iam", "delete_role_policy", **name, PolicyName=inline)
    aws.call("iam", "delete_role", **name)


def _instance_profile(aws: Aws, thing: Found) -> None:
    name = {"InstanceProfileName": thing.id}
    for role in aws.call("iam", "get_instance_profile", **name)["InstanceProfile"]["Roles"]:
        aws.call("iam", "remove_role_from_instance_profile", **name, RoleName=role["RoleName"])
    aws.call("iam", "delete_instance_profile", **name)


def _policy(aws: Aws, thing: Found) -> None:
    arn = {"PolicyArn": thing.id}
    for role in list(aws.pages("iam", "list_entities_for_policy", "PolicyRoles", **arn)):
        aws.call("iam", "detach_role_policy", RoleName=role["RoleName"], **arn)
    for version in list(aws.pages("iam", "list_policy_versions", "Versions", **arn)):
        if not version["IsDefaultVersion"]:
            aws.call("iam", "delete_policy_version", **arn, VersionId=version["VersionId"])
    aws.call("iam", "delete_policy", **arn)


def _internet_gateway(aws: Aws, thing: Found) -> None:
    found = aws.call("ec2", "describe_internet_gateways", InternetGatewayIds=[thing.id])
    for attached in found["InternetGateways"][0].get("Attachments", []):
        aws.call("ec2", "detach_internet_gateway", InternetGatewayId=thing.id, VpcId=attached["VpcId"])
    aws.call("ec2", "delete_internet_gateway", InternetGatewayId=thing.id)


def _route_table(aws: Aws, thing: Found) -> None:
    found = aws.call("ec2", "describe_route_tables", RouteTableIds=[thing.id])["RouteTables"][0]
    for one in found.get("Associations", []):
        if not one.get("Main"):
            aws.call("ec2", "disassociate_route_table", AssociationId=one["RouteTableAssociationId"])
    aws.call("ec2", "delete_route_table", RouteTableId=thing.id)


def _application(aws: Aws, thing: Found) -> None:
    """With its deployment groups; CodeDeploy takes its hooks off their Auto Scaling groups."""
    for name in deployment_groups(aws, thing.id):
        aws.call("codedeploy", "delete_deployment_group", applicationName=thing.id, deploymentGroupName=name)
    aws.call("codedeploy", "delete_application", applicationName=thing.id)


def deployment_groups(aws: Aws, application: str) -> list[str]:
    """None where the application is gone."""
    named = {"applicationName": application}
    try:
        return list(map(str, aws.pages("codedeploy", "list_deployment_groups", "deploymentGroups", **named)))
    except NotThere:
        return []


REMOVERS: dict[str, Remover] = {
    "pipeline": _by("codepipeline", "delete_pipeline", "name"),
    "rule": _rule,
    "build project": _by("codebuild", "delete_project", "name"),
    "application": _application,
    "group": _group,
    "instance": _instance,
    "alarm": _alarm,
    "load balancer": _by("elbv2", "delete_load_balancer", "LoadBalancerArn"),
    "target group": _by("elbv2", "delete_target_group", "TargetGroupArn"),
    "function": _by("lambda", "delete_function", "FunctionName"),
    "repository": _by("codecommit", "delete_repository", "repositoryName"),
    "document": _by("ssm", "delete_document", "Name"),
    "parameter": _by("ssm", "delete_parameter", "Name"),
    "topic": _by("sns", "delete_topic", "TopicArn"),
    "bucket": _bucket,
    "image": _image,
    "snapshot": _by("ec2", "delete_snapshot", "SnapshotId"),
    "volume": _by("ec2", "delete_volume", "VolumeId"),
    "launch template": _by("ec2", "delete_launch_template", "LaunchTemplateId"),
    "log group": _by("logs", "delete_log_group", "logGroupName"),
    "instance profile": _instance_profile,
    "role": _role,
    "policy": _policy,
    "network interface": _by("ec2", "delete_network_interface", "NetworkInterfaceId"),
    "security group": _by("ec2", "delete_security_group", "GroupId"),
    "subnet": _by("ec2", "delete_subnet", "SubnetId"),
    "route table": _route_table,
    "internet gateway": _internet_gateway,
    "network": _by("ec2", "delete_vpc", "VpcId"),
}
