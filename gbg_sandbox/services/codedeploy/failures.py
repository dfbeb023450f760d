"""How deployments fail, in AWS's codes and words.

https://docs.aws.amazon.com/codedeploy/latest/userguide/error-codes.html
"""

from __future__ import annotations

from botocore.exceptions import ClientError

TOO_FEW_HEALTHY = (
    "The overall deployment failed because too many individual instances failed deployment, too few healthy "
    "instances are available for deployment, or some instances in your deployment group are experiencing "
    "problems."
)
NO_INSTANCES = (
    "No instances were found in your deployment group. Check your deployment group settings to make sure "
    "the tags "
    "for your Amazon EC2 instances or Auto Scaling groups correctly identify the instances you want to "
    "deploy to, "
    "and then try again."
)
NO_AGENT = (
    "CodeDeploy agent was not able to receive the lifecycle event. Check the CodeDeploy agent logs on your "
    "host and "
    "make sure the agent is running and can connect to the CodeDeploy server."
)
REFUSALS = frozenset({"AccessDenied", "AccessDeniedException", "UnauthorizedOperation", "AuthorizationError"})


class DeploymentFailed(Exception):
    """The deployment ends as Failed."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message


class DeploymentHalted(Exception):
    """The deployment ends as Stopped; its `halt` says why."""


def is_refusal(error: ClientError) -> bool:
    return error.response["Error"]["Code"] in REFUSALS


def no_permission(role: str, service: str, error: ClientError) -> DeploymentFailed:
    """The service role lacks a right."""
    code = "AUTO_SCALING_IAM_ROLE_PERMISSIONS" if service == "AmazonAutoScaling" else "IAM_ROLE_PERMISSIONS"
    return DeploymentFailed(
        code,
        f"The IAM role {role} does not give you permission to perform operations in the following AWS "
        "service: "
        f"{service}. Contact your AWS administrator if you need help. If you are an AWS administrator, you "
        "can grant "
        "permissions to your users or groups by creating IAM policies. "
        f"({error.response['Error']['Message']})",
    )


def cannot_assume(role: str) -> str:
    return f"AWS CodeDeploy does not have the permissions required to assume the role {role}."
