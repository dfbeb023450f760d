"""Faults of rights: a policy on a role that denies what the release needs from it."""

from __future__ import annotations

import json

from gbg_lib.errors import NotThere
from gbg_lib.faults.fault import Act, Fault, Former
from gbg_lib.steps import ReleaseRun

POLICY = "planted-fault"


def deny(role: str, *actions: str, part: int = 1) -> Act:
    """`role` is the role's name in the template of that part."""

    def act(step: ReleaseRun, former: Former) -> None:
        statement = {"Effect": "Deny", "Action": list(actions), "Resource": "*"}
        step.aws.call(
            "iam",
            "put_role_policy",
            RoleName=role_name(step, role, part),
            PolicyName=POLICY,
            PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [statement]}),
        )

    return act


def allow(role: str, *, part: int = 1) -> Act:
    def act(step: ReleaseRun, former: Former) -> None:
        try:
            step.aws.call(
                "iam", "delete_role_policy", RoleName=role_name(step, role, part), PolicyName=POLICY
            )
        except NotThere:
            return

    return act


def role_name(step: ReleaseRun, logical_id: str, part: int) -> str:
    stack = {1: step.base_stack, 3: step.pipeline_stack}[part]
    found = step.aws.call(
        "cloudformation", "describe_stack_resource", StackName=stack, LogicalResourceId=logical_id
    )
    return str(found["StackResourceDetail"]["PhysicalResourceId"])


def _fault(name: str, what: str, role: str, *actions: str, part: int = 1) -> Fault:
    return Fault(name, what, plant=deny(role, *actions, part=part), remove=allow(role, part=part))


FAULTS = (
    _fault(
        "pipeline-role-may-not-read-source",
        "The pipeline's role may not read the repository.",
        "PipelineRole",
        "codecommit:*",
        part=3,
    ),
    _fault(
        "pipeline-role-may-not-deploy",
        "The pipeline's role may not create deployments.",
        "PipelineRole",
        "codedeploy:CreateDeployment",
        part=3,
    ),
    _fault(
        "function-role-may-not-bake",
        "The golden AMI function's role may not start the bake.",
        "BakeFunctionRole",
        "ssm:StartAutomationExecution",
        part=3,
    ),
    _fault(
        "function-role-may-not-pin",
        "The pin function's role may not put the fleet on the new image.",
        "PinFunctionRole",
        "autoscaling:UpdateAutoScalingGroup",
        part=3,
    ),
    _fault(
        "restore-role-may-not-put-back",
        "The role of the function that gives blue its former version back may not do so.",
        "RestoreFunctionRole",
        "autoscaling:UpdateAutoScalingGroup",
        part=3,
    ),
    _fault(
        "bake-role-may-not-launch",
        "The bake's role may not launch its machine.",
        "BakeRole",
        "ec2:RunInstances",
    ),
    _fault(
        "bake-role-may-not-image",
        "The bake's role may not make an image.",
        "BakeRole",
        "ec2:CreateImage",
    ),
    _fault(
        "builder-role-may-not-report",
        "The role of the bake's machine may not talk to Systems Manager.",
        "BuilderRole",
        "ssm:UpdateInstanceInformation",
        "ssmmessages:*",
        "ec2messages:*",
    ),
    _fault("build-role-may-not-log", "The build's role may not write its log.", "BuildRole", "logs:*"),
    _fault(
        "build-role-may-not-store",
        "The build's role may not store the artifact.",
        "BuildRole",
        "s3:PutObject",
    ),
    _fault(
        "deploy-role-may-not-copy",
        "CodeDeploy's role may not create the green fleet.",
        "DeployRole",
        "autoscaling:CreateAutoScalingGroup",
    ),
    _fault(
        "deploy-role-may-not-register",
        "CodeDeploy's role may not register machines with the load balancer.",
        "DeployRole",
        "elasticloadbalancing:RegisterTargets",
    ),
    _fault(
        "instance-role-may-not-fetch",
        "The machines' role may not read the artifact.",
        "InstanceRole",
        "s3:GetObject",
        "s3:GetObjectVersion",
    ),
)
