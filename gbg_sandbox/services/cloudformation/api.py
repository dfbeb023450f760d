"""CloudFormation's operations."""

from __future__ import annotations

from typing import ClassVar

from gbg_sandbox.service import Service


class CloudFormation(Service):
    name: ClassVar[str] = "cloudformation"


SERVICE = CloudFormation
