"""Where pid 1 is spoken to from within the machine."""

from __future__ import annotations

import os
import socket

PRIVATE = "/run/systemd/private"
NOTIFY = "/run/systemd/notify"
LARGEST = 128 * 1024
"""bytes of a message"""


def bind(kind: int, path: str, mode: int) -> socket.socket:
    """In the place of what an earlier boot left there."""
    if os.path.exists(path):
        os.unlink(path)
    bound = socket.socket(socket.AF_UNIX, kind)
    bound.bind(path)
    os.chmod(path, mode)
    return bound
