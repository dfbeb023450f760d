"""Everything that CodeDeploy does to an account, it does under the deployment group's service role."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from gbg_sandbox.services.codedeploy.failures import (
    DeploymentFailed,
    cannot_assume,
    is_refusal,
    no_permission,
)

if TYPE_CHECKING:
    from gbg_sandbox.cloud import Cloud

PRINCIPAL = "codedeploy.amazonaws.com"
AMAZON_NAME = {
    "autoscaling": "AmazonAutoScaling",
    "elbv2": "AmazonElasticLoadBalancing",
    "ec2": "AmazonEC2",
    "cloudwatch": "AmazonCloudWatch",
}


class ServiceRole:
    def __init__(self, cloud: Cloud, arn: str, session: str) -> None:
        self._cloud = cloud
        self.arn = arn
        self._session = session
        self._clients: dict[str, Any] = {}

    def client(self, service: str) -> Any:
        """A client under the role, assumed once. Raises DeploymentFailed when it can't be."""
        if service not in self._clients:
            try:
                self._clients[service] = self._cloud.client(
                    service, role=self.arn, acting=PRINCIPAL, session=self._session
                )
            except ClientError as error:
                raise DeploymentFailed("IAM_ROLE_MISSING", cannot_assume(self.arn)) from error
        return self._clients[service]

    def call(self, service: str, operation: str, **params: Any) -> Any:
        """One call, named as in boto3. Raises DeploymentFailed for a missing right, else ClientError."""
        method: Callable[..., Any] = getattr(self.client(service), operation)
        try:
            return method(**params)
        except ClientError as error:
            if is_refusal(error):
                raise no_permission(self.arn, AMAZON_NAME.get(service, service), error) from error
            raise
