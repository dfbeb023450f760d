"""An account in one object: two stacks, copied groups, machines, images, buckets, what goes on.

What is not made here is not there: lists are empty. Every change is written down; `dies_at` lets the caller's
process end before the change of that number, and what was done until then stays done.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from gbg_lib.aws import Aws
from tests.unit.aws_fakes import connected, refusal

SERVICES = (
    *("autoscaling", "cloudformation", "cloudwatch", "codebuild", "codecommit", "codedeploy", "codepipeline"),
    *("ec2", "elbv2", "events", "iam", "lambda", "logs", "resourcegroupstaggingapi", "s3", "sns", "ssm"),
    "sts",
)
OURS = [{"Key": "gbg:deployment", "Value": "gbg"}]
LISTS = {
    "describe_auto_scaling_groups": "AutoScalingGroups",
    "describe_images": "Images",
    "describe_instances": "Reservations",
    "describe_internet_gateways": "InternetGateways",
    "describe_launch_templates": "LaunchTemplates",
    "describe_load_balancers": "LoadBalancers",
    "describe_log_groups": "logGroups",
    "describe_alarms": "MetricAlarms",
    "describe_automation_executions": "AutomationExecutionMetadataList",
    "describe_parameters": "Parameters",
    "list_buckets": "Buckets",
    "list_stacks": "StackSummaries",
    "list_topics": "Topics",
}


RELEASE = {
    "status": "InProgress",
    "startTime": datetime(2026, 11, 28, tzinfo=UTC),
    "sourceRevisions": [{"revisionId": "4b799fd1" + "0" * 32, "revisionSummary": "A page"}],
    "trigger": {"triggerType": "StartPipelineExecution"},
}


class Died(BaseException):
    """The operator's process was killed."""


@dataclass
class FakeStack:
    status: str = "CREATE_COMPLETE"
    resources: dict[str, str] = field(default_factory=dict)
    """logical id → physical id"""
    tags: list[dict[str, str]] = field(default_factory=lambda: list(OURS))
    protected: bool = False
    holds: set[str] = field(default_factory=set)
    """resources that can't be deleted"""
    settles: str = ""
    """the status after the work that goes on, at the next look"""


