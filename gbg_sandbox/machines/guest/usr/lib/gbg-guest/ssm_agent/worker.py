"""Runs one command to its end and reports. A process of its own, so that it survives the agent's restart.

The script, its output files and its environment are as the real agent makes them: HOME is not set either.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import time
import uuid
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, BinaryIO

from ssm_agent.facts import Place, platform
from ssm_agent.outputs import keep_in_bucket, keep_in_logs

PROGRESS_SECONDS = 2.0
REPLY_LIMIT = 24000
"""characters of each stream that a reply carries"""
FAILED = "failed to run commands: "
KEPT_VARIABLES = ("PATH", "LANG", "TZ", "AWS_REGION")


class Worker:
    def __init__(self, aws: Any, place: Place, message_id: str, payload: Mapping[str, Any]) -> None:
        self.aws = aws
        self.place = place
        self.message_id = message_id
        self.payload = payload
        self.command_id = str(payload["CommandId"])
        self.folder = place.orchestration(self.command_id, str(payload["Step"]))
        self.started = _now()
        self.cancelled = False

    def run(self) -> None:
        self.place.log("INFO", f"[{self.command_id}] {self.payload['DocumentName']} begins")
        mark = self.place.current(self.command_id)
        mark.parent.mkdir(parents=True, exist_ok=True)
        try:
            status, code = self._run_script(mark)
        finally:
            mark.unlink(missing_ok=True)
        self.place.log("INFO", f"[{self.command_id}] {status} with exit code {code}")

    def _run_script(self, mark: Path) -> tuple[str, int]:
        self.folder.mkdir(parents=True, exist_ok=True)
        script = self.folder / "_script.sh"
        script.write_text("\n".join(self.payload["Lines"]) + "\n")
        script.chmod(0o700)
        with (self.folder / "stdout").open("w+b") as stdout, (self.folder / "stderr").open("w+b") as stderr:
            status, code = self._watch(script, mark, stdout, stderr)
            self._end(status, code, stdout, stderr)
        return status, code

    def _watch(self, script: Path, mark: Path, stdout: BinaryIO, stderr: BinaryIO) -> tuple[str, int]:
        try:
            process = subprocess.Popen(
                ["sh", "-c", str(script)],
                stdin=subprocess.DEVNULL,
                stdout=stdout,
                stderr=stderr,
                cwd=self.payload.get("WorkingDirectory") or self.place.working_directory,
                env=self._environment(),
                start_new_session=True,
            )
        except OSError as error:
            _append(stderr, f"{FAILED}{error}")
            return "Failed", 1
        mark.write_text(str(process.pid))
        return self._wait(process, mark, stdout, stderr)

    def _wait(
        self, process: subprocess.Popen[bytes], mark: Path, stdout: BinaryIO, stderr: BinaryIO
    ) -> tuple[str, int]:
        limit = time.monotonic() + int(self.payload["TimeoutSeconds"])
        told, next_report = 0, time.monotonic() + PROGRESS_SECONDS
        while True:
            now = time.monotonic()
            try:
                code = process.wait(min(0.5, max(0.0, limit - now)) or 0.01)
                break
            except subprocess.TimeoutExpired:
                pass
            if now >= limit:
                _kill(process)
                _append(stderr, f"\n{FAILED}timed out after {self.payload['TimeoutSeconds']} seconds")
                return "TimedOut", -1
            size = _size(stdout) + _size(stderr)
            if now >= next_report and size != told:
                told, next_report = size, now + PROGRESS_SECONDS
                self._reply("InProgress", -1, stdout, stderr)
        if mark.exists() and mark.read_text().startswith("cancelled"):
            return "Cancelled", -1
        if code == 0:
            return "Success", 0
        code = 128 - code if code < 0 else code
        _append(stderr, f"{FAILED}exit status {code}")
        return "Failed", code

    def _environment(self) -> dict[str, str]:
        name, version = platform(self.place.root)
        kept = {key: os.environ[key] for key in KEPT_VARIABLES if key in os.environ}
        return {
            **kept,
            "AWS_SSM_INSTANCE_ID": self.place.instance_id,
            "AWS_SSM_REGION_NAME": self.aws.region(),
            "AWS_SSM_PLATFORM_NAME": name,
            "AWS_SSM_PLATFORM_VERSION": version,
            "AWS_SSM_PLATFORM_TYPE": "Linux",
        }

    def _end(self, status: str, code: int, stdout: BinaryIO, stderr: BinaryIO) -> None:
        """Output first goes to where it is kept, so that it is there when the command is over."""
        streams = {"stdout": _content(stdout), "stderr": _content(stderr)}
        for keep in (keep_in_logs, keep_in_bucket):
            try:
                keep(self.aws, self.place.instance_id, self.payload, streams)
            except (self.aws.ServiceError, self.aws.InstanceError, OSError) as error:
                self.place.log("ERROR", f"[{self.command_id}] output can't be kept: {error}")
        self._reply(status, code, stdout, stderr)

    def _reply(self, status: str, code: int, stdout: BinaryIO, stderr: BinaryIO) -> None:
        reply = {
            "Status": status,
            "ResponseCode": code,
            "Started": self.started,
            "Ended": _now() if status != "InProgress" else "",
            "Stdout": _cut(_content(stdout)),
            "Stderr": _cut(_content(stderr)),
        }
        request = {"MessageId": self.message_id, "ReplyId": str(uuid.uuid4()), "Payload": json.dumps(reply)}
        attempts = 1 if status == "InProgress" else 8
        for attempt in range(attempts):
            try:
                self.aws.call("ec2messages", "EC2WindowsMessageDeliveryService.SendReply", request)
                return
            except (self.aws.ServiceError, self.aws.InstanceError, OSError) as error:
                self.place.log("ERROR", f"[{self.command_id}] the reply did not go out: {error}")
                if attempt + 1 < attempts:
                    time.sleep(0.5 * 2**attempt)


def cancel(place: Place, command_id: str) -> None:
    """Stop a running script; its worker reports the rest."""
    mark = place.current(command_id)
    try:
        pid = int(mark.read_text())
        mark.write_text(f"cancelled {pid}")
        os.killpg(pid, signal.SIGKILL)
    except (OSError, ValueError) as error:
        place.log("WARN", f"[{command_id}] nothing to cancel: {error}")


def _kill(process: subprocess.Popen[bytes]) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def _append(file: BinaryIO, text: str) -> None:
    os.lseek(file.fileno(), 0, os.SEEK_END)
    os.write(file.fileno(), text.encode())


def _now() -> str:
    return datetime.now(UTC).isoformat()


def _size(file: BinaryIO) -> int:
    return os.fstat(file.fileno()).st_size


def _content(file: BinaryIO) -> str:
    """All that was written so far, also when the file's name is gone."""
    return os.pread(file.fileno(), _size(file), 0).decode(errors="replace")


def _cut(text: str) -> str:
    """The beginning; of a failure its last words too."""
    if len(text) <= REPLY_LIMIT:
        return text
    ending = text[text.rfind(FAILED) :] if FAILED in text[-200:] else ""
    return text[: REPLY_LIMIT - len(ending)] + ending
