"""Brings commands to agents and keeps what they answer.

An agent asks for messages; one that it does not acknowledge is offered again. Delivery has AWS's time limit
(TimeoutSeconds, on the scaled clock, but never so short that a busy machine misses it).
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any

from gbg_sandbox.services.ssm.commands.state import DETAILS, Command, Commands, Invocation, Message
from gbg_sandbox.services.ssm.instances.state import ManagedInstances

if TYPE_CHECKING:
    from gbg_sandbox.cloud import Cloud

POLL_SECONDS = 5.0
VISIBILITY_SECONDS = 10.0
DELIVERY_FLOOR_SECONDS = 10.0
SEND, CANCEL = "aws.ssm.sendCommand", "aws.ssm.cancelCommand"
COMMAND_CHANGED = "EC2 Command Status-change Notification"
INVOCATION_CHANGED = "EC2 Command Invocation Status-change Notification"


def message_id(kind: str, command_id: str, instance_id: str) -> str:
    return f"{kind}.{command_id}.{instance_id}"


class CommandEngine:
    def __init__(self, cloud: Cloud, commands: Commands, instances: ManagedInstances) -> None:
        self._cloud = cloud
        self._commands = commands
        self._instances = instances

    def send(self, command: Command) -> None:
        """Put a message for each machine; those that can't get one are Undeliverable."""
        self._commands.add(command)
        self._command_changed(command)
        for invocation in list(command.invocations.values()):
            instance = self._instances.get(invocation.instance_id)
            if instance is None or not instance.online:
                self._set(command, invocation, "Undeliverable")
            else:
                self._post(SEND, command, invocation.instance_id, self._payload(command))
        self._cloud.spawn(f"command-{command.id}", self._expire, command)

    def cancel(self, command: Command, instance_ids: list[str]) -> None:
        """Undelivered work is taken back at once; an agent at work is asked to stop."""
        with self._commands.changed:
            command.cancelled = True
        for invocation in list(command.invocations.values()):
            if instance_ids and invocation.instance_id not in instance_ids:
                continue
            if invocation.status == "Pending":
                self.taken(message_id(SEND, command.id, invocation.instance_id))
                self._set(command, invocation, "Cancelled")
            elif not invocation.over:
                self._set(command, invocation, "Cancelling")
                self._post(CANCEL, command, invocation.instance_id, {"CancelCommand": command.id})

    def messages(self, instance_id: str) -> list[Message]:
        """What this agent should do now; waits POLL_SECONDS for something. Holds no lock while it waits."""
        deadline = time.monotonic() + POLL_SECONDS
        with self._commands.changed:
            while not self._cloud.clock.stopped:
                self._instances.heard(instance_id)
                found = self._take(instance_id)
                left = deadline - time.monotonic()
                if found or left <= 0:
                    return found
                self._commands.changed.wait(min(left, 1.0))
        return []

    def _take(self, instance_id: str) -> list[Message]:
        now = time.monotonic()
        found = [
            message
            for message in self._commands.messages
            if message.instance_id == instance_id and message.hidden_until <= now
        ]
        for message in found:
            message.hidden_until = now + VISIBILITY_SECONDS
        return found

    def acknowledged(self, message: str) -> None:
        """The agent begins."""
        self.taken(message)
        found = self._find(message)
        if found is not None and message.startswith(SEND) and found[1].status == "Pending":
            self._set(*found, "InProgress")

    def taken(self, message: str) -> None:
        """Nobody needs to be told this any more."""
        with self._commands.changed:
            self._commands.messages = [one for one in self._commands.messages if one.id != message]

    def refused(self, message: str, why: str) -> None:
        self.taken(message)
        found = self._find(message)
        if found is not None and not found[1].over:
            found[1].stderr = why
            self._set(*found, "Failed")

    def replied(self, message: str, reply: Mapping[str, Any]) -> None:
        """Output so far, and with the last reply the end."""
        found = self._find(message)
        if found is None or found[1].over:
            return
        command, invocation = found
        with self._commands.changed:
            invocation.stdout = str(reply.get("Stdout", ""))
            invocation.stderr = str(reply.get("Stderr", ""))
            invocation.response_code = int(reply.get("ResponseCode", -1))
            for name in ("started", "ended"):
                if reply.get(name.capitalize()):
                    setattr(invocation, name, datetime.fromisoformat(reply[name.capitalize()]))
        status = str(reply.get("Status", "InProgress"))
        if status in DETAILS and (status != invocation.status or status != "InProgress"):
            self._set(command, invocation, status)

    def instance_ended(self, instance_id: str) -> None:
        """The machine is off: nothing more will come from it. AWS notices only after executionTimeout."""
        with self._commands.changed:
            self._commands.messages = [
                one for one in self._commands.messages if one.instance_id != instance_id
            ]
        for command in self._commands.newest_first():
            invocation = command.invocations.get(instance_id)
            if invocation is not None and not invocation.over:
                self._set(
                    command, invocation, "Undeliverable" if invocation.status == "Pending" else "TimedOut"
                )

    def wake(self) -> None:
        """Let waiting agents go: the sandbox stops."""
        with self._commands.changed:
            self._commands.changed.notify_all()

    def _payload(self, command: Command) -> dict[str, Any]:
        return {
            "CommandId": command.id,
            "DocumentName": command.document_name,
            "Step": command.script.step,
            "Lines": list(command.script.lines),
            "WorkingDirectory": command.script.directory,
            "TimeoutSeconds": command.script.timeout_seconds,
            **command.output,
        }

    def _post(self, kind: str, command: Command, instance_id: str, payload: dict[str, Any]) -> None:
        message = Message(
            message_id(kind, command.id, instance_id), instance_id, kind, payload, self._cloud.clock.now()
        )
        with self._commands.changed:
            self._commands.messages.append(message)
            self._commands.changed.notify_all()

    def _expire(self, command: Command) -> None:
        """Whatever was not delivered within TimeoutSeconds is not delivered any more."""
        seconds = self._cloud.clock.real_seconds(command.timeout_seconds)
        self._cloud.clock.pause(max(seconds, min(command.timeout_seconds, DELIVERY_FLOOR_SECONDS)))
        for invocation in list(command.invocations.values()):
            if invocation.status == "Pending":
                self.taken(message_id(SEND, command.id, invocation.instance_id))
                self._set(command, invocation, "DeliveryTimedOut")

    def _find(self, message: str) -> tuple[Command, Invocation] | None:
        command_id, _, instance_id = message.partition("Command.")[2].partition(".")
        command = self._commands.get(command_id)
        invocation = command.invocations.get(instance_id) if command else None
        return (command, invocation) if command and invocation else None

    def _set(self, command: Command, invocation: Invocation, word: str) -> None:
        with self._commands.changed:
            before = command.status
            invocation.status, invocation.status_details = DETAILS[word]
            if invocation.over and invocation.started and not invocation.ended:
                invocation.ended = self._cloud.clock.now()
        detail = {
            "command-id": command.id,
            "document-name": command.document_name,
            "instance-id": invocation.instance_id,
            "requested-date-time": command.requested.isoformat(),
            "status": invocation.status,
        }
        arn = self._cloud.arn("ec2", f"instance/{invocation.instance_id}")
        self._cloud.events.publish("aws.ssm", INVOCATION_CHANGED, detail, (arn,))
        if command.status != before:
            self._command_changed(command)

    def _command_changed(self, command: Command) -> None:
        detail = {
            "command-id": command.id,
            "document-name": command.document_name,
            "expire-after": command.expires.isoformat(),
            "requested-date-time": command.requested.isoformat(),
            "status": command.status[0],
        }
        arns = [self._cloud.arn("ec2", f"instance/{one}") for one in command.invocations]
        self._cloud.events.publish("aws.ssm", COMMAND_CHANGED, detail, arns)
