"""How an event ended, as the service wants to hear it."""

from __future__ import annotations

import json

SUCCEEDED = 0
SCRIPT_MISSING = 1
SCRIPT_NOT_EXECUTABLE = 2
SCRIPT_TIMED_OUT = 3
SCRIPT_FAILED = 4
UNKNOWN = 5
OUTPUTS_LEFT_OPEN = 6
FAILED_AFTER_RESTART = 7
TAIL_BYTES = 2048
"""the last part of the scripts' output that is sent"""
LONGEST_PAYLOAD = 8192


class EventFailed(Exception):
    """A lifecycle event failed; `log` is the tail of what its scripts wrote."""

    def __init__(self, code: int, message: str, script: str = "", log: str = "") -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.script = script
        self.log = log


def payload(code: int, message: str, script: str = "", log: str = "") -> str:
    """At most as long as the service takes: the log's beginning goes first."""
    tail = log.encode()[-TAIL_BYTES:].decode(errors="ignore")
    while True:
        made = json.dumps({"error_code": code, "script_name": script, "message": message, "log": tail})
        if len(made) <= LONGEST_PAYLOAD:
            return made
        tail, message = (tail[len(tail) // 2 + 1 :], message) if tail else ("", message[: len(message) // 2])
