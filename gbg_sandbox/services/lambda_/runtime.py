"""Runs inside Lambda's processes, with nothing of the sandbox on its path: a script, never imported.

One process, the nursery, has boto3 loaded and waits on a socket. For each execution environment it forks a
child that takes over a channel and an output pipe, loads the function's code and answers one event after
another. When the sandbox goes away, however it does, the nursery's socket ends, it leaves, and the kernel
kills the children.
"""

from __future__ import annotations

import ctypes
import importlib
import json
import logging
import os
import resource
import select
import signal
import socket
import struct
import sys
import time
import traceback
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NoReturn

TASK_ROOT = "/var/task"
MESSAGE_BYTES = 1 << 18
PR_SET_PDEATHSIG = 1


class InitError(Exception):
    """The function's code can't be loaded; `kind` is Lambda's name for why."""

    def __init__(self, kind: str, message: str) -> None:
        super().__init__(message)
        self.kind = kind


class Context:
    """https://docs.aws.amazon.com/lambda/latest/dg/python-context.html"""

    def __init__(self, told: Mapping[str, Any]) -> None:
        self.aws_request_id: str = told["request_id"]
        self.invoked_function_arn: str = told["arn"]
        self.function_name = os.environ["AWS_LAMBDA_FUNCTION_NAME"]
        self.function_version = os.environ["AWS_LAMBDA_FUNCTION_VERSION"]
        self.memory_limit_in_mb = os.environ["AWS_LAMBDA_FUNCTION_MEMORY_SIZE"]
        self.log_group_name = os.environ["AWS_LAMBDA_LOG_GROUP_NAME"]
        self.log_stream_name = os.environ["AWS_LAMBDA_LOG_STREAM_NAME"]
        self.client_context = None
        self.identity = None
        self._deadline: float = told["deadline"]

    def get_remaining_time_in_millis(self) -> int:
        return max(int((self._deadline - time.time()) * 1000), 0)


class LogFormat(logging.Formatter):
    request_id = ""

    def format(self, record: logging.LogRecord) -> str:
        seconds = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created))
        moment = f"{seconds}.{int(record.msecs):03d}Z"
        text = f"[{record.levelname}]\t{moment}\t{self.request_id}\t{record.getMessage()}"
        return f"{text}\n{self.formatException(record.exc_info)}" if record.exc_info else text


def send(channel: socket.socket, message: bytes) -> None:
    channel.sendall(struct.pack("!I", len(message)) + message)


def receive(channel: socket.socket) -> bytes | None:
    """The next message, or None when the other side is gone."""
    header = receive_exactly(channel, 4)
    return None if header is None else receive_exactly(channel, struct.unpack("!I", header)[0])


def receive_exactly(channel: socket.socket, count: int) -> bytes | None:
    parts: list[bytes] = []
    while count:
        part = channel.recv(min(count, 1 << 20))
        if not part:
            return None
        parts.append(part)
        count -= len(part)
    return b"".join(parts)


def nursery(control: socket.socket, libraries: str) -> None:
    """Fork a child for each order until the sandbox is gone."""
    sys.path.append(libraries)
    importlib.import_module("boto3")
    control.send(b"ready")
    while True:
        readable, _, _ = select.select([control], [], [], 1.0)
        reap()
        if not readable:
            continue
        order, descriptors, _, _ = socket.recv_fds(control, MESSAGE_BYTES, 2)
        if not order:
            return
        channel, output = descriptors
        parent = os.getpid()
        pid = os.fork()
        if pid == 0:
            control.close()
            child(json.loads(order), channel, output, libraries, parent)
        os.close(channel)
        os.close(output)
        control.send(str(pid).encode())


def reap() -> None:
    try:
        while os.waitpid(-1, os.WNOHANG)[0]:
            continue
    except ChildProcessError:
        return


def child(
    order: Mapping[str, Any], channel_number: int, output: int, libraries: str, parent: int
) -> NoReturn:
    """One execution environment: never returns."""
    code = 1
    try:
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:
            os._exit(1)
        os.setsid()
        os.dup2(output, 1)
        os.dup2(output, 2)
        os.close(output)
        sys.stdout = os.fdopen(1, "w", buffering=1, encoding="utf-8", errors="replace")
        sys.stderr = os.fdopen(2, "w", buffering=1, encoding="utf-8", errors="replace")
        os.environ.clear()
        os.environ.update(order["environment"])
        time.tzset()
        os.chdir(order["root"])
        sys.dont_write_bytecode = True
        make_path(order["root"], libraries)
        serve(socket.socket(fileno=channel_number), order["root"], order["handler"])
        code = 0
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def make_path(root: str, libraries: str) -> None:
    """The function's own packages come before the ones that Lambda provides."""
    provided = {path.name for path in Path(libraries).iterdir()}
    own = {path.name for path in Path(root).iterdir()}
    for name in list(sys.modules):
        if name.partition(".")[0] in provided & own:
            del sys.modules[name]
    sys.path.insert(0, root)


