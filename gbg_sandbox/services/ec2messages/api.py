"""What AmazonSSMManagedInstanceCore calls ec2messages: a queue of messages for each instance.

The agent asks with GetMessages, which waits a little for something to come, takes a message over with
AcknowledgeMessage, and reports with SendReply until the last one. FailMessage is for what it can't read.
"""

from __future__ import annotations

import json
from typing import Any

from gbg_sandbox.service import AwsError, Call, Service, runs
from gbg_sandbox.services.ssm.commands.engine import CommandEngine
from gbg_sandbox.services.ssm.instances.api import check_own


class Ec2Messages(Service):
    name = "ec2messages"

    @property
    def _commands(self) -> CommandEngine:
        engine: CommandEngine = self.cloud.service("ssm").commands
        return engine

    @runs
    def get_endpoint(self, call: Call, params: dict[str, Any]) -> dict[str, Any]:
        check_own(call, params["Destination"])
        return {
            "Endpoint": {"Protocol": "https", "Endpoint": f"ec2messages.{self.cloud.region}.amazonaws.com"}
        }

    @runs
    def get_messages(self, call: Call, params: dict[str, Any]) -> dict[str, Any]:
        """Waits a few real seconds for a message; none is an empty list."""
        instance = params["Destination"]
        check_own(call, instance)
        messages = self._commands.messages(instance)
        return {
            "Destination": instance,
            "MessagesRequestId": params["MessagesRequestId"],
            "Messages": [
                {
                    "MessageId": message.id,
                    "Destination": instance,
                    "CreatedDate": message.created.isoformat(),
                    "Topic": message.topic,
                    "Payload": json.dumps(message.payload),
                }
                for message in messages
            ],
        }

    @runs
    def acknowledge_message(self, call: Call, params: dict[str, Any]) -> dict[str, Any]:
        self._commands.acknowledged(self._own(call, params))
        return {}

    @runs
    def send_reply(self, call: Call, params: dict[str, Any]) -> dict[str, Any]:
        message_id = self._own(call, params)
        try:
            reply = json.loads(params["Payload"])
        except ValueError as error:
            raise AwsError("ValidationException", "Payload is not JSON") from error
        self._commands.replied(message_id, reply)
        return {}

    @runs
    def fail_message(self, call: Call, params: dict[str, Any]) -> dict[str, Any]:
        self._commands.refused(self._own(call, params), params["FailureType"])
        return {}

    @runs
    def delete_message(self, call: Call, params: dict[str, Any]) -> dict[str, Any]:
        self._commands.taken(self._own(call, params))
        return {}

    def _own(self, call: Call, params: dict[str, Any]) -> str:
        """A message id ends with the instance that it is for."""
        message_id: str = params["MessageId"]
        check_own(call, message_id.rpartition(".")[2])
        return message_id


SERVICE = Ec2Messages
