"""The journal: one text file, a line an entry, so that it can be read with any tool.

Fields, tab-separated: seconds since the epoch, boot id, unit, identifier[pid], message.
"""

from __future__ import annotations

import os
import time
from collections import namedtuple

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

PATH = "/var/log/journal/system.journal"
LARGEST = 8 * 1024 * 1024


Entry = namedtuple("Entry", "time boot unit identifier message")


class Journal:
    def __init__(self, boot: str) -> None:
        self.boot = boot

    def write(self, unit: str, identifier: str, message: str) -> None:
        """Opened anew each time: hardening scripts delete logs under a running system."""
        os.makedirs(os.path.dirname(PATH), exist_ok=True)
        if os.path.exists(PATH) and os.path.getsize(PATH) > LARGEST:
            os.replace(PATH, f"{PATH}.1")
        lines = "".join(
            f"{time.time():.6f}\t{self.boot}\t{unit}\t{identifier}\t{line}\n"
            for line in message.splitlines() or [""]
        )
        with open(PATH, "a", encoding="utf-8", errors="replace") as file:
            file.write(lines)


def read() -> Iterator[Entry]:
    for path in (f"{PATH}.1", PATH):
        if not os.path.exists(path):
            continue
        with open(path, encoding="utf-8", errors="replace") as file:
            for line in file:
                fields = line.rstrip("\n").split("\t", 4)
                if len(fields) == 5:
                    yield Entry(float(fields[0]), *fields[1:])


def line(entry: Entry) -> str:
    """An entry as journalctl prints it."""
    moment = time.strftime("%b %d %H:%M:%S", time.gmtime(entry.time))
    return f"{moment} {os.uname().nodename.partition('.')[0]} {entry.identifier}: {entry.message}"
