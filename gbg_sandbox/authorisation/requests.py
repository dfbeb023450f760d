"""What one request must be allowed to do: its actions, the resources they touch, and their condition keys.

Most operations follow AWS's service authorisation reference through `resources.py`; those that ask for more
than one right, or name their resources in their own way, are written out in this package's other modules.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING, Any

from gbg_sandbox.authorisation.conditions import Value
from gbg_sandbox.authorisation.context import request_tags, tags_in
from gbg_sandbox.authorisation.resources import arns, table

if TYPE_CHECKING:
    from gbg_sandbox.cloud import Cloud

PREFIXES = {
    "elb": "elasticloadbalancing",
    "elbv2": "elasticloadbalancing",
    "resourcegroupstaggingapi": "tag",
    "codedeploy-commands": "codedeploy-commands-secure",
    "codedeploy_commands": "codedeploy-commands-secure",
}
BY_IDENTITY = {"codedeploy-commands"}
"""Agents' APIs that only ask which instance is calling, and look at that themselves."""
FREE = {("sts", "GetCallerIdentity"), ("sts", "AssumeRole"), ("sts", "GetSessionToken")}
"""No identity policy is asked. AssumeRole is decided by `check_trust`, which the operation calls itself."""


@dataclass(frozen=True)
class Check:
    """One right that the request needs."""

    action: str
    resource: str = "*"
    keys: Mapping[str, Value] = field(default_factory=dict)
    """condition keys in lower case, beside the global ones"""
    error: str = ""
    """what the service says instead of IAM's own sentence"""


@dataclass(frozen=True)
class Request:
    cloud: Cloud
    service: str
    operation: str
    params: Mapping[str, Any]

    @property
    def prefix(self) -> str:
        return PREFIXES.get(self.service, self.service)

    @property
    def action(self) -> str:
        return f"{self.prefix}:{self.operation}"

    def arn(self, resource: str, prefix: str = "") -> str:
        return self.cloud.arn(prefix or self.prefix, resource)


Rule = Callable[[Request], list[Check]]


def needed(request: Request) -> list[Check]:
    """Every right that this request needs."""
    from gbg_sandbox.authorisation import (
        ec2_requests,
        passed_roles,
        s3_requests,
    )

    if (request.service, request.operation) in FREE or request.service in BY_IDENTITY:
        return []
    if request.service == "s3":
        checks = s3_requests.checks(request)
    elif (rule := _rules().get(request.action)) is not None:
        checks = rule(request)
    elif request.service == "ec2":
        checks = ec2_requests.checks(request)
    else:
        checks = by_reference(request)
    return checks + passed_roles.checks(request)


@cache
def _rules() -> dict[str, Rule]:
    from gbg_sandbox.authorisation import code_requests, ec2_requests, system_requests

    return {**system_requests.RULES, **code_requests.RULES, **ec2_requests.RULES}


def by_reference(request: Request, action: str = "") -> list[Check]:
    """The request's action on each resource that it names by the reference, else on `*`."""
    action = action or request.action
    prefix, operation = action.split(":")
    kinds = table().get(prefix, {"actions": {}})["actions"].get(operation, ())
    cloud = request.cloud
    named = [
        arn
        for kind in kinds
        for arn in arns(prefix, kind.rstrip("*"), request.params, cloud.region, cloud.account)
    ]
    keys = request_tags(tags_in(request.params))
    return [Check(action, arn, keys) for arn in dict.fromkeys(named)] or [Check(action, "*", keys)]
