"""Functions as AWS describes them."""

from __future__ import annotations

import json
import re
import uuid
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from gbg_sandbox.service import AwsError

NAME = re.compile(
    r"(?:(?:arn:aws:lambda:[a-z0-9-]+:\d{12}:function:)|(?:\d{12}:(?:function:)?))?"
    r"(?P<name>[a-zA-Z0-9_-]{1,64})(?::(?P<qualifier>\$LATEST|[a-zA-Z0-9_-]+))?"
)
RETRIES = 2
OLDEST_EVENT_SECONDS = 21_600


@dataclass(frozen=True)
class Code:
    """An unpacked deployment package."""

    root: Path
    archive: Path
    sha256: str
    size: int


@dataclass
class EventInvokeConfig:
    """How asynchronous events are tried again."""

    retries: int = RETRIES
    oldest_seconds: int = OLDEST_EVENT_SECONDS
    """AWS seconds"""
    modified: datetime = field(default_factory=lambda: datetime.now(UTC))


@dataclass
class Function:
    name: str
    arn: str
    code: Code
    role: str
    runtime: str
    handler: str
    description: str = ""
    timeout_seconds: int = 3
    memory_mb: int = 128
    storage_mb: int = 512
    environment: dict[str, str] = field(default_factory=dict)
    log_group: str = ""
    tags: dict[str, str] = field(default_factory=dict)
    state: str = "Pending"
    update: str = "InProgress"
    revision: str = field(default_factory=lambda: str(uuid.uuid4()))
    modified: datetime = field(default_factory=lambda: datetime.now(UTC))
    statements: dict[str, dict[str, Any]] = field(default_factory=dict)
    """its resource policy's statements by id"""
    event_config: EventInvokeConfig | None = None

    def touch(self) -> None:
        self.revision = str(uuid.uuid4())
        self.modified = datetime.now(UTC)

    @property
    def policy(self) -> str | None:
        if not self.statements:
            return None
        return json.dumps(
            {"Version": "2012-10-17", "Id": "default", "Statement": list(self.statements.values())}
        )

    def described(self) -> dict[str, Any]:
        pending = {"StateReason": "The function is being created.", "StateReasonCode": "Creating"}
        return {
            "FunctionName": self.name,
            "FunctionArn": self.arn,
            "Runtime": self.runtime,
            "Role": self.role,
            "Handler": self.handler,
            "CodeSize": self.code.size,
            "CodeSha256": self.code.sha256,
            "Description": self.description,
            "Timeout": self.timeout_seconds,
            "MemorySize": self.memory_mb,
            "LastModified": self.modified.strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "+0000",
            "Version": "$LATEST",
            "TracingConfig": {"Mode": "PassThrough"},
            "RevisionId": self.revision,
            "State": self.state,
            **(pending if self.state == "Pending" else {}),
            "LastUpdateStatus": self.update,
            "PackageType": "Zip",
            "Architectures": ["x86_64"],
            "EphemeralStorage": {"Size": self.storage_mb},
            "SnapStart": {"ApplyOn": "None", "OptimizationStatus": "Off"},
            "LoggingConfig": {"LogFormat": "Text", "LogGroup": self.log_group},
            **({"Environment": {"Variables": self.environment}} if self.environment else {}),
        }


class Functions:
    """All functions by name. Whoever reads or writes holds the service's lock."""

    def __init__(self, arn_prefix: str) -> None:
        self.by_name: dict[str, Function] = {}
        self._arn_prefix = arn_prefix

    def get(self, wanted: str, qualifier: str = "") -> Function:
        """By name, partial or whole ARN. Raises AwsError."""
        found = NAME.fullmatch(wanted)
        if found is None:
            raise AwsError(
                "ValidationException", f"1 validation error detected: functionName '{wanted}' is not valid"
            )
        version = qualifier or found["qualifier"] or "$LATEST"
        function = self.by_name.get(found["name"])
        if function is None or version != "$LATEST":
            suffix = "" if version == "$LATEST" else f":{version}"
            raise AwsError(
                "ResourceNotFoundException",
                f"Function not found: {self._arn_prefix}{found['name']}{suffix}",
                404,
            )
        return function
