"""Commands for hosts, and the agents that come for them.

An agent asks again and again for its next command (PollHostCommand), says that it begins
(PutHostCommandAcknowledgement) and how it ended (PutHostCommandComplete).
"""

from __future__ import annotations

import threading
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

PENDING, IN_PROGRESS, SUCCEEDED, FAILED = "Pending", "InProgress", "Succeeded", "Failed"


@dataclass
class HostCommand:
    """One lifecycle event for one host."""

    instance_id: str
    name: str
    execution_id: str
    specification: dict[str, Any]
    """what the agent has to know about the deployment"""
    status: str = PENDING
    diagnostics: dict[str, Any] = field(default_factory=dict)
    id: str = field(default_factory=lambda: str(uuid.uuid4()))

    @property
    def ended(self) -> bool:
        return self.status in (SUCCEEDED, FAILED)


class CommandQueue:
    """One queue a host, in order. Waits end when a command changes or the service stops."""

    def __init__(self) -> None:
        self._commands: dict[str, HostCommand] = {}
        self._waiting: dict[str, list[HostCommand]] = {}
        self._seen: set[str] = set()
        self._changed = threading.Condition()
        self._closed = False

    def put(self, command: HostCommand) -> HostCommand:
        with self._changed:
            self._commands[command.id] = command
            self._waiting.setdefault(command.instance_id, []).append(command)
            self._changed.notify_all()
        return command

    def poll(self, instance_id: str, real_seconds: float) -> HostCommand | None:
        """The host's next command, waited for up to `real_seconds`."""

        def next_command() -> HostCommand | None:
            waiting = self._waiting.get(instance_id, [])
            return next((command for command in waiting if command.status == PENDING), None)

        with self._changed:
            self._seen.add(instance_id)
            self._changed.notify_all()
            self._changed.wait_for(lambda: self._closed or next_command() is not None, timeout=real_seconds)
            return next_command()

    def seen(self, instance_id: str) -> bool:
        """Whether an agent on this host has ever asked."""
        with self._changed:
            return instance_id in self._seen

    def find(self, command_id: str) -> HostCommand | None:
        with self._changed:
            return self._commands.get(command_id)

    def of_execution(self, execution_id: str, instance_id: str) -> HostCommand | None:
        with self._changed:
            return next(
                (
                    command
                    for command in self._commands.values()
                    if command.execution_id == execution_id and command.instance_id == instance_id
                ),
                None,
            )

    def acknowledge(self, command: HostCommand) -> str:
        """The command's status after the agent said that it begins."""
        with self._changed:
            if command.status == PENDING:
                command.status = IN_PROGRESS
            self._changed.notify_all()
            return command.status

    def complete(self, command: HostCommand, status: str, diagnostics: dict[str, Any]) -> None:
        with self._changed:
            if not command.ended:
                command.status, command.diagnostics = status, diagnostics
            self._waiting[command.instance_id].remove(command)
            self._changed.notify_all()

    def abandon(self, command: HostCommand) -> None:
        """Nobody waits for this command any more."""
        with self._changed:
            command.status = FAILED
            if command in self._waiting.get(command.instance_id, []):
                self._waiting[command.instance_id].remove(command)
            self._changed.notify_all()

    def wait(self, command: HostCommand, until: Callable[[HostCommand], bool], real_seconds: float) -> bool:
        """Whether `until` became true in time."""
        with self._changed:
            self._changed.wait_for(lambda: self._closed or until(command), timeout=real_seconds)
            return until(command)

    def close(self) -> None:
        with self._changed:
            self._closed = True
            self._changed.notify_all()
