"""How the machine's own programs speak to pid 1."""

from __future__ import annotations

import json
import os
import socket
import sys

from init.sockets import LARGEST, PRIVATE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


def ask(request: dict[str, Any]) -> tuple[dict[str, Any], list[int]]:
    """The answer and the descriptors that came with it."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as line:
        try:
            line.connect(PRIVATE)
        except OSError as error:
            sys.exit(f"Failed to connect to bus: {os.strerror(error.errno or 0)}")
        line.send(json.dumps(request).encode())
        packet, descriptors, _flags, _address = socket.recv_fds(line, LARGEST, 4)
    if not packet:
        sys.exit("Failed to talk to pid 1: it closed the connection")
    return json.loads(packet), descriptors


def order(**request: object) -> dict[str, Any]:
    return ask(request)[0]
