"""The agent's loop: register, ask for messages, hand each to a worker of its own."""

from __future__ import annotations

import json
import os
import signal
import sys
import time
import uuid
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from ssm_agent.facts import Place, agent_version, computer_name, platform
from ssm_agent.worker import Worker, cancel

TARGET = "EC2WindowsMessageDeliveryService"
SEND, CANCEL = "aws.ssm.sendCommand", "aws.ssm.cancelCommand"
HEARTBEAT_SECONDS = 300.0
VISIBILITY_SECONDS = 10
POLL_TIMEOUT_SECONDS = 30.0
FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS = 0.5, 15.0


class Agent:
    """`aws` is the module instance_aws; `start_work` runs a worker beside the loop."""

    def __init__(
        self, aws: Any, root: Path, start_work: Callable[[Callable[[], None]], None], version: str = ""
    ) -> None:
        self.aws = aws
        self.root = root
        self._start_work = start_work
        self._version = version or agent_version(root)
        self._registered = -HEARTBEAT_SECONDS
        self._place: Place | None = None
        self.stopped = False

    def run(self) -> None:
        pause = FIRST_PAUSE_SECONDS
        while not self.stopped:
            try:
                self.turn()
                pause = FIRST_PAUSE_SECONDS
            except (self.aws.ServiceError, self.aws.InstanceError, OSError) as error:
                self.log("ERROR", f"{type(error).__name__}: {error}; trying again in {pause:g} s")
                time.sleep(pause)
                pause = min(pause * 2, LONGEST_PAUSE_SECONDS)

    def turn(self) -> None:
        """Register when it is time, then take what there is to do."""
        place = self.place()
        if time.monotonic() - self._registered >= HEARTBEAT_SECONDS:
            self._register(place)
        for message in self._messages(place):
            self._take(place, message)

    def place(self) -> Place:
        if self._place is None:
            self._place = Place(self.root, str(self.aws.identity()["instanceId"]))
        return self._place

    def log(self, level: str, text: str) -> None:
        (self._place or Place(self.root, "unknown")).log(level, text)

    def _register(self, place: Place) -> None:
        name, version = platform(self.root)
        self.aws.call(
            "ssm",
            "AmazonSSM.UpdateInstanceInformation",
            {
                "InstanceId": place.instance_id,
                "AgentName": "amazon-ssm-agent",
                "AgentVersion": self._version,
                "AgentStatus": "Active",
                "PlatformType": "Linux",
                "PlatformName": name,
                "PlatformVersion": version,
                "IPAddress": str(self.aws.identity().get("privateIp", "")),
                "ComputerName": computer_name(),
            },
        )
        first = self._registered < 0
        self._registered = time.monotonic()
        if first:
            place.log("INFO", f"amazon-ssm-agent {self._version} registered {place.instance_id}")

    def _messages(self, place: Place) -> list[dict[str, Any]]:
        answer = self.aws.call(
            "ec2messages",
            f"{TARGET}.GetMessages",
            {
                "Destination": place.instance_id,
                "MessagesRequestId": str(uuid.uuid4()),
                "VisibilityTimeoutInSeconds": VISIBILITY_SECONDS,
            },
            timeout=POLL_TIMEOUT_SECONDS,
        )
        return list(answer.get("Messages", []))

    def _take(self, place: Place, message: Mapping[str, Any]) -> None:
        identity = message["MessageId"]
        payload = json.loads(message["Payload"])
        if message["Topic"] not in (SEND, CANCEL):
            request = {"MessageId": identity, "FailureType": "NoHandlerExists"}
            self.aws.call("ec2messages", f"{TARGET}.FailMessage", request)
            return
        self.aws.call("ec2messages", f"{TARGET}.AcknowledgeMessage", {"MessageId": identity})
        if message["Topic"] == CANCEL:
            cancel(place, str(payload["CancelCommand"]))
        else:
            self._start_work(Worker(self.aws, place, identity, payload).run)


def fork(work: Callable[[], None]) -> None:
    """Let a child do it; it stays when the agent is stopped."""
    if os.fork():
        return
    status = 1
    try:
        os.setsid()
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        work()
        status = 0
    finally:
        os._exit(status)


def main(arguments: list[str]) -> int:
    import instance_aws

    root = Path("/")
    if arguments in (["-version"], ["--version"]):
        print(f"SSM Agent version: {agent_version(root)}")
        return 0
    if arguments:
        print(f"amazon-ssm-agent: unknown option {' '.join(arguments)}; it knows -version", file=sys.stderr)
        return 2
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
    Agent(instance_aws, root, fork).run()
    return 0
