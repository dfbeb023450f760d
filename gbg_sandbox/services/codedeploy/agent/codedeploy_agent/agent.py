"""The agent's main loop: ask for a command, say that it begins, do it, say how it ended."""

from __future__ import annotations

import json
import logging
import logging.handlers
import os
import signal
import sys
import time
from collections.abc import Mapping
from typing import Any

import instance_aws
from instance_aws import InstanceError, ServiceError

from . import diagnostics, hooks, specification
from .commands import Executor
from .diagnostics import EventFailed
from .settings import HOME, Settings, read

log = logging.getLogger("codedeploy-agent")

SERVICE = "codedeploy-commands"
TARGET = "CodeDeployCommandService_v20141006"
POLL_TIMEOUT = 80.0
LONGEST_PAUSE = 30.0
SYSTEM = "CodeDeploy"


class Stopping(BaseException):
    """SIGTERM came while there was nothing to do."""


def control(operation: str, **fields: Any) -> dict[str, Any]:
    return instance_aws.call(SERVICE, f"{TARGET}.{operation}", fields, timeout=POLL_TIMEOUT)


def host_identifier() -> str:
    found = instance_aws.identity()
    return f"arn:aws:ec2:{found['region']}:{found['accountId']}:instance/{found['instanceId']}"


class Agent:
    def __init__(self, settings: Settings, host: str) -> None:
        self._settings = settings
        self._host = host
        self._executor = Executor(settings, instance_aws.get_object)
        self._stopping = False
        self._busy = False

    def stop(self, *_: object) -> None:
        """For SIGTERM: leave now, or after the command under way."""
        self._stopping = True
        if not self._busy:
            raise Stopping

    def run(self) -> None:
        self._fail_what_was_under_way()
        failures = 0
        while not self._stopping:
            try:
                if not self._step():
                    time.sleep(min(float(self._settings.wait_between_runs), 1.0))
                failures = 0
            except (ServiceError, InstanceError, OSError) as error:
                failures += 1
                pause = min(2.0**failures / 4, LONGEST_PAUSE)
                log.error("Error polling for host commands: %s - trying again in %s seconds", error, pause)
                time.sleep(pause)

    def _step(self) -> bool:
        """Do one command; False when there was none."""
        command = control("PollHostCommand", HostIdentifier=self._host).get("HostCommand")
        if not command:
            return False
        self._busy = True
        log.info("PollHostCommand: %s of %s", command["CommandName"], command["DeploymentExecutionId"])
        identifier = command["HostCommandIdentifier"]
        try:
            spec = self._specification(command)
            if not self._acknowledge(identifier, command["CommandName"], spec):
                return True
            self._track(spec, identifier)
            tail = self._executor.execute(command["CommandName"], spec)
            self._complete(
                identifier, "Succeeded", diagnostics.payload(diagnostics.SUCCEEDED, "Succeeded", log=tail)
            )
        except (ServiceError, InstanceError) as error:
            self._fail(
                identifier,
                diagnostics.UNKNOWN,
                error.message if isinstance(error, ServiceError) else str(error),
            )
        except EventFailed as error:
            self._fail(identifier, error.code, error.message, error.script, error.log)
        except Exception as error:
            log.exception("Error during perform of %s", command["CommandName"])
            self._fail(identifier, diagnostics.UNKNOWN, str(error))
        finally:
            self._untrack()
            self._busy = False
        return True

    def _specification(self, command: Mapping[str, Any]) -> specification.Specification:
        found = control(
            "GetDeploymentSpecification",
            DeploymentExecutionId=command["DeploymentExecutionId"],
            HostIdentifier=self._host,
        )
        if found.get("DeploymentSystem") != SYSTEM:
            raise ValueError(f"Deployment System mismatch: {SYSTEM} != {found.get('DeploymentSystem')}")
        return specification.read(found["DeploymentSpecification"]["GenericEnvelope"])

    def _acknowledge(self, identifier: str, name: str, spec: specification.Specification) -> bool:
        """Whether the service still wants it done."""
        noop = hooks.is_noop(name, spec, self._executor.revisions)
        answer = control(
            "PutHostCommandAcknowledgement",
            HostCommandIdentifier=identifier,
            Diagnostics={"Format": "JSON", "Payload": json.dumps({"IsCommandNoop": noop})},
        )
        return answer.get("CommandStatus") not in ("Succeeded", "Failed")

    def _fail(self, identifier: str, code: int, message: str, script: str = "", tail: str = "") -> None:
        log.error("%s", message)
        self._complete(identifier, "Failed", diagnostics.payload(code, message, script, tail))

    def _complete(self, identifier: str, status: str, payload: str) -> None:
        log.info("Calling PutHostCommandComplete: %s", status)
        try:
            control(
                "PutHostCommandComplete",
                HostCommandIdentifier=identifier,
                CommandStatus=status,
                Diagnostics={"Format": "JSON", "Payload": payload},
            )
        except ServiceError as error:
            log.error("the service did not want to hear how the command ended: %s", error)

    def _tracking_file(self) -> str:
        return os.path.join(self._settings.tracking_dir, "command")

    def _track(self, spec: specification.Specification, identifier: str) -> None:
        os.makedirs(self._settings.tracking_dir, exist_ok=True)
        with open(self._tracking_file(), "w", encoding="utf-8") as file:
            file.write(f"{identifier}\n{spec.deployment_id}\n")

    def _untrack(self) -> None:
        if os.path.exists(self._tracking_file()):
            os.remove(self._tracking_file())

    def _fail_what_was_under_way(self) -> None:
        """The agent or the machine was restarted during an event."""
        if not os.path.exists(self._tracking_file()):
            return
        with open(self._tracking_file(), encoding="utf-8") as file:
            identifier = file.readline().strip()
        message = "Failed: Failing in-progress lifecycle event after an agent restart."
        self._fail(identifier, diagnostics.FAILED_AFTER_RESTART, message)
        self._untrack()


