"""Providers, a module each service; what is not here is refused before anything is created."""

from __future__ import annotations

from collections.abc import Iterator

from gbg_sandbox.services.cloudformation.resources import (
    autoscaling,
    codedeploy,
    custom,
    developer_tools,
    ec2_compute,
    ec2_network,
    ec2_security,
    elasticloadbalancingv2,
    iam,
    lambda_,
    monitoring,
    s3,
    scheduler,
    sns,
    ssm,
)
from gbg_sandbox.services.cloudformation.resources.base import Provider

MODULES = (
    autoscaling,
    codedeploy,
    custom,
    developer_tools,
    ec2_compute,
    ec2_network,
    ec2_security,
    elasticloadbalancingv2,
    iam,
    lambda_,
    monitoring,
    s3,
    scheduler,
    sns,
    ssm,
)


def _classes() -> Iterator[type[Provider]]:
    for module in MODULES:
        for found in vars(module).values():
            if isinstance(found, type) and issubclass(found, Provider) and "type" in vars(found):
                yield found


PROVIDERS: dict[str, Provider] = {found.type: found() for found in _classes()}


def find_provider(type_name: str) -> Provider | None:
    """None for a type that the sandbox does not run."""
    key = custom.CustomResource.type if type_name.startswith("Custom::") else type_name
    return PROVIDERS.get(key)


def provider_of(type_name: str) -> Provider:
    found = find_provider(type_name)
    assert found is not None, f"{type_name} was accepted without a provider"
    return found
