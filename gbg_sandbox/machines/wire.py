"""Messages between the sandbox, its fork server and the machines: JSON with file descriptors.

A SOCK_SEQPACKET socket keeps messages apart, and descriptors travel with the message they belong to.
"""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Sequence
from typing import Any

LARGEST = 128 * 1024
MOST_DESCRIPTORS = 16


def pair() -> tuple[socket.socket, socket.socket]:
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    for end in (ours, theirs):
        end.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 2 * LARGEST)
    return ours, theirs


def send(to: socket.socket, message: dict[str, Any], descriptors: Sequence[int] = ()) -> None:
    """Raises OSError when the other side is gone, ValueError when the message is too large."""
    packet = json.dumps(message).encode()
    if len(packet) > LARGEST:
        raise ValueError(f"a message of {len(packet)} bytes is too large for a machine (at most {LARGEST})")
    socket.send_fds(to, [packet], list(descriptors))


def receive_descriptors(source: socket.socket, size: int) -> tuple[bytes, list[int]]:
    """Like recv_fds, which drops its flags: none of the descriptors may pass on to another program."""
    packet, descriptors, _flags, _address = socket.recv_fds(source, size, MOST_DESCRIPTORS)
    for descriptor in descriptors:
        os.set_inheritable(descriptor, False)
    return packet, descriptors


def receive(source: socket.socket) -> tuple[dict[str, Any], list[int]] | None:
    """The next message and its descriptors; None when the other side is gone."""
    try:
        packet, descriptors = receive_descriptors(source, LARGEST)
    except ConnectionError:
        return None
    if not packet:
        return None
    message: dict[str, Any] = json.loads(packet)
    return message, descriptors
