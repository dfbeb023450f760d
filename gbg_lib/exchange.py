"""What went through the door: one request to AWS and what came of it."""

from __future__ import annotations

import json
import shlex
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from botocore import xform_name

READS = (
    *("describe_", "get_", "list_", "batch_get_", "lookup_", "filter_", "head_", "detect_"),
    *("simulate_", "validate_", "assume_role"),
)
"""how the operations begin that change nothing"""
CLI_NAMES = {"codedeploy": "deploy", "s3": "s3api"}
"""services that the aws command calls otherwise: https://docs.aws.amazon.com/cli/latest/reference/"""
LONG = 300
"""characters from which on a value is not written out in a command line"""


@dataclass(frozen=True)
class Exchange:
    service: str
    """as boto3 names it"""
    operation: str
    """as boto3 names its method: `describe_stacks`"""
    params: Mapping[str, Any]
    started: datetime
    seconds: float
    reply: Mapping[str, Any] = field(default_factory=dict)
    """empty when AWS answered with an error"""
    error: str = ""
    """AWS's code and message"""

    @property
    def reads(self) -> bool:
        return reads(self.operation)

    @property
    def command(self) -> str:
        """The same request for the aws command."""
        return command(self.service, self.operation, self.params)


Listener = Callable[[Exchange], None]


def reads(operation: str) -> bool:
    """Whether an operation, named as in boto3, only looks."""
    return operation.startswith(READS)


def command(service: str, operation: str, params: Mapping[str, Any]) -> str:
    """A request as a line for the aws command; a value too long for one is a file that holds it."""
    words = ["aws", CLI_NAMES.get(service, service), operation.replace("_", "-")]
    for name, value in params.items():
        words += _option(xform_name(name, "-"), value)
    return " ".join(words)


def _option(name: str, value: Any) -> list[str]:
    if isinstance(value, bool):
        return [f"--{name}" if value else f"--no-{name}"]
    if isinstance(value, list) and all(isinstance(item, str | int) for item in value):
        return [f"--{name}", *(shlex.quote(str(item)) for item in value)]
    text = value if isinstance(value, str) else json.dumps(value, default=str, separators=(",", ":"))
    return [f"--{name}", f"file://{name}" if len(text) > LONG else shlex.quote(text)]