def _start_log(settings: Settings) -> None:
    os.makedirs(settings.log_dir, exist_ok=True)
    path = os.path.join(settings.log_dir, f"{settings.program_name}.log")
    handler = logging.handlers.RotatingFileHandler(path, maxBytes=64 << 20, backupCount=7)
    handler.setFormatter(
        logging.Formatter(
            "%(asctime)s %(levelname)-5s [codedeploy-agent(%(process)d)]: %(message)s", "%Y-%m-%dT%H:%M:%S"
        )
    )
    log.addHandler(handler)
    log.setLevel(logging.DEBUG if settings.verbose else logging.INFO)


def _wait_for_identity() -> str:
    while True:
        try:
            return host_identifier()
        except InstanceError as error:
            log.error("the instance does not know itself yet: %s", error)
            time.sleep(1.0)


def run() -> int:
    settings = read()
    _start_log(settings)
    os.makedirs(settings.pid_dir, exist_ok=True)
    with open(settings.pid_file, "w", encoding="utf-8") as file:
        file.write(str(os.getpid()))
    log.info("The CodeDeploy agent %s starts", version())
    agent = Agent(settings, _wait_for_identity())
    signal.signal(signal.SIGTERM, agent.stop)
    signal.signal(signal.SIGINT, agent.stop)
    try:
        agent.run()
    except Stopping:
        log.info("The CodeDeploy agent stops")
    return 0


def version() -> str:
    try:
        with open(f"{HOME}/.version", encoding="utf-8") as file:
            return file.read().partition(":")[2].strip()
    except FileNotFoundError:
        return "unknown"


def running() -> int:
    """The agent's process id, or 0."""
    try:
        with open(read().pid_file, encoding="utf-8") as file:
            number = int(file.read())
        os.kill(number, 0)
        return number
    except (FileNotFoundError, ProcessLookupError, ValueError):
        return 0


def main(argv: list[str]) -> int:
    what = argv[0] if argv else ""
    if what == "run":
        return run()
    if what == "--version":
        print(version())
        return 0
    if what == "status":
        number = running()
        print(
            f"The AWS CodeDeploy agent is running as PID {number}"
            if number
            else "No AWS CodeDeploy agent running"
        )
        return 0 if number else 3
    if what in ("start", "stop", "restart"):
        return os.spawnlp(os.P_WAIT, "systemctl", "systemctl", what, "codedeploy-agent")
    print("usage: codedeploy-agent start|stop|restart|status|--version", file=sys.stderr)
    return 64
