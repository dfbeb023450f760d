"""One execution environment: a process that answers one invocation after another."""

from __future__ import annotations

import contextlib
import json
import os
import selectors
import shutil
import signal
import socket
import struct
import tempfile
import time
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from gbg_sandbox.credentials import Credential
from gbg_sandbox.services.lambda_.nursery import Nursery
from gbg_sandbox.services.lambda_.state import Function

Line = Callable[[str], None]
"""takes each line that the function writes"""


@dataclass(frozen=True)
class Outcome:
    """How one invocation ended."""

    payload: bytes
    failed: bool
    seconds: float
    memory_mb: int
    complaint: str = ""
    """what Lambda itself writes to the log about the end"""


class Environment:
    """Raises OSError when its process can't be started. Not to be used by two threads at once."""

    def __init__(
        self, function: Function, credential: Credential, nursery: Nursery, settings: Mapping[str, str]
    ) -> None:
        self.name = function.name
        self.revision = function.revision
        self.credential = credential
        self.log_group = function.log_group
        self.log_stream = f"{datetime.now(UTC):%Y/%m/%d}/[$LATEST]{uuid.uuid4().hex}"
        self.begun = time.monotonic()
        self.used = False
        self.alive = True
        self._scratch = Path(tempfile.mkdtemp(prefix="scratch-", dir=nursery.folder))
        self._buffer = b""
        self._channel, theirs = socket.socketpair()
        self._output, output = os.pipe()
        try:
            self._pid = nursery.fork(
                function.code.root, function.handler, self._variables(function, settings), theirs, output
            )
        except BaseException:
            self._channel.close()
            os.close(self._output)
            shutil.rmtree(self._scratch, ignore_errors=True)
            raise
        finally:
            theirs.close()
            os.close(output)
        self._channel.setblocking(False)
        os.set_blocking(self._output, False)

    def _variables(self, function: Function, settings: Mapping[str, str]) -> dict[str, str]:
        """https://docs.aws.amazon.com/lambda/latest/dg/configuration-envvars.html"""
        return {
            **function.environment,
            **settings,
            "_HANDLER": function.handler,
            "AWS_ACCESS_KEY_ID": self.credential.access_key,
            "AWS_SECRET_ACCESS_KEY": self.credential.secret_key,
            "AWS_SESSION_TOKEN": self.credential.token,
            "AWS_EXECUTION_ENV": f"AWS_Lambda_{function.runtime}",
            "AWS_LAMBDA_FUNCTION_NAME": function.name,
            "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(function.memory_mb),
            "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
            "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand",
            "AWS_LAMBDA_LOG_GROUP_NAME": self.log_group,
            "AWS_LAMBDA_LOG_STREAM_NAME": self.log_stream,
            "LAMBDA_TASK_ROOT": str(function.code.root),
            "LAMBDA_RUNTIME_DIR": "/var/runtime",
            "HOME": str(self._scratch),
            "TMPDIR": str(self._scratch),
            "TZ": ":UTC",
            "LANG": "en_US.UTF-8",
            "PATH": os.defpath,
            "AWS_CONFIG_FILE": os.devnull,
            "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
            "AWS_EC2_METADATA_DISABLED": "true",
        }

    def invoke(self, request_id: str, arn: str, payload: bytes, limit_seconds: float, line: Line) -> Outcome:
        """Answer one event within real seconds; after a failure of the process itself `alive` is False."""
        self.used = True
        begun = time.monotonic()
        head = {
            "request_id": request_id,
            "arn": arn,
            "deadline": time.time() + limit_seconds,
            "trace": f"Root=1-{int(time.time()):08x}-{uuid.uuid4().hex[:24]};Sampled=0",
        }
        answer = self._exchange(json.dumps(head).encode() + b"\n" + payload, begun + limit_seconds, line)
        seconds = time.monotonic() - begun
        if answer is None and seconds >= limit_seconds:
            self.end()
            moment = f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%S.%f}"[:-3] + "Z"
            text = f"Task timed out after {limit_seconds:.2f} seconds"
            told = {"errorType": "Sandbox.Timedout", "errorMessage": f"RequestId: {request_id} Error: {text}"}
            return Outcome(json.dumps(told).encode(), True, limit_seconds, 0, f"{moment} {request_id} {text}")
        if answer is None or "exit" in answer:
            self.end()
            why = f"exit status {answer['exit']}" if answer else "signal: killed"
            text = f"RequestId: {request_id} Error: Runtime exited with error: {why}"
            told = {"errorType": "Runtime.ExitError", "errorMessage": text}
            memory = answer["memory_mb"] if answer else 0
            return Outcome(json.dumps(told).encode(), True, seconds, memory, text)
        if "ended" in answer:
            self.end()
        if "error" in answer:
            return Outcome(json.dumps(answer["error"]).encode(), True, seconds, answer["memory_mb"])
        return Outcome(answer["result"].encode(), False, seconds, answer["memory_mb"])

    def end(self) -> None:
        """Kill the process and all that it started. Idempotent."""
        if not self.alive:
            return
        self.alive = False
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self._pid, signal.SIGKILL)
        self._channel.close()
        os.close(self._output)
        shutil.rmtree(self._scratch, ignore_errors=True)

    def _exchange(self, message: bytes, deadline: float, line: Line) -> dict[str, Any] | None:
        """The process's answer; None when there is none in time or ever."""
        unsent = struct.pack("!I", len(message)) + message
        received = b""
        with selectors.DefaultSelector() as selector:
            selector.register(self._channel, selectors.EVENT_READ | selectors.EVENT_WRITE)
            selector.register(self._output, selectors.EVENT_READ)
            while (left := deadline - time.monotonic()) > 0:
                for key, events in selector.select(left):
                    if key.fd == self._output:
                        if not self._read_output(line):
                            selector.unregister(self._output)
                        continue
                    if events & selectors.EVENT_WRITE:
                        unsent = self._send(unsent)
                        if not unsent:
                            selector.modify(self._channel, selectors.EVENT_READ)
                    if events & selectors.EVENT_READ:
                        part = self._receive()
                        received += part
                        if not part or _whole(received):
                            self._read_rest(line)
                            return json.loads(received[4:]) if part else None
        self._read_rest(line)
        return None

    def _send(self, data: bytes) -> bytes:
        try:
            return data[self._channel.send(data) :]
        except OSError:
            return b""

    def _receive(self) -> bytes:
        try:
            return self._channel.recv(1 << 20)
        except OSError:
            return b""

    def _read_output(self, line: Line) -> bool:
        """Take in what the function wrote by now; False at the end of its output."""
        try:
            part = os.read(self._output, 1 << 16)
        except BlockingIOError:
            return False
        *lines, self._buffer = (self._buffer + part).split(b"\n")
        for one in lines:
            line(one.decode(errors="replace"))
        return bool(part)

    def _read_rest(self, line: Line) -> None:
        """What was written before the answer is in the pipe already."""
        while self._read_output(line):
            continue
        if self._buffer:
            line(self._buffer.decode(errors="replace"))
            self._buffer = b""


def _whole(received: bytes) -> bool:
    return len(received) >= 4 and len(received) - 4 >= int(struct.unpack("!I", received[:4])[0])
