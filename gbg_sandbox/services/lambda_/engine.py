"""Invocations: an idle environment or a new one, the logs around it, retries of asynchronous events.

A function's timeout is in real seconds; the waits between retries pass on the scaled clock. Memory is
measured and told, not limited.
"""

from __future__ import annotations

import base64
import threading
import time
import uuid
from collections import defaultdict, deque
from dataclasses import dataclass
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from gbg_sandbox.service import AwsError
from gbg_sandbox.services.lambda_.environment import Environment, Outcome
from gbg_sandbox.services.lambda_.log_writer import LogWriter
from gbg_sandbox.services.lambda_.nursery import Nursery
from gbg_sandbox.services.lambda_.state import EventInvokeConfig, Function

if TYPE_CHECKING:
    from gbg_sandbox.cloud import Cloud

PRINCIPAL = "lambda.amazonaws.com"
MOST_ENVIRONMENTS = 50
IDLE_KEPT = 2
"""idle environments kept of one function"""
LONGEST_LIFE_SECONDS = 3600.0
SETTLE_SECONDS = 2.0
"""real"""
CREDENTIALS_SECONDS = 3 * 3600.0
RETRY_WAITS = (60.0, 120.0)
"""AWS seconds before the first and the second retry"""
TAIL_BYTES = 4096


@dataclass(frozen=True)
class Invocation:
    """What the caller of Invoke gets."""

    outcome: Outcome
    tail: bytes

    @property
    def log_result(self) -> str:
        return base64.b64encode(self.tail).decode()


