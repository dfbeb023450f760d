"""Policies that hang on resources: buckets, topics, functions.

A service tells its own by a method `resource_policy(arn) -> str | None`; SNS's lie with moto.
"""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING

from gbg_sandbox.authorisation.evaluator import Policy

if TYPE_CHECKING:
    from gbg_sandbox.cloud import Cloud


@functools.lru_cache(maxsize=256)
def _read(document: str) -> Policy:
    return Policy.read(document)


def check(document: str) -> None:
    """Raise ValueError, which says why, unless this can be the policy of a resource."""
    try:
        policy = Policy.read(document)
    except (TypeError, AttributeError, KeyError) as error:
        raise ValueError(f"it can't be read: {error}") from error
    if not policy.statements or any(one.principals is None for one in policy.statements):
        raise ValueError("Missing required field Principal")


def of_resource(cloud: Cloud, arn: str) -> Policy | None:
    parts = arn.split(":", 5)
    if len(parts) < 6:
        return None
    name = parts[2]
    tell = getattr(cloud.services.get(name), "resource_policy", None)
    if tell is not None:
        document = tell(arn)
    elif name == "sns":
        document = _topic(cloud.account, parts[3], arn)
    else:
        document = None
    return _read(document) if document else None


def _topic(account: str, region: str, arn: str) -> str | None:
    from moto.sns.models import sns_backends

    topic = sns_backends[account][region].topics.get(arn)
    return topic.policy if topic is not None else None
