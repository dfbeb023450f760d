"""Commands and their invocations, one for each machine.

Statuses: https://docs.aws.amazon.com/systems-manager/latest/userguide/monitor-commands.html
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from gbg_sandbox.services.ssm.documents.command import Script

ENDED = frozenset({"Success", "Failed", "TimedOut", "Cancelled"})
DETAILS = {
    "Success": ("Success", "Success"),
    "Failed": ("Failed", "Failed"),
    "Cancelled": ("Cancelled", "Cancelled"),
    "TimedOut": ("TimedOut", "ExecutionTimedOut"),
    "Pending": ("Pending", "Pending"),
    "InProgress": ("InProgress", "InProgress"),
    "Cancelling": ("Cancelling", "Cancelling"),
    "DeliveryTimedOut": ("TimedOut", "DeliveryTimedOut"),
    "Undeliverable": ("Failed", "Undeliverable"),
}
"""one word → Status, StatusDetails"""


@dataclass
class Invocation:
    command_id: str
    instance_id: str
    instance_name: str
    requested: datetime
    status: str = "Pending"
    status_details: str = "Pending"
    response_code: int = -1
    started: datetime | None = None
    ended: datetime | None = None
    stdout: str = ""
    stderr: str = ""

    @property
    def over(self) -> bool:
        return self.status in ENDED


@dataclass
class Command:
    id: str
    document_name: str
    document_version: str
    parameters: Mapping[str, Sequence[str]]
    script: Script
    instance_ids: Sequence[str]
    targets: Sequence[Mapping[str, Any]]
    comment: str
    requested: datetime
    expires: datetime
    timeout_seconds: int
    output: Mapping[str, Any]
    """where output goes beside the API: CloudWatchOutputConfig, OutputS3BucketName, OutputS3KeyPrefix"""
    invocations: dict[str, Invocation] = field(default_factory=dict)
    cancelled: bool = False

    @property
    def status(self) -> tuple[str, str]:
        """Status and StatusDetails of the whole: the worst of its parts when all are over."""
        if not self.invocations:
            return "Success", "NoInstancesInTag"
        parts = list(self.invocations.values())
        if not all(part.over for part in parts):
            if self.cancelled:
                return "Cancelling", "Cancelling"
            pending = all(part.status == "Pending" for part in parts)
            return ("Pending", "Pending") if pending else ("InProgress", "InProgress")
        for status in ("Failed", "TimedOut", "Cancelled"):
            found = next((part for part in parts if part.status == status), None)
            if found is not None:
                return status, found.status_details
        return "Success", "Success"

    @property
    def counts(self) -> dict[str, int]:
        statuses = Counter(part.status for part in self.invocations.values())
        late = sum(part.status_details == "DeliveryTimedOut" for part in self.invocations.values())
        return {
            "TargetCount": len(self.invocations),
            "CompletedCount": sum(statuses[status] for status in ENDED),
            "ErrorCount": statuses["Failed"] + statuses["TimedOut"] - late,
            "DeliveryTimedOutCount": late,
        }


@dataclass
class Message:
    """Work for one agent; offered again when nobody acknowledged it in time."""

    id: str
    instance_id: str
    topic: str
    payload: Mapping[str, Any]
    created: datetime
    hidden_until: float = 0.0
    """monotonic; while it lies in the hands of an agent"""


class Commands:
    def __init__(self) -> None:
        self.changed = threading.Condition()
        """guards everything here; notified when messages come"""
        self._commands: dict[str, Command] = {}
        self.messages: list[Message] = []

    def add(self, command: Command) -> None:
        with self.changed:
            self._commands[command.id] = command

    def get(self, command_id: str) -> Command | None:
        with self.changed:
            return self._commands.get(command_id)

    def newest_first(self) -> list[Command]:
        with self.changed:
            return sorted(self._commands.values(), key=lambda one: one.requested, reverse=True)
