"""gbg_lib's door over a sandbox inside this process."""

from __future__ import annotations

from typing import Any, cast

import boto3

from gbg_lib.aws import Aws
from gbg_sandbox.cloud import Cloud


class CloudSession:
    def __init__(self, cloud: Cloud) -> None:
        self.region_name = cloud.region
        self._cloud = cloud

    def get_partition_for_region(self, region: str) -> str:
        return "aws"

    def client(self, service: str, **_: object) -> Any:
        return self._cloud.client(service)


def door(cloud: Cloud) -> Aws:
    """As AWS itself: IAM does not stand in the way."""
    return Aws(cast(boto3.session.Session, CloudSession(cloud)), poll_seconds=0.05)