class Engine:
    def __init__(self, cloud: Cloud) -> None:
        self._cloud = cloud
        self._nursery = Nursery(cloud.state_dir / "lambda")
        self._logs = LogWriter(cloud)
        self._lock = threading.Lock()
        self._idle: dict[str, list[Environment]] = defaultdict(list)
        self._busy: set[Environment] = set()
        self._stopped = False

    def start(self) -> None:
        self._logs.start()

    def warm(self) -> None:
        """Load what every function needs, ahead of the first invocation."""
        self._nursery.warm()

    def stop(self) -> None:
        with self._lock:
            self._stopped = True
            environments = [*self._busy, *(one for kept in self._idle.values() for one in kept)]
            self._idle.clear()
        for environment in environments:
            environment.end()
        self._nursery.stop()

    def forget(self, name: str) -> None:
        """End the idle environments of a function that changed or is gone."""
        with self._lock:
            ended = self._idle.pop(name, [])
        for environment in ended:
            environment.end()

    def settle(self, name: str) -> None:
        """Let what a function is still doing end, and its lines reach their streams, for a few seconds.

        Whoever deletes a function deletes its role next, and with it the right to write the last lines.
        """
        deadline = time.monotonic() + SETTLE_SECONDS
        while self._is_busy(name) and time.monotonic() < deadline:
            self._cloud.clock.pause(0.02)
        self._logs.flush(SETTLE_SECONDS)

    def _is_busy(self, name: str) -> bool:
        with self._lock:
            return any(environment.name == name for environment in self._busy)

    def invoke(self, function: Function, payload: bytes, request_id: str = "") -> Invocation:
        """Run the function once. Raises AwsError when it can't be run at all."""
        request_id = request_id or str(uuid.uuid4())
        environment = self._take(function)
        tail: deque[str] = deque(maxlen=1000)

        def line(text: str) -> None:
            tail.append(text)
            self._logs.write(
                environment.log_group, environment.log_stream, environment.credential.principal, text
            )

        line(f"START RequestId: {request_id} Version: $LATEST")
        try:
            outcome = environment.invoke(request_id, function.arn, payload, function.timeout_seconds, line)
            if outcome.complaint:
                line(outcome.complaint)
            line(f"END RequestId: {request_id}")
            line(_report(request_id, function, outcome))
        finally:
            self._give_back(function, environment)
        self._count(function, outcome)
        return Invocation(outcome, "\n".join([*tail, ""]).encode()[-TAIL_BYTES:])

    def invoke_later(self, function: Function, payload: bytes) -> str:
        """Queue an event; returns its request id. Tried again after failures, as Lambda does."""
        request_id = str(uuid.uuid4())
        self._cloud.spawn(f"event for {function.name}", self._try_repeatedly, function, payload, request_id)
        return request_id

    def _try_repeatedly(self, function: Function, payload: bytes, request_id: str) -> None:
        config = function.event_config or EventInvokeConfig()
        oldest = time.monotonic() + self._cloud.clock.real_seconds(config.oldest_seconds)
        failures = 0
        while True:
            try:
                outcome = self.invoke(function, payload, request_id).outcome
                if not outcome.failed:
                    return
                error = outcome.payload.decode(errors="replace")
                failures += 1
            except AwsError as refused:
                error = str(refused)
                failures += refused.status not in (429, 500)
            if failures > config.retries or time.monotonic() > oldest:
                break
            self._cloud.clock.sleep(RETRY_WAITS[min(max(failures - 1, 0), 1)])
        detail = {"function": function.name, "requestId": request_id, "attempts": failures, "error": error}
        self._cloud.events.publish("gbg.sandbox", "Lambda Event Dropped", detail, [function.arn])

    def _take(self, function: Function) -> Environment:
        stale: list[Environment] = []
        found: Environment | None = None
        with self._lock:
            if self._stopped:
                raise AwsError("ServiceException", "the sandbox is stopping", 500)
            if len(self._busy) >= MOST_ENVIRONMENTS:
                raise AwsError("TooManyRequestsException", "Rate Exceeded.", 429)
            idle = self._idle[function.name]
            while idle and found is None:
                candidate = idle.pop()
                if _usable(candidate, function):
                    found = candidate
                    self._busy.add(candidate)
                else:
                    stale.append(candidate)
        for environment in stale:
            environment.end()
        return found or self._begin(function)

    def _begin(self, function: Function) -> Environment:
        try:
            credential = self._cloud.assume(
                function.role,
                acting=PRINCIPAL,
                session=function.name,
                source_arn=function.arn,
                real_seconds=CREDENTIALS_SECONDS,
            )
        except ClientError as error:
            raise AwsError(
                "AccessDeniedException",
                f"The role defined for the function cannot be assumed by Lambda: {error}",
                403,
            ) from error
        settings = {
            "AWS_REGION": self._cloud.region,
            "AWS_DEFAULT_REGION": self._cloud.region,
            "AWS_ENDPOINT_URL": self._cloud.endpoint_url,
        }
        try:
            environment = Environment(function, credential, self._nursery, settings)
        except OSError as error:
            raise AwsError(
                "ServiceException", f"the function's process could not be started: {error}", 500
            ) from error
        with self._lock:
            self._busy.add(environment)
        return environment

    def _give_back(self, function: Function, environment: Environment) -> None:
        with self._lock:
            self._busy.discard(environment)
            idle = self._idle[function.name]
            keep = not self._stopped and _usable(environment, function) and len(idle) < IDLE_KEPT
            if keep:
                idle.append(environment)
        if not keep:
            environment.end()

    def _count(self, function: Function, outcome: Outcome) -> None:
        record = self._cloud.service("cloudwatch").record
        dimensions = {"FunctionName": function.name}
        record("AWS/Lambda", "Invocations", dimensions, 1.0, "Count")
        record("AWS/Lambda", "Errors", dimensions, float(outcome.failed), "Count")
        record("AWS/Lambda", "Duration", dimensions, outcome.seconds * 1000, "Milliseconds")


def _usable(environment: Environment, function: Function) -> bool:
    return (
        environment.alive
        and environment.revision == function.revision
        and time.monotonic() - environment.begun < LONGEST_LIFE_SECONDS
    )


def _report(request_id: str, function: Function, outcome: Outcome) -> str:
    milliseconds = outcome.seconds * 1000
    return (
        f"REPORT RequestId: {request_id}\tDuration: {milliseconds:.2f} ms\t"
        f"Billed Duration: {int(milliseconds) + 1} ms\tMemory Size: {function.memory_mb} MB\t"
        f"Max Memory Used: {outcome.memory_mb} MB"
    )