def serve(channel: socket.socket, root: str, handler_name: str) -> None:
    formatter = set_up_logging()
    failure: dict[str, Any] | None = None
    handler: Callable[[Any, Context], Any] | None = None
    try:
        handler = load(handler_name)
    except SystemExit as error:
        send(channel, json.dumps({"exit": exit_status(error)}).encode())
        return
    except BaseException as error:
        failure = told_error(error, root)
    while (received := receive(channel)) is not None:
        head, _, payload = received.partition(b"\n")
        told = json.loads(head)
        formatter.request_id = told["request_id"]
        os.environ["_X_AMZN_TRACE_ID"] = told["trace"]
        if failure is not None or handler is None:
            answer = {"error": {**(failure or {}), "requestId": told["request_id"]}, "ended": True}
            send(channel, json.dumps(answer | usage()).encode())
            return
        answer = answer_one(handler, payload, Context(told), root)
        sys.stdout.flush()
        sys.stderr.flush()
        send(channel, json.dumps(answer | usage()).encode())
        if "exit" in answer:
            return


def usage() -> dict[str, int]:
    return {"memory_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024}


def answer_one(
    handler: Callable[[Any, Context], Any], payload: bytes, context: Context, root: str
) -> dict[str, Any]:
    try:
        result = handler(json.loads(payload or b"{}"), context)
    except SystemExit as error:
        return {"exit": exit_status(error)}
    except BaseException as error:
        told = told_error(error, root)
        print_error(told)
        return {"error": {**told, "requestId": context.aws_request_id}}
    try:
        return {"result": json.dumps(result, ensure_ascii=False)}
    except (TypeError, ValueError) as error:
        message = f"Unable to marshal response: {error}"
        told = {"errorMessage": message, "errorType": "Runtime.MarshalError", "stackTrace": []}
        print_error(told)
        return {"error": {**told, "requestId": context.aws_request_id}}


def exit_status(error: SystemExit) -> int:
    return error.code if isinstance(error.code, int) else 0 if error.code is None else 1


def load(name: str) -> Callable[[Any, Context], Any]:
    """The handler `package/module.function`. Raises InitError, or whatever the module's own code raises."""
    module_name, _, function = name.rpartition(".")
    if not module_name:
        raise InitError(
            "Runtime.MalformedHandlerName",
            f"Bad handler '{name}': not enough values to unpack (expected 2, got 1)",
        )
    try:
        module = importlib.import_module(module_name.replace("/", "."))
    except ImportError as error:
        raise InitError(
            "Runtime.ImportModuleError", f"Unable to import module '{module_name}': {error}"
        ) from error
    except SyntaxError as error:
        raise InitError(
            "Runtime.UserCodeSyntaxError", f"Syntax error in module '{module_name}': {error}"
        ) from error
    handler: Callable[[Any, Context], Any] | None = getattr(module, function, None)
    if handler is None:
        raise InitError("Runtime.HandlerNotFound", f"Handler '{function}' missing on module '{module_name}'")
    return handler


def told_error(error: BaseException, root: str) -> dict[str, Any]:
    """An exception in Lambda's form; the frames of this file are left out."""
    if isinstance(error, InitError):
        return {"errorMessage": str(error), "errorType": error.kind, "stackTrace": []}
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if frame.filename != __file__]
    lines = [line.replace(root, TASK_ROOT) for line in traceback.format_list(frames)]
    return {"errorMessage": str(error), "errorType": type(error).__name__, "stackTrace": lines}


def print_error(told: Mapping[str, Any]) -> None:
    sys.stdout.write(f"[ERROR] {told['errorType']}: {told['errorMessage']}\n")
    if told["stackTrace"]:
        sys.stdout.write("Traceback (most recent call last):\n" + "".join(told["stackTrace"]))


def set_up_logging() -> LogFormat:
    formatter = LogFormat()
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(formatter)
    logging.getLogger().handlers[:] = [handler]
    return formatter


if __name__ == "__main__":
    nursery(socket.socket(fileno=int(sys.argv[1])), sys.argv[2])
