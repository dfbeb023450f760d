"""A replay opens no connection: what tries to is a door that no run keeps."""

from __future__ import annotations

import os
import socket
import sys
from typing import Any

from gbg_lib.replay import tape

CONNECTING = frozenset({"socket.connect", "socket.sendto", "socket.sendmsg", "socket.getaddrinfo"})
"""https://docs.python.org/3/library/audit_events.html"""
AWS = "AWS_"
FILES = ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE")
"""without these names botocore looks into the home folder"""


def refuse_network() -> None:
    """From now on, in this process; git takes files only. The environment tells nothing of AWS any more."""
    for name in [name for name in os.environ if name.startswith(AWS)]:
        del os.environ[name]
    os.environ |= {**dict.fromkeys(FILES, os.devnull), "GIT_ALLOW_PROTOCOL": "file"}
    sys.addaudithook(_heard)


def _heard(event: str, words: tuple[Any, ...]) -> None:
    if event not in CONNECTING:
        return
    if isinstance(words[0], socket.socket) and words[0].family == socket.AF_UNIX:
        return
    address = words[1] if isinstance(words[0], socket.socket) else words[:2]
    playing = tape.current()
    if isinstance(playing, tape.Playing):
        playing.take("network", {"event": event, "address": str(address)})
