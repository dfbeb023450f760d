"""Loads ahead what the first calls of a fresh sandbox would wait for: two seconds of models and moto."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gbg_sandbox.gateway.models import service_model

if TYPE_CHECKING:
    from gbg_sandbox.cloud import Cloud

FIRST = ("cloudformation", "ec2", "iam", "ssm", "s3", "logs", "sns", "autoscaling", "elbv2", "cloudwatch")
LATER = ("lambda", "codecommit", "codebuild", "codedeploy", "codepipeline", "events", "sts")
FIRST_CALL_SECONDS = 0.7
STORED = ("iam", "ssm", "s3", "logs", "sns")
"""kept by moto, as is EC2, which prepares itself"""


def load(cloud: Cloud) -> None:
    """In the order in which a deployment needs them; whoever calls first comes first. Raises ShuttingDown."""
    cloud.clock.pause(FIRST_CALL_SECONDS)
    cloud.service("ec2").prepare()
    for service in STORED:
        cloud.moto.load(service)
    for service in (*FIRST, *LATER):
        service_model(service)
        cloud.client(service)
        cloud.clock.pause(0)