@dataclass
class FakeAccount:
    stacks: dict[str, FakeStack] = field(default_factory=dict)
    groups: dict[str, str] = field(default_factory=dict)
    """group → the deployment that its tag names"""
    machines: dict[str, str] = field(default_factory=dict)
    """machine → group, or nothing"""
    images: dict[str, str] = field(default_factory=dict)
    """image → snapshot"""
    buckets: dict[str, list[str]] = field(default_factory=dict)
    """bucket → objects"""
    logs: set[str] = field(default_factory=set)
    untagged: set[str] = field(default_factory=set)
    may_ask_for_tags: bool = True
    """names of what carries no tag"""
    going_on: dict[str, str] = field(default_factory=dict)
    """its id → release, bake, build or deployment"""
    forbidden: set[str] = field(default_factory=set)
    """operations that this caller may not ask for"""
    others: dict[str, str] = field(default_factory=dict)
    """machine of someone else → the image that it runs"""
    done: list[str] = field(default_factory=list)
    dies_at: int = -1
    stuck: set[str] = field(default_factory=set)
    """log groups that can't be deleted"""
    told: list[str] = field(default_factory=list)
    """ARNs that the tagging API tells"""

    @property
    def aws(self) -> Aws:
        services: dict[str, Any] = dict.fromkeys(SERVICES, self)
        return connected(**services)

    def __getattr__(self, operation: str) -> Callable[..., Any]:
        """Lists of what isn't modelled are empty."""
        if operation.startswith(("describe_", "list_")):
            return lambda **given: {LISTS.get(operation, "nothing"): []}
        raise AttributeError(operation)

    def change(self, what: str) -> None:
        if len(self.done) == self.dies_at:
            self.dies_at = -1
            raise Died
        self.done.append(what)

    # ------------------------------------------------------------ looks

    def get_caller_identity(self, **given: Any) -> dict[str, Any]:
        return {"Account": "123456789012"}

    def describe_stacks(self, **given: Any) -> dict[str, Any]:
        name = given["StackName"].removeprefix("arn:")
        stack = self.stacks.get(name)
        if stack is None:
            raise refusal("ValidationError", f"Stack with id {name} does not exist")
        told: dict[str, Any] = {"StackName": name, "StackId": f"arn:{name}", "StackStatus": stack.status}
        if stack.settles:
            stack.status, stack.settles = stack.settles, ""
        return {"Stacks": [told | {"Tags": stack.tags, "EnableTerminationProtection": stack.protected}]}

    def list_stack_resources(self, **given: Any) -> dict[str, Any]:
        stack = self.stacks[given["StackName"].removeprefix("arn:")]
        found = [
            {"LogicalResourceId": key, "PhysicalResourceId": value, "ResourceStatus": "CREATE_COMPLETE"}
            for key, value in stack.resources.items()
        ]
        return {"StackResourceSummaries": found}

    def describe_auto_scaling_groups(self, **given: Any) -> dict[str, Any]:
        wanted = given.get("Filters")
        found = [
            {"AutoScalingGroupName": name}
            for name, owner in self.groups.items()
            if not wanted or owner in wanted[0]["Values"]
        ]
        return {"AutoScalingGroups": found}

    def describe_instances(self, **given: Any) -> dict[str, Any]:
        if not any(one["Name"] == "tag:gbg:deployment" for one in given["Filters"]):
            found = [{"InstanceId": one, "ImageId": image} for one, image in self.others.items()]
            return {"Reservations": [{"Instances": found}]}
        machines = [self._machine(one, group) for one, group in self.machines.items()]
        return {"Reservations": [{"Instances": machines}]}

    def _machine(self, machine: str, group: str) -> dict[str, Any]:
        tags = [{"Key": "aws:autoscaling:groupName", "Value": group}] if group else []
        runs: dict[str, Any] = {"State": {"Name": "running"}, "PublicIpAddress": "203.0.113.5"}
        return {"InstanceId": machine, "Tags": [*OURS, *tags], "InstanceType": "t3.small", **runs}

    def describe_images(self, **given: Any) -> dict[str, Any]:
        return {"Images": [{"ImageId": one, "Tags": OURS} for one in self.images]}

    def describe_snapshots(self, **given: Any) -> dict[str, Any]:
        return {"Snapshots": [{"SnapshotId": one, "VolumeSize": 8} for one in self.images.values()]}

    def list_buckets(self, **given: Any) -> dict[str, Any]:
        return {"Buckets": [{"Name": name} for name in self.buckets]}

    def get_bucket_tagging(self, **given: Any) -> dict[str, Any]:
        if given["Bucket"] in self.untagged:
            raise refusal("NoSuchTagSet", "The TagSet does not exist")
        return {"TagSet": OURS}

    def list_object_versions(self, **given: Any) -> dict[str, Any]:
        return {"Versions": [{"Key": one, "VersionId": "1"} for one in self.buckets[given["Bucket"]]]}

    def get_resources(self, **given: Any) -> dict[str, Any]:
        if not self.may_ask_for_tags:
            raise refusal("AccessDenied", "not authorized to perform: tag:GetResources")
        return {"ResourceTagMappingList": [{"ResourceARN": one} for one in self.told]}

    def describe_log_groups(self, **given: Any) -> dict[str, Any]:
        arn = "arn:aws:logs:us-east-1:123456789012:log-group:"
        return {"logGroups": [{"logGroupName": one, "arn": f"{arn}{one}:*"} for one in sorted(self.logs)]}

    def list_tags_for_resource(self, **given: Any) -> dict[str, Any]:
        [arn] = [value for key, value in given.items() if key.lower() in ("resourcearn", "resourceid")]
        bare = any(arn.endswith(name) for name in self.untagged)
        return {"tags": {} if bare else {"gbg:deployment": "gbg"}}

    def list_pipeline_executions(self, **given: Any) -> dict[str, Any]:
        told = [{"pipelineExecutionId": one, **RELEASE} for one in self.at_work("release")]
        return {"pipelineExecutionSummaries": told}

    def describe_automation_executions(self, **given: Any) -> dict[str, Any]:
        told = {"DocumentName": "gbg-bake", "AutomationExecutionStatus": "InProgress"}
        found = self.at_work("bake")
        return {"AutomationExecutionMetadataList": [{"AutomationExecutionId": one, **told} for one in found]}

    def list_builds_for_project(self, **given: Any) -> dict[str, Any]:
        if "list_builds_for_project" in self.forbidden:
            raise refusal("AccessDeniedException", "no identity-based policy allows codebuild:ListBuilds")
        if not (found := self.at_work("build")):
            raise refusal("ResourceNotFoundException", "The project does not exist")
        return {"ids": found}

    def batch_get_builds(self, **given: Any) -> dict[str, Any]:
        return {"builds": [{"id": one, "buildStatus": "IN_PROGRESS"} for one in given["ids"]]}

    def list_deployment_groups(self, **given: Any) -> dict[str, Any]:
        if not self.at_work("deployment"):
            raise refusal("ApplicationDoesNotExistException", "No application found")
        return {"deploymentGroups": ["gbg-fleet"]}

    def list_deployments(self, **given: Any) -> dict[str, Any]:
        return {"deployments": self.at_work("deployment")}

    def get_deployment(self, **given: Any) -> dict[str, Any]:
        return {"deploymentInfo": {"deploymentId": given["deploymentId"], "status": "InProgress"}}

    def at_work(self, kind: str) -> list[str]:
        return [one for one, found in self.going_on.items() if found == kind]

    # ------------------------------------------------------------ changes

    def stop_pipeline_execution(self, **given: Any) -> dict[str, Any]:
        assert given["abandon"]
        self.change(f"stop release {given['pipelineExecutionId']}")
        del self.going_on[given["pipelineExecutionId"]]
        return {"pipelineExecutionId": given["pipelineExecutionId"]}

    def stop_automation_execution(self, **given: Any) -> dict[str, Any]:
        assert given["Type"] == "Cancel", "a bake that is killed leaves its builder"
        self.change(f"cancel bake {given['AutomationExecutionId']}")
        del self.going_on[given["AutomationExecutionId"]]
        return {}

    def delete_objects(self, **given: Any) -> dict[str, Any]:
        self.change(f"empty {given['Bucket']}")
        self.buckets[given["Bucket"]].clear()
        return {}

    def list_multipart_uploads(self, **given: Any) -> dict[str, Any]:
        return {"Uploads": []}

    def delete_bucket(self, **given: Any) -> dict[str, Any]:
        assert not self.buckets[given["Bucket"]]
        self.change(f"delete bucket {given['Bucket']}")
        del self.buckets[given["Bucket"]]
        return {}

    def delete_stack(self, **given: Any) -> dict[str, Any]:
        """Deletes what it can at once; a bucket that holds something stays, and so does what holds out."""
        name = given["StackName"].removeprefix("arn:")
        forced = given.get("DeletionMode") == "FORCE_DELETE_STACK"
        stack = self.stacks[name]
        assert not forced or stack.status == "DELETE_FAILED"
        self.change(f"{'force ' if forced else ''}delete stack {name}")
        for logical, physical in list(stack.resources.items()):
            if logical not in stack.holds and not self.buckets.get(physical):
                self._forget(physical)
                del stack.resources[logical]
        stack.status = "DELETE_FAILED"
        if forced or not stack.resources:
            del self.stacks[name]
        return {}

    def _forget(self, physical: str) -> None:
        self.buckets.pop(physical, None)
        self.groups.pop(physical, None)
        self.logs.discard(physical)
        for machine in [one for one, group in self.machines.items() if group == physical]:
            del self.machines[machine]

    def delete_auto_scaling_group(self, **given: Any) -> dict[str, Any]:
        assert given["ForceDelete"]
        self.change(f"delete group {given['AutoScalingGroupName']}")
        self._forget(given["AutoScalingGroupName"])
        return {}

    def terminate_instances(self, **given: Any) -> dict[str, Any]:
        [machine] = given["InstanceIds"]
        self.change(f"terminate {machine}")
        del self.machines[machine]
        return {}

    def deregister_image(self, **given: Any) -> dict[str, Any]:
        assert given["DeleteAssociatedSnapshots"]
        self.change(f"deregister {given['ImageId']}")
        del self.images[given["ImageId"]]
        return {}

    def delete_snapshot(self, **given: Any) -> dict[str, Any]:
        raise refusal("InvalidSnapshot.NotFound", "The snapshot does not exist.")

    def delete_log_group(self, **given: Any) -> dict[str, Any]:
        if given["logGroupName"] in self.stuck:
            raise refusal("OperationAbortedException", "it is protected")
        self.change(f"delete log group {given['logGroupName']}")
        self.logs.discard(given["logGroupName"])
        return {}
