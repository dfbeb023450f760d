"""A port for a server that is told its own before it begins to listen; and one where nobody ever does."""

from __future__ import annotations

import random
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

LOWEST = 10_000
HANDED_OUT = Path("/proc/sys/net/ipv4/ip_local_port_range")
"""what the kernel gives to whoever asks for any port, as most tests beside this one do (ip(7))"""


def free_port() -> int:
    """On 127.0.0.1, below those that are handed out: nobody gets it by chance before the server does."""
    handed_out = int(HANDED_OUT.read_text().split()[0])
    while True:
        port = random.randrange(LOWEST, max(handed_out, 2 * LOWEST))
        with socket.socket() as tried:
            if tried.connect_ex(("127.0.0.1", port)):
                return port


@contextmanager
def nobody() -> Iterator[int]:
    """Whoever connects is refused, until the end of the block. One that was closed may be another test's."""
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        yield held.getsockname()[1]
